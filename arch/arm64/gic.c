/*
 * The interrupt controller: GICv2 (IHI 0048) and GICv3 and later by system
 * registers (IHI 0069). Used are software-generated interrupts, which are our
 * IPIs (interrupt number = enum ipi), and the timer's private interrupt.
 */
#include <arch/cpu.h>
#include <arch/smp.h>
#include <asm/entry.h>
#include <arch/mmio.h>
#include <asm/sysreg.h>
#include <kernel/bootinfo.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/printk.h>
#include <kernel/smp.h>

enum { /* distributor; the private part is at the same offsets in GICv3's redistributor frame */
       GICD_CTLR = 0x0000,
       GICD_TYPER = 0x0004,
       GICD_IGROUPR = 0x0080,
       GICD_ISENABLER = 0x0100,
       GICD_ICENABLER = 0x0180,
       GICD_ICPENDR = 0x0280,
       GICD_ICACTIVER = 0x0380,
       GICD_IPRIORITYR = 0x0400,
       GICD_ITARGETSR = 0x0800,
       GICD_SGIR = 0x0f00,
       GICD_CPENDSGIR = 0x0f10, /* GICv2: four registers */
       GICD_ICENABLER_E = 0x1400, /* extended shared interrupts, GICv3.1 */
       GICD_ICPENDR_E = 0x1800,
       GICD_ICACTIVER_E = 0x1c00,

       GICD_TYPER_LINES = 0x1f, /* words of 32 interrupts, the private ones included, less 1 */
       GICD_TYPER_ESPI = 1 << 8,
       GICD_TYPER_ESPI_SHIFT = 27, /* words of 32 extended ones, less 1 */
       GICD_TYPER_RSS = 1 << 26, /* SGI target lists reach Aff0 above 15 */
       GICD_CTLR_V2_ENABLE = 1,
       /* Affinity routing, group 1: bit 0 or 1 as seen with two security states or with one. */
       GICD_CTLR_V3_ROUTING = 1 << 4,
       GICD_CTLR_V3_ENABLE = GICD_CTLR_V3_ROUTING | 3,
       GICD_CTLR_RWP = 1u << 31,
};

enum { /* GICv2 CPU interface */
       GICC_CTLR = 0x00,
       GICC_PMR = 0x04,
       GICC_IAR = 0x0c,
       GICC_EOIR = 0x10,
       GICC_CTLR_ENABLE = 1,
};

enum { /* GICv3 redistributor: two frames of 64 KiB, four where it also has virtual LPIs */
       GICR_CTLR = 0x0000,
       GICR_TYPER = 0x0008,
       GICR_WAKER = 0x0014,
       GICR_SGI_FRAME = 0x10000,
       GICR_STRIDE = 0x20000,
       GICR_STRIDE_VLPI = 0x40000,
       GICR_CTLR_RWP = 1 << 3,
       GICR_TYPER_VLPIS = 1 << 1,
       GICR_TYPER_LAST = 1 << 4,
       GICR_WAKER_SLEEP = 1 << 1,
       GICR_WAKER_ASLEEP = 1 << 2,
};

enum {
	INTID_SGI_END = 16,
	INTID_PRIVATE_END = 32,
	INTID_EXTENDED_PRIVATE = 1056, /* up to 1119 */
	INTID_EXTENDED_SHARED = 4096, /* up to 5119 */
	INTID_SPECIAL = 1020, /* nothing pending, or not for us */
	INTID_MASK = 0xffffff,
	PRIORITY = 0xa0a0a0a0, /* the same for all, above the mask's 0xf0; no nesting */
	PRIORITY_MASK = 0xf0,
	V2_CPUS = 8,
};

/*
 * Bits that hardware clears by itself within microseconds: so long that only a broken machine
 * gets there.
 */
enum { REGISTER_TIMEOUT_MS = 100 };

static bool v3;
static bool range_selector; /* GICv3: distributor and this CPU take RS in SGIs */
static paddr_t gicd, gicc;
static const struct boot_arm64 *board;
static u8 v2_target[V2_CPUS]; /* GICv2: our CPU -> bit of its interface */
PERCPU(paddr_t, gic_private_frame);

/* Wait until bits of a register read as wanted; hardware needs nothing from us. */
static void wait_register(paddr_t reg, u32 bits, u32 wanted, const char *what)
{
	u64 end = cycles_now() + cycles_hz() / 1000 * REGISTER_TIMEOUT_MS;

	while ((mmio_read32(reg) & bits) != wanted) {
		if (cycles_now() > end)
			panic("GIC: %s at %#lx does not answer", what, reg);
		cpu_relax();
	}
}

