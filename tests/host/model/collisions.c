/* Scenarios made for one place each: two CPUs that meet in a window of a few instructions. */
#include <mm/knob.h>
#include "model.h"

#include <kernel/atomic.h>

static struct aspace *a, *b;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)
#define FAR2 (MODEL_FAR + PAGE_SIZE)

static void load_everywhere(struct aspace *as)
{
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(as, cpu);
}

/* ---- two faults build the same table -------------------------------------------------- */

static void setup_no_table(void)
{
	int err;

	a = work_space("a", VA, 1, RW);
	aspace_map(a, NULL, 0, MODEL_FAR, 2 * PAGE_SIZE, RW, false, 0, &err);
	work_fresh(a, MODEL_FAR, 2);
	load_everywhere(a);
}

static void fault_far(unsigned cpu)
{
	vaddr_t va = cpu ? FAR2 : MODEL_FAR;

	work_write(va, cpu);
	work_read(va, cpu, cpu);
	work_read(MODEL_FAR, cpu, 0);
	work_read(FAR2, cpu, 1);
}

static void end_far(void)
{
	work_expect_all(a, MODEL_FAR, 2);
}

const struct scenario fault_table = {
	.name = "fault-table",
	.summary = "the first faults of two pages meet in a table that is not there yet",
	.cpus = 2,
	.setup = setup_no_table,
	.program = {fault_far, fault_far},
	.end = end_far,
};

/* ---- a page that is mapped by one CPU and moved by another ------------------------------ */

static void setup_fresh_page(void)
{
	a = work_space("a", VA, 1, RW);
	load_everywhere(a);
	work_drop_begins(VA);
	aspace_drop(a, VA, PAGE_SIZE);
}

static void fault_first(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA, cpu, 1);
}

static void fault_and_move(unsigned cpu)
{
	work_write(VA, cpu);
	work_migrate(a, VA, 1, 1);
	work_read(VA, cpu, 0);
}

const struct scenario fault_move = {
	.name = "fault-move",
	.summary = "one CPU makes a page, another maps it from the object and moves it",
	.cpus = 2,
	.setup = setup_fresh_page,
	.program = {fault_first, fault_and_move},
};

/* ---- two faults of one page ------------------------------------------------------------------- */

static void setup_empty(void)
{
	a = work_space("a", VA, 2, RW);
	load_everywhere(a);
	work_drop_begins(VA);
	aspace_drop(a, VA, PAGE_SIZE);
}

static void move_both(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
}

static void fault_in(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA, cpu, 1);
	work_read(VA, cpu, cpu);
}

const struct scenario fault_fault = {
	.name = "fault-fault",
	.summary = "two CPUs fault the same page in while a third moves what it finds",
	.cpus = 3,
	.setup = setup_empty,
	.program = {move_both, fault_in, fault_in},
};

/* ---- a frame that comes back to the slot it was in ---------------------------------------- */

static void setup_comes_back(void)
{
	a = work_space("a", VA, 1, RW);
	load_everywhere(a);
	work_alias(a, a, VA, MODEL_FAR, 1, RW);
}

static void fault_other_entry(unsigned cpu)
{
	work_write(MODEL_FAR, cpu);
	work_read(VA, cpu, cpu);
}

static void there_and_back(unsigned cpu __unused)
{
	work_migrate(a, VA, 1, 1);
	work_migrate(a, VA, 1, 0);
}

const struct scenario fault_again = {
	.name = "fault-again",
	.summary = "a fault that has read the slot waits until the frame left it and comes back",
	.cpus = 2,
	.setup = setup_comes_back,
	.program = {fault_other_entry, there_and_back},
};

/* ---- entries of one object in two spaces -------------------------------------------------- */

static void setup_both_map(void)
{
	a = work_space("a", VA, 2, RW);
	b = aspace_create("b", 1);
	work_alias(b, a, VA, MODEL_FAR, 2, RW);
	aspace_populate(b, MODEL_FAR, 2 * PAGE_SIZE, 0);
	work_load(a, 0);
	work_load(b, 1);
}

static void move_in_a(unsigned cpu)
{
	work_migrate(a, VA, 2, 1);
	work_write(VA, cpu);
}

