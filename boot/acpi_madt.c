/* ACPI MADT (5.2.12): which CPUs there are, and the interrupt controllers in front of them. */
#include <boot/acpi_table.h>
#include <kernel/string.h>

/* Entry types, ACPI 6.5 table 5.21. Others are stepped over by their length. */
enum {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_ISA_OVERRIDE = 2,
	MADT_LAPIC_NMI = 4,
	MADT_LAPIC_ADDRESS = 5,
	MADT_X2APIC = 9,
	MADT_X2APIC_NMI = 10,
	MADT_GICC = 11,
	MADT_GICD = 12,
	MADT_GICR = 14,
	MADT_TYPES,
};

static const u8 madt_min_len[MADT_TYPES] = {
	[MADT_LAPIC] = 8,	[MADT_IOAPIC] = 12,	   [MADT_ISA_OVERRIDE] = 10,
	[MADT_LAPIC_NMI] = 6,	[MADT_LAPIC_ADDRESS] = 12, [MADT_X2APIC] = 16,
	[MADT_X2APIC_NMI] = 12, [MADT_GICC] = 76, /* up to the MPIDR; later revisions append */
	[MADT_GICD] = 24,	[MADT_GICR] = 16,
};

enum {
	MADT_ENTRIES = 44, /* offset of the first entry */
	MADT_PCAT_COMPAT = 1,
	MADT_CPU_ENABLED = 1,
	LAPIC_ID_ALL = 0xff, /* broadcast, so no CPU's id */
};

#define X2APIC_ID_ALL 0xffffffffu
#define MPIDR_AFFINITY 0xff00ffffffull /* Arm ARM, MPIDR_EL1: Aff3 and Aff2..0 */

/* LAPIC and x2APIC entries: the same thing with fields of different size. */
static void madt_apic(const struct acpi_table *t, u64 off, u32 id, u32 uid, u32 flags, u8 listed)
{
	struct boot_cpu cpu = {
		.hw_id = id,
		.acpi_uid = uid,
		.node = BOOT_NODE_NONE,
		.listed = listed,
	};

	if (!(flags & MADT_CPU_ENABLED)) {
		t->bi->cpu_disabled_count++;
		return;
	}
	if (id == (listed == ACPI_LISTED_LAPIC ? LAPIC_ID_ALL : X2APIC_ID_ALL)) {
		boot_warn(t->bi, "%s+0x%lx: enabled CPU with the broadcast id 0x%x: ignored",
			  t->name, off, id);
		return;
	}
	acpi_add_cpu(t, off, &cpu);
}

static void madt_ioapic(const struct acpi_table *t, u64 off)
{
	struct boot_x86 *x = &t->bi->x86;
	struct boot_ioapic io = {
		.id = acpi_u8(t, off + 2),
		.base = acpi_u32(t, off + 4),
		.gsi_base = acpi_u32(t, off + 8),
	};

	if (!io.base)
		boot_warn(t->bi, "%s+0x%lx: IOAPIC %u without an address", t->name, off, io.id);
	else if (x->ioapic_count == BOOT_MAX_IOAPICS)
		boot_warn(t->bi, "%s+0x%lx: more than %u IOAPICs: %u not used", t->name, off,
			  BOOT_MAX_IOAPICS, io.id);
	else
		x->ioapics[x->ioapic_count++] = io;
}

static void madt_isa_override(const struct acpi_table *t, u64 off)
{
	u8 bus = acpi_u8(t, off + 2);
	u8 irq = acpi_u8(t, off + 3);
	struct boot_isa_irq *to;

	if (bus != 0 || irq >= BOOT_ISA_IRQS) {
		boot_warn(t->bi, "%s+0x%lx: override of bus %u interrupt %u: not ISA", t->name, off,
			  bus, irq);
		return;
	}
	to = &t->bi->x86.isa_irq[irq];
	to->gsi = acpi_u32(t, off + 4);
	to->flags = acpi_u16(t, off + 8);
	to->moved = true;
}

static void madt_nmi(const struct acpi_table *t, u64 off, u16 flags, u8 lint)
{
	struct boot_x86 *x = &t->bi->x86;

	if (lint > 1) {
		boot_warn(t->bi, "%s+0x%lx: NMI on local input %u, there are 0 and 1", t->name, off,
			  lint);
		return;
	}
	if (x->nmi_known) /* one entry per CPU is common, and they agree */
		return;
	x->nmi_known = true;
	x->nmi_flags = flags;
	x->nmi_lint = lint;
}