/* 32 interrupts: not delivered, not pending, not active, whatever firmware left. */
static void quiet_word(paddr_t enable, paddr_t pending, paddr_t active)
{
	mmio_write32(enable, ~0u);
	mmio_write32(pending, ~0u);
	mmio_write32(active, ~0u);
}

/*
 * Firmware may leave interrupts enabled that only it can answer; a level-triggered one would come
 * again and again. None of the shared ones is ours.
 */
static void quiet_shared(void)
{
	u32 typer = mmio_read32(gicd + GICD_TYPER), words = (typer & GICD_TYPER_LINES) + 1;
	u32 extended = typer & GICD_TYPER_ESPI ? (typer >> GICD_TYPER_ESPI_SHIFT) + 1 : 0;

	for (u32 i = 4; i < 4 * words; i += 4)
		quiet_word(gicd + GICD_ICENABLER + i, gicd + GICD_ICPENDR + i,
			   gicd + GICD_ICACTIVER + i);
	for (u32 i = 0; v3 && i < 4 * extended; i += 4)
		quiet_word(gicd + GICD_ICENABLER_E + i, gicd + GICD_ICPENDR_E + i,
			   gicd + GICD_ICACTIVER_E + i);
}

/* Both groups off while routing changes, or what happens is unpredictable (IHI 0069, 12.9.4). */
static void start_distributor(void)
{
	mmio_write32(gicd + GICD_CTLR, 0);
	if (v3)
		wait_register(gicd + GICD_CTLR, GICD_CTLR_RWP, 0, "distributor");
	quiet_shared();
	if (!v3) {
		mmio_write32(gicd + GICD_CTLR, GICD_CTLR_V2_ENABLE);
		return;
	}
	wait_register(gicd + GICD_CTLR, GICD_CTLR_RWP, 0, "distributor");
	mmio_write32(gicd + GICD_CTLR, GICD_CTLR_V3_ROUTING);
	wait_register(gicd + GICD_CTLR, GICD_CTLR_RWP, 0, "distributor");
	mmio_write32(gicd + GICD_CTLR, GICD_CTLR_V3_ENABLE);
	wait_register(gicd + GICD_CTLR, GICD_CTLR_RWP, 0, "distributor");
}

void gic_init(const struct bootinfo *bi)
{
	board = &bi->arm64;
	v3 = board->gic_version >= 3;
	gicd = board->gicd_base;
	gicc = board->gicc_base;
	if (!board->gic_version || !gicd || (!v3 && !gicc))
		panic("GIC: version %u, distributor %#lx, CPU interface %#lx: cannot be driven",
		      board->gic_version, gicd, gicc);
	start_distributor();
	printk("gic: version %u, distributor at %#lx\n", board->gic_version, gicd);
}

/*
 * Private interrupts of this CPU: only ours enabled. The timer's may be an extended one (1056 and
 * up), which continue the register arrays of GICv3.1 after the 32 basic ones.
 */
static void init_private(paddr_t frame)
{
	unsigned intid = timer_intid(), index = intid < 32 ? 0 : (intid - 1056) / 32 + 1;
	u32 timer = 1u << intid % 32, sgis = (1u << IPI_COUNT) - 1;

	*this_cpu_ptr(gic_private_frame) = frame;
	for (unsigned i = 0; !v3 && i < INTID_SGI_END; i += 4)
		mmio_write32(frame + GICD_CPENDSGIR + i, ~0u);
	for (unsigned i = 0; i <= index; i++) {
		quiet_word(frame + GICD_ICENABLER + 4 * i, frame + GICD_ICPENDR + 4 * i,
			   frame + GICD_ICACTIVER + 4 * i);
		if (v3)
			mmio_write32(frame + GICD_IGROUPR + 4 * i, ~0u); /* group 1 */
		for (unsigned j = 0; j < 32; j += 4)
			mmio_write32(frame + GICD_IPRIORITYR + 32 * i + j, PRIORITY);
	}
	mmio_write32(frame + GICD_ISENABLER, sgis);
	mmio_write32(frame + GICD_ISENABLER + 4 * index, timer);
}

