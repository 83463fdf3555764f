/* Line editing: what keys make of the line, and what a terminal shows meanwhile. */
#include "check.h"
#include "random.h"

#include <kernel/lineedit.h>

static const char *const candidates[] = {"test", "help", "tests", "hexdump", NULL};
static struct lineedit le;

/* A terminal's last line: characters of one column each, backspace, newline. */
enum { COLUMNS = 4096 };
static struct cell {
	char bytes[UTF8_MAX + 1];
} cells[COLUMNS];
static size_t column;
static size_t to_come; /* bytes of the character at the cursor */

static void terminal(const char *s, size_t len)
{
	for (; len; len--, s++) {
		if (*s == '\n') {
			memset(cells, 0, sizeof(cells));
			column = 0;
		} else if (*s == '\b') {
			column -= column > 0;
		} else if (column < COLUMNS - 1) {
			if (!to_come) {
				to_come = utf8_length(*s);
				cells[column] = (struct cell){{0}};
			}
			cells[column].bytes[strlen(cells[column].bytes)] = *s;
			column += !--to_come;
		}
	}
}

/* What it shows. */
static const char *screen(void)
{
	static char text[COLUMNS * UTF8_MAX];

	text[0] = '\0';
	for (size_t i = 0, len = 0; cells[i].bytes[0]; len += strlen(cells[i++].bytes))
		strcpy(text + len, cells[i].bytes);
	return text;
}

static size_t word_start(const char *line, size_t cursor)
{
	while (cursor && line[cursor - 1] != ' ' && line[cursor - 1] != ';')
		cursor--;
	return cursor;
}

static const char *candidate(const char *line, size_t cursor, unsigned i, struct completion *at)
{
	size_t start = word_start(line, cursor);

	*at = (struct completion){.word = line + start, .len = cursor - start};
	return candidates[i];
}

static void restart(void)
{
	le = (struct lineedit){.prompt = "> ", .put = terminal, .candidate = candidate};
	terminal("\n", 1);
	lineedit_begin(&le);
}

/* The last event; begins the next line after an Enter, as the shell does. */
static enum lineedit_event type(const char *keys)
{
	enum lineedit_event event = LINEEDIT_MORE;

	for (; *keys; keys++) {
		if (event != LINEEDIT_MORE)
			lineedit_begin(&le);
		event = lineedit_feed(&le, *keys);
	}
	return event;
}

static size_t without_blanks(const char *s, size_t len)
{
	while (len && s[len - 1] == ' ')
		len--;
	return len;
}

/* The screen shows prompt and line, but for blanks at the end, and the cursor is where it belongs. */
static bool screen_agrees(void)
{
	const char *shown = screen();
	size_t n = without_blanks(shown, strlen(shown)), len = without_blanks(le.line, le.len);

	if (to_come || n < len || memcmp(shown + n - len, le.line, len))
		return false;
	if (le.search.on)
		return strstr(shown, le.search.pattern);
	return n == (len ? len + 2 : 1) && column == 2 + utf8_count(le.line, le.cursor);
}

