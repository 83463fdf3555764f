/* UTF-8 as far as a console needs it: whole characters, each taken to be one column wide. */
#pragma once

#include <kernel/types.h>

enum { UTF8_MAX = 4 }; /* bytes of a character */

/* Not the first byte of a character. */
static inline bool utf8_continues(char c)
{
	return ((u8)c & 0xc0) == 0x80;
}

/* Bytes of the character that begins with this one; 0: none does. */
size_t utf8_length(char first);
/* Are these bytes one character, in its shortest form, that a terminal shows? */
bool utf8_shows(const char *s, size_t len);
/* Characters in valid text. */
size_t utf8_count(const char *s, size_t len);
/* At most len: so many of these bytes end with a whole character. Reads no byte behind them. */
size_t utf8_whole(const char *s, size_t len);
