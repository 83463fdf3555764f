/*
 * The driver of `edu` on a modelled device: none, an IOMMU that is on, a BAR without address, something else's registers, a
 * mask that is too small, a transfer that never ends, one that was left under way. The model cuts addresses as QEMU's does.
 */
#include "../../kernel/drivers/edu.c"
#include "check.h"

#include <stdlib.h>
#include <string.h>

#define BAR 0xfe000000UL
#define KERNEL_AT 0x40200000UL /* word is in there */
#define PAGE_AT 0x1c0003000UL /* somebody's frame */

static u64 page[PAGE_SIZE / 8]; /* at PAGE_AT */
static u8 buffer[4096];
static u64 now, regs[4], mask, done_at;
static u32 live;
static bool there, translates, no_bar, other, stuck, decodes, master;
static unsigned elsewhere,
	looks; /* writes of bytes that are not zero to nobody's memory; accesses of registers */
static struct {
	u64 pa, value;
} last_write;

/* What a driver must not do: it ends this program. */
static void must(bool ok)
{
	if (!ok)
		abort();
}

/* ---- memory ---- */

/* Where physical memory is here; NULL: nothing of ours. */
static void *memory(paddr_t pa)
{
	if (pa == word_phys())
		return &word;
	return pa - PAGE_AT < sizeof(page) ? (u8 *)page + (pa - PAGE_AT) : NULL;
}

static void *at_virt(const void *p)
{
	void *m = memory(virt_to_phys(p));

	return m ? m : (void *)(u64)p;
}

u64 fake_load(const void *p, unsigned size, enum fake_order order __unused)
{
	u64 v = 0;

	memcpy(&v, at_virt(p), size);
	return v;
}

void fake_store(void *p, u64 value, unsigned size, enum fake_order order __unused)
{
	memcpy(at_virt(p), &value, size);
}

void fake_dma_wmb(void)
{
}

void fake_dma_rmb(void)
{
}

paddr_t arch_kernel_phys(void)
{
	/* The image here lies wherever the linker has put it. */
	return KERNEL_AT - ((u64)&word - KERNEL_BASE);
}

/* ---- time ---- */

u64 clock_ns(void)
{
	return now += 1000;
}

void wait_nap(u64 ns)
{
	now += ns;
}

/* ---- the device ---- */

static void carry_out(void)
{
	u64 from = regs[0], to = regs[1], len = regs[2];
	bool writes = regs[3] & COMMAND_WRITES;
	u64 pa = (writes ? to : from) & mask, offset = (writes ? from : to) - BUFFER;
	u8 *m = memory(pa);

	regs[3] &= ~(u64)COMMAND_RUN;
	must(len && offset + len < sizeof(buffer)); /* QEMU ends itself */
	if (!master)
		return;
	if (!writes) {
		for (u64 i = 0; i < len; i++)
			buffer[offset + i] = m ? m[i] : 0x5a;
		return;
	}
	for (u64 i = 0; i < len; i++) {
		if (m)
			m[i] = buffer[offset + i];
		elsewhere += !m && buffer[offset + i];
	}
	last_write.pa = pa;
}

static void proceed(void)
{
	if (regs[3] & COMMAND_RUN && !stuck && now >= done_at)
		carry_out();
}

u64 fake_mmio_read(paddr_t pa, unsigned bytes)
{
	u64 reg = pa - BAR;

	must(decodes);
	looks++;
	must(bytes == (reg < R_DMA_FROM ? 4U : 8U));
	proceed();
	if (reg == R_ID)
		return other ? 0x8086 : 0x010000ed;
	if (reg == R_LIVE)
		return (u32)~live;
	return reg >= R_DMA_FROM && reg < REGISTERS ? regs[(reg - R_DMA_FROM) / 8] : ~0UL;
}

void fake_mmio_write(paddr_t pa, u64 v, unsigned bytes)
{
	u64 reg = pa - BAR;

	must(decodes);
	looks++;
	must(bytes == (reg < R_DMA_FROM ? 4U : 8U));
	proceed();
	if (reg == R_LIVE)
		live = (u32)v;
	if (reg < R_DMA_FROM || regs[3] & COMMAND_RUN)
		return;
	regs[(reg - R_DMA_FROM) / 8] = v;
	if (reg == R_DMA_COMMAND)
		done_at = now + DMA_NS;
}

int pci_find(const struct pci_id *ids, struct pci_function *f)
{
	must(ids[0].vendor == 0x1234);
	must(ids[0].device == 0x11e8);
	*f = (struct pci_function){.vendor_id = 0x1234};
	return there ? 0 : -ENODEV;
}

paddr_t pci_map_bar(const struct pci_function *f __unused, unsigned bar, u64 *len)
{
	must(bar == 0);
	*len = 1 << 20;
	return no_bar ? 0 : BAR;
}

void pci_enable(const struct pci_function *f __unused, bool dma)
{
	proceed();
	decodes = true;
	master = dma;
}

bool iommu_translates(void)
{
	return translates;
}

/* A machine that has just started, with a device whose mask lets everything through. */
static void start_machine(void)
{
	memset(&edu, 0, sizeof(edu));
	memset(regs, 0, sizeof(regs));
	memset(buffer, 0, sizeof(buffer));
	for (unsigned i = 0; i < ARRAY_SIZE(page); i++)
		page[i] = i + 1;
	there = true;
	translates = no_bar = other = stuck = decodes = master = false;
	elsewhere = looks = 0;
	mask = ~0UL;
}

