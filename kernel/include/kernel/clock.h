/* Time since boot from the cycle counter, and conversion of cycle differences. */
#pragma once

#include <kernel/types.h>
#include <arch/cpu.h>

void clock_init(void); /* after arch_init(): cycles_hz() is known */
u64 clock_ns(void); /* monotonic on one CPU; 0 before clock_init() */
u64 cycles_to_ns(u64 cycles);
u64 ns_to_cycles(u64 ns); /* both are 0 before clock_init() */
void clock_report_skew(void); /* compare the CPUs' counters, into the log; all CPUs online */
