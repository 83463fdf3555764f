/* CONTRACT: other CPUs: starting them, interrupting them. */
#pragma once

#include <kernel/types.h>
#include <kernel/cpumask.h>

enum ipi {
	IPI_TLB, /* shootdown request: mm/tlb_ipi.c */
	IPI_CALL, /* remote call: kernel/core/smp.c */
	IPI_WAKE, /* end a halt; the handler does nothing */
	IPI_STOP, /* panic elsewhere: stop here for good */
	IPI_COUNT
};

/*
 * Start a CPU. It calls secondary_main(cpu) (kernel/core/smp.c) on stack_top
 * with interrupts off, the kernel's page tables loaded and its per-CPU base
 * set. 0, or -ETIMEDOUT if it did not reach C, or another error.
 */
int cpu_start(unsigned cpu, u64 hw_id, void *stack_top, u64 percpu_offset);

/*
 * Stores before the send are visible to the handler. The port counts nothing;
 * callers do. May be called with interrupts off.
 */
void ipi_send(unsigned cpu, enum ipi ipi);
void ipi_send_mask(const struct cpumask *mask, enum ipi ipi);

/*
 * Non-maskable request to a CPU to publish where it is (x86: NMI). Returns
 * false where the port has no such thing; *ip is its last known instruction pointer.
 */
bool cpu_sample_ip(unsigned cpu, u64 *ip);
