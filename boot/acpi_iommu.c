/*
 * ACPI DMAR (Intel VT-d specification, chapter 8), IVRS (AMD I/O virtualization specification, chapter 5) and IORT (Arm DEN
 * 0049): where IOMMUs have their registers. And WDAT and GTDT's part of it: watchdogs that firmware may have left running.
 */
#include <boot/acpi_table.h>

static void add_unit(const struct acpi_table *t, u64 off, enum boot_iommu_kind kind, u64 base)
{
	struct bootinfo *bi = t->bi;

	if (!base || base % PAGE_SIZE) {
		boot_warn(bi, "%s+0x%lx: IOMMU at 0x%lx: not used", t->name, off, base);
		return;
	}
	for (unsigned i = 0; i < bi->iommu_count; i++)
		if (bi->iommus[i].base == base)
			return; /* IVRS describes a unit several times */
	if (bi->iommu_count == BOOT_MAX_IOMMUS) {
		bi->iommus_dropped++;
		return;
	}
	bi->iommus[bi->iommu_count++] = (struct boot_iommu){.kind = kind, .base = base};
}

/*
 * Structures that follow each other, in each a 16-bit length at length_at and the unit's base at base_at; is_unit decides
 * by the type, whose lower byte comes first.
 */
static void walk(const struct acpi_table *t, u64 off, unsigned length_at, unsigned base_at,
		 bool (*is_unit)(u16 type), enum boot_iommu_kind kind)
{
	while (off + 4 <= t->len) {
		u16 len = acpi_u16(t, off + length_at);

		if (len < 4 || len > t->len - off) {
			boot_warn(t->bi, "%s+0x%lx: structure length %u: stop", t->name, off, len);
			return;
		}
		if (is_unit(acpi_u16(t, off)) && len >= base_at + 8)
			add_unit(t, off + base_at, kind, acpi_u64(t, off + base_at));
		off += len;
	}
}

enum {
	FIRST_STRUCTURE = 48, /* of DMAR and IVRS */
	DMAR_FLAGS = 37,
	IORT_COUNT = 36,
	IORT_FIRST = 40,
	IORT_SMMU2 = 3,
	IORT_SMMU3 = 4,
	IORT_BASE = 16,
};

static bool is_drhd(u16 type)
{
	return type == 0;
}

void acpi_dmar_parse(const struct acpi_table *t)
{
	t->bi->dmar_flags = acpi_u8(t, DMAR_FLAGS);
	walk(t, FIRST_STRUCTURE, 2, 8, is_drhd, BOOT_IOMMU_INTEL);
}

/* Hardware definition blocks 10h, 11h and 40h; the byte behind the type is flags. */
static bool is_ivhd(u16 type)
{
	return (type & 0xff) == 0x10 || (type & 0xff) == 0x11 || (type & 0xff) == 0x40;
}

void acpi_ivrs_parse(const struct acpi_table *t)
{
	walk(t, FIRST_STRUCTURE, 2, 8, is_ivhd, BOOT_IOMMU_AMD);
}

void acpi_iort_parse(const struct acpi_table *t)
{
	u64 off = acpi_u32(t, IORT_FIRST);

	for (u32 n = acpi_u32(t, IORT_COUNT); n && off + IORT_BASE + 8 <= t->len; n--) {
		u8 type = acpi_u8(t, off);
		u16 len = acpi_u16(t, off + 1);

		if (len < IORT_BASE || len > t->len - off) {
			boot_warn(t->bi, "IORT+0x%lx: node length %u: stop", off, len);
			return;
		}
		if (type == IORT_SMMU2 || type == IORT_SMMU3)
			add_unit(t, off + IORT_BASE,
				 type == IORT_SMMU2 ? BOOT_IOMMU_SMMU2 : BOOT_IOMMU_SMMU3,
				 acpi_u64(t, off + IORT_BASE));
		off += len;
	}
}

/* Microsoft, Hardware Watchdog Timers Design Specification 1.01, table 2: bit 0 of the flags. */
void acpi_wdat_parse(const struct acpi_table *t)
{
	enum { WDAT_FLAGS = 60, WDAT_RUNNING = 1 };

	t->bi->watchdog =
		acpi_u8(t, WDAT_FLAGS) & WDAT_RUNNING ? BOOT_WATCHDOG_RUNS : BOOT_WATCHDOG_OFF;
}
