/*
 * IOMMUs that firmware left on: where tables say they are, what their registers say, and that switching off does what the
 * manuals ask for, on modelled units. A model takes its time, and falls out of step if it is not asked as it must be.
 */
#include "check.h"
#include "tables.h"

#include <stdarg.h>

#include <arch/cpu.h>
#include <arch/mmio.h>
#include <kernel/clock.h>
#include <kernel/iommu.h>
#include <kernel/printk.h>
#include <mm/kmap.h>

enum { UNITS = 4, LAZY = 3 /* looks until a command has been carried out */ };

static struct unit {
	struct boot_iommu at;
	u64 control; /* AMD's; SMMUv2's and v3's CR0 */
	u32 status; /* Intel's GSTS; SMMUv3's CR0ACK */
	u32 gbpa, wanted; /* wanted: what status becomes */
	unsigned looks;
	bool stuck, wrong;
} units[UNITS];
static u64 now;
static char said[512];

static struct unit *unit_at(paddr_t pa, u32 *reg)
{
	for (unsigned i = 0; i < UNITS; i++)
		if (units[i].at.base && pa >= units[i].at.base && pa < units[i].at.base + 0x1000) {
			*reg = (u32)(pa - units[i].at.base);
			return &units[i];
		}
	return NULL;
}

static void proceed(struct unit *u)
{
	if (!u->stuck && ++u->looks >= LAZY)
		u->status = u->wanted;
}

u64 fake_mmio_read(paddr_t pa, unsigned bytes)
{
	u32 reg = 0;
	struct unit *u = unit_at(pa, &reg);

	if (!u)
		return ~0UL;
	u->wrong |= bytes != (u->at.kind == BOOT_IOMMU_AMD ? 8 : 4);
	switch (u->at.kind) {
	case BOOT_IOMMU_INTEL:
		proceed(u);
		return reg == 0x1c ? u->status : 0; /* GCMD reads as 0 */
	case BOOT_IOMMU_SMMU3:
		proceed(u);
		if (reg == 0x44 && u->gbpa >> 31 && !u->stuck && u->looks >= LAZY)
			u->gbpa &= 0x7fffffff;
		return reg == 0x20   ? u->control
		       : reg == 0x24 ? u->status
		       : reg == 0x44 ? u->gbpa
				     : 0;
	case BOOT_IOMMU_AMD:
		return reg == 0x18 ? u->control : 0;
	case BOOT_IOMMU_SMMU2:
		return reg == 0 ? u->control : 0;
	}
	return 0;
}

void fake_mmio_write(paddr_t pa, u64 v, unsigned bytes)
{
	u32 reg = 0;
	struct unit *u = unit_at(pa, &reg);

	if (!u)
		return;
	u->wrong |= bytes != (u->at.kind == BOOT_IOMMU_AMD ? 8 : 4);
	u->looks = 0;
	if (u->at.kind == BOOT_IOMMU_INTEL && reg == 0x18) {
		u->wrong |=
			v & ~0x96800000u; /* bits that start something each time they are written */
		u->wanted = (u32)v;
	} else if (u->at.kind == BOOT_IOMMU_SMMU3 && reg == 0x44) {
		u->wrong |=
			!(v >> 31 & 1) || u->gbpa >> 31; /* ignored without UPDATE, or during one */
		u->gbpa = (u32)v;
	} else if (u->at.kind == BOOT_IOMMU_SMMU3 && reg == 0x20) {
		u->wrong |= u->gbpa >> 20 & 1; /* from now on everything would be refused */
		u->control = v;
		u->wanted = (u32)v;
	} else if (u->at.kind == BOOT_IOMMU_AMD && reg == 0x18) {
		u->control = v;
	} else if (u->at.kind == BOOT_IOMMU_SMMU2 && reg == 0) {
		u->control = v;
	} else {
		u->wrong = true;
	}
}

u8 fake_port_read(u16 port)
{
	(void)port;
	return 0xff;
}

void fake_port_write(u16 port, u8 v)
{
	(void)port, (void)v;
}

static paddr_t refused; /* cannot be mapped */

void *kmap_device(paddr_t pa, u64 len)
{
	return pa == refused || len != 0x1000 ? NULL : (void *)1;
}

void fake_relax(void)
{
}

u64 clock_ns(void)
{
	return now += 1000;
}

void printk(const char *fmt, ...)
{
	size_t len = strlen(said);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said + len, sizeof(said) - len, fmt, ap);
	va_end(ap);
}

/* ---- tables ---- */

static struct run r;

static void drhd(struct table *t, u64 base)
{
	table_16(t, 0), table_16(t, 16), table_32(t, 0), table_64(t, base);
}

static const char *parsed(struct table *t)
{
	table_end(t);
	run_table(&r, t);
	table_free(t);
	return run_finish(&r);
}

