/*
 * Non-maskable interrupts that we send ourselves: to ask a CPU that answers
 * nothing else where it is, and to stop it. Both work while it has interrupts off.
 */
#include <arch/cpu.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <asm/apic.h>
#include <asm/port.h>
#include <kernel/atomic.h>
#include <kernel/percpu.h>
#include <kernel/smp.h>

struct nmi_request {
	u32 sample; /* 1: publish ip, then clear; one asker at a time, the watchdog or the panic path */
	u32 stop;
	u64 ip;
};

static PERCPU(struct nmi_request, nmi_request);

bool nmi_handle(const struct trapframe *tf)
{
	struct nmi_request *req = this_cpu_ptr(nmi_request);

	/* The sender's barrier in apic_command() orders both before the NMI. */
	if (load_relaxed(&req->stop))
		ipi_handle(IPI_STOP);
	if (!load_relaxed(&req->sample))
		return false;
	store_relaxed(&req->ip, trap_ip(tf));
	/* Pairs with the acquire in cpu_sample_ip(): ip is there when the flag falls. */
	store_release(&req->sample, 0);
	return true;
}

void nmi_stop_cpu(unsigned cpu)
{
	store_relaxed(&cpu_ptr(cpu, nmi_request)->stop, 1);
	apic_command(apic_id_of(cpu), APIC_ICR_NMI);
}

bool cpu_sample_ip(unsigned cpu, u64 *ip)
{
	struct nmi_request *req = cpu_ptr(cpu, nmi_request);
	/* An NMI is taken within microseconds; 100 ms cover a virtual CPU that waits for its host. */
	u64 deadline = cycles_now() + cycles_hz() / 10;

	store_relaxed(&req->sample, 1);
	apic_command(apic_id_of(cpu), APIC_ICR_NMI);
	/* Acquire; pairs with the release in nmi_handle(). */
	while (load_acquire(&req->sample)) {
		if (cycles_now() > deadline)
			return false;
		cpu_relax();
	}
	*ip = load_relaxed(&req->ip);
	return true;
}
