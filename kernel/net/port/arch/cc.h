/* What lwIP asks of a compiler and a machine. */
#pragma once

#include <stdint.h>

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_CTYPE_H 1
#define X8_F "x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "lu"

void port_assert_failed(const char *what, const char *file, int line) __attribute__((noreturn));
uint32_t port_random(void);

#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(what) port_assert_failed(what, __FILE__, __LINE__)
#define LWIP_RAND() port_random()
