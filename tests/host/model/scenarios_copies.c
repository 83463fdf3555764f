/* Scenarios of pages that have older copies: for deferrals that keep both, and let readers have either. */
#include <mm/debt.h>
#include <mm/deferral.h>
#include <mm/knob.h>
#include "model.h"

#include <kernel/string.h>

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

static struct aspace *a, *b;

/* Read-only entries in an area that may be written: a fault makes them writable. */
static void upgradable(unsigned pages)
{
	a = work_space("a", VA, pages, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	for (vaddr_t va = VA; va < VA + pages * PAGE_SIZE; va += PAGE_SIZE)
		pt_change(pgwalk_find(a->root, va, 0).ptep, pte_mk_readonly);
	tlb_flush_context(&a->ctx);
}

static void setup_upgradable(void)
{
	upgradable(2);
}

static void write_once(unsigned cpu)
{
	work_write(VA, cpu);
}

static void read_thrice(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_read(VA, cpu, 1);
}

/* ---- back in its old frame -------------------------------------------------------------- */

static void move_pay_move(unsigned cpu)
{
	work_migrate(a, VA, 1, 1);
	deferral_settle();
	work_read(VA, cpu, 1);
	work_migrate(a, VA, 1, 0);
	work_read(VA, cpu, 1);
}

const struct scenario copies_back = {
	.name = "copies-back",
	.summary = "a page is back in its old frame, and owes, when a fault that has paid makes it "
		   "writable",
	.cpus = 3,
	.setup = setup_upgradable,
	.program = {move_pay_move, write_once, read_thrice},
};

/* ---- a CPU that was elsewhere -------------------------------------------------------------- */

static void setup_two_spaces(void)
{
	setup_upgradable();
	b = aspace_create("b", 0);
}

static void move_and_write(unsigned cpu)
{
	work_migrate(a, VA, 1, 1);
	work_write(VA, cpu);
	work_write(VA, cpu);
}

/* It keeps its entries under their tag, and is in no mask when the debt is made, or when it is paid. */
static void leave_and_return(unsigned cpu __unused)
{
	work_read(VA, cpu, 0);
	aspace_load(b);
	aspace_load(a);
	work_read(VA, cpu, 0);
	work_read(VA, cpu, 0);
}

const struct scenario copies_return = {
	.name = "copies-return",
	.summary = "a page moves and is written while a CPU that has read it is in another space",
	.cpus = 2,
	.setup = setup_two_spaces,
	.program = {move_and_write, leave_and_return},
};

/* ---- what a slot said before ------------------------------------------------------------------ */

/* CPU 1 has nothing loaded, and its slots still have the generations of spaces that are gone: later ones than a's. */
static void setup_slots(void)
{
	setup_upgradable();
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++) {
		struct aspace *old = aspace_create("old", 0);

		work_load(old, 1);
		for (unsigned flushes = 0; flushes < 16; flushes++)
			tlb_flush_context(&old->ctx);
		work_load(NULL, 1);
		aspace_destroy(old);
	}
}

static void load_and_read(unsigned cpu)
{
	aspace_load(a);
	work_read(VA, cpu, 0);
	work_read(VA, cpu, 0);
}

const struct scenario copies_slots = {
	.name = "copies-slots",
	.summary = "a page moves and is written while a CPU loads its space into a slot that "
		   "another had",
	.cpus = 2,
	.setup = setup_slots,
	.program = {move_and_write, load_and_read},
};

/* ---- pins ------------------------------------------------------------------------------------ */

static void move_twice(unsigned cpu)
{
	work_migrate(a, VA, 1, 1);
	work_read(VA, cpu, 1);
	work_migrate(a, VA, 1, 0);
	work_read(VA, cpu, 1);
}

/* For reading, as it seems; but whoever has a pin may be a device. */
static void pin_and_write(unsigned cpu)
{
	struct page *page;

	if (aspace_pin(a, VA, false, &page))
		fake_fail("the page cannot be pinned");
	work_device_write(VA, page, cpu);
	work_read(VA, cpu, cpu);
	page_put(page, PAGE_PIN);
}

const struct scenario copies_pin = {
	.name = "copies-pin",
	.summary = "a read-only page moves while somebody pins and writes it",
	.cpus = 3,
	.setup = setup_upgradable,
	.program = {move_twice, pin_and_write, read_thrice},
};

/* ---- flushes for other reasons --------------------------------------------------------------- */

static void move_first(unsigned cpu)
{
	work_migrate(a, VA, 1, 1);
	deferral_settle();
	work_read(VA2, cpu, 1);
}

static void move_second(unsigned cpu)
{
	work_migrate(a, VA2, 1, 1);
	work_write(VA2, cpu);
	work_write(VA, cpu);
}

/* What it flushes itself covers what was taken down by then, and nothing else. */
static void read_and_flush(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		work_read(VA, cpu, 1);
		work_read(VA2, cpu, 1);
		tlb_flush_here();
	}
	work_read(VA2, cpu, 1);
}

const struct scenario copies_settle = {
	.name = "copies-settle",
	.summary = "two CPUs make debts in one space and pay them while a third flushes for itself",
	.cpus = 3,
	.setup = setup_upgradable,
	.program = {move_first, move_second, read_and_flush},
};

/* In two tables, whose debts are noted under two PTLs. */
static void setup_two_tables(void)
{
	a = work_space("a", VA, 1, RW);
	work_add(a, MODEL_FAR);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	work_protect(a, VA, 1, PROT_READ);
	work_protect(a, MODEL_FAR, 1, PROT_READ);
}

