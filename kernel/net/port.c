/* What lwIP calls: time, random numbers, the end where it finds itself wrong, and one function of the C library. */
#include "net.h"
#include <kernel/clock.h>
#include <kernel/panic.h>
#include <kernel/rng.h>
#include <arch/cpu.h>
#include <lwip/sys.h>
#include <stdlib.h>

enum { NS_PER_MS = 1000000 };

/* Milliseconds; wraps after 49 days, which lwIP expects. */
u32_t sys_now(void)
{
	return (u32_t)(clock_ns() / NS_PER_MS);
}

/*
 * Ports, numbers of segments, ids of DHCP: what somebody who does not see our frames should not guess. The
 * cycle counter at each call is what he does not know. No secrets are made of it.
 */
uint32_t port_random(void)
{
	static u64 state;

	state ^= cycles_now();
	return (uint32_t)(rng_splitmix64(&state) >> 32);
}

void port_assert_failed(const char *what, const char *file, int line)
{
	panic("lwIP: %s (%s:%d)", what, file, line);
}

/* The digits at the beginning; lwIP asks it about the number in an interface's name. */
int atoi(const char *s)
{
	int value = 0;

	for (; *s >= '0' && *s <= '9' && value < INT_MAX / 10 - 1; s++)
		value = value * 10 + (*s - '0');
	return value;
}
