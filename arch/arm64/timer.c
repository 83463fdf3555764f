/* Time: the generic timer's virtual counter, and its comparator as the one-shot interrupt (Arm ARM D11). */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/platform.h>
#include <asm/entry.h>
#include <asm/features.h>
#include <kernel/bootinfo.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/printk.h>
#include <kernel/smp.h>

enum {
	CTL_ENABLE = 1,
	TIMER_INTID = 27, /* where every board since the Base System Architecture has it */
	NS_PER_S = 1000000000,
};

static unsigned intid = TIMER_INTID;

u64 cycles_hz(void)
{
	return sysreg_read(cntfrq_el0);
}

const char *cycles_source(void)
{
	return "cntvct";
}

/*
 * Reading the counter again at each read would be the whole cure, and would make every measured path
 * longer on all cores. A deadline that is missed once in an age does no harm.
 */
bool cycles_trusted(void)
{
	return !arm64_features.no_times;
}

void timer_init(const struct bootinfo *bi)
{
	/* The register is a note from firmware; nothing else says how fast the counter runs. */
	if (!cycles_hz())
		panic("timer: CNTFRQ_EL0 is 0: firmware did not set it");
	if (bi->arm64.timer_ppi)
		intid = bi->arm64.timer_ppi;
}

unsigned timer_intid(void)
{
	return intid;
}

void timer_oneshot(u64 ns)
{
	u64 hz = cycles_hz();
	/* Seconds and the rest apart: hz and ns may both have 40 bits. Rounded up: never early. */
	u64 ticks = ns / NS_PER_S * hz + (ns % NS_PER_S * hz + NS_PER_S - 1) / NS_PER_S + 1;

	if (ns) {
		sysreg_write(cntv_cval_el0, sysreg_read(cntvct_el0) + ticks);
		sysreg_write(cntv_ctl_el0, CTL_ENABLE);
	} else {
		sysreg_write(cntv_ctl_el0, 0);
	}
	isb(); /* set before the caller halts to wait for it */
}

/* Level-triggered: off before the end of the interrupt, or it comes again. */
void timer_interrupt(void)
{
	sysreg_write(cntv_ctl_el0, 0);
	isb(); /* the line is down before the interrupt is ended */
	timer_handle();
}
