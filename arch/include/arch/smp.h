/* CONTRACT: other CPUs: starting them, interrupting them. */
#pragma once

#include <kernel/types.h>
#include <kernel/cpumask.h>

enum ipi {
	IPI_TLB, /* shootdown request: mm/tlb_ipi.c */
	IPI_CALL, /* remote call: kernel/core/smp_call.c */
	IPI_WAKE, /* end a halt: the interrupt itself does it, there is nothing to handle */
	IPI_STOP, /* panic elsewhere: stop here for good */
	IPI_COUNT
};

/*
 * For so long the port waits until a CPU that it has told to start runs C code. Real ones take less
 * than a millisecond; a virtual one may have to wait for its host, which has other work.
 */
enum { CPU_START_TIMEOUT_MS = 2000 };

/*
 * Start a CPU. It calls secondary_main(cpu) (kernel/core/smp.c) on stack_top
 * with interrupts off, the kernel's page tables loaded and its per-CPU base
 * set. 0, or -ETIMEDOUT if it did not reach C, or another error. Boot CPU only.
 */
int cpu_start(unsigned cpu, u64 hw_id, void *stack_top, u64 percpu_offset);

/*
 * Interrupt a CPU. Stores before the send are visible to the handler. Callers
 * count what they send; the port does not. Any context, interrupts on or off.
 */
void ipi_send(unsigned cpu, enum ipi ipi);
/* The same to every CPU of a mask. */
void ipi_send_mask(const struct cpumask *mask, enum ipi ipi);

/*
 * Ask a CPU where it is, by an interrupt that it cannot mask (x86: NMI). *ip: its
 * instruction pointer. False: the port cannot, and *ip is the last one known.
 */
bool cpu_sample_ip(unsigned cpu, u64 *ip);
