/* A guest in hardware, for scenarios: see model.h. */
#include "model.h"

#include <fake/machine.h>
#include <kernel/atomic.h>
#include <mm/nested.h>
#include <mm/tlb_cpu.h>
#include <kernel/string.h>

enum { HELD = 8 }; /* pages that a CPU holds under a tag */

static struct nested_mmu guest;

/* What the hardware of a CPU has. Its own alone. */
static struct hardware {
	bool in_guest; /* by a run that did not end, or that interrupts have ended */
	u32 flush; /* a bit per tag: to be flushed before the next run */
	struct held {
		bool valid, writable;
		u64 page, frame;
	} held[GUEST_TAGS][HELD];
} hardware[FAKE_CPUS];

struct vcpu {
	const struct guest_access *access;
	unsigned next, count, cpu;
};

static bool hardware_may_use(u64 frame, bool write, unsigned *cpu)
{
	for (*cpu = 0; *cpu < fake_config.cpus; ++*cpu) {
		const struct hardware *hw = &hardware[*cpu];
		unsigned tag = cpu_ptr(*cpu, tlb_cpu)->entered_slot;

		for (unsigned i = 0; hw->in_guest && i < HELD; i++) {
			const struct held *h = &hw->held[tag][i];

			if (h->valid && h->frame == frame && (!write || h->writable))
				return true;
		}
	}
	return false;
}

/* ---- the hardware ----------------------------------------------------------------------------- */

static void flush_what_is_due(struct hardware *hw)
{
	for (unsigned tag = 0; tag < GUEST_TAGS; tag++)
		if (hw->flush & 1U << tag)
			memset(hw->held[tag], 0, sizeof(hw->held[tag]));
	hw->flush = 0;
}

static void flush(unsigned tag)
{
	struct hardware *hw = &hardware[cpu_id()];

	hw->flush |= 1U << tag;
	if (hw->in_guest)
		flush_what_is_due(hw); /* else the next run does */
}

/* What the CPU holds of the page, after a walk if it holds nothing. False: the tables have nothing there. */
static bool translate(struct held *h, u64 page)
{
	if (h->valid && h->page == page)
		return true;
	struct pt_pos pos = pgwalk_find_in(&guest.format, guest.root, page << PAGE_SHIFT, 0);
	pte_t pte = pte_load(pos.ptep);

	if (!pte_is_leaf(pte, pos.level))
		return false;
	*h = (struct held){.valid = true,
			   .writable = pte_is_writable(pte),
			   .page = page,
			   .frame = (pte_pa(pte, pos.level) >> PAGE_SHIFT) +
				    (pos.level ? page % HUGE_PAGES : 0)};
	return true;
}

/* False: the guest stops with a fault. */
static bool make_access(struct vcpu *v, struct held *held, struct guest_stop *stop)
{
	const struct guest_access *a = &v->access[v->next];
	u64 page = (a->va - guest.shadow.base) >> PAGE_SHIFT;
	struct held *h = &held[page % HELD];
	bool write = a->what == GUEST_WRITES;

	/* Too few rights: no second walk, as one is not promised. */
	if (!translate(h, page) || (write && !h->writable)) {
		*stop = (struct guest_stop){
			.why = GUEST_FAULT, .write = write, .address = page << PAGE_SHIFT};
		return false;
	}
	void *at = phys_to_virt(h->frame << PAGE_SHIFT);

	if (write)
		work_guest_write(a->va, at, v->cpu);
	else
		work_guest_read(a->va, at, v->cpu, a->whose);
	return true;
}

/* One that is late is still on its way. */
static bool interrupt_is_pending(void)
{
	return fake_self->ipis && !fake_self->hold;
}

static void run(struct vcpu *v, unsigned tag, struct guest_stop *stop)
{
	struct hardware *hw = &hardware[cpu_id()];

	smp_mb(); /* the contract: entering orders the guest's walks after earlier loads */
	flush_what_is_due(hw);
	hw->in_guest = true;
	for (; v->next < v->count; v->next++) {
		fake_point(44);
		const u32 *until = v->access[v->next].until;

		while (until && !interrupt_is_pending() && !load_relaxed(until))
			cpu_relax();
		if (interrupt_is_pending()) {
			*stop = (struct guest_stop){.why = GUEST_INTERRUPT};
			return;
		}
		if (!until && !make_access(v, hw->held[tag], stop)) {
			hw->in_guest = false;
			return;
		}
	}
	*stop = (struct guest_stop){.why = GUEST_CALL};
	hw->in_guest = false;
}

static const struct hypervisor model = {
	.name = "a model",
	.start_level = 2,
	.root_entries = PT_ENTRIES,
	.mk_leaf = pte_mk_leaf,
	.mk_table = pte_mk_table,
	.is_table = pte_is_table,
	.pa = pte_pa,
	.block_ok = pt_block_ok,
	.run = run,
	.flush = flush,
};

/* ---- what scenarios do ------------------------------------------------------------------------ */

void nested_guest_create(struct aspace *as, vaddr_t va, unsigned pages)
{
	if (nested_create(&guest, &model, as, va, pages, 0))
		fake_fail("scenario: no memory for a guest");
	guest_watch(&guest.shadow, hardware_may_use);
}

/* What the shadow has of a page; 0: nothing. */
static u64 shadow_of(u64 page)
{
	u64 large = guest.shadow.large[page / HUGE_PAGES];

	if (large & SOFT_VALID)
		return large + (page % HUGE_PAGES << PAGE_SHIFT);
	return guest.shadow.small[page] & SOFT_VALID ? guest.shadow.small[page] : 0;
}

static void expect_followed(void)
{
	for (u64 page = 0; page < guest.shadow.pages; page++) {
		struct pt_pos pos =
			pgwalk_find_in(&guest.format, guest.root, page << PAGE_SHIFT, 0);
		struct held h = {0};
		u64 entry = shadow_of(page);

		if (translate(&h, page) != !!entry ||
		    (entry &&
		     (h.frame != entry >> PAGE_SHIFT || h.writable != !!(entry & SOFT_WRITE))))
			fake_fail("page %lu of a guest at the end: the tables do not say what the "
				  "shadow says",
				  page);
		if (!pos.level && !guest.block[page / HUGE_PAGES].used)
			fake_fail(
				"page %lu of a guest at the end: its table is linked, though empty",
				page);
	}
}

void nested_guest_destroy(void)
{
	guest_goes();
	nested_destroy(&guest);
}

void nested_guest_end(void)
{
	expect_followed();
	if (!fake_failure[0]) /* else its tables may be such that they cannot be freed */
		nested_guest_destroy();
}

bool nested_guest_run(const struct guest_access *accesses, unsigned n, unsigned cpu)
{
	struct vcpu v = {.access = accesses, .count = n, .cpu = cpu};
	struct guest_stop stop;

	return nested_run(&guest, &v, &stop) == NESTED_CALL;
}