static void protect_in_b(unsigned cpu)
{
	aspace_protect(b, MODEL_FAR, 2 * PAGE_SIZE, PROT_READ);
	work_expect_at_most(b, MODEL_FAR, PROT_READ);
	work_expect_at_most(b, FAR2, PROT_READ);
	work_read(MODEL_FAR, cpu, 0);
}

static void split_in_b(unsigned cpu)
{
	aspace_protect(b, MODEL_FAR, PAGE_SIZE, PROT_READ);
	work_read(FAR2, cpu, 0);
	work_write(FAR2, cpu);
}

static void drop_in_b(unsigned cpu)
{
	work_write(MODEL_FAR, cpu);
	aspace_drop(b, MODEL_FAR, 2 * PAGE_SIZE);
	work_read(FAR2, cpu, 0);
	work_write(FAR2, cpu);
}

static void end_both(void)
{
	work_expect_all(a, VA, 2);
}

const struct scenario alias_protect = {
	.name = "alias-protect",
	.summary = "pages move through one space while another makes them read-only",
	.cpus = 2,
	.setup = setup_both_map,
	.program = {move_in_a, protect_in_b},
	.end = end_both,
};

const struct scenario alias_split = {
	.name = "alias-split",
	.summary = "pages move through one space while another cuts its area in two",
	.cpus = 2,
	.setup = setup_both_map,
	.program = {move_in_a, split_in_b},
	.end = end_both,
};

const struct scenario alias_drop = {
	.name = "alias-drop",
	.summary = "pages move through one space while another drops its entries",
	.cpus = 2,
	.setup = setup_both_map,
	.program = {move_in_a, drop_in_b},
	.end = end_both,
};

/* ---- two who isolate one page -------------------------------------------------------------- */

/* No room on node 1: isolated, and let go without another look at the page's entries. */
static void setup_no_room(void)
{
	setup_both_map();
	while (pmm_alloc(1, 0, PMM_STRICT))
		;
}

static void fail_in_a(unsigned cpu __unused)
{
	work_migrate(a, VA, 1, 1);
}

static void fail_in_b(unsigned cpu __unused)
{
	work_migrate(b, MODEL_FAR, 1, 1);
}

const struct scenario alias_full = {
	.name = "alias-full",
	.summary = "a page is isolated through two spaces, one after the other, and cannot move",
	.cpus = 2,
	.setup = setup_no_room,
	.program = {fail_in_a, fail_in_b},
	.end = end_both,
};

/* ---- the last reference -------------------------------------------------------------------- */

static struct page *pinned;

static void setup_pinned(void)
{
	a = work_space("a", VA, 1, RW);
	load_everywhere(a);
	aspace_pin(a, VA, true, &pinned);
}

enum { DEVICE_WORD = 512 }; /* bytes into the page: clear of the words that freeing marks */

/* The frame may come back at once, zeroed. */
static void unmap_pinned(unsigned cpu __unused)
{
	u64 value = 0;
	int err;

	aspace_unmap(a, VA, PAGE_SIZE);
	work_expect_at_most(a, VA, 0);
	aspace_map(a, NULL, 0, VA, PAGE_SIZE, RW, false, 0, &err);
	for (unsigned i = 0; i < 2; i++)
		if (!fake_access(VA + DEVICE_WORD, false, &value) || value)
			fake_fail("CPU 0 reads %#lx from a new page", value);
}

/* The last stores through the pin, by the CPU itself: nothing but page_put() orders them. */
static void let_go(unsigned cpu __unused)
{
	fake_work_store((u64 *)page_to_virt(pinned) + DEVICE_WORD / sizeof(u64), 1, 0);
	page_put(pinned, PAGE_PIN);
}

const struct scenario unmap_pin = {
	.name = "unmap-pin",
	.summary = "a page and its object lose their last references on two CPUs",
	.cpus = 2,
	.setup = setup_pinned,
	.program = {unmap_pinned, let_go},
};

/* ---- what an acknowledgement orders ---------------------------------------------------------- */

static u64 word; /* plain */
static u32 written; /* relaxed on purpose: it orders nothing */

