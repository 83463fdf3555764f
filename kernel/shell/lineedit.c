/* Line editing. Terminal output is plain text and backspaces; only Ctrl-L needs an ANSI terminal. */
#include <kernel/lineedit.h>
#include <kernel/string.h>

enum {
	CTRL_A = 1,
	CTRL_C = 3,
	CTRL_E = 5,
	BACKSPACE = 8,
	TAB = 9,
	LF = 10,
	CTRL_K = 11,
	CTRL_L = 12,
	CR = 13,
	CTRL_U = 21,
	CTRL_W = 23,
	ESCAPE = 27,
	DELETE = 127, /* what most terminals send for the backspace key */
};

/* "ESC [ n ~", as VT220 and its heirs number them */
enum { KEY_HOME = 1, KEY_DELETE = 3, KEY_END = 4, KEY_HOME_RXVT = 7, KEY_END_RXVT = 8 };

static void put(struct lineedit *le, const char *s, size_t len)
{
	if (len)
		le->put(s, len);
}

static void put_string(struct lineedit *le, const char *s)
{
	put(le, s, strlen(s));
}

static void put_repeated(struct lineedit *le, char c, size_t n)
{
	while (n--)
		put(le, &c, 1);
}

/* The line is now as in le, on the screen it was old_len long with the cursor at old_cursor. */
static void update(struct lineedit *le, size_t old_len, size_t old_cursor)
{
	size_t blanks = old_len > le->len ? old_len - le->len : 0;

	le->line[le->len] = '\0';
	put_repeated(le, '\b', old_cursor);
	put(le, le->line, le->len);
	put_repeated(le, ' ', blanks);
	put_repeated(le, '\b', le->len + blanks - le->cursor);
}

static void move(struct lineedit *le, size_t cursor)
{
	if (cursor < le->cursor)
		put_repeated(le, '\b', le->cursor - cursor);
	else
		put(le, le->line + le->cursor, cursor - le->cursor);
	le->cursor = cursor;
}

/* Take out [from, to); the cursor goes to from. */
static void cut(struct lineedit *le, size_t from, size_t to)
{
	size_t old_len = le->len, old_cursor = le->cursor;

	if (from == to)
		return;
	memmove(le->line + from, le->line + to, le->len - to);
	le->len -= to - from;
	le->cursor = from;
	update(le, old_len, old_cursor);
}

static void insert(struct lineedit *le, const char *s, size_t n)
{
	size_t tail = le->len - le->cursor, fits = MIN(n, LINEEDIT_MAX - le->len);

	le->dropped += n - fits;
	memmove(le->line + le->cursor + fits, le->line + le->cursor, tail);
	memcpy(le->line + le->cursor, s, fits);
	le->len += fits;
	le->line[le->len] = '\0';
	put(le, le->line + le->cursor, fits + tail);
	put_repeated(le, '\b', tail);
	le->cursor += fits;
}

static void replace(struct lineedit *le, const char *text)
{
	size_t old_len = le->len, old_cursor = le->cursor;

	le->len = le->cursor = strlcpy(le->line, text, sizeof(le->line));
	update(le, old_len, old_cursor);
}

void lineedit_redraw(struct lineedit *le)
{
	put_string(le, le->prompt);
	put(le, le->line, le->len);
	put_repeated(le, '\b', le->len - le->cursor);
}

void lineedit_begin(struct lineedit *le)
{
	le->len = le->cursor = le->dropped = 0;
	le->line[0] = '\0';
	le->key = KEY_PLAIN;
	le->history_at = le->history_count;
	put_string(le, le->prompt);
}

/* ---- history ---- */

static char *history_line(struct lineedit *le, unsigned at)
{
	return at == le->history_count ? le->typed : le->history[at % LINEEDIT_HISTORY];
}

static void history_show(struct lineedit *le, unsigned at)
{
	unsigned oldest = le->history_count - MIN(le->history_count, (unsigned)LINEEDIT_HISTORY);

	if (at < oldest || at > le->history_count)
		return;
	if (le->history_at == le->history_count)
		strlcpy(le->typed, le->line, sizeof(le->typed));
	le->history_at = at;
	replace(le, history_line(le, at));
}

static void history_add(struct lineedit *le)
{
	unsigned count = le->history_count;

	if (!le->len || (count && !strcmp(le->history[(count - 1) % LINEEDIT_HISTORY], le->line)))
		return;
	strlcpy(le->history[count % LINEEDIT_HISTORY], le->line, sizeof(le->line));
	le->history_count++;
}

/* ---- completion ---- */

static size_t word_start(const struct lineedit *le)
{
	size_t at = le->cursor;

	while (at && le->line[at - 1] != ' ' && le->line[at - 1] != ';')
		at--;
	return at;
}

/* The next candidate at or after *i that begins with the word; NULL if there is none. */
static const char *next_match(struct lineedit *le, size_t start, unsigned *i)
{
	const char *c;

	while ((c = le->candidate(le->line, le->cursor, (*i)++))) {
		if (!strncmp(c, le->line + start, le->cursor - start))
			return c;
	}
	return NULL;
}

