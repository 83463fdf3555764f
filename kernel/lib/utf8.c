/* UTF-8: RFC 3629. */
#include <kernel/utf8.h>

size_t utf8_length(char first)
{
	u8 c = (u8)first;

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0; /* continues one, or would begin a longer form than needed */
	return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

bool utf8_shows(const char *s, size_t len)
{
	static const u32 least[UTF8_MAX + 1] = {0, 0x20, 0xa0, 0x800, 0x10000}; /* no controls */
	u32 code;

	if (!len || utf8_length(s[0]) != len)
		return false;
	code = len == 1 ? (u8)s[0] : (u8)s[0] & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		if (!utf8_continues(s[i]))
			return false;
		code = code << 6 | ((u8)s[i] & 0x3f);
	}
	return code >= least[len] && code != 0x7f && code <= 0x10ffff && (code & ~0x7ffU) != 0xd800;
}

size_t utf8_count(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += !utf8_continues(s[i]);
	return n;
}

size_t utf8_whole(const char *s, size_t len)
{
	for (size_t back = 1; back < UTF8_MAX && back <= len; back++) {
		char c = s[len - back];

		if (!utf8_continues(c))
			return utf8_length(c) > back ? len - back : len;
	}
	return len;
}
