/*
 * Formatted output into a buffer. Conversions: %d %i %u %x %X %o %c %s %p %%,
 * with l, ll, z, h, hh, width, precision, -, 0, +, #, space and *. No floating
 * point: fixed-point values are printed by kernel/lib/fixed.c.
 */
#pragma once

#include <kernel/types.h>
#include <stdarg.h>

/* Writes at most size bytes with the terminator; returns the length it would have had. */
int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
int ksnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/* The same, piece by piece to put(): output of any length without a buffer. Returns the length. */
typedef void (*printf_sink)(void *arg, const char *s, size_t len);
int kvprintf_sink(printf_sink put, void *arg, const char *fmt, va_list ap) __printf(3, 0);
