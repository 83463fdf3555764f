/* Memory and string functions of the C library. The compiler calls the first four by itself. */
#include <kernel/string.h>

/* Else the loops below would be recognised as memcpy() and memset() and call themselves. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

/* A machine word that may overlay any type. */
typedef u64 __attribute__((may_alias)) word_t;

enum { WORD = sizeof(word_t) };

static inline bool both_aligned(const void *a, const void *b)
{
	return !(((uintptr_t)a | (uintptr_t)b) % WORD);
}

static void *copy_up(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	/* Words only where both are aligned: device and uncached memory take no other word access. */
	if (both_aligned(d, s)) {
		for (; n >= WORD; n -= WORD, d += WORD, s += WORD)
			*(word_t *)d = *(const word_t *)s;
	}
	while (n--)
		*d++ = *s++;
	return dst;
}

static void *copy_down(void *dst, const void *src, size_t n)
{
	char *d = (char *)dst + n;
	const char *s = (const char *)src + n;

	if (both_aligned(d, s)) {
		for (; n >= WORD; n -= WORD) {
			d -= WORD;
			s -= WORD;
			*(word_t *)d = *(const word_t *)s;
		}
	}
	while (n--)
		*--d = *--s;
	return dst;
}

void *memcpy(void *dst, const void *src, size_t n)
{
	return copy_up(dst, src, n);
}

void *memmove(void *dst, const void *src, size_t n)
{
	/* Unsigned difference: dst in [src, src + n) is the one overlap that going up destroys. */
	if ((uintptr_t)dst - (uintptr_t)src < n)
		return copy_down(dst, src, n);
	return copy_up(dst, src, n);
}

void *memset(void *dst, int c, size_t n)
{
	char *d = dst;
	u64 word = (u8)c * 0x0101010101010101UL;

	if (!((uintptr_t)d % WORD)) {
		for (; n >= WORD; n -= WORD, d += WORD)
			*(word_t *)d = word;
	}
	while (n--)
		*d++ = (char)c;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	for (; n; n--, p++, q++) {
		if (*p != *q)
			return *p - *q;
	}
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const u8 *p = s;

	for (; n; n--, p++) {
		if (*p == (u8)c)
			return (void *)(uintptr_t)p;
	}
	return NULL;
}

size_t strlen(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return (size_t)(end - s);
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	}
	return 0;
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++) {
		if (!*s)
			return NULL;
	}
	return (char *)(uintptr_t)s;
}

char *strstr(const char *s, const char *needle)
{
	size_t n = strlen(needle);

	for (;; s++) {
		if (!strncmp(s, needle, n))
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}
