/*
 * How fast the time stamp counter runs: told by the boot line, by CPUID or by
 * the hypervisor, else measured against the best other clock of the board.
 */
#include <arch/cpu.h>
#include <arch/mmio.h>
#include <arch/platform.h>
#include <asm/apic.h>
#include <asm/features.h>
#include <asm/io.h>
#include <asm/port.h>
#include <asm/regs.h>
#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <kernel/option.h>
#include <kernel/printk.h>

enum {
	CALIBRATE_PER_SECOND = 200, /* an interval of 5 ms: a read takes 1 us at worst, so 0.02 % */
	CALIBRATE_TRIES = 5, /* reads at each end, of which the quickest counts */
	CALIBRATE_STUCK = 2000, /* equal reads, 1 us and more each: the clock stands still */
	APIC_TIMER_PER_SECOND = 1000, /* 1 ms: the handler checks the clock, 0.1 % will do */
};
#define TSC_MIN_HZ 100000000UL
#define TSC_MAX_HZ 20000000000UL
#define NS_PER_S 1000000000UL

static u64 tsc_hz = NS_PER_S; /* a guess until tsc_calibrate(), so that waits end */
static const char *tsc_source = "tsc, not calibrated";
static u64 apic_hz; /* after the divider; 0 = never needed */

struct reference {
	const char *source; /* for the log */
	u64 hz;
	u32 mask;
	u32 (*read)(void);
};

u64 cycles_hz(void)
{
	return tsc_hz;
}

const char *cycles_source(void)
{
	return tsc_source;
}

bool cycles_trusted(void)
{
	return true;
}

u64 apic_timer_hz(void)
{
	return apic_hz;
}

/* ns * hz without overflow. */
u64 tsc_from_ns(u64 ns)
{
	return ns / NS_PER_S * tsc_hz + ns % NS_PER_S * tsc_hz / NS_PER_S;
}

void tsc_delay_us(unsigned us)
{
	u64 end = rdtsc() + tsc_from_ns(us * 1000UL);

	while (rdtsc() < end)
		cpu_relax();
}

/* --- clocks to measure against ------------------------------------------------ */

static paddr_t hpet;
static u16 pm_port;

enum {
	HPET_PERIOD = 0x4,
	HPET_CONFIG = 0x10,
	HPET_COUNTER = 0xf0,
	HPET_MAX_PERIOD = 100000000, /* femtoseconds, HPET specification 2.3.4 */
};

static u32 hpet_read(void)
{
	return mmio_read32(hpet + HPET_COUNTER);
}

static bool hpet_start(const struct bootinfo *bi, struct reference *r)
{
	u32 femtoseconds;

	if (!bi->x86.hpet_base)
		return false;
	hpet = bi->x86.hpet_base;
	femtoseconds = mmio_read32(hpet + HPET_PERIOD);
	if (!femtoseconds || femtoseconds > HPET_MAX_PERIOD)
		return false;
	mmio_write32(hpet + HPET_CONFIG, mmio_read32(hpet + HPET_CONFIG) | 1);
	*r = (struct reference){"tsc by hpet", 1000000000000000UL / femtoseconds, ~0U, hpet_read};
	return true;
}

static u32 pm_read(void)
{
	return inl(pm_port);
}

static bool pm_start(const struct bootinfo *bi, struct reference *r)
{
	pm_port = bi->x86.pm_timer_port;
	*r = (struct reference){"tsc by pm timer", 3579545, 0xffffff, pm_read};
	return pm_port;
}

/* Channel 2 counts down from 65535, gated by port 0x61 and not wired to an interrupt. */
static u32 pit_read(void)
{
	u32 count;

	outb(0x43, 0x80); /* latch channel 2 */
	count = inb(0x42);
	return 0xffff - (count | (u32)inb(0x42) << 8);
}

static bool pit_start(const struct bootinfo *bi __unused, struct reference *r)
{
	outb(0x61, (inb(0x61) & ~2U) | 1); /* gate on, speaker off */
	outb(0x43, 0xb0); /* channel 2, two bytes, mode 0, binary */
	outb(0x42, 0xff);
	outb(0x42, 0xff);
	*r = (struct reference){"tsc by pit", 1193182, 0xffff, pit_read};
	return true;
}

static void apic_timer_run(u32 initial)
{
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_16);
	apic_write(APIC_TIMER_INITIAL, initial);
}

static u32 apic_timer_elapsed(void)
{
	return ~0U - apic_read(APIC_TIMER_CURRENT);
}

