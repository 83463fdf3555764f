/* Sorting in place: no recursion, no memory, n log n whatever the input. Not stable. */
#pragma once

#include <kernel/types.h>

void sort_array(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));
void sort_u64(u64 *values, size_t count); /* ascending */
