/* String helpers that no C library of the host defines, so that host programs can link them. */
#include <kernel/error.h>
#include <kernel/string.h>

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src);

	if (size) {
		size_t n = MIN(len, size - 1);

		memcpy(dst, src, n);
		dst[n] = '\0';
	}
	return len;
}

static int digit_of(char c, unsigned base)
{
	unsigned digit = 255;

	if (c >= '0' && c <= '9')
		digit = (unsigned)(c - '0');
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		digit = (unsigned)((c | 0x20) - 'a') + 10;
	return digit < base ? (int)digit : -EINVAL;
}

static int suffix_shift(char c)
{
	switch (c) {
	case '\0':
		return 0;
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	default:
		return -EINVAL;
	}
}

int parse_u64(const char *s, u64 *value)
{
	unsigned base = 10;
	bool overflow = false;
	u64 v = 0;

	if (s[0] == '0' && (s[1] | 0x20) == 'x') {
		base = 16;
		s += 2;
	}
	if (digit_of(*s, base) < 0)
		return -EINVAL;
	for (int digit; (digit = digit_of(*s, base)) >= 0; s++) {
		overflow |= __builtin_mul_overflow(v, (u64)base, &v);
		overflow |= __builtin_add_overflow(v, (u64)digit, &v);
	}
	int shift = suffix_shift(*s);

	if (shift < 0 || (*s && s[1]))
		return -EINVAL;
	if (overflow || v << shift >> shift != v)
		return -ERANGE;
	*value = v << shift;
	return 0;
}

/* A number at *s, which moves behind it; any that is not below count is count. */
static int parse_member(const char **s, unsigned count, u64 *value)
{
	if (digit_of(**s, 10) < 0)
		return -EINVAL;
	for (*value = 0; digit_of(**s, 10) >= 0; ++*s)
		*value = MIN(*value * 10 + (u64)digit_of(**s, 10), (u64)count);
	return 0;
}

int parse_set(const char *s, unsigned count, u64 *set)
{
	u64 first, last;
	int rc = 0;

	*set = 0;
	if (!strcmp(s, "all")) {
		*set = ~0UL >> (64 - count);
		return 0;
	}
	do {
		if (parse_member(&s, count, &first))
			return -EINVAL;
		last = first;
		if (*s == '-' && (s++, parse_member(&s, count, &last)))
			return -EINVAL;
		if (first > last)
			return -EINVAL;
		if (last == count)
			rc = -ERANGE;
		for (; first <= last && first < count; first++)
			*set |= 1UL << first;
	} while (*s == ',' && s++);
	return *s ? -EINVAL : rc;
}

int parse_range(const char *s, size_t len, u64 *first, u64 *last)
{
	char word[24], *dash;

	if (len >= sizeof(word))
		return -EINVAL;
	memcpy(word, s, len);
	word[len] = '\0';
	dash = strchr(word, '-');
	if (dash)
		*dash = '\0';
	if (parse_u64(word, first))
		return -EINVAL;
	*last = *first;
	return dash ? parse_u64(dash + 1, last) : 0;
}
