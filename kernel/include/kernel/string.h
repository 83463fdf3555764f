/* The C library's memory and string functions that we use, with their standard meaning. */
#pragma once

#include <kernel/types.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *needle);
/* Copies at most size-1 bytes and always terminates; returns strlen(src), so >= size means cut. */
size_t strlcpy(char *dst, const char *src, size_t size);

/*
 * Whole-string number: decimal, 0x hex, optional K/M/G suffix (powers of 1024).
 * 0, -EINVAL for anything else in the string (empty, sign, trailing text), -ERANGE on overflow.
 */
int parse_u64(const char *s, u64 *value);
/*
 * "0", "0,2-3" or "all" of the numbers below count (1..64): bit per member.
 * 0, -EINVAL: not such a list, -ERANGE: a member is not below count.
 */
int parse_set(const char *s, unsigned count, u64 *set);
/* "4" or "4-7" of len characters. 0, -EINVAL or -ERANGE. */
int parse_range(const char *s, size_t len, u64 *first, u64 *last);
/* Shell-style match with * and ?; the whole string must match. */
bool glob_match(const char *pattern, const char *s);
