/* Debts against what happens meanwhile: spaces that go, observers. For the pieces that deferrals share. */
#include <mm/debt.h>
#include <mm/deferral.h>
#include <mm/oracle.h>
#include "model.h"

#include <kernel/alarm.h>
#include <kernel/context.h>
#include <kernel/kmem.h>

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

static struct aspace *a, *b;
static struct debts debts; /* of a deferral that does not pay when a space goes */

/* ---- a space that goes while its debt is paid ----------------------------------------- */

static u64 *reused; /* the memory of the space that went */

/* b owes alone: then the payment is a flush of that context, which steps its generation. CPU 2 is lazy in it. */
static void setup_owing(void)
{
	a = work_space("a", VA, 1, RW);
	b = aspace_create("b", 0);
	work_load(a, 0);
	work_load(a, 1);
	work_load(b, 2);
	work_load(NULL, 2);
	/* Twice: generation 0 would look like the memory of a space that is gone. */
	debts_owe(&debts, &b->ctx);
	debts_owe(&debts, &b->ctx);
}

static void destroy_owing(unsigned cpu)
{
	aspace_destroy(b);
	reused = kmem.alloc(sizeof(*b), 0);
	work_write(VA, cpu);
}

static void pay_all_debts(unsigned cpu)
{
	if (debts_pay(&debts) != 1)
		fake_fail("one context owed");
	work_read(VA, cpu, 0);
}

static void end_destroyed(void)
{
	if (reused != (u64 *)b)
		fake_fail("scenario: the space's memory has not been reused");
	for (unsigned i = 0; i < sizeof(*b) / sizeof(u64); i++)
		if (reused[i])
			fake_fail("a payment wrote to a context that is gone: at the end word %u "
				  "is %#lx",
				  i, reused[i]);
}

static void load_and_look(unsigned cpu)
{
	aspace_load(a);
	work_read(VA, cpu, 0);
}

const struct scenario debts_destroy = {
	.name = "debts-destroy",
	.summary = "a space goes while another CPU pays what is owed for it",
	.cpus = 3,
	.setup = setup_owing,
	.program = {destroy_owing, pay_all_debts, load_and_look},
	.end = end_destroyed,
};

/* ---- many spaces are paid for at once ----------------------------------------------------- */

static struct page *unmapped[2];

static void setup_two_owing(void)
{
	a = work_space("a", VA, 1, RW);
	b = work_space("b", VA2, 1, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++) {
		work_load(b, cpu);
		if (!cpu)
			work_drop_begins(VA2);
		work_load(a, cpu);
	}
	work_drop_begins(VA);
}

static struct page *unmap_page(struct aspace *as, vaddr_t va)
{
	pte_t *ptep = pgwalk_find(as->root, va, 0).ptep;

	spin_lock(pt_lock_of(ptep));
	struct page *page = phys_to_page(pte_pa(pt_take(ptep, pte_none()), 0));

	oracle_unmapped(page, &as->ctx, va, ORACLE_SITE(ORACLE_OTHER));
	atomic_fetch_add(&page->mapcount, -1U);
	debts_owe(&debts, &as->ctx);
	spin_unlock(pt_lock_of(ptep));
	return page;
}

static void unmap_both_and_pay(unsigned cpu __unused)
{
	unmapped[0] = unmap_page(a, VA);
	unmapped[1] = unmap_page(b, VA2);
	debts_pay(&debts);
	for (unsigned i = 0; i < ARRAY_SIZE(unmapped); i++)
		page_put(unmapped[i],
			 PAGE_REF); /* the machine holds it to I1, and so does the oracle */
}

static void use_both(unsigned cpu)
{
	work_read(VA, cpu, 0);
	aspace_load(b);
	work_read(VA2, cpu, 0);
	aspace_load(a);
	work_read(VA, cpu, 0);
}

const struct scenario debts_spaces = {
	.name = "debts-spaces",
	.summary = "pages of two spaces are unmapped, paid for at once and freed, under CPUs that "
		   "use both",
	.cpus = 3,
	.setup = setup_two_owing,
	.program = {unmap_both_and_pay, use_both, use_both},
	.end = NULL,
};

/* ---- a block is handed out while its buddy comes back ------------------------------------ */

static struct page *taken, *buddy;

/* Two buddies of two pages: one is free, the other is not. */
static void setup_buddies(void)
{
	struct page *four = pmm_alloc(0, 2, PMM_STRICT);

	a = work_space("a", VA, 1, RW);
	pmm_drain_caches();
	four->order = 1;
	buddy = four + 2;
	buddy->state = PAGE_USED;
	buddy->order = 1;
	pmm_free(four); /* first in its list: the next that is handed out */
}

