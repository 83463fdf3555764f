/* Records in lines that loggers leave whole: lines.h. */
#include <kernel/printf.h>
#include <kernel/string.h>
#include <kernel/utf8.h>
#include "lines.h"

enum {
	CRC_LEN = 8, /* hexadecimal digits */
	AFTER_CRC = 3, /* "}\n behind them */
	HEAD = 24, /* "@12345678 123/456 ", with room */
};

/* Where the piece that begins at `from` ends: between characters, and not at a blank. */
static size_t piece_end(const char *text, size_t from, size_t len, size_t room)
{
	size_t end = from + MIN(room, len - from);

	while (end < len && end > from + 1 &&
	       (text[end - 1] == ' ' || text[end] == ' ' || utf8_continues(text[end])))
		end--;
	return end;
}

static unsigned count_pieces(const char *text, size_t len, size_t room)
{
	unsigned n = 0;

	for (size_t at = 0; at < len; at = piece_end(text, at, len, room))
		n++;
	return n;
}

void record_lines(const char *text, size_t len, size_t width,
		  void (*put)(const char *line, size_t len))
{
	static char line[RECORD_LINE_MAX + 1];
	size_t room, body = len - 1; /* without the newline */
	unsigned pieces, piece = 0;

	if (!width || body <= width) {
		put(text, len);
		return;
	}
	room = MIN(MAX(width, (size_t)RECORD_LINE_MIN), (size_t)RECORD_LINE_MAX) - HEAD;
	pieces = count_pieces(text, body, room);
	for (size_t at = 0, end; at < body; at = end) {
		int head = ksnprintf(line, HEAD, "@%.*s %u/%u ", CRC_LEN,
				     text + len - AFTER_CRC - CRC_LEN, ++piece, pieces);

		end = piece_end(text, at, body, room);
		memcpy(line + head, text + at, end - at);
		line[(size_t)head + end - at] = '\n';
		put(line, (size_t)head + end - at + 1);
	}
}
