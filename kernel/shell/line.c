/* The line being edited, and its picture: plain text and backspaces. */
#include "line.h"
#include <kernel/string.h>

static void line_put(struct lineedit *le, const char *s, size_t len)
{
	if (len)
		le->put(s, len);
}

void line_put_string(struct lineedit *le, const char *s)
{
	line_put(le, s, strlen(s));
}

void line_put_repeated(struct lineedit *le, char c, size_t n)
{
	while (n--)
		line_put(le, &c, 1);
}

/* Columns of [from, to). */
static size_t columns(const struct lineedit *le, size_t from, size_t to)
{
	return utf8_count(le->line + from, to - from);
}

size_t line_before(const struct lineedit *le)
{
	size_t at = le->cursor;

	while (at && utf8_continues(le->line[--at]))
		;
	return at;
}

size_t line_after(const struct lineedit *le)
{
	size_t at = le->cursor;

	if (at < le->len)
		at++;
	while (utf8_continues(le->line[at])) /* not the terminator */
		at++;
	return at;
}

static bool in_word(char c)
{
	char lower = (char)(c | 0x20);

	return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '_' || c & 0x80;
}

size_t line_word_before(const struct lineedit *le)
{
	size_t at = le->cursor;

	while (at && !in_word(le->line[at - 1]))
		at--;
	while (at && in_word(le->line[at - 1]))
		at--;
	return at;
}

size_t line_word_after(const struct lineedit *le)
{
	size_t at = le->cursor;

	while (at < le->len && !in_word(le->line[at]))
		at++;
	while (at < le->len && in_word(le->line[at]))
		at++;
	return at;
}

void line_move(struct lineedit *le, size_t cursor)
{
	if (cursor < le->cursor)
		line_put_repeated(le, '\b', columns(le, cursor, le->cursor));
	else
		line_put(le, le->line + le->cursor, cursor - le->cursor);
	le->cursor = cursor;
}

void line_cut(struct lineedit *le, size_t from, size_t to)
{
	size_t gone = columns(le, from, to);

	line_move(le, from);
	memmove(le->line + from, le->line + to, le->len - to);
	le->len -= to - from;
	le->line[le->len] = '\0';
	line_put(le, le->line + from, le->len - from);
	line_put_repeated(le, ' ', gone);
	line_put_repeated(le, '\b', columns(le, from, le->len) + gone);
}

void line_insert(struct lineedit *le, const char *s, size_t n)
{
	size_t tail = le->len - le->cursor;

	if (n > LINEEDIT_MAX - le->len) {
		le->dropped += n;
		return;
	}
	memmove(le->line + le->cursor + n, le->line + le->cursor, tail);
	memcpy(le->line + le->cursor, s, n);
	le->len += n;
	le->line[le->len] = '\0';
	line_put(le, le->line + le->cursor, n + tail);
	le->cursor += n;
	line_put_repeated(le, '\b', columns(le, le->cursor, le->len));
}

void line_replace(struct lineedit *le, const char *text)
{
	line_cut(le, 0, le->len);
	line_insert(le, text, strlen(text));
}

void line_draw(struct lineedit *le)
{
	line_put_string(le, le->prompt);
	line_put(le, le->line, le->len);
	line_put_repeated(le, '\b', columns(le, le->cursor, le->len));
}
