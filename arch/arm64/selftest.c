/* Tests of what only this port has: break-before-make, range operations, the table of the evidence, the stub at EL2. */
#include <arch/irq.h>
#include <arch/pgtable.h>
#include <arch/tlb.h>
#include <asm/entry.h>
#include <asm/errata.h>
#include <asm/hyp.h>
#include <asm/mmio.h>
#include <asm/mmu.h>
#include <asm/sysreg.h>
#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <kernel/hw.h>
#include <kernel/kmem.h>
#include <kernel/ktest.h>
#include <kernel/string.h>

enum {
	TEST_ASID = 200, /* no space has it while tests run one after another on a fresh machine */
	TEST_ROOT = 0x1000,
};
#define TEST_VA 0x7f0000000000UL

static pte_t leaf(paddr_t pa, prot_t prot)
{
	return pte_mk_leaf(pa, PROT_READ | prot, 0);
}

/* ---- errata: the cures of what this core has are in force, and no others ---- */

TEST(arm64, errata_of_this_core)
{
	u64 midr = sysreg_read(midr_el1);
	pte_t code = leaf(0x1000, PROT_EXEC);
	u32 due = 0;

	for (unsigned i = 0; i < arm64_errata_count; i++) {
		const struct arm64_erratum *e = &arm64_errata[i];
		enum hw_asked asked = hw_asked(e->id);

		if (asked == HW_WITHOUT || (asked != HW_WITH && !arm64_has_erratum(e, midr)))
			continue;
		due |= 1U << e->cure;
		EXPECT(strstr(hw_errata(), e->id));
	}
	EXPECT_EQ(tlb_bcast_repeats(), due >> CURE_REPEAT_TLBI & 1);
	EXPECT(!(due >> CURE_NO_HW_DIRTY & 1) || !arm64_features.hw_dirty);
	EXPECT_EQ(arm64_features.flush_at_switch, due >> CURE_FLUSH_AT_SWITCH & 1);
	EXPECT_EQ(arm64_features.icache_at_switch, due >> CURE_ICACHE_AT_SWITCH & 1);
	EXPECT_EQ(pte_needs_bbm(code, leaf(0x1000, 0), 0), due >> CURE_BBM_NOEXEC & 1);
	EXPECT(!pte_needs_bbm(leaf(0x1000, 0), code, 0));
	EXPECT_EQ(cycles_trusted(), !(due >> CURE_NO_TIMES & 1));
}

/* ---- entries: Arm ARM D8.14.1 and D8.5 ---- */

TEST(arm64, bbm_for_another_kind_of_memory)
{
	pte_t rw = leaf(0x1000, PROT_WRITE);

	EXPECT(pte_needs_bbm(rw, leaf(0x1000, PROT_WRITE | PROT_DEVICE), 0));
	EXPECT(pte_needs_bbm(rw, leaf(0x1000, PROT_WRITE | PROT_GLOBAL), 0));
	EXPECT(!pte_needs_bbm(leaf(0x1000, PROT_WRITE | PROT_GLOBAL), rw, 0));
	EXPECT(pte_needs_bbm(rw, leaf(0x2000, PROT_WRITE), 0));
	EXPECT(pte_needs_bbm(pte_mk_leaf(HUGE_SIZE, PROT_READ, 1), pte_mk_table(0x1000), 1));
	EXPECT(pte_needs_bbm(pte_mk_table(0x1000), pte_mk_leaf(HUGE_SIZE, PROT_READ, 1), 1));
}

TEST(arm64, no_bbm_for_permissions_or_invalid_entries)
{
	pte_t rw = leaf(0x1000, PROT_WRITE);

	EXPECT(!pte_needs_bbm(rw, pte_mk_readonly(rw), 0));
	EXPECT(!pte_needs_bbm(rw, pte_mk_old(pte_mk_clean(rw)), 0));
	EXPECT(!pte_needs_bbm(rw, leaf(0x1000, PROT_WRITE | PROT_USER | PROT_EXEC), 0));
	EXPECT(!pte_needs_bbm(rw, pte_mk_hint(rw), 0));
	EXPECT(!pte_needs_bbm(pte_mk_migration(rw, 0), leaf(0x2000, PROT_WRITE), 0));
	EXPECT(!pte_needs_bbm(pte_none(), rw, 0));
}

TEST(arm64, who_sets_accessed_and_dirty)
{
	EXPECT(!pt_fault_drops());
	EXPECT_EQ(pt_hw_dirty(), arm64_features.hw_dirty);
}

TEST(arm64, one_form_for_each_dirty_state)
{
	pte_t rw = leaf(0x1000, PROT_WRITE), ro = leaf(0x1000, 0);

	EXPECT_EQ(pte_mk_dirty(pte_mk_clean(rw)).v, rw.v);
	EXPECT_EQ(pte_mk_writable(pte_mk_readonly(rw)).v, rw.v);
	EXPECT_EQ(pte_mk_clean(pte_mk_readonly(rw)).v, ro.v);
	EXPECT_EQ(pte_mk_readonly(pte_mk_clean(rw)).v, ro.v);
	EXPECT(pte_is_dirty(pte_mk_readonly(rw)));
	/* What hardware does to a clean writable entry that is written to: it clears AP[2]. */
	EXPECT(pte_is_dirty((pte_t){pte_mk_clean(rw).v & ~PTE_RDONLY}));
}

/* ---- range operations ---- */