static void show_matches(struct lineedit *le, size_t start)
{
	unsigned i = 0, shown = 0;
	const char *c;

	put_string(le, "\n");
	while ((c = next_match(le, start, &i)) && shown++ < LINEEDIT_SHOW_MAX) {
		put_string(le, c);
		put_string(le, "  ");
	}
	put_string(le, c ? "...\n" : "\n");
	lineedit_redraw(le);
}

static void complete(struct lineedit *le)
{
	size_t start = word_start(le), word = le->cursor - start, common = 0;
	/* Copied: a candidate may live in a buffer that the next one reuses. */
	char first[128] = "";
	unsigned i = 0, matches = 0;
	const char *c;

	while (le->candidate && (c = next_match(le, start, &i))) {
		if (!matches++)
			common = MIN(strlcpy(first, c, sizeof(first)), sizeof(first) - 1);
		for (size_t n = 0; n < common; n++) {
			if (c[n] != first[n])
				common = n;
		}
	}
	if (!matches)
		return;
	if (common == word && matches > 1)
		show_matches(le, start);
	insert(le, first + word, common - word);
	if (matches == 1)
		insert(le, " ", 1);
}

/* ---- keys ---- */

static void key_letter(struct lineedit *le, char c)
{
	le->key = KEY_PLAIN;
	switch (c) {
	case 'A':
		history_show(le, le->history_at - 1);
		break;
	case 'B':
		history_show(le, le->history_at + 1);
		break;
	case 'C':
		move(le, MIN(le->cursor + 1, le->len));
		break;
	case 'D':
		move(le, le->cursor ? le->cursor - 1 : 0);
		break;
	case 'H':
		move(le, 0);
		break;
	case 'F':
		move(le, le->len);
		break;
	}
}

static void key_numbered(struct lineedit *le)
{
	le->key = KEY_PLAIN;
	switch (le->key_number) {
	case KEY_HOME:
	case KEY_HOME_RXVT:
		move(le, 0);
		break;
	case KEY_END:
	case KEY_END_RXVT:
		move(le, le->len);
		break;
	case KEY_DELETE:
		cut(le, le->cursor, MIN(le->cursor + 1, le->len));
		move(le, le->cursor);
		break;
	}
}

/* Inside a sequence that begins with ESC. Unknown sequences are read to their end and ignored. */
static void feed_escape(struct lineedit *le, char c)
{
	if (le->key == KEY_ESCAPE) {
		le->key = c == '[' ? KEY_CSI : c == 'O' ? KEY_SS3 : KEY_PLAIN;
		le->key_number = 0;
	} else if (c >= '0' && c <= '9' && le->key == KEY_CSI) {
		le->key_number = le->key_number % 1000 * 10 + (unsigned)(c - '0');
	} else if (c == '~') {
		key_numbered(le);
	} else if (c >= '@' || le->key == KEY_SS3) {
		key_letter(le, c);
	}
}

static void cut_word(struct lineedit *le)
{
	size_t at = le->cursor;

	while (at && le->line[at - 1] == ' ')
		at--;
	while (at && le->line[at - 1] != ' ')
		at--;
	cut(le, at, le->cursor);
}

static enum lineedit_event enter(struct lineedit *le)
{
	put_string(le, "\n");
	if (le->dropped)
		return LINEEDIT_TOO_LONG;
	history_add(le);
	return LINEEDIT_LINE;
}

static enum lineedit_event cancel(struct lineedit *le)
{
	put_string(le, "^C\n");
	return LINEEDIT_CANCEL;
}

static void clear_screen(struct lineedit *le)
{
	put_string(le, "\033[H\033[2J");
	lineedit_redraw(le);
}

static void feed_control(struct lineedit *le, char c)
{
	switch (c) {
	case CTRL_A:
		move(le, 0);
		break;
	case CTRL_E:
		move(le, le->len);
		break;
	case BACKSPACE:
	case DELETE:
		cut(le, le->cursor ? le->cursor - 1 : 0, le->cursor);
		break;
	case TAB:
		complete(le);
		break;
	case CTRL_K:
		cut(le, le->cursor, le->len);
		break;
	case CTRL_L:
		clear_screen(le);
		break;
	case CTRL_U:
		move(le, le->len);
		cut(le, 0, le->len);
		break;
	case CTRL_W:
		cut_word(le);
		break;
	case ESCAPE:
		le->key = KEY_ESCAPE;
		break;
	}
}

enum lineedit_event lineedit_feed(struct lineedit *le, char c)
{
	bool after_cr = le->after_cr;

	le->after_cr = c == CR;
	if (c == CR || (c == LF && !after_cr))
		return enter(le);
	if (c == CTRL_C)
		return cancel(le);
	if (c == LF)
		return LINEEDIT_MORE;
	if (le->key != KEY_PLAIN && c >= ' ' && c != DELETE)
		feed_escape(le, c);
	else if (c >= ' ' && c != DELETE)
		insert(le, &c, 1);
	else if (c > 0)
		feed_control(le, c);
	return LINEEDIT_MORE;
}