/* Opening it ends so, and leaves no device that reaches memory. */
static void refused(int code, const char *says)
{
	const char *why = "";

	CHECK_EQ(edu_open(&why), code);
	CHECK(strstr(why, says));
	CHECK(!master && !elsewhere);
}

TEST(what_cannot_be_used_is_refused)
{
	start_machine();
	there = false;
	refused(-ENODEV, "there is no edu device");
	start_machine();
	translates = true;
	refused(-EPERM, "an IOMMU is on");
	CHECK_EQ(looks, 0);
	start_machine();
	no_bar = true;
	refused(-EIO, "BAR 0 has no address");
	CHECK_EQ(looks, 0);
	start_machine();
	other = true;
	refused(-EIO, "registers are not those of one");
}

TEST(bytes_go_both_ways)
{
	const char *why = "";

	start_machine();
	CHECK_EQ(edu_open(&why), 0);
	CHECK_EQ(edu_open(&why), -EBUSY);
	CHECK_EQ(edu_reach(PAGE_AT, &why), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(page); i++)
		CHECK_EQ(page[i], i + 1);
	CHECK_EQ(edu_start(PAGE_AT, EDU_BYTES_MAX, EDU_READS), 0);
	CHECK_EQ(edu_start(PAGE_AT, 8, EDU_READS), -EBUSY);
	CHECK_EQ(edu_poll(), -EAGAIN);
	CHECK_EQ(edu_wait(), 0);
	CHECK_EQ(edu_poll(), 0);
	CHECK_EQ(edu_start(PAGE_AT + EDU_BYTES_MAX, EDU_BYTES_MAX, EDU_WRITES), 0);
	CHECK_EQ(edu_wait(), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(page); i++)
		CHECK_EQ(page[i], i % (EDU_BYTES_MAX / 8) + 1);
	edu_close();
	CHECK(!master);
	/* What is reached is known: no further transfer. */
	u64 before = now;
	CHECK_EQ(edu_open(&why), 0);
	CHECK_EQ(edu_reach(PAGE_AT + 0x1000, &why), 0);
	CHECK(now - before < DMA_NS);
}

TEST(lengths_that_do_not_fit)
{
	const char *why = "";

	start_machine();
	CHECK_EQ(edu_open(&why), 0);
	CHECK_EQ(edu_start(PAGE_AT, 0, EDU_READS), -EINVAL);
	CHECK_EQ(edu_start(PAGE_AT, EDU_BYTES_MAX + 1, EDU_READS), -EINVAL);
	CHECK_EQ(edu_start(PAGE_AT + PAGE_SIZE - 1, 2, EDU_WRITES), -EINVAL);
	CHECK_EQ(edu_start(PAGE_AT + PAGE_SIZE - 1, 1, EDU_WRITES), 0);
}

TEST(mask_that_is_too_small)
{
	const char *why = "";

	start_machine();
	mask = (1UL << 28) - 1; /* QEMU's default: not even the kernel */
	refused(-ERANGE, "does not reach the kernel at 0x40200000");
	start_machine();
	mask = (1UL << 31) - 1;
	CHECK_EQ(edu_open(&why), 0);
	CHECK_EQ(edu_reach(KERNEL_AT + (1UL << 29), &why), 0);
	CHECK_EQ(edu_reach(PAGE_AT, &why), -ERANGE);
	CHECK(strstr(why, "does not reach 0x1c0003ff8: its dma_mask is too small"));
	CHECK_EQ(page[ARRAY_SIZE(page) - 1], ARRAY_SIZE(page));
	CHECK_EQ(elsewhere, 0);
	CHECK_EQ(edu_reach(PAGE_AT, &why), -ERANGE); /* and still does not */
}

TEST(transfer_that_never_ends)
{
	const char *why = "";

	start_machine();
	CHECK_EQ(edu_open(&why), 0);
	CHECK_EQ(edu_reach(PAGE_AT, &why), 0);
	stuck = true;
	CHECK_EQ(edu_start(PAGE_AT, 8, EDU_WRITES), 0);
	CHECK_EQ(edu_wait(), -ETIMEDOUT);
	CHECK(!master);
	edu_close();
	refused(-ETIMEDOUT, "does not end");
	/* It ends after all, and reaches nothing. */
	stuck = false;
	last_write.pa = 0;
	CHECK_EQ(edu_open(&why), 0);
	CHECK_EQ(last_write.pa, 0);
	CHECK_EQ(page[0], 1);
	start_machine();
	stuck = true;
	refused(-ETIMEDOUT, "does not end");
}

TEST(close_ends_a_transfer)
{
	const char *why = "";

	start_machine();
	CHECK_EQ(edu_open(&why), 0);
	CHECK_EQ(edu_reach(PAGE_AT, &why), 0);
	CHECK_EQ(edu_start(PAGE_AT, 8, EDU_WRITES), 0);
	edu_close();
	CHECK(!master);
	CHECK_EQ(edu_open(&why), 0); /* waits for the old one */
	CHECK_EQ(page[0], 1);
	CHECK(master);
	CHECK_EQ(edu_start(PAGE_AT, 8, EDU_WRITES), 0);
	CHECK_EQ(edu_wait(), 0);
	CHECK_EQ(page[0], 0);
}
