/* Interrupts from CPU to CPU: vectors of the local APIC, but for IPI_STOP, which travels as NMI. */
#include <arch/smp.h>
#include <asm/apic.h>
#include <asm/port.h>
#include <kernel/smp.h>

void ipi_send(unsigned cpu, enum ipi ipi)
{
	if (unlikely(ipi == IPI_STOP))
		nmi_stop_cpu(cpu);
	else
		apic_command(apic_id_of(cpu), APIC_ICR_FIXED | (VECTOR_IPI_BASE + ipi));
}

void ipi_send_mask(const struct cpumask *mask, enum ipi ipi)
{
	cpumask_for_each (cpu, mask)
		ipi_send(cpu, ipi);
}
