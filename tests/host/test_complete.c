/* Completion on the console: verbs, the options that apply, values of both. */
#include <kernel/shell.h>
#undef TEST /* the kernel's */
#include "check.h"

static const char *const colours[] = {"red", "green", "grey", NULL};
static unsigned colour;
static bool loud;
static const char *where, *names;
static u64 count;
static const struct arg options[] = {
	{"--colour", ARG_CHOICE, &colour, "", .choices = colours},
	{"--loud", ARG_FLAG, &loud, "", .def = false},
	{"--where", ARG_STRING, &where, "", .names = "places"},
	{"--names", ARG_STRING, &names, "", .names = "people"},
	{"--count", ARG_U64, &count, "", .max = 9},
	{NULL},
};

/* --loud is for dogs only. */
static bool applies(const struct arg *option, const char *word)
{
	return strcmp(option->name, "--loud") || !strcmp(word, "dog") || !*word;
}

static const char *nth(const char *const *list, unsigned i)
{
	for (unsigned n = 0; list[n]; n++)
		if (n == i)
			return list[n];
	return NULL;
}

static const char *animal(int argi, struct completion *at, unsigned i)
{
	static const char *const first[] = {"cat", "dog", NULL}, *const second[] = {"bone", NULL};

	(void)at;
	return nth(argi == 1 ? first : second, i);
}

static unsigned run(int argc, char **argv)
{
	(void)argc, (void)argv;
	return RC_PASS;
}

COMMAND(cmd_keep) = {
	.name = "keep",
	.run = run,
	.options = options,
	.applies = applies,
	.complete = animal,
};

COMMAND(cmd_bare) = {
	.name = "bare",
	.run = run,
};

static const char *place(unsigned i)
{
	static const char *const list[] = {"here", "there", NULL};

	return nth(list, i);
}

LISTER(list_of_places) = {
	.name = "places",
	.item = place,
};

/* "ann+bob" */
static const char *person(struct completion *at, unsigned i)
{
	static const char *const list[] = {"ann", "bob", NULL};

	for (size_t n = 0; n < at->len; n++)
		if (at->word[n] == '+')
			at->start = n + 1;
	at->open = true;
	return nth(list, i);
}

LISTER(list_of_people) = {
	.name = "people",
	.complete = person,
};

/* All candidates that begin with what is typed, and blanks between them. */
static const char *offered(const char *line)
{
	static char text[256];
	struct completion at;
	const char *c;

	text[0] = '\0';
	for (unsigned i = 0; (c = shell_complete(line, strlen(line), i, &at)); i++)
		if (!strncmp(c, at.word + at.start, at.len - at.start))
			strcat(strcat(text, *text ? " " : ""), c);
	return text;
}

/* What is typed, and what is offered then. */
static const struct {
	const char *line, *offered;
} cases[] = {
	/* verbs and arguments */
	{"", "bare keep"},
	{"bare; k", "keep"},
	{"nothing x", ""},
	{"bare x", ""},
	{"bare -", ""},
	{"keep ", "cat dog"},
	{"keep \"a;b\" b", "bone"},
	/* Options and their values are no arguments. */
	{"keep --loud --count 3 --where=here d", "dog"},
	{"keep dog --colour red ", "bone"},
	/* options: only those that apply */
	{"keep --", "--colour --loud --where --names --count"},
	{"keep dog --l", "--loud"},
	{"keep cat --l", ""},
	{"keep cat --c", "--colour --count"},
	{"keep --colour red cat --l", ""},
	/* values */
	{"keep --colour gr", "green grey"},
	{"keep --colour=gr", "green grey"},
	{"keep --where ", "here there"},
	{"keep cat --where=t", "there"},
	{"keep --names ", "ann bob"},
	{"keep --names ann+b", "bob"},
	{"keep --names=ann+b", "bob"},
	{"keep --count ", ""},
	{"keep --count=", ""},
	{"keep --loud c", "cat"}, /* takes no value */
	{"keep --colour red c", "cat"},
	{"keep --unknown=x", ""},
};

TEST(completion)
{
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = offered(cases[i].line);

		if (strcmp(got, cases[i].offered))
			printf("# typed: %s\n", cases[i].line);
		CHECK_STR(got, cases[i].offered);
	}
}