/* The smallest boards of QEMU and KVM have no other clock, and run this one at 1 GHz. */
static bool apic_start(const struct bootinfo *bi __unused, struct reference *r)
{
	if (!x86_has(X86_HYPERVISOR))
		return false;
	apic_timer_run(~0U);
	*r = (struct reference){"tsc by apic timer, assumed 1 GHz", NS_PER_S / 16, ~0U,
				apic_timer_elapsed};
	return true;
}

/* --- measuring ------------------------------------------------------------------ */

struct reading {
	u64 tsc;
	u32 ref;
};

/* Both clocks at one moment: of several tries the one during which the least time passed. */
static struct reading reference_sample(const struct reference *r)
{
	struct reading best = {0, 0};
	u64 best_gap = ~0UL;

	for (unsigned i = 0; i < CALIBRATE_TRIES; i++) {
		u64 before = cycles_now();
		u32 ref = r->read();
		u64 gap = cycles_now() - before;

		if (gap < best_gap) {
			best_gap = gap;
			best = (struct reading){before + gap / 2, ref};
		}
	}
	return best;
}

/* Wait until the reference has moved by ticks; false if it stands still. */
static bool reference_wait(const struct reference *r, u32 from, u64 ticks)
{
	u32 last = from;
	unsigned same = 0;

	while (((last - from) & r->mask) < ticks) {
		u32 now = r->read();

		same = now == last ? same + 1 : 0;
		if (same > CALIBRATE_STUCK)
			return false;
		last = now;
	}
	return true;
}

static u64 reference_measure(const struct reference *r)
{
	struct reading from = reference_sample(r), to;

	if (!reference_wait(r, from.ref, r->hz / CALIBRATE_PER_SECOND))
		return 0;
	to = reference_sample(r);
	return (to.tsc - from.tsc) * r->hz / ((to.ref - from.ref) & r->mask);
}

static bool tsc_set(u64 hz, const char *source)
{
	if (hz < TSC_MIN_HZ || hz > TSC_MAX_HZ)
		return false;
	tsc_hz = hz;
	tsc_source = source;
	return true;
}

static bool tsc_measure(const struct bootinfo *bi)
{
	static bool (*const start[])(const struct bootinfo *bi, struct reference *r) = {
		hpet_start,
		pm_start,
		pit_start,
		apic_start,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(start); i++) {
		struct reference r;

		if (start[i](bi, &r) && tsc_set(reference_measure(&r), r.source))
			return true;
	}
	return false;
}

/* CPUID 0x15 (SDM vol. 3 18.7.3), complete only if it gives the crystal's frequency too. */
static u64 tsc_hz_cpuid(void)
{
	struct cpuid r = cpuid_or_zero(0x15, 0);

	return r.eax && r.ebx ? (u64)r.ecx * r.ebx / r.eax : 0;
}

/* Leaf 0x40000010 of VMware, KVM and others: TSC in kHz. */
static u64 tsc_hz_hypervisor(void)
{
	return x86_has(X86_HYPERVISOR) ? cpuid_or_zero(0x40000010, 0).eax * 1000UL : 0;
}

static void apic_timer_measure(void)
{
	static const struct reference apic = {"", 0, ~0U, apic_timer_elapsed};
	struct reading from, to;

	apic_timer_run(~0U);
	from = reference_sample(&apic);
	while (rdtsc() - from.tsc < tsc_hz / APIC_TIMER_PER_SECOND)
		cpu_relax();
	to = reference_sample(&apic);
	apic_hz = (u64)(to.ref - from.ref) * tsc_hz / (to.tsc - from.tsc);
	apic_write(APIC_TIMER_INITIAL, 0);
}

BOOT_OPTION(tsc_hz, "tsc.hz", "N", "the TSC's frequency, where nothing is there to measure it by");

void tsc_calibrate(const struct bootinfo *bi)
{
	u64 told = option_u64("tsc.hz", 0, 0, TSC_MAX_HZ);

	if (!tsc_set(told, "tsc by tsc.hz=") && !tsc_set(tsc_hz_cpuid(), "tsc by cpuid 0x15") &&
	    !tsc_set(tsc_hz_hypervisor(), "tsc by hypervisor") && !tsc_measure(bi))
		printk("clock: nothing to measure the TSC against, taken for 1 GHz: give "
		       "tsc.hz=\n");
	if (!x86_has(X86_TSC_INVARIANT))
		printk("clock: CPUID does not promise a TSC of constant rate\n");
	if (!x86_has(X86_TSC_DEADLINE))
		apic_timer_measure();
}
