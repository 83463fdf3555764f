/* Fixed-point numbers: the kernel has no floating point. */
#pragma once

#include <kernel/types.h>

/*
 * Print value / 10^digits with exactly that many decimals: 12345, 3 gives
 * "12.345". digits is at most 18. Returns the length it would have had, as
 * ksnprintf() does.
 */
int fixed_format(char *buf, size_t size, s64 value, unsigned digits);

/*
 * a * b / div, rounded to nearest, with a 128-bit product; UINT64_MAX if the
 * result does not fit or div is 0. mul_div_u64(hits, 1000, total) is a ratio
 * in thousandths.
 */
u64 mul_div_u64(u64 a, u64 b, u64 div);