TEST(lineedit_edits)
{
	static const struct {
		const char *keys, *line;
	} cases[] = {
		{"abc", "abc"},
		{"abc\b\177d", "ad"},
		{"\b\177", ""},
		{"ac\033[Db", "abc"},
		{"bc\001a", "abc"},
		{"ab\001\005c", "abc"},
		{"abc\033[D\033[D\013", "a"},
		{"abc\033[D\025", ""},
		{"one two\027", "one "},
		{"one two  \027", "one "},
		{"one two\033[D\027", "one o"},
		{"abc\033[H\033[3~", "bc"},
		{"abc\033[1~x\033[4~y", "xabcy"},
		{"abc\033OHx\033OFy", "xabcy"},
		{"abc\033[C\033[C\033[D\033[Cd", "abcd"},
		{"a\001\033[D\033[Db", "ba"},
		{"a\033[1;5Cb\033[15~c\033zd\033[?1h", "abcd"},
		{"a\002\032\034\200\377b", "ab"},
		{"abc\001\004\004", "c"},
		{"abc\004\033[D\004", "ab"},
		/* words: Alt-b, Alt-f, Alt-d, Alt-Backspace, arrows with Ctrl or Alt, rxvt's */
		{"one two-three\033b\033bx", "one xtwo-three"},
		{"one two\001\033fx\033fy\033fz", "onex twoyz"},
		{"one two three\033b\033b\033d", "one  three"},
		{"one two\033\177", "one "},
		{"one two\033[1;5Dx\033[1;3Dy", "one yxtwo"},
		{"one two\001\033[1;5Cx\033[1;2C\033[1;2Dy", "onexy two"},
		{"one two\033Odx\033Od\033Ocy", "one xtwoy"},
		{"a_b9 \303\244\303\266\033bx", "a_b9 x\303\244\303\266"},
		{"\033b\033f\033d\033\177", ""},
		/* UTF-8: characters of 2, 3 and 4 bytes are kept, erased and passed whole */
		{"\303\244\342\202\254\360\237\230\200", "\303\244\342\202\254\360\237\230\200"},
		{"a\303\244\177b", "ab"},
		{"\342\202\254\360\237\230\200\033[D\033[D\033[Cx",
		 "\342\202\254x\360\237\230\200"},
		{"\342\202\254\360\237\230\200\001\033[3~", "\360\237\230\200"},
		{"\303\244b\033[D\013", "\303\244"},
		{"\303\244 \342\202\254\027", "\303\244 "},
		/* halves, surrogates, longer forms than needed, C1 controls, beyond the last character */
		{"a\303b\202\254\342\202c", "abc"},
		{"a\355\240\200\300\200\340\200\200\302\233\364\220\200\200b", "ab"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		restart();
		CHECK_EQ(type(cases[i].keys), LINEEDIT_MORE);
		CHECK_STR(le.line, cases[i].line);
		CHECK(screen_agrees());
	}
}

TEST(lineedit_line_ends)
{
	restart();
	CHECK_EQ(type("ab\r"), LINEEDIT_LINE);
	CHECK_STR(le.line, "ab");
	CHECK_EQ(type("\n"), LINEEDIT_MORE); /* of CR LF */
	lineedit_begin(&le);
	CHECK_EQ(type("cd\n"), LINEEDIT_LINE);
	CHECK_STR(le.line, "cd");
	lineedit_begin(&le);
	CHECK_EQ(type("\n"), LINEEDIT_LINE);
	CHECK_EQ(le.len, 0);
	lineedit_begin(&le);
	CHECK_EQ(type("ef\003"), LINEEDIT_CANCEL);
	lineedit_begin(&le);
	CHECK_EQ(type("x\004"), LINEEDIT_MORE);
	CHECK_EQ(type("\177\004"), LINEEDIT_END); /* nothing is typed: no more will come */
}

TEST(lineedit_history)
{
	restart();
	type("one\rtwo\rtwo\r\rthree\r");
	lineedit_begin(&le);
	type("typ\033[A");
	CHECK_STR(le.line, "three");
	type("\033[A\033[A");
	CHECK_STR(le.line, "one"); /* two is there once, the empty line not at all */
	type("\033[A");
	CHECK_STR(le.line, "one");
	type("\033[B\033[B\033[B\033[B");
	CHECK_STR(le.line, "typ");
	CHECK(screen_agrees());
	type("\025");
	for (unsigned i = 0; i < 40; i++) {
		char keys[8];

		sprintf(keys, "n%u\r", i);
		type(keys);
		lineedit_begin(&le);
	}
	for (unsigned i = 0; i < 50; i++)
		type("\033[A");
	CHECK_STR(le.line, "n8");
}

/* Ctrl-R: what is typed then is looked for in older lines. */
TEST(lineedit_search)
{
	restart();
	type("set batch=4\rbench migrate\rbench \303\244\rshow batch\r");
	lineedit_begin(&le);
	type("typ\022");
	CHECK_STR(screen(), "search '': typ");
	type("bat");
	CHECK_STR(le.line, "show batch");
	CHECK(screen_agrees());
	type("\022");
	CHECK_STR(le.line, "set batch=4");
	CHECK(screen_agrees());
	type("\022");
	CHECK(strstr(screen(), "nothing older has 'bat': set batch=4"));
	type("\007"); /* Ctrl-G: as if nothing had been */
	CHECK_STR(le.line, "typ");
	CHECK(screen_agrees());
	type("\022bench m\177\303\244");
	CHECK_STR(le.line, "bench \303\244");
	type("\177\177\177x"); /* erases characters, not bytes */
	CHECK_STR(le.search.pattern, "bencx");
	CHECK(le.search.failed && screen_agrees());
	type("\177\033[Dy"); /* any other key edits what was found */
	CHECK_STR(le.line, "bench y\303\244");
	CHECK(!le.search.on && screen_agrees());
	type("\033[A");
	CHECK_STR(le.line, "bench migrate"); /* history goes on from there */
	type("\022set");
	CHECK_EQ(type("\r"), LINEEDIT_LINE);
	CHECK_STR(le.line, "set batch=4");
	lineedit_begin(&le);
	type("\022\177\022\022\022\022\022\022\022");
	CHECK_EQ(type("\003"), LINEEDIT_CANCEL);
	lineedit_begin(&le);
	CHECK(!le.search.on && screen_agrees());
	type("\022sho");
	terminal("\n", 1);
	lineedit_redraw(&le); /* somebody printed */
	CHECK(screen_agrees());
	type("\033[\022A"); /* a sequence that was not ended */
	CHECK(le.search.on && screen_agrees());
	type("\007\025\022sho\004"); /* not an empty line */
	CHECK_STR(le.line, "show batch");
}

TEST(lineedit_completion)
{
	restart();
	type("hel\t");
	CHECK_STR(le.line, "help ");
	type("\025x;te\t");
	CHECK_STR(le.line, "x;test"); /* test or tests */
	type("\t");
	CHECK_STR(le.line, "x;test");
	CHECK(screen_agrees());
	type("\025nothing\t");
	CHECK_STR(le.line, "nothing");
	type("\025hx\033[D\t");
	CHECK_STR(le.line, "hex"); /* help or hexdump, before the x */
	type("x\t");
	CHECK_STR(le.line, "hexdump x");
}

TEST(lineedit_10000_characters)
{
	restart();
	for (unsigned i = 0; i < 10000; i++)
		CHECK_EQ(lineedit_feed(&le, 'x'), LINEEDIT_MORE);
	CHECK_EQ(lineedit_feed(&le, '\r'), LINEEDIT_TOO_LONG);
	CHECK_EQ(le.len + le.dropped, 10000);
	CHECK_EQ(le.len, LINEEDIT_MAX);
	lineedit_begin(&le);
	CHECK_EQ(type("ok\r"), LINEEDIT_LINE);
	CHECK_STR(le.line, "ok");
}

/* Any bytes at all: the sanitizers watch, the terminal and the line stay in step. */
TEST(lineedit_noise)
{
	struct rng rng;

	rng_seed(&rng, 1);
	restart();
	for (unsigned long i = check_inputs(300000); i; i--) {
		static const char keys[] = "ab "
					   "\b\001\004\005\007\013\022\025\027\033[ABCDHF~3;"
					   "5Obfd\t\303\244\342\202\254";
		char c = rng_below(&rng, 4) ? keys[rng_below(&rng, sizeof(keys) - 1)]
					    : (char)rng_next(&rng);

		if (c == '\f')
			continue; /* the terminal above has no screen to clear */
		if (lineedit_feed(&le, c) != LINEEDIT_MORE) {
			lineedit_begin(&le);
			continue;
		}
		CHECK(le.cursor <= le.len && le.len <= LINEEDIT_MAX && !le.line[le.len]);
		CHECK(screen_agrees());
	}
}
