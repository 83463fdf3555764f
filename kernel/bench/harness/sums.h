/* Structures of u64 words and nothing else, added word by word. */
#pragma once

#include <kernel/types.h>

static inline void words_add(u64 *to, const u64 *from, size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(u64); i++)
		to[i] += from[i];
}

static inline void words_add_difference(u64 *to, const u64 *after, const u64 *before, size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(u64); i++)
		to[i] += after[i] - before[i];
}

static inline u64 words_total(const u64 *words, size_t bytes)
{
	u64 sum = 0;

	for (size_t i = 0; i < bytes / sizeof(u64); i++)
		sum += words[i];
	return sum;
}

/* A pointer to words, if it points to a structure that can be made of them. */
#define sums_words(p)                                                                              \
	({                                                                                         \
		_Static_assert(sizeof(*(p)) % sizeof(u64) == 0, "made of u64 words");              \
		(void *)(p);                                                                       \
	})
#define sums_same(a, b)                                                                            \
	_Static_assert(__builtin_types_compatible_p(typeof(*(a)), typeof(*(b))), "of one type")

/* *to += *from; *to += *after - *before; the sum of all words of *p. */
#define sums_add(to, from)                                                                         \
	({                                                                                         \
		sums_same(to, from);                                                               \
		words_add(sums_words(to), (const u64 *)(from), sizeof(*(to)));                     \
	})
#define sums_add_difference(to, after, before)                                                     \
	({                                                                                         \
		sums_same(to, after);                                                              \
		sums_same(to, before);                                                             \
		words_add_difference(sums_words(to), (const u64 *)(after), (const u64 *)(before),  \
				     sizeof(*(to)));                                               \
	})
#define sums_total(p) words_total((const u64 *)(p), sizeof(*(p)))