TEST(dmar)
{
	struct table t;

	run_begin(&r);
	table_begin(&t, "DMAR", 1);
	table_8(&t, 45), table_8(&t, 3), table_zeros(&t, 10);
	drhd(&t, 0xd37fc000);
	table_16(&t, 1), table_16(&t, 24), table_zeros(&t, 20); /* reserved memory: no unit */
	drhd(&t, 0xfe000000000); /* above 4 GiB */
	drhd(&t, 0);
	table_16(&t, 0), table_16(&t, 2); /* ends the walk */
	drhd(&t, 0x1000);
	CHECK(!parsed(&t));
	CHECK_EQ(r.bi.iommu_count, 2);
	CHECK_EQ(r.bi.iommus[0].base, 0xd37fc000);
	CHECK_EQ(r.bi.iommus[1].base, 0xfe000000000);
	CHECK(r.bi.iommus[1].kind == BOOT_IOMMU_INTEL);
	CHECK_EQ(r.bi.dmar_flags, 3);
	CHECK(run_warned(&r, "IOMMU at 0x0: not used") && run_warned(&r, "structure length 2"));
}

static void ivhd(struct table *t, u8 type, u16 len, u64 base)
{
	table_8(t, type), table_8(t, 0xb0), table_16(t, len), table_16(t, 2), table_16(t, 0x40);
	table_64(t, base), table_zeros(t, len - 16u);
}

TEST(ivrs_names_a_unit_several_times)
{
	struct table t;

	run_begin(&r);
	table_begin(&t, "IVRS", 2);
	table_zeros(&t, 12);
	ivhd(&t, 0x10, 32, 0xfd200000);
	ivhd(&t, 0x11, 48, 0xfd200000);
	table_8(&t, 0x20), table_8(&t, 0), table_16(&t, 32),
		table_zeros(&t, 28); /* memory definition */
	ivhd(&t, 0x40, 40, 0x10020000000);
	CHECK(!parsed(&t));
	CHECK_EQ(r.bi.iommu_count, 2);
	CHECK_EQ(r.bi.iommus[0].base, 0xfd200000);
	CHECK_EQ(r.bi.iommus[1].base, 0x10020000000);
	CHECK(r.bi.iommus[0].kind == BOOT_IOMMU_AMD);
}

static void node(struct table *t, u8 type, u16 len, u64 base)
{
	table_8(t, type), table_16(t, len), table_8(t, 4), table_zeros(t, 12), table_64(t, base);
	table_zeros(t, len - 24u);
}

TEST(iort)
{
	struct table t;

	run_begin(&r);
	table_begin(&t, "IORT", 3);
	table_32(&t, 4), table_32(&t, 48), table_32(&t, 0);
	node(&t, 0, 24, 1); /* ITS group */
	node(&t, 4, 68, 0x9050000);
	node(&t, 3, 76, 0x400000000);
	node(&t, 2, 40, 0x1000); /* root complex */
	CHECK(!parsed(&t));
	CHECK_EQ(r.bi.iommu_count, 2);
	CHECK(r.bi.iommus[0].kind == BOOT_IOMMU_SMMU3 && r.bi.iommus[0].base == 0x9050000);
	CHECK(r.bi.iommus[1].kind == BOOT_IOMMU_SMMU2 && r.bi.iommus[1].base == 0x400000000);
}

TEST(more_units_than_places)
{
	struct table t;

	run_begin(&r);
	table_begin(&t, "DMAR", 1);
	table_zeros(&t, 12);
	for (u64 i = 1; i <= BOOT_MAX_IOMMUS + 2; i++)
		drhd(&t, i << 20);
	CHECK(!parsed(&t));
	CHECK_EQ(r.bi.iommu_count, BOOT_MAX_IOMMUS);
	CHECK_EQ(r.bi.iommus_dropped, 2);
}

TEST(wdat)
{
	struct table t;

	for (u8 flags = 0x80; flags <= 0x81; flags++) {
		run_begin(&r);
		table_begin(&t, "WDAT", 1);
		table_zeros(&t, 24), table_8(&t, flags), table_zeros(&t, 7);
		CHECK(!parsed(&t));
		CHECK(r.bi.watchdog == (flags & 1 ? BOOT_WATCHDOG_RUNS : BOOT_WATCHDOG_OFF));
	}
}

static void platform_timer(struct table *t, u8 type, u16 len)
{
	table_8(t, type), table_16(t, len), table_zeros(t, len > 3 ? len - 3u : 1);
}

TEST(watchdogs_of_gtdt)
{
	struct table t;

	for (u8 type = 0; type <= 2; type++) {
		run_begin(&r);
		table_begin(&t, "GTDT", 3);
		table_zeros(&t, 28), table_32(&t, 27), table_zeros(&t, 20);
		table_32(&t, 3), table_32(&t, 104), table_zeros(&t, 8);
		platform_timer(&t, 0, 60), platform_timer(&t, type, 28);
		platform_timer(&t, 0, 0); /* ends the walk */
		platform_timer(&t, 1, 28);
		CHECK(!parsed(&t));
		CHECK(r.bi.watchdog == (type == 1 ? BOOT_WATCHDOG_THERE : BOOT_WATCHDOG_NONE));
	}
}

