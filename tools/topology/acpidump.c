/*
 * Reads the text of acpidump. Old and new versions differ in the blanks before
 * the offset and between bytes; both end a line with the bytes as characters:
 *
 * SRAT @ 0x000000007ffe1234
 *     0000: 53 52 41 54 30 01 00 00  ...  SRAT0...
 */
#include "acpidump.h"

#include <stdlib.h>
#include <string.h>

struct dump {
	const char *pos, *end;
	unsigned line;
	unsigned char *bytes; /* of the table being read, NULL between tables */
	size_t len, size;
	unsigned table_line;
};

enum { NOT_HEX = -1 }; /* instead of the value of a digit or a byte */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return NOT_HEX;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* "NAME @ ...": a table starts here. */
static bool is_title(const char *s, const char *end)
{
	while (s < end && is_blank(*s))
		s++;
	while (s < end && !is_blank(*s) && *s != ':')
		s++;
	return end - s >= 3 && !memcmp(s, " @ ", 3);
}

/* "  0010:", *s moves behind it. */
static bool read_offset(const char **s, const char *end, size_t *off)
{
	const char *p = *s;
	size_t v = 0;

	while (p < end && is_blank(*p))
		p++;
	*s = p;
	while (p < end && p - *s < 8 && hex_digit(*p) >= 0)
		v = v * 16 + (size_t)hex_digit(*p++);
	if (p == *s || p == end || *p != ':')
		return false;
	*off = v;
	*s = p + 1;
	return true;
}

/* The byte of two digits with a blank or nothing after them, else NOT_HEX. */
static int read_byte(const char *s, const char *end)
{
	int high, low;

	if (end - s < 2)
		return NOT_HEX;
	high = hex_digit(s[0]);
	low = hex_digit(s[1]);
	if (high < 0 || low < 0 || (end - s > 2 && !is_blank(s[2])))
		return NOT_HEX;
	return high * 16 + low;
}

static bool append(struct dump *d, int byte)
{
	if (d->len == d->size) {
		size_t size = d->size ? 2 * d->size : 4096;
		unsigned char *bytes = realloc(d->bytes, size);

		if (!bytes)
			return false;
		d->bytes = bytes;
		d->size = size;
	}
	d->bytes[d->len++] = (unsigned char)byte;
	return true;
}

/* Up to 16 bytes. The column of characters after them is set off by more blanks than there are between bytes. */
static bool read_bytes(struct dump *d, const char *s, const char *end)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned gap = 0;
		int byte;

		while (s < end && is_blank(*s)) {
			s++;
			gap++;
		}
		/* Some versions leave a second blank after the eighth byte. */
		if (i > 0 && gap > (i == 8 ? 2u : 1u))
			return true;
		byte = read_byte(s, end);
		if (byte < 0)
			return true;
		if (!append(d, byte))
			return false;
		s += 2;
	}
	return true;
}

static void finish_table(struct dump *d, acpidump_table_fn *table, void *ctx)
{
	if (d->table_line)
		table(ctx, d->bytes, d->len, d->table_line);
	d->bytes = NULL;
	d->len = 0;
	d->size = 0;
	d->table_line = 0;
}

static bool read_line(struct dump *d, const char *s, const char *end, acpidump_table_fn *table,
		      acpidump_bad_fn *bad, void *ctx)
{
	size_t off, before = d->len;
	bool blank = true;

	for (const char *p = s; p < end; p++)
		blank &= is_blank(*p);
	if (blank) {
		finish_table(d, table, ctx);
		return true;
	}
	if (is_title(s, end)) {
		finish_table(d, table, ctx);
		d->table_line = d->line;
		return true;
	}
	if (!d->table_line) /* words before, between and behind the tables */
		return true;
	if (!read_offset(&s, end, &off)) {
		bad(ctx, d->line, "no hex line");
		return true;
	}
	if (off != d->len) {
		bad(ctx, d->line, "offset does not follow the line before");
		return true;
	}
	if (!read_bytes(d, s, end))
		return false;
	if (d->len == before)
		bad(ctx, d->line, "no bytes");
	return true;
}

bool acpidump_parse(const char *text, size_t len, acpidump_table_fn *table, acpidump_bad_fn *bad,
		    void *ctx)
{
	struct dump d = {.pos = text, .end = text + len};

	while (d.pos < d.end) {
		const char *eol = memchr(d.pos, '\n', (size_t)(d.end - d.pos));
		const char *next = eol ? eol + 1 : d.end;

		if (!eol)
			eol = d.end;
		if (eol > d.pos && eol[-1] == '\r')
			eol--;
		d.line++;
		if (!read_line(&d, d.pos, eol, table, bad, ctx)) {
			free(d.bytes);
			return false;
		}
		d.pos = next;
	}
	finish_table(&d, table, ctx);
	return true;
}
