/*
 * The registers of IOMMUs that say whether they are on. Intel VT-d specification 10.4; AMD I/O virtualization
 * specification 3.4; Arm SMMUv3 (IHI 0070) 6.3 and SMMUv2 (IHI 0062) 9.6.
 */
#include <arch/cpu.h>
#include <arch/mmio.h>
#include <kernel/clock.h>
#include <kernel/iommu.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <mm/kmap.h>

enum {
	INTEL_GCMD = 0x18,
	INTEL_GSTS = 0x1c,
	INTEL_REMAPS = 1 << 25,
	AMD_CONTROL = 0x18, /* 64 bits */
	AMD_ENABLE = 1,
	SMMU3_CR0 = 0x20,
	SMMU3_CR0ACK = 0x24,
	SMMU3_GBPA = 0x44, /* what happens while it is off */
	SMMU3_ENABLE = 1,
	SMMU3_GBPA_ABORT = 1 << 20,
	SMMU2_CR0 = 0,
	SMMU2_BYPASS = 1, /* CLIENTPD */
};

#define INTEL_TRANSLATES 0x80000000u
#define INTEL_LASTING                                                                              \
	0x96ffffffu /* of the status: commands that stay; the others happen once (10.4.4) */
#define SMMU3_GBPA_UPDATE 0x80000000u
#define PATIENCE_NS 10000000UL /* far above what units take */

enum { REGISTERS = 0x1000 }; /* bytes of each unit that we read and write */

static const struct bootinfo *info;
static u64 mapped; /* bit per unit: its registers can be read */
_Static_assert(BOOT_MAX_IOMMUS <= 64, "a bit for each");

struct iommu_state iommu_look(const struct boot_iommu *unit)
{
	struct iommu_state s = {false, false};
	u32 v;

	switch (unit->kind) {
	case BOOT_IOMMU_INTEL:
		v = mmio_read32(unit->base + INTEL_GSTS);
		s.translates = v & INTEL_TRANSLATES;
		s.remaps = v & INTEL_REMAPS;
		break;
	case BOOT_IOMMU_AMD: /* one switch for both */
		s.translates = s.remaps = mmio_read64(unit->base + AMD_CONTROL) & AMD_ENABLE;
		break;
	case BOOT_IOMMU_SMMU3:
		s.translates = mmio_read32(unit->base + SMMU3_CR0) & SMMU3_ENABLE ||
			       mmio_read32(unit->base + SMMU3_GBPA) & SMMU3_GBPA_ABORT;
		break;
	case BOOT_IOMMU_SMMU2:
		s.translates = !(mmio_read32(unit->base + SMMU2_CR0) & SMMU2_BYPASS);
		break;
	}
	return s;
}

/* Until these bits of a register are clear. */
static bool wait_clear(paddr_t reg, u32 bits)
{
	u64 deadline = clock_ns() + PATIENCE_NS;

	while (mmio_read32(reg) & bits) {
		if (clock_ns() > deadline)
			return false;
		cpu_relax();
	}
	return true;
}

static bool intel_off(paddr_t base)
{
	u32 lasting = mmio_read32(base + INTEL_GSTS) & INTEL_LASTING;

	mmio_write32(base + INTEL_GCMD, lasting & ~INTEL_TRANSLATES);
	return wait_clear(base + INTEL_GSTS, INTEL_TRANSLATES);
}

/* First what happens when it is off, so that nothing is refused in between. */
static bool smmu3_off(paddr_t base)
{
	u32 gbpa = mmio_read32(base + SMMU3_GBPA) & ~(u32)SMMU3_GBPA_ABORT;

	mmio_write32(base + SMMU3_GBPA, gbpa | SMMU3_GBPA_UPDATE);
	if (!wait_clear(base + SMMU3_GBPA, SMMU3_GBPA_UPDATE))
		return false;
	mmio_write32(base + SMMU3_CR0, mmio_read32(base + SMMU3_CR0) & ~(u32)SMMU3_ENABLE);
	return wait_clear(base + SMMU3_CR0ACK, SMMU3_ENABLE);
}

bool iommu_switch_off(const struct boot_iommu *unit)
{
	switch (unit->kind) {
	case BOOT_IOMMU_INTEL:
		return intel_off(unit->base);
	case BOOT_IOMMU_SMMU3:
		return smmu3_off(unit->base);
	case BOOT_IOMMU_AMD:
		mmio_write64(unit->base + AMD_CONTROL,
			     mmio_read64(unit->base + AMD_CONTROL) & ~(u64)AMD_ENABLE);
		break;
	case BOOT_IOMMU_SMMU2:
		mmio_write32(unit->base + SMMU2_CR0,
			     mmio_read32(unit->base + SMMU2_CR0) | SMMU2_BYPASS);
		break;
	}
	return !iommu_look(unit).translates;
}

static void say(const struct boot_iommu *unit, struct iommu_state s, bool network)
{
	const char *what = "left so without ip=";

	if (s.translates && network)
		what = iommu_switch_off(unit)
			       ? "switched off for the network"
			       : "it cannot be switched off, so the network may not work";
	if (s.translates)
		printk("iommu at %#lx: firmware left translation on: %s\n", unit->base, what);
	if (s.remaps)
		printk("iommu at %#lx: firmware left interrupt remapping on: devices are polled\n",
		       unit->base);
}

void iommu_init(const struct bootinfo *bi, bool network)
{
	info = bi;
	mapped = 0;
	for (unsigned i = 0; i < bi->iommu_count; i++) {
		const struct boot_iommu *unit = &bi->iommus[i];

		if (kmap_device(unit->base, REGISTERS)) {
			mapped |= 1UL << i;
			say(unit, iommu_look(unit), network);
		} else {
			printk("iommu at %#lx: cannot be mapped: not looked at\n", unit->base);
		}
	}
}

bool iommu_translates(void)
{
	for (unsigned i = 0; i < info->iommu_count; i++)
		if (mapped >> i & 1 && iommu_look(&info->iommus[i]).translates)
			return true;
	return false;
}

void iommu_describe(char *buf, size_t size)
{
	static const char *const names[] = {
		[BOOT_IOMMU_INTEL] = "VT-d",
		[BOOT_IOMMU_AMD] = "AMD's",
		[BOOT_IOMMU_SMMU2] = "SMMUv2",
		[BOOT_IOMMU_SMMU3] = "SMMUv3",
	};
	unsigned translating = 0, remapping = 0;

	for (unsigned i = 0; i < info->iommu_count; i++) {
		struct iommu_state s = {false, false};

		if (mapped >> i & 1)
			s = iommu_look(&info->iommus[i]);
		translating += s.translates;
		remapping += s.remaps;
	}
	if (info->iommu_count)
		ksnprintf(buf, size, "%u units, %s; %u translate, %u remap interrupts",
			  info->iommu_count + info->iommus_dropped, names[info->iommus[0].kind],
			  translating, remapping);
	else
		ksnprintf(buf, size, "none that a table names");
}