static void init_cpu_v2(unsigned cpu)
{
	if (cpu >= V2_CPUS)
		panic("GIC: CPU %u: version 2 has %d CPUs at most: boot with nr_cpus=%d", cpu,
		      V2_CPUS, V2_CPUS);
	/* These words are read-only, private, and hold our own interface's bit. */
	v2_target[cpu] = (u8)mmio_read32(gicd + GICD_ITARGETSR);
	if (!v2_target[cpu])
		v2_target[cpu] = 1; /* a single-CPU distributor reads as zero */
	init_private(gicd);
	mmio_write32(gicc + GICC_PMR, PRIORITY_MASK);
	mmio_write32(gicc + GICC_CTLR, GICC_CTLR_ENABLE);
}

/* GICR_TYPER 63:32 is Aff3.2.1.0 in one word. */
static bool redistributor_is(paddr_t rd, u64 mpidr)
{
	return mmio_read64(rd + GICR_TYPER) >> 32 ==
	       ((mpidr >> 8 & 0xff000000) | (mpidr & 0xffffff));
}

static paddr_t find_in_region(paddr_t rd, u64 len, u64 mpidr)
{
	for (u64 left = len; left >= GICR_STRIDE;) {
		u64 typer = mmio_read64(rd + GICR_TYPER);
		u64 stride = typer & GICR_TYPER_VLPIS ? GICR_STRIDE_VLPI : GICR_STRIDE;

		if (redistributor_is(rd, mpidr))
			return rd;
		if (typer & GICR_TYPER_LAST)
			break;
		rd += stride;
		left -= MIN(left, stride);
	}
	return 0;
}

/* Firmware names regions that hold several, or one for each CPU. 0: none is ours. */
static paddr_t find_redistributor(unsigned cpu)
{
	paddr_t own = smp_boot_cpu(cpu) ? smp_boot_cpu(cpu)->gicr_base : 0;
	u64 mpidr = cpu_hw_id();
	paddr_t rd = 0;

	if (own && redistributor_is(own, mpidr))
		return own;
	for (unsigned i = 0; i < board->gicr_count && !rd; i++)
		rd = find_in_region(board->gicr[i].base, board->gicr[i].len, mpidr);
	return rd;
}

static void init_cpu_v3(unsigned cpu)
{
	paddr_t rd = find_redistributor(cpu);

	if (!rd)
		panic("GIC: no redistributor for CPU %u, MPIDR %#lx", cpu, cpu_hw_id());
	mmio_write32(rd + GICR_WAKER, mmio_read32(rd + GICR_WAKER) & ~(u32)GICR_WAKER_SLEEP);
	wait_register(rd + GICR_WAKER, GICR_WAKER_ASLEEP, 0, "redistributor");
	init_private(rd + GICR_SGI_FRAME);
	wait_register(rd + GICR_CTLR, GICR_CTLR_RWP, 0, "redistributor");

	sysreg_write(icc_sre_el1, sysreg_read(icc_sre_el1) | 1);
	isb(); /* the other ICC registers exist only from here on */
	if (!(sysreg_read(icc_sre_el1) & 1))
		panic("GIC: system registers are not enabled for EL1 by firmware");
	sysreg_write(icc_pmr_el1, PRIORITY_MASK);
	sysreg_write(icc_bpr1_el1, 0);
	sysreg_write(icc_ctlr_el1, 0); /* end of interrupt drops priority and deactivates at once */
	sysreg_write(icc_igrpen1_el1, 1);
	isb();
	if (cpu == 0) /* ICC_CTLR_EL1.RSS is bit 18 */
		range_selector = mmio_read32(gicd + GICD_TYPER) & GICD_TYPER_RSS &&
				 sysreg_read(icc_ctlr_el1) >> 18 & 1;
	if (cpu_hw_id() & 0xf0 && !range_selector)
		panic("GIC: CPU %u, MPIDR %#lx: no range selector, so no interrupt reaches it", cpu,
		      cpu_hw_id());
}

void gic_init_cpu(unsigned cpu)
{
	if (v3)
		init_cpu_v3(cpu);
	else
		init_cpu_v2(cpu);
}

static u32 gic_acknowledge(void)
{
	u32 iar;

	if (!v3)
		return mmio_read32(gicc + GICC_IAR);
	iar = (u32)sysreg_read(icc_iar1_el1) & INTID_MASK;
	dsb(sy); /* the acknowledgement takes effect before what the handler does (IHI 0069, 4.1.1) */
	return iar;
}