static void move_one(unsigned cpu)
{
	work_migrate(a, cpu ? MODEL_FAR : VA, 1, 1);
	deferral_settle();
}

static void flush_and_read(unsigned cpu)
{
	tlb_flush_here();
	work_read(MODEL_FAR, cpu, 0);
	work_read(MODEL_FAR, cpu, 0);
}

const struct scenario copies_owe = {
	.name = "copies-owe",
	.summary = "two CPUs note and pay debts of one space, and a third has flushed itself in "
		   "between",
	.cpus = 3,
	.setup = setup_two_tables,
	.program = {move_one, move_one, flush_and_read},
};

/* ---- frames that are free and owe ------------------------------------------------------------- */

static void setup_drained(void)
{
	setup_two_tables();
	pmm_drain_caches();
}

static void move_one_only(unsigned cpu)
{
	work_migrate(a, VA, 1, 1);
	work_read(VA, cpu, 1);
}

/* All of the node where the page was: its frame is among it, if it is free by now. */
static void take_and_zero(unsigned cpu __unused)
{
	while (pmm_alloc(0, 0, PMM_STRICT | PMM_RESERVE | PMM_ZERO))
		;
}

static void flush_and_read_moved(unsigned cpu)
{
	work_read(VA, cpu, 1);
	tlb_flush_here();
	work_read(VA, cpu, 1);
	work_read(VA, cpu, 1);
}

const struct scenario copies_leave = {
	.name = "copies-leave",
	.summary = "the frame that a read-only page has left is taken and zeroed, and a third CPU "
		   "has flushed itself",
	.weight = 3,
	.cpus = 3,
	.setup = setup_drained,
	.program = {move_one_only, take_and_zero, flush_and_read_moved},
};

/* Two frames of one space, or one that two spaces mapped. The first CPU reads neither again. */
static void setup_both(void)
{
	setup_drained();
	b = aspace_create("b", 0);
	work_alias(b, a, MODEL_FAR, VA2, 1, PROT_READ);
	work_load(b, 2);
}

static void move_each(unsigned cpu __unused)
{
	work_migrate(a, MODEL_FAR, 1, 1);
	work_migrate(a, VA, 1, 1);
}

static void read_first(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_read(VA, cpu, 0);
}

static void read_alias(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_read(VA2, cpu, 0);
}

static void move_and_take(unsigned cpu)
{
	move_each(cpu);
	take_and_zero(cpu);
}

const struct scenario copies_leave_two = {
	.name = "copies-leave-two",
	.summary = "frames that pages of two spaces have left are taken and zeroed under their "
		   "readers",
	.weight = 3,
	.cpus = 3,
	.setup = setup_both,
	.program = {move_and_take, read_first, read_alias},
};

static vaddr_t pair; /* of two pages whose frames become one block */

static struct page *frame_at(vaddr_t va)
{
	return phys_to_page(pte_pa(pte_load(pgwalk_find(a->root, va, 0).ptep), 0));
}

static void setup_pair(void)
{
	upgradable(3);
	pmm_drain_caches();
	pair = VA + (u64)(frame_at(VA) - page_array) % 2 * PAGE_SIZE;
	if (frame_at(pair + PAGE_SIZE) != frame_at(pair) + 1)
		fake_fail("scenario: no two frames that merge");
}

static void move_and_pay(unsigned cpu)
{
	work_migrate(a, pair, 1, 1);
	deferral_settle();
	work_read(pair + PAGE_SIZE, cpu, 1);
}

static void move_other_and_take(unsigned cpu)
{
	work_migrate(a, pair + PAGE_SIZE, 1, 1);
	/* Blocks of both, if they have merged, and single frames. */
	for (unsigned order = 2; order--;)
		while (pmm_alloc(0, order, PMM_STRICT | PMM_RESERVE | PMM_ZERO))
			;
	work_read(pair, cpu, 1);
}

static void read_other(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_read(pair + PAGE_SIZE, cpu, 1);
}

const struct scenario copies_leave_merged = {
	.name = "copies-leave-merged",
	.summary =
		"a frame that a page has left is paid for, and one beside it is not, and both are "
		"taken",
	.cpus = 3,
	.setup = setup_pair,
	.program = {move_and_pay, move_other_and_take, read_other},
};

/* Nothing else is free, so each frame leaves by itself. */
static void setup_full(void)
{
	setup_both();
	take_and_zero(0);
}

const struct scenario copies_leave_both = {
	.name = "copies-leave-both",
	.summary = "two CPUs take the only frames of a node, which pages have left, while one of "
		   "them pays",
	.cpus = 3,
	.setup = setup_full,
	.program = {move_and_take, read_first, take_and_zero},
};

/* ---- bounds ------------------------------------------------------------------------------------ */

static void setup_bounded(void)
{
	knobs.defer_pages = 1;
	setup_upgradable();
	debts_held_max_restart();
}

static void move_both(unsigned cpu)
{
	work_migrate(a, VA, 2, 1);
	work_read(VA, cpu, 1);
}

static void move_both_back(unsigned cpu)
{
	work_migrate(a, VA, 2, 0);
	work_write(VA, cpu);
}

/* Others have no bound. */
static void end_bounded(void)
{
	if (!strcmp(deferral->name, "migrc") && debts_held_max() > 1)
		fake_fail("at the end: %lu frames were held, of defer_pages=1", debts_held_max());
}

const struct scenario copies_bound = {
	.name = "copies-bound",
	.summary = "two CPUs move pages of which one may be held back",
	.cpus = 3,
	.setup = setup_bounded,
	.program = {move_both, move_both_back, read_thrice},
	.end = end_bounded,
};
