/* Time since boot. Conversions multiply and shift: a division would cost more than the clock read. */
#include <kernel/clock.h>
#include <kernel/fixed.h>

enum { SHIFT = 32 }; /* fraction bits: an error of 0.3 ns per second at most */

static u64 base; /* cycles_now() at clock_init() */
static u64 ns_per_cycle; /* << SHIFT */
static u64 cycles_per_ns;

void clock_init(void)
{
	u64 hz = cycles_hz();

	ns_per_cycle = mul_div_u64(1000000000, 1UL << SHIFT, hz);
	cycles_per_ns = mul_div_u64(hz, 1UL << SHIFT, 1000000000);
	base = cycles_now();
}

u64 cycles_to_ns(u64 cycles)
{
	return (u64)((unsigned __int128)cycles * ns_per_cycle >> SHIFT);
}

u64 ns_to_cycles(u64 ns)
{
	return (u64)((unsigned __int128)ns * cycles_per_ns >> SHIFT);
}

u64 clock_ns(void)
{
	return ns_per_cycle ? cycles_to_ns(cycles_now() - base) : 0;
}
