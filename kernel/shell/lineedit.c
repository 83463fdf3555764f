/* The line editor's keys, and completion. Only Ctrl-L needs an ANSI terminal. */
#include "line.h"
#include <kernel/string.h>

enum {
	CTRL_A = 1,
	CTRL_C = 3,
	CTRL_D = 4,
	CTRL_E = 5,
	CTRL_G = 7,
	BACKSPACE = 8,
	TAB = 9,
	LF = 10,
	CTRL_K = 11,
	CTRL_L = 12,
	CR = 13,
	CTRL_R = 18,
	CTRL_U = 21,
	CTRL_W = 23,
	ESCAPE = 27,
	DELETE = 127, /* what most terminals send for the backspace key */
};

/* "ESC [ n ~", as VT220 and its heirs number them */
enum { KEY_HOME = 1, KEY_DELETE = 3, KEY_END = 4, KEY_HOME_RXVT = 7, KEY_END_RXVT = 8 };
/* "ESC [ 1 ; n C", as xterm sends it: n is 1 plus a bit for each key that is held down */
enum { HELD_ALT = 2, HELD_CTRL = 4 };

void lineedit_redraw(struct lineedit *le)
{
	if (le->search.on)
		search_draw(le);
	else
		line_draw(le);
}

void lineedit_begin(struct lineedit *le)
{
	le->len = le->cursor = le->dropped = 0;
	le->line[0] = '\0';
	le->key = KEY_PLAIN;
	le->partial_len = 0;
	le->search.on = false;
	le->history_at = le->history_count;
	line_draw(le);
}

/* ---- completion ---- */

/* What a candidate must begin with; its length in *len. */
static const char *typed_part(const struct completion *at, size_t *len)
{
	*len = at->len - at->start;
	return at->word + at->start;
}

/* The next candidate at or after *i that begins with what is typed; NULL if there is none. */
static const char *next_match(struct lineedit *le, unsigned *i, struct completion *at)
{
	const char *c;
	size_t len;

	while ((c = le->candidate(le->line, le->cursor, (*i)++, at))) {
		const char *part = typed_part(at, &len);

		if (!strncmp(c, part, len))
			return c;
	}
	return NULL;
}

static void show_matches(struct lineedit *le)
{
	unsigned i = 0, shown = 0;
	struct completion at;
	const char *c;

	line_put_string(le, "\n");
	while ((c = next_match(le, &i, &at)) && shown++ < LINEEDIT_SHOW_MAX) {
		line_put_string(le, c);
		line_put_string(le, "  ");
	}
	line_put_string(le, c ? "...\n" : "\n");
	line_draw(le);
}

static void complete(struct lineedit *le)
{
	/* Copied: a candidate may live in a buffer that the next one reuses. */
	char first[128] = "";
	size_t typed = 0, common = 0;
	unsigned i = 0, matches = 0;
	struct completion at, found = {.open = false};
	const char *c;

	while (le->candidate && (c = next_match(le, &i, &at))) {
		found = at;
		if (!matches++)
			common = MIN(strlcpy(first, c, sizeof(first)), sizeof(first) - 1);
		for (size_t n = 0; n < common; n++) {
			if (c[n] != first[n])
				common = n;
		}
	}
	if (!matches)
		return;
	typed_part(&found, &typed);
	if (common == typed && matches > 1)
		show_matches(le);
	line_insert(le, first + typed, common - typed);
	if (matches == 1 && !found.open && first[common - 1] != '=')
		line_insert(le, " ", 1);
}

/* ---- keys ---- */

static void key_letter(struct lineedit *le, char c, bool by_word)
{
	switch (c) {
	case 'A':
		history_show(le, le->history_at - 1);
		break;
	case 'B':
		history_show(le, le->history_at + 1);
		break;
	case 'C':
		line_move(le, by_word ? line_word_after(le) : line_after(le));
		break;
	case 'D':
		line_move(le, by_word ? line_word_before(le) : line_before(le));
		break;
	case 'H':
		line_move(le, 0);
		break;
	case 'F':
		line_move(le, le->len);
		break;
	}
}

static void key_numbered(struct lineedit *le)
{
	switch (le->key_numbers[0]) {
	case KEY_HOME:
	case KEY_HOME_RXVT:
		line_move(le, 0);
		break;
	case KEY_END:
	case KEY_END_RXVT:
		line_move(le, le->len);
		break;
	case KEY_DELETE:
		line_cut(le, le->cursor, line_after(le));
		break;
	}
}

/* Alt and a key: ESC before it. */
static void key_alt(struct lineedit *le, char c)
{
	switch (c) {
	case 'b':
		line_move(le, line_word_before(le));
		break;
	case 'f':
		line_move(le, line_word_after(le));
		break;
	case 'd':
		line_cut(le, le->cursor, line_word_after(le));
		break;
	case DELETE:
		line_cut(le, line_word_before(le), le->cursor);
		break;
	}
}