TEST(arm64, ranges_take_few_operations)
{
	static const struct {
		u64 pages;
		unsigned ops;
	} cases[] = {
		{1, 1},
		{2, 1},
		{3, 2},
		{62, 1},
		{63, 2},
		{64, 1},
		{66, 2},
		{511, 3},
		{512, 1},
		{1UL << 21, 1},
		{2047, 3},
		{65535, 4},
		{(1UL << 21) + 1, 2},
		{(1UL << 21) + 64, 2},
	};

	if (!arm64_features.tlbi_range)
		SKIP("no FEAT_TLBIRANGE, or hw=-tlbirange");
	tlb_bcast_prepare();
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		EXPECT_EQ(tlb_bcast_issue_range(TEST_VA, cases[i].pages, TEST_ASID), cases[i].ops);
	tlb_bcast_sync();
}

/* ---- evidence ---- */

static unsigned slots_with(paddr_t root, u64 asid)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);
	unsigned n = 0;

	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		n += ev->slot[i].root == root && ev->slot[i].asid == asid;
	return n;
}

/* Nothing is loaded for real: only the table of what this CPU may hold changes. */
TEST(arm64, a_root_that_leaves_the_table_was_flushed)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);
	irqflags_t flags = irq_save();
	unsigned loaded = ev->loaded;
	u64 since = load_relaxed(&evidence_clock);

	for (unsigned i = 0; i < 3 * EVIDENCE_SLOTS; i++) {
		asid_t asid = (asid_t)(TEST_ASID + i);

		evidence_loaded(tlb_evidence_load(TEST_ROOT + i, asid), asid);
		evidence_loaded(tlb_evidence_load(TEST_ROOT + i, asid), asid);
		EXPECT_EQ(slots_with(TEST_ROOT + i, TEST_ASID + i), 1);
	}
	EXPECT_EQ(slots_with(TEST_ROOT, TEST_ASID), 0);
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++) {
		EXPECT(!evidence_enabled || ev->slot[i].flushed >= since);
		store_release(&ev->slot[i].root, 0);
	}
	/* What was loaded has lost its slot; a full flush makes that true. */
	tlb_flush_local_all();
	store_relaxed(&ev->loaded, MAX(loaded, (unsigned)EVIDENCE_SLOTS));
	irq_restore(flags);
}

/* ---- EL2 ---- */

/* What traps does not return: the stub stops this CPU. Copying with vector registers is in every run. */
TEST(arm64, el1_may_use_the_physical_timer)
{
	if (arm64_entry_el != 2)
		SKIP("entered at EL1");
	EXPECT(sysreg_read(cntpct_el0) > 0);
	EXPECT(!(sysreg_read(cntp_ctl_el0) & 1));
}

TEST(arm64, the_stub_at_el2_answers)
{
	if (arm64_entry_el != 2)
		SKIP("entered at EL1");
	EXPECT_EQ(hyp_call(99, 0, 0, 0), -1);
	EXPECT_EQ(hyp_call(HYP_SET_VECTORS, image_to_phys(hyp_stub_vectors), 0, 0), 0);
	EXPECT_EQ(hyp_call(99, 0, 0, 0), -1);
}

/* ---- faults beside the stack: vectors.S ---- */

/* probe_load64(va) on a stack that ends at sp; returns its error. *after: sp when it has returned. */
static int probe_on_stack(u64 sp, vaddr_t va, u64 *after)
{
	register u64 x0 asm("x0") = va;
	register u64 x1 asm("x1") = sp - 16; /* where the value goes */
	u64 was;

	asm volatile("mov	%[was], sp\n\t"
		     "sub	sp, %[sp], #16\n\t"
		     "bl	probe_load64\n\t"
		     "mov	%[after], sp\n\t"
		     "mov	sp, %[was]"
		     : [was] "=&r"(was), [after] "=&r"(*after), "+r"(x0), "+r"(x1)
		     : [sp] "r"(sp)
		     : "x2", "x30", "memory");
	return (int)x0;
}

/* A backtrace that follows a broken chain of frames looks there. */
TEST(arm64, a_fault_beside_the_stack_goes_on_where_it_was)
{
	char *stack = kmem.stack_alloc(BOOT_NODE_NONE);
	u64 sp = (u64)stack + 2048, after;

	if (!EXPECT(stack))
		return;
	irqflags_t flags = irq_save(); /* handlers take more room than is left */
	int err = probe_on_stack(sp, (vaddr_t)stack - 8, &after);

	irq_restore(flags);
	kmem.stack_free(stack);
	EXPECT_EQ((u64)err, (u64)-EFAULT);
	EXPECT_EQ(after, sp - 16);
}

/* ---- the interrupt controller ---- */

/* One that nobody handles comes once, and then no more. */
TEST(arm64, an_unknown_interrupt_is_disabled)
{
	enum { INTID = 20, ISENABLER = 0x100, ICENABLER = 0x180, ISPENDR = 0x200, TRIES = 1000000 };
	paddr_t frame = *this_cpu_ptr(gic_private_frame);
	u32 bit = 1u << INTID;
	unsigned tries = 0;

	irqflags_t flags = irq_save();

	mmio_write32(frame + ISENABLER, bit);
	EXPECT(mmio_read32(frame + ISENABLER) & bit);
	mmio_write32(frame + ISPENDR, bit);
	bool pending = mmio_read32(frame + ISPENDR) & bit;

	if (!pending) /* QEMU's GICv2 */
		mmio_write32(frame + ICENABLER, bit);
	irq_restore(flags);
	if (!pending) {
		ktest_skip("a private interrupt cannot be made pending by software here");
		return;
	}
	while (mmio_read32(frame + ISENABLER) & bit && ++tries < TRIES)
		cpu_relax();
	EXPECT(tries < TRIES);
	EXPECT(!(mmio_read32(frame + ISPENDR) & bit));
}
