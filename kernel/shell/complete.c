/* Finding commands, and completing what is typed: verbs, options, and the values of both. */
#include <kernel/shell.h>
#include <kernel/string.h>

static unsigned command_count(void)
{
	return (unsigned)(__stop_commands - __start_commands);
}

static const struct command *find_command(const char *name, size_t len)
{
	for (unsigned i = 0; i < command_count(); i++) {
		const char *full = __start_commands[i]->name;

		if (strlen(full) == len && !strncmp(full, name, len))
			return __start_commands[i];
	}
	return NULL;
}

const struct command *shell_find_command(const char *name)
{
	return find_command(name, strlen(name));
}

/* How many names stand before this one. */
static unsigned rank_of(const struct command *cmd)
{
	unsigned rank = 0;

	for (unsigned i = 0; i < command_count(); i++)
		rank += strcmp(__start_commands[i]->name, cmd->name) < 0;
	return rank;
}

const struct command *shell_command(unsigned at)
{
	for (unsigned i = 0; i < command_count(); i++) {
		if (rank_of(__start_commands[i]) == at)
			return __start_commands[i];
	}
	return NULL;
}

/* ---- where the cursor is ---- */

/* Where the command at the cursor begins: behind the last ";" that is not quoted. */
static const char *command_start(const char *line, size_t cursor)
{
	const char *start = line;
	bool quoted = false;

	for (const char *s = line; s < line + cursor; s++) {
		quoted ^= *s == '"';
		if (*s == ';' && !quoted)
			start = s + 1;
	}
	return start;
}

/* The word that begins at or after s, before end; its length in *len. */
static const char *next_word(const char *s, const char *end, size_t *len)
{
	while (s < end && *s == ' ')
		s++;
	for (*len = 0; s + *len < end && s[*len] != ' '; (*len)++)
		;
	return s;
}

enum { FIRST_LEN = 48 }; /* bytes of a first argument that options may depend on, e.g. a workload */

/* What the words before the cursor say about the one at it. */
struct place {
	const struct command *cmd;
	int argi; /* it would be this argument */
	const struct arg *value_of; /* it is the value of this option; or NULL */
	char first[FIRST_LEN]; /* the first argument, "" if there is none yet */
};

/* The option "--name" or "--name=..."; NULL: no such option of this command. */
static const struct arg *find_option(const struct command *cmd, const char *word, size_t len)
{
	size_t name = 0;

	while (name < len && word[name] != '=')
		name++;
	for (const struct arg *arg = cmd->options; arg && arg->name; arg++)
		if (strlen(arg->name) == name && !strncmp(arg->name, word, name))
			return arg;
	return NULL;
}

static void pass_word(struct place *p, const char *word, size_t len)
{
	const struct arg *option = *word == '-' ? find_option(p->cmd, word, len) : NULL;

	if (p->value_of) {
		p->value_of = NULL;
	} else if (*word != '-') {
		if (p->argi++ == 1)
			strlcpy(p->first, word, MIN(len + 1, sizeof(p->first)));
	} else if (option && option->kind != ARG_FLAG && strlen(option->name) == len) {
		p->value_of = option;
	}
}

/* ---- candidates ---- */

const struct list_provider *shell_find_lister(const char *name)
{
	for (const struct list_provider *const *l = __start_listers; l < __stop_listers; l++)
		if (!strcmp((*l)->name, name))
			return *l;
	return NULL;
}

static const char *nth_value(const struct arg *option, struct completion *at, unsigned i)
{
	const struct list_provider *list = option->names ? shell_find_lister(option->names) : NULL;

	if (option->kind == ARG_CHOICE) {
		for (unsigned n = 0; n < i; n++)
			if (!option->choices[n])
				return NULL;
		return option->choices[i];
	}
	if (!list)
		return NULL;
	return list->complete ? list->complete(at, i) : list->item ? list->item(i) : NULL;
}

/* "--name=" is typed. */
static const char *nth_inline_value(const struct arg *option, struct completion *at, unsigned i)
{
	size_t begin = strlen(option->name) + 1;
	struct completion value = {.word = at->word + begin, .len = at->len - begin};
	const char *candidate = nth_value(option, &value, i);

	at->start = begin + value.start;
	at->open = value.open;
	return candidate;
}

static const char *nth_option(const struct place *p, unsigned i)
{
	for (const struct arg *arg = p->cmd->options; arg && arg->name; arg++)
		if ((!p->cmd->applies || p->cmd->applies(arg, p->first)) && !i--)
			return arg->name;
	return NULL;
}

static const char *nth_argument(const struct place *p, struct completion *at, unsigned i)
{
	const struct arg *option;

	if (p->value_of)
		return nth_value(p->value_of, at, i);
	if (!at->len || *at->word != '-')
		return p->cmd->complete ? p->cmd->complete(p->argi, at, i) : NULL;
	option = find_option(p->cmd, at->word, at->len);
	return option && strlen(option->name) < at->len ? nth_inline_value(option, at, i)
							: nth_option(p, i);
}

const char *shell_complete(const char *line, size_t cursor, unsigned i, struct completion *at)
{
	const char *end = line + cursor;
	struct place p = {.argi = 1};
	const struct command *verb;

	*at = (struct completion){.open = false};
	at->word = next_word(command_start(line, cursor), end, &at->len);
	if (at->word + at->len == end) {
		verb = shell_command(i);
		return verb ? verb->name : NULL;
	}
	p.cmd = find_command(at->word, at->len);
	if (!p.cmd)
		return NULL;
	for (;;) {
		at->word = next_word(at->word + at->len, end, &at->len);
		if (at->word + at->len == end)
			return nth_argument(&p, at, i);
		pass_word(&p, at->word, at->len);
	}
}