static void take_two(unsigned cpu __unused)
{
	taken = pmm_alloc(0, 1, PMM_STRICT);
}

static void free_buddy(unsigned cpu __unused)
{
	pmm_free(buddy);
}

static void end_buddies(void)
{
	struct page *page;

	if (!taken)
		fake_fail("no block of two pages was to be had");
	for (unsigned order = 3; order-- > 1;)
		while ((page = pmm_alloc(0, order, PMM_STRICT)))
			if (page <= taken && taken < page + (1UL << order))
				fake_fail("frame %#lx at the end: handed out twice",
					  page_to_phys(taken));
}

const struct scenario buddy_taken = {
	.name = "buddy-taken",
	.summary = "two pages are handed out while their buddy is freed",
	.cpus = 2,
	.setup = setup_buddies,
	.program = {take_two, free_buddy},
	.end = end_buddies,
};

/* ---- somebody looks how much is held ---------------------------------------------------- */

static void setup_readonly_pages(void)
{
	a = work_space("a", VA, 2, RW);
	work_make_identical(a, VA, 2);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	work_protect(a, VA, 2, PROT_READ);
}

static void move_and_settle(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
	deferral_settle();
}

static void look_at_held(unsigned cpu __unused)
{
	for (unsigned i = 0; i < 3; i++) {
		u64 held = deferral->held();

		if (held > 2)
			fake_fail("%lu frames are said to be held, of 2 that moved", held);
		work_read_same(VA);
	}
}

const struct scenario debts_look = {
	.name = "debts-look",
	.summary = "a CPU asks how many frames are held while others move and pay",
	.cpus = 3,
	.reads_only = true,
	.setup = setup_readonly_pages,
	.program = {move_and_settle, look_at_held, look_at_held},
	.end = NULL,
};

/* ---- frames that are free and owe --------------------------------------------------------- */

static u64 pay_debts(enum pay_event why, const struct pay_scope *scope)
{
	(void)why, (void)scope;
	return debts_pay(&debts);
}

static u64 pay_what_leaves(struct page *first, u64 count)
{
	(void)first, (void)count;
	return debts_pay(&debts);
}

static const struct deferral frees_early = {
	.name = "frees-early", .pay = pay_debts, .frames_leave = pay_what_leaves};

static void setup_free_owing(void)
{
	setup_two_owing();
	pmm_drain_caches();
	deferral_use(&frees_early);
}

static void free_owing(unsigned cpu)
{
	struct page *page = unmap_page(a, VA);
	struct object *obj = page->object;

	/* As page_put(): the last reference, then the object's slot. */
	if (atomic_fetch_add(&page->refs, -PAGE_REF) != PAGE_REF)
		return;
	slot_store(object_slot(obj, page->index, false), slot_none());
	page->object = NULL;
	object_release(obj);
	pmm_free_owing(page);
	work_read(VA, cpu, 0);
}

/* All that there is: the frame is among it, if it is free by now. */
static void take_and_zero(unsigned cpu __unused)
{
	while (pmm_alloc(0, 0, PMM_STRICT | PMM_RESERVE | PMM_ZERO))
		;
}

static void only_read(unsigned cpu)
{
	work_read(VA, cpu, 0);
	aspace_load(b);
	work_read(VA2, cpu, 0);
}

const struct scenario free_owing_frames = {
	.name = "free-owing",
	.summary = "a frame is freed before its flush, and taken and zeroed by another CPU",
	.weight = 6,
	.cpus = 3,
	.setup = setup_free_owing,
	.program = {free_owing, take_and_zero, only_read},
	.end = NULL,
};

/* ---- a tick pays meanwhile ----------------------------------------------------------------- */

static void tick_twice(unsigned cpu __unused)
{
	for (unsigned i = 0; i < 2; i++) {
		alarm_handler();
		context_due_handler();
		work_read_same(VA);
	}
}

static void move_there_and_back(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
	work_migrate(a, VA, 2, 0);
}

static void read_same(unsigned cpu __unused)
{
	for (unsigned i = 0; i < 3; i++)
		work_read_same(VA2);
}

const struct scenario debts_tick = {
	.name = "debts-tick",
	.summary = "debts are paid by the tick of a CPU while another makes more of them",
	.cpus = 3,
	.reads_only = true,
	.setup = setup_readonly_pages,
	.program = {move_there_and_back, tick_twice, read_same},
	.end = NULL,
};

/* ---- every CPU ticks, and pays for itself or for all ----------------------------------------- */