/* The last character of "ESC [ ..." or "ESC O ...". Unknown sequences are ignored. */
static void end_sequence(struct lineedit *le, char c)
{
	bool by_word = le->key_number_at && (le->key_numbers[1] - 1) & (HELD_ALT | HELD_CTRL);

	if (c == '~')
		key_numbered(le);
	else if (le->key == KEY_SS3 && (c == 'c' || c == 'd')) /* rxvt's Ctrl-arrows */
		key_letter(le, c == 'c' ? 'C' : 'D', true);
	else
		key_letter(le, c, by_word);
	le->key = KEY_PLAIN;
}

/* Inside a sequence that begins with ESC. */
static void feed_escape(struct lineedit *le, char c)
{
	unsigned *number = &le->key_numbers[le->key_number_at];

	if (le->key == KEY_ESCAPE) {
		le->key_numbers[0] = le->key_numbers[1] = le->key_number_at = 0;
		le->key = c == '[' ? KEY_CSI : c == 'O' ? KEY_SS3 : KEY_PLAIN;
		if (le->key == KEY_PLAIN)
			key_alt(le, c);
	} else if (c >= '0' && c <= '9' && le->key == KEY_CSI) {
		*number = *number % 1000 * 10 + (unsigned)(c - '0');
	} else if (c == ';' && le->key == KEY_CSI) {
		le->key_number_at = 1;
	} else if (c >= '@' || le->key == KEY_SS3) {
		end_sequence(le, c);
	}
}

/* Back to the last blank. */
static void cut_word(struct lineedit *le)
{
	size_t at = le->cursor;

	while (at && le->line[at - 1] == ' ')
		at--;
	while (at && le->line[at - 1] != ' ')
		at--;
	line_cut(le, at, le->cursor);
}

static enum lineedit_event enter(struct lineedit *le)
{
	line_put_string(le, "\n");
	if (le->dropped)
		return LINEEDIT_TOO_LONG;
	history_add(le);
	return LINEEDIT_LINE;
}

static void clear_screen(struct lineedit *le)
{
	line_put_string(le, "\033[H\033[2J");
	line_draw(le);
}

static void feed_control(struct lineedit *le, char c)
{
	switch (c) {
	case CTRL_A:
		line_move(le, 0);
		break;
	case CTRL_D:
		line_cut(le, le->cursor, line_after(le));
		break;
	case CTRL_E:
		line_move(le, le->len);
		break;
	case BACKSPACE:
	case DELETE:
		line_cut(le, line_before(le), le->cursor);
		break;
	case TAB:
		complete(le);
		break;
	case CTRL_K:
		line_cut(le, le->cursor, le->len);
		break;
	case CTRL_L:
		clear_screen(le);
		break;
	case CTRL_R:
		search_begin(le);
		break;
	case CTRL_U:
		line_cut(le, 0, le->len);
		break;
	case CTRL_W:
		cut_word(le);
		break;
	case ESCAPE:
		le->key = KEY_ESCAPE;
		break;
	}
}

/* True: it was for the search. Any other key edits the line that was found. */
static bool feed_search(struct lineedit *le, char c)
{
	switch (c) {
	case CTRL_R:
		search_older(le);
		return true;
	case BACKSPACE:
	case DELETE:
		search_erase(le);
		return true;
	}
	search_end(le, c == CTRL_G);
	return c == CTRL_G;
}

/* A byte of text: the line gets a character when it is whole. */
static void feed_text(struct lineedit *le, char c)
{
	if (!utf8_continues(c))
		le->partial_len = 0;
	if (le->partial_len == UTF8_MAX)
		return;
	le->partial[le->partial_len++] = c;
	if (!utf8_shows(le->partial, le->partial_len))
		return;
	if (le->search.on)
		search_type(le, le->partial, le->partial_len);
	else
		line_insert(le, le->partial, le->partial_len);
	le->partial_len = 0;
}

static enum lineedit_event end_line(struct lineedit *le, char c)
{
	if (le->search.on)
		search_end(le, false);
	if (c == CTRL_C) {
		line_put_string(le, "^C\n");
		return LINEEDIT_CANCEL;
	}
	if (c == CTRL_D) {
		line_put_string(le, "\n");
		return LINEEDIT_END;
	}
	return enter(le);
}

static bool ends_line(const struct lineedit *le, char c, bool after_cr)
{
	return c == CR || (c == LF && !after_cr) || c == CTRL_C ||
	       (c == CTRL_D && !le->len && !le->search.on);
}

enum lineedit_event lineedit_feed(struct lineedit *le, char c)
{
	bool after_cr = le->after_cr, text = (u8)c >= ' ' && c != DELETE;

	le->after_cr = c == CR;
	if (ends_line(le, c, after_cr))
		return end_line(le, c);
	if (c == LF)
		return LINEEDIT_MORE;
	if (le->key != KEY_PLAIN && (u8)c >= ' ') {
		feed_escape(le, c);
	} else if (text) {
		feed_text(le, c);
	} else {
		le->key = KEY_PLAIN; /* a sequence that never ends goes no further */
		if (!le->search.on || !feed_search(le, c))
			feed_control(le, c);
	}
	return LINEEDIT_MORE;
}
