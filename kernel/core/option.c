/* The boot line, split into words once. Written by option_init() only; `known` marks are never lost. */
#include <kernel/bootinfo.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>

enum {
	OPTION_MAX = 256, /* words; a boot line of commands is one word */
	SHOWN = 64, /* characters of a bad word that a message repeats */
};

struct word {
	const char *name, *value;
	bool known; /* somebody has asked for it */
};

static char text[BOOT_CMDLINE_LEN];
static struct word words[OPTION_MAX];
static unsigned word_count;
static unsigned words_dropped;
static unsigned unclosed; /* number of the word whose quote has no end; 0: there is none */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * Copy one word without its quotes to out; returns where it ended in s. A
 * quoted piece keeps blanks, up to the end of the line if its quote is not
 * closed; backslash keeps a quote.
 */
static const char *copy_word(const char *s, char **out, bool *closed)
{
	bool quoted = false;

	for (; *s && (quoted || !is_blank(*s)); s++) {
		if (*s == '"') {
			quoted = !quoted;
			continue;
		}
		if (*s == '\\' && s[1] == '"')
			s++;
		*(*out)++ = *s;
	}
	*(*out)++ = '\0';
	*closed = !quoted;
	return s;
}

static void add_word(char *name)
{
	char *equals = strchr(name, '=');

	if (word_count == OPTION_MAX) {
		words_dropped++;
		return;
	}
	if (equals)
		*equals = '\0';
	words[word_count++] = (struct word){.name = name, .value = equals ? equals + 1 : ""};
}

void option_init(const char *cmdline)
{
	char *out = text;

	word_count = words_dropped = 0;
	unclosed = 0;
	/* Each terminator takes the place of a blank, so what is written never overtakes what was read. */
	for (const char *s = cmdline; *s;) {
		char *name = out;
		bool closed;

		while (is_blank(*s))
			s++;
		if (!*s)
			break;
		s = copy_word(s, &out, &closed);
		add_word(name);
		if (!closed)
			unclosed = word_count;
	}
}

/* Where a word ends that begins at s. */
static char *word_end(char *s)
{
	for (bool quoted = false; *s && (quoted || !is_blank(*s)); s++) {
		if (*s == '"')
			quoted = !quoted;
		else if (*s == '\\' && s[1] == '"')
			s++;
	}
	return s;
}

/* Behind "name=" at s, wherever quotes are in it; NULL: that is another word. */
static char *value_of(char *s, const char *name)
{
	for (; *s == '"' || (*s && *s == *name); s++)
		name += *s != '"';
	return !*name && *s == '=' ? s + 1 : NULL;
}

void option_hide(char *cmdline, const char *name)
{
	for (char *s = cmdline; *s;) {
		char *value = value_of(s, name);
		char *end = word_end(s);

		if (value && value < end)
			memset(value, '*', (size_t)(end - value));
		s = end + (*end != '\0');
	}
}

const char *option_nth(const char *name, unsigned n)
{
	const char *value = NULL;

	for (unsigned i = 0; i < word_count; i++) {
		if (strcmp(words[i].name, name))
			continue;
		words[i].known = true;
		if (!n--)
			value = words[i].value;
	}
	return value;
}

const char *option_get(const char *name)
{
	return option_nth(name, 0);
}

u64 option_u64(const char *name, u64 def, u64 min, u64 max)
{
	const char *s = option_get(name);
	u64 value;

	if (!s)
		return def;
	if (!parse_u64(s, &value) && value >= min && value <= max)
		return value;
	printk("boot option %s=%.*s: must be a number from %lu to %lu; using %lu\n", name, SHOWN, s,
	       min, max, def);
	return def;
}

unsigned option_choice(const char *name, const char *const *choices, unsigned def)
{
	const char *s = option_get(name);
	char list[128] = "";
	size_t len = 0;

	if (!s)
		return def;
	for (unsigned i = 0; choices[i]; i++) {
		if (!strcmp(s, choices[i]))
			return i;
		len = strlen(list);
		strlcpy(list + len, i ? ", " : "", sizeof(list) - len);
		len = strlen(list);
		strlcpy(list + len, choices[i], sizeof(list) - len);
	}
	printk("boot option %s=%.*s: must be one of %s; using %s\n", name, SHOWN, s, list,
	       choices[def]);
	return def;
}

bool option_list_has(const char *name, const char *item)
{
	const char *s = option_get(name);
	size_t len = strlen(item);

	while (s && *s) {
		const char *comma = strchr(s, ',');
		size_t n = comma ? (size_t)(comma - s) : strlen(s);

		if (n == len && !memcmp(s, item, n))
			return true;
		s = comma ? comma + 1 : NULL;
	}
	return false;
}

/* Some are read only by a command. */
static bool is_declared(const char *name)
{
	for (const struct boot_option *const *o = __start_boot_options; o < __stop_boot_options;
	     o++)
		if (!strcmp((*o)->name, name))
			return true;
	return false;
}

void option_report_unknown(void)
{
	for (unsigned i = 0; i < word_count; i++) {
		const struct word *w = &words[i];

		if (!*w->name)
			printk("boot line: word %u has no name (\"%.*s\"): ignored\n", i + 1, SHOWN,
			       w->value);
		else if (!w->known && !is_declared(w->name))
			printk("boot option %.*s: unknown, ignored\n", SHOWN, w->name);
	}
	if (unclosed)
		printk("boot line: word %u: its quote has no end: the rest of the line belongs to "
		       "it\n",
		       unclosed);
	if (words_dropped)
		printk("boot line: %u words after the first %u ignored\n", words_dropped,
		       OPTION_MAX);
}