static void madt_gicc(const struct acpi_table *t, u64 off)
{
	struct boot_cpu cpu = {
		.hw_id = acpi_u64(t, off + 68) & MPIDR_AFFINITY,
		.acpi_uid = acpi_u32(t, off + 8),
		.node = BOOT_NODE_NONE,
		.gicc_base = acpi_u64(t, off + 32),
		.gicr_base = acpi_u64(t, off + 60),
		.listed = ACPI_LISTED_GICC,
	};

	if (!(acpi_u32(t, off + 12) & MADT_CPU_ENABLED)) {
		t->bi->cpu_disabled_count++;
		return;
	}
	if (!t->bi->arm64.gicc_base)
		t->bi->arm64.gicc_base = cpu.gicc_base;
	acpi_add_cpu(t, off, &cpu);
}

static void madt_gicd(const struct acpi_table *t, u64 off)
{
	struct boot_arm64 *a = &t->bi->arm64;
	u8 version = acpi_u8(t, off + 20);

	if (a->gicd_base) {
		boot_warn(t->bi, "%s+0x%lx: more than one GIC distributor", t->name, off);
		return;
	}
	a->gicd_base = acpi_u64(t, off + 8);
	/* 0: ask the hardware. A GICv1 is driven like a v2, a v4 like a v3. */
	if (version > 4)
		boot_warn(t->bi, "%s+0x%lx: GIC version %u is unknown", t->name, off, version);
	else if (version)
		a->gic_version = version < 3 ? 2 : 3;
}

static void madt_gicr(const struct acpi_table *t, u64 off)
{
	struct boot_arm64 *a = &t->bi->arm64;

	if (a->gicr_count == BOOT_MAX_GICR) {
		boot_warn(t->bi, "%s+0x%lx: more than %u redistributor regions", t->name, off,
			  BOOT_MAX_GICR);
		return;
	}
	a->gicr[a->gicr_count].base = acpi_u64(t, off + 4);
	a->gicr[a->gicr_count++].len = acpi_u32(t, off + 12);
}

static void madt_entry(const struct acpi_table *t, const struct acpi_entry *e)
{
	u64 off = e->off;

	switch (e->type) {
	case MADT_LAPIC:
		madt_apic(t, off, acpi_u8(t, off + 3), acpi_u8(t, off + 2), acpi_u32(t, off + 4),
			  ACPI_LISTED_LAPIC);
		break;
	case MADT_X2APIC:
		madt_apic(t, off, acpi_u32(t, off + 4), acpi_u32(t, off + 12), acpi_u32(t, off + 8),
			  ACPI_LISTED_X2APIC);
		break;
	case MADT_IOAPIC:
		madt_ioapic(t, off);
		break;
	case MADT_ISA_OVERRIDE:
		madt_isa_override(t, off);
		break;
	case MADT_LAPIC_NMI:
		madt_nmi(t, off, acpi_u16(t, off + 3), acpi_u8(t, off + 5));
		break;
	case MADT_X2APIC_NMI:
		madt_nmi(t, off, acpi_u16(t, off + 2), acpi_u8(t, off + 8));
		break;
	case MADT_LAPIC_ADDRESS:
		t->bi->x86.lapic_base = acpi_u64(t, off + 4);
		break;
	case MADT_GICC:
		madt_gicc(t, off);
		break;
	case MADT_GICD:
		madt_gicd(t, off);
		break;
	case MADT_GICR:
		madt_gicr(t, off);
		break;
	}
}

void acpi_madt_parse(const struct acpi_table *t)
{
	struct acpi_entry e;
	u64 pos = MADT_ENTRIES;

	t->bi->x86.lapic_base = acpi_u32(t, 36);
	t->bi->x86.has_8259 = acpi_u32(t, 40) & MADT_PCAT_COMPAT;
	while (acpi_next_entry(t, &pos, &e, madt_min_len, MADT_TYPES, false))
		madt_entry(t, &e);
}

void acpi_madt_finish(struct bootinfo *bi, bool seen)
{
	struct boot_arm64 *a = &bi->arm64;
	bool gicr = a->gicr_count > 0;

	if (!seen)
		boot_note(bi, "MADT: missing: %s",
			  bi->cpu_count ? "CPUs taken from the SRAT" : "no CPUs known");
	else if (!bi->cpu_count)
		boot_warn(bi, "MADT: no enabled CPU in it");
	if (bi->cpu_dropped_count)
		boot_warn(bi, "MADT: %u enabled CPUs, only %u are used",
			  bi->cpu_count + bi->cpu_dropped_count, MAX_CPUS);
	for (unsigned i = 0; i < bi->cpu_count; i++)
		gicr |= bi->cpus[i].gicr_base != 0;
	if (gicr && !a->gic_version) /* only v3 has redistributors */
		a->gic_version = 3;
}