/* ---- registers ---- */

static const enum boot_iommu_kind kinds[UNITS] = {BOOT_IOMMU_INTEL, BOOT_IOMMU_AMD,
						  BOOT_IOMMU_SMMU2, BOOT_IOMMU_SMMU3};
static struct bootinfo bi;

/* One of each kind, all of them on: Intel's with remapping and queued invalidation, SMMUv3's to refuse when off. */
static void all_on(void)
{
	memset(units, 0, sizeof(units));
	memset(&bi, 0, sizeof(bi));
	said[0] = '\0';
	refused = 0;
	for (unsigned i = 0; i < UNITS; i++) {
		units[i].at = (struct boot_iommu){.kind = kinds[i], .base = (i + 1) << 16};
		bi.iommus[bi.iommu_count++] = units[i].at;
	}
	units[0].status = units[0].wanted = 0xc7000000; /* TES, RTPS, QIES, IRES, IRTPS */
	units[1].control = 0x2001;
	units[2].control = 0x200000; /* CLIENTPD clear */
	units[3].control = units[3].status = units[3].wanted = 0xd;
	units[3].gbpa = 1 << 20;
}

TEST(what_is_on_is_seen)
{
	all_on();
	for (unsigned i = 0; i < UNITS; i++)
		CHECK(iommu_look(&units[i].at).translates);
	CHECK(iommu_look(&units[0].at).remaps && iommu_look(&units[1].at).remaps);
	units[0].status = units[0].wanted = 1u << 25;
	CHECK(!iommu_look(&units[0].at).translates && iommu_look(&units[0].at).remaps);
	units[1].control = 0x2000;
	units[2].control = 1;
	units[3].control = 0;
	CHECK(!iommu_look(&units[1].at).translates && !iommu_look(&units[2].at).translates);
	CHECK(iommu_look(&units[3].at).translates); /* off, and refuses everything */
	units[3].gbpa = 0;
	CHECK(!iommu_look(&units[3].at).translates);
}

TEST(each_is_switched_off)
{
	all_on();
	for (unsigned i = 0; i < UNITS; i++) {
		CHECK(iommu_switch_off(&units[i].at));
		CHECK(!iommu_look(&units[i].at).translates);
		CHECK(!units[i].wrong);
	}
	CHECK_EQ(units[0].status,
		 0x06000000); /* queued invalidation and remapping stay as they were */
	CHECK_EQ(units[1].control, 0x2000);
	CHECK_EQ(units[3].control, 0xc);
}

TEST(one_that_does_not_obey)
{
	all_on();
	units[0].stuck = units[3].stuck = true;
	CHECK(!iommu_switch_off(&units[0].at));
	CHECK(!iommu_switch_off(&units[3].at));
}

TEST(without_network_nothing_is_touched)
{
	all_on();
	iommu_init(&bi, false);
	for (unsigned i = 0; i < UNITS; i++)
		CHECK(iommu_look(&units[i].at).translates);
	CHECK(strstr(said, "0x10000: firmware left translation on: left so"));
	CHECK(strstr(said, "0x10000: firmware left interrupt remapping on: devices are polled"));
}

TEST(with_network_all_are_off)
{
	char text[100];

	all_on();
	iommu_init(&bi, true);
	for (unsigned i = 0; i < UNITS; i++)
		CHECK(!iommu_look(&units[i].at).translates);
	CHECK(strstr(said, "0x40000: firmware left translation on: switched off for the network"));
	iommu_describe(text, sizeof(text));
	CHECK_STR(text, "4 units, VT-d; 0 translate, 1 remap interrupts");
	all_on();
	units[0].stuck = true;
	refused = units[1].at.base;
	iommu_init(&bi, true);
	CHECK(strstr(said, "cannot be switched off"));
	CHECK(strstr(said, "0x20000: cannot be mapped"));
	CHECK_EQ(units[1].control, 0x2001);
	iommu_describe(text, sizeof(text));
	CHECK_STR(text, "4 units, VT-d; 1 translate, 1 remap interrupts");
}

/* Whoever drives a device that does DMA asks. */
TEST(any_that_translates_is_said)
{
	all_on();
	iommu_init(&bi, false);
	for (unsigned i = 0; i < UNITS; i++) {
		CHECK(iommu_translates());
		CHECK(iommu_switch_off(&units[i].at));
	}
	CHECK(!iommu_translates());
	for (unsigned i = 0; i < UNITS; i++)
		CHECK(!units[i].wrong);
}
