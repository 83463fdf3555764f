/* Scenarios that a mistake made on purpose (tools/planted.cfg) asked for. */
#include "model.h"

#include <kernel/atomic.h>
#include <mm/hint.h>
#include <mm/knob.h>

static struct aspace *a, *b;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

static void load_everywhere(void)
{
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
}

static void end_two(void)
{
	work_expect_all(a, VA, 2);
}

/* ---- debts that grow while they are paid -------------------------------------------- */

/* Read-only entries of a writable area: only a fault, with the read side held, pays for them. */
static void setup_readonly_entries(void)
{
	a = work_space("a", VA, 2, RW);
	load_everywhere();
	for (vaddr_t va = VA; va <= VA2; va += PAGE_SIZE)
		pt_change(pgwalk_find(a->root, va, 0).ptep, pte_mk_readonly);
	tlb_flush_context(&a->ctx);
}

static void move_twice(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
	work_migrate(a, VA, 2, 0);
}

static void write_first(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA2, cpu, 1);
}

static void read_second(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_read(VA2, cpu, 1);
}

const struct scenario debts_grow = {
	.name = "debts-grow",
	.summary = "a page becomes writable by a fault while its neighbour moves once more",
	.cpus = 3,
	.setup = setup_readonly_entries,
	.program = {move_twice, write_first, read_second},
	.end = end_two,
};

/* ---- the first store to a page meets the scan ---------------------------------------- */

static void setup_clean(void)
{
	a = work_space("a", VA, 2, RW);
	load_everywhere();
	knobs.hint = HINT_EARLY; /* either: one fault has no page follow its user */
	pt_change(pgwalk_find(a->root, VA, 0).ptep, pte_mk_clean);
	tlb_flush_context(&a->ctx);
}

static void scan(unsigned cpu __unused)
{
	hint_mark(a, VA, VA + 2 * PAGE_SIZE);
}

static void write_clean(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA, cpu, cpu);
}

static void end_clean(void)
{
	pte_t pte = *aspace_entry(a, VA);

	end_two();
	if (!pte_is_dirty(pte_is_hint(pte) ? pte_from_hint(pte) : pte))
		fake_fail("I3: the page was written and its entry is clean");
}

const struct scenario hint_dirty = {
	.name = "hint-dirty",
	.summary = "the first store to a clean page meets the NUMA scan",
	.cpus = 3,
	.setup = setup_clean,
	.program = {scan, write_clean, write_clean},
	.end = end_clean,
};

/* ---- a page leaves one space and another before the first has flushed -------------------- */

static void setup_shared(void)
{
	a = work_space("a", VA, 1, RW);
	b = aspace_create("b", 1);
	work_alias(b, a, VA, MODEL_FAR, 1, RW);
	work_load(a, 0);
	work_load(b, 1);
}

static void use_and_unmap_in_a(unsigned cpu)
{
	work_write(VA, cpu);
	aspace_unmap(a, VA, PAGE_SIZE);
}

static void use_and_unmap_in_b(unsigned cpu)
{
	work_write(MODEL_FAR, cpu);
	aspace_unmap(b, MODEL_FAR, PAGE_SIZE);
}

const struct scenario share_unmap = {
	.name = "share-unmap",
	.summary =
		"a page is unmapped in one space while it comes into another and leaves that, too",
	.cpus = 2,
	.setup = setup_shared,
	.program = {use_and_unmap_in_a, use_and_unmap_in_b},
};

/* ---- a space goes that another CPU has loaded, lazily ------------------------------------- */

static u64 idle, gone; /* told so far, release and acquire */

static void setup_going(void)
{
	a = work_space("a", VA, 1, RW);
	b = work_space("b", VA, 1, RW);
	work_load(a, 0);
	work_load(b, 1);
}

static void destroy_when_idle(unsigned cpu)
{
	while (!load_acquire(&idle))
		cpu_relax();
	aspace_destroy(b);
	store_release(&gone, 1UL);
	work_write(VA, cpu);
}

/* Nothing is mapped in b any more, so that no flush asks the CPU to leave before the space goes. */
static void go_idle_in_b(unsigned cpu)
{
	work_write(VA, cpu);
	aspace_unmap(b, VA, PAGE_SIZE);
	aspace_load(NULL);
	store_release(&idle, 1UL);
	while (!load_acquire(&gone))
		cpu_relax();
	aspace_load(a);
	work_read(VA, cpu, 0);
}

const struct scenario destroy_lazy = {
	.name = "destroy-lazy",
	.summary = "a space goes that a lazy CPU has loaded still",
	.cpus = 2,
	.setup = setup_going,
	.program = {destroy_when_idle, go_idle_in_b},
};