static void ask_everybody(unsigned cpu __unused)
{
	bool before = load_relaxed(&written);

	tlb_flush_context(&a->ctx);
	if (!before || knobs.transport != TRANSPORT_IPI)
		return;
	/* Written before the acknowledgement, so it is ours to use after the wait. */
	fake_plain(&word, false);
	if (!word)
		fake_fail("CPU 0 reads what was there before the acknowledgement");
}

static void write_and_answer(unsigned cpu)
{
	fake_plain(&word, true);
	word = 1;
	store_relaxed(&written, 1);
	work_write(VA, cpu);
	work_read(VA, cpu, cpu);
}

static void setup_ask(void)
{
	a = work_space("a", VA, 1, RW);
	load_everywhere(a);
}

const struct scenario ack_order = {
	.name = "ack-order",
	.summary = "who asked for a shootdown uses what a target wrote before it answered",
	.cpus = 2,
	.setup = setup_ask,
	.program = {ask_everybody, write_and_answer},
};

/* ---- a CPU that comes while others are being chosen --------------------------------------- */

static void setup_comes_in(void)
{
	a = work_space("a", VA, 2, RW);
	b = work_space("b", VA, 1, RW);
	load_everywhere(a);
	work_load(b, 1); /* its entries of a stay, under their tag */
}

static void lower_one(unsigned cpu __unused)
{
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
}

static void lower_two(unsigned cpu __unused)
{
	aspace_protect(a, VA, 2 * PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
}

static void come_in(unsigned cpu)
{
	aspace_load(a);
	work_read(VA, cpu, cpu);
}

const struct scenario switch_one = {
	.name = "switch-one",
	.summary = "a CPU loads a space while one page of it is flushed",
	.cpus = 2,
	.setup = setup_comes_in,
	.program = {lower_one, come_in},
};

const struct scenario switch_two = {
	.name = "switch-two",
	.summary = "a CPU loads a space while two pages of it are flushed",
	.cpus = 2,
	.setup = setup_comes_in,
	.program = {lower_two, come_in},
};

/* ---- an upgrade by a fault ------------------------------------------------------------------- */

/* As copying on write would leave it: the area allows what the entry does not. */
static void setup_lazy_upgrade(void)
{
	a = work_space("a", VA, 2, RW);
	load_everywhere(a);
	pt_change(pgwalk_find(a->root, VA, 0).ptep, pte_mk_readonly);
	tlb_flush_context(&a->ctx);
}

static void upgrade_by_fault(unsigned cpu)
{
	work_read(VA, cpu, cpu);
	work_write(VA, cpu);
	work_write(VA, cpu);
	work_read(VA, cpu, 3 - cpu);
}

const struct scenario fault_upgrade = {
	.name = "fault-upgrade",
	.summary = "a read-only page of a writable area moves while two CPUs first write it",
	.cpus = 3,
	.setup = setup_lazy_upgrade,
	.program = {move_both, upgrade_by_fault, upgrade_by_fault},
	.end = end_both,
};

/* ---- the events at which every scheme pays ------------------------------------------------------ */

static void setup_same(void)
{
	a = work_space("a", VA, 2, RW);
	work_make_identical(a, VA, 2);
	load_everywhere(a);
	work_protect(a, VA, 2, PROT_READ);
}

/* One way only: a frame that is held may become the destination of none but read-only pages. */
static void allow_and_write(unsigned cpu __unused)
{
	work_read_same(VA);
	work_read_same(VA2);
	aspace_protect(a, VA, PAGE_SIZE, RW);
	work_write_same(VA);
	work_read_same(VA2);
	work_write_same(VA);
}

static void read_same(unsigned cpu __unused)
{
	for (unsigned i = 0; i < 3; i++) {
		work_read_same(VA);
		work_read_same(VA2);
	}
}

const struct scenario same_upgrade = {
	.name = "same-upgrade",
	.summary = "pages of equal contents move and one becomes writable under a reader",
	.cpus = 3,
	.reads_only = true,
	.setup = setup_same,
	.program = {move_both, allow_and_write, read_same},
};