static void tick_here(void)
{
	alarm_handler();
	context_due_handler();
}

static void move_and_tick(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
	tick_here();
	work_migrate(a, VA, 2, 0);
	tick_here();
	deferral_settle();
}

static void read_and_tick(unsigned cpu __unused)
{
	for (unsigned i = 0; i < 2; i++) {
		work_read_same(VA);
		tick_here();
	}
	work_read_same(VA2);
}

/* A switch is a tick, too, for those who hear it. */
static void read_and_switch(unsigned cpu __unused)
{
	work_read_same(VA);
	aspace_load(b);
	aspace_load(a);
	work_read_same(VA2);
	aspace_load(NULL);
	tick_here();
	aspace_load(a);
	work_read_same(VA);
}

static void setup_ticks(void)
{
	setup_readonly_pages();
	b = aspace_create("b", 0);
}

const struct scenario debts_ticks = {
	.name = "debts-ticks",
	.summary =
		"pages move while every CPU ticks, one changes spaces, and frames are used again",
	.cpus = 3,
	.reads_only = true,
	.setup = setup_ticks,
	.program = {move_and_tick, read_and_tick, read_and_switch},
	.end = NULL,
};

/* ---- one pays while others tick, or pay, too -------------------------------------------------- */

static void move_settle_move(unsigned cpu __unused)
{
	work_migrate(a, VA, 1, 1);
	deferral_settle();
	work_migrate(a, VA, 1, 0);
	tick_here();
}

static void tick_and_read(unsigned cpu __unused)
{
	work_read_same(VA);
	tick_here();
	work_read_same(VA);
}

static void settle_and_read(unsigned cpu __unused)
{
	work_read_same(VA);
	deferral_settle();
	work_read_same(VA);
}

const struct scenario debts_ticks_paid = {
	.name = "debts-ticks-paid",
	.summary = "debts are paid for by two CPUs, between the ticks of others",
	.cpus = 3,
	.reads_only = true,
	.setup = setup_ticks,
	.program = {move_settle_move, tick_and_read, settle_and_read},
	.end = NULL,
};

static void move_and_tick_elsewhere(unsigned cpu __unused)
{
	work_migrate(a, VA, 1, 1);
	tick_here();
	work_migrate(a, VA2, 1, 1);
}

static void tick_and_settle(unsigned cpu __unused)
{
	work_read_same(VA);
	tick_here();
	deferral_settle();
	work_read_same(VA);
}

static void setup_elsewhere(void)
{
	setup_ticks();
	work_load(b, 0); /* it has nothing to flush itself */
}

const struct scenario debts_reap = {
	.name = "debts-reap",
	.summary = "a CPU frees what all have flushed at their ticks while another pays for it",
	.cpus = 2,
	.reads_only = true,
	.setup = setup_elsewhere,
	.program = {move_and_tick_elsewhere, tick_and_settle},
	.end = NULL,
};

static void move_and_settle_one(unsigned cpu __unused)
{
	work_migrate(a, VA, 1, 1);
	deferral_settle();
}

static void upgrade_and_write(unsigned cpu)
{
	work_protect(a, VA, 1, RW);
	work_write(VA, cpu);
}

static void only_read_one(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_read(VA, cpu, 1);
}

static void setup_readonly_page(void)
{
	a = work_space("a", VA, 1, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	work_protect(a, VA, 1, PROT_READ);
}

const struct scenario debts_two_payers = {
	.name = "debts-two-payers",
	.summary = "a page may be written again while somebody else pays what it owes",
	.cpus = 3,
	.setup = setup_readonly_page,
	.program = {move_and_settle_one, upgrade_and_write, only_read_one},
	.end = NULL,
};

/* ---- a deferral that is replaced while others pay --------------------------------------------- */

/* By one that hears nothing, as when a knob changes. */
static void replace_deferral(unsigned cpu)
{
	static const struct deferral deaf = {.name = "deaf"};

	deferral_settle();
	deferral_use(&deaf);
	work_read(VA, cpu, 1);
}

/* Going idle is an event, and so is a tick that came before and is due now. */
static void idle_and_tick(unsigned cpu)
{
	aspace_load(NULL);
	pay(PAY_TICK, pay_all());
	aspace_load(a);
	work_read(VA, cpu, 1);
}

const struct scenario deferral_replaced = {
	.name = "deferral-replaced",
	.summary = "the deferral is replaced by one that hears nothing while a CPU pays",
	.cpus = 2,
	.setup = setup_readonly_page,
	.program = {replace_deferral, idle_and_tick},
};