static void gic_end(u32 iar)
{
	if (v3) {
		sysreg_write(icc_eoir1_el1, iar);
		isb(); /* priority has dropped before interrupts are let in again */
	} else {
		mmio_write32(gicc + GICC_EOIR, iar); /* with the sender's number, as it was read */
	}
}

/* Nobody asked for it, so nobody can make it stop: never again. */
static void disable_unknown(u32 intid)
{
	paddr_t base = gicd + GICD_ICENABLER;
	u32 index = intid / 32;

	if (intid < INTID_PRIVATE_END) {
		base = *this_cpu_ptr(gic_private_frame) + GICD_ICENABLER;
	} else if (intid >= INTID_EXTENDED_SHARED) {
		base = gicd + GICD_ICENABLER_E;
		index = (intid - INTID_EXTENDED_SHARED) / 32;
	} else if (intid >= INTID_EXTENDED_PRIVATE) {
		base = *this_cpu_ptr(gic_private_frame) + GICD_ICENABLER;
		index = (intid - INTID_EXTENDED_PRIVATE) / 32 + 1;
	}
	mmio_write32(base + 4 * index, 1u << intid % 32);
	printk("gic: interrupt %u is not ours: disabled\n", intid);
}

/* An interrupt that comes again while its handler runs is kept pending: nothing is lost. */
void gic_handle(void)
{
	for (;;) {
		u32 iar = gic_acknowledge(), intid = v3 ? iar : iar & 0x3ff;

		if (intid >= INTID_SPECIAL && intid < INTID_SPECIAL + 4)
			return;
		if (intid == timer_intid())
			timer_interrupt();
		else if (intid >= INTID_SGI_END)
			disable_unknown(intid);
		gic_end(iar);
		if (intid < INTID_SGI_END) {
			/* What the sender stored before it sent is read after the acknowledgement. */
			smp_rmb();
			ipi_handle((enum ipi)intid);
		}
	}
}

/* ---- sending ------------------------------------------------------------ */

/* ICC_SGI1R_EL1 without target list: Aff3.2.1, which 16 of Aff0, interrupt. */
static u64 sgi_cluster(u64 mpidr, enum ipi ipi)
{
	return (mpidr >> 32 & 0xff) << 48 | (mpidr >> 16 & 0xff) << 32 | (mpidr >> 8 & 0xff) << 16 |
	       (mpidr >> 4 & 0xf) << 44 | (u64)ipi << 24;
}

static u64 hw_id_of(unsigned cpu)
{
	return cpu_ptr(cpu, cpu_self)->hw_id;
}

/* CPUs that differ only in the low bits of Aff0 share one write. */
static void sgi_send_v3(const struct cpumask *mask, enum ipi ipi)
{
	u64 pending = 0;

	cpumask_for_each (cpu, mask) {
		u64 mpidr = hw_id_of(cpu), cluster = sgi_cluster(mpidr, ipi);

		if (pending && (pending & ~0xffffUL) != cluster) {
			sysreg_write(icc_sgi1r_el1, pending);
			pending = 0;
		}
		pending |= cluster | 1UL << (mpidr & 0xf);
	}
	if (pending)
		sysreg_write(icc_sgi1r_el1, pending);
	isb(); /* sent now, not when the pipeline gets to it: we may be about to spin */
}

static void sgi_send_v2(const struct cpumask *mask, enum ipi ipi)
{
	u32 targets = 0;

	cpumask_for_each (cpu, mask)
		targets |= v2_target[cpu];
	mmio_write32(gicd + GICD_SGIR, targets << 16 | (u32)ipi);
}

void ipi_send_mask(const struct cpumask *mask, enum ipi ipi)
{
	dsb(ishst); /* our stores are visible before the interrupt is; pairs with gic_handle() */
	if (v3)
		sgi_send_v3(mask, ipi);
	else
		sgi_send_v2(mask, ipi);
}

void ipi_send(unsigned cpu, enum ipi ipi)
{
	dsb(ishst); /* as above */
	if (v3) {
		u64 mpidr = hw_id_of(cpu);

		sysreg_write(icc_sgi1r_el1, sgi_cluster(mpidr, ipi) | 1UL << (mpidr & 0xf));
		isb(); /* as above */
	} else {
		mmio_write32(gicd + GICD_SGIR, (u32)v2_target[cpu] << 16 | (u32)ipi);
	}
}
