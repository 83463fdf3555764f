/*
 * Generations that come round (mm/generation.c). A whole range of them is too long for an execution: most of it passes
 * before one begins.
 */
#include "model.h"

#include <mm/oracle.h>

static struct aspace *a, *b;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)
#define RANGE (1UL << GENERATION_BITS)
_Static_assert(GENERATION_BITS == 10, "tests/host/files.mk");

/* Every CPU has a loaded, and b in another slot. Then so many flushes are asked for that nobody is told of. */
static void step_on(u64 steps)
{
	struct cpumask cpus;

	a = work_space("a", VA, 2, RW);
	b = work_space("b", VA, 1, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++) {
		work_load(b, cpu);
		work_load(a, cpu);
	}
	work_drop_begins(VA);
	for (u64 i = 0; i < steps; i++)
		tlb_expire_lazy(&a->ctx, &cpus);
}

static struct page *take_down(void)
{
	pte_t *ptep = pgwalk_find(a->root, VA, 0).ptep;

	spin_lock(pt_lock_of(ptep));
	struct page *page = phys_to_page(pte_pa(pt_take(ptep, pte_none()), 0));

	oracle_unmapped(page, &a->ctx, VA, ORACLE_SITE(ORACLE_OTHER));
	atomic_fetch_add(&page->mapcount, -1U);
	spin_unlock(pt_lock_of(ptep));
	return page;
}

/* ---- a CPU whose slot is a range behind -------------------------------------------------------- */

/* The next flush gets the number that slots had at first. */
static void setup_round(void)
{
	step_on(RANGE - 1);
}

static void flush_and_free(unsigned cpu)
{
	struct page *page = take_down();
	struct tlb_gather g;

	tlb_gather_init(&g, &a->ctx, 0);
	tlb_gather_add(&g, &a->ctx, VA, 0);
	tlb_gather_flush(&g);
	page_put(page, PAGE_REF);
	work_read(VA2, cpu, cpu);
}

/* Asked while it has a loaded, or not asked as it has not. */
static void leave_and_come_back(unsigned cpu)
{
	work_read(VA, cpu, cpu);
	aspace_load(b);
	aspace_load(a);
	work_read(VA, cpu, cpu);
}

const struct scenario generation_round = {
	.name = "generation-round",
	.summary = "a page is freed by a flush that has the number which slots had at first",
	.cpus = 2,
	.setup = setup_round,
	.program = {flush_and_free, leave_and_come_back},
};

/* ---- a debt, and a flush that is forced ----------------------------------------------------------- */

/* The next one who looks is to force a flush. */
static void setup_force(void)
{
	step_on(RANGE / 4);
}

static void force(unsigned cpu)
{
	struct cpumask cpus;

	cpumask_clear(&cpus);
	tlb_expire_lazy(&a->ctx, &cpus);
	work_read(VA2, cpu, cpu);
}

/* As if it had found the generation near a step ago. The flush that was forced pays for it, or began too early for that. */
static void owe_and_free(unsigned cpu)
{
	struct cpumask cpus;
	struct page *page = take_down();

	tlb_owe(&a->ctx);
	cpumask_clear(&cpus);
	tlb_owing_cpus(&a->ctx, load_relaxed(&a->ctx.owed), true, &cpus);
	if (!cpumask_empty(&cpus))
		tlb_flush_owed(&a->ctx, &cpus);
	page_put(page, PAGE_REF);
	work_read(VA2, cpu, cpu);
}

static void look(unsigned cpu)
{
	work_read(VA, cpu, cpu);
	work_read(VA, cpu, cpu);
}

const struct scenario generation_forced = {
	.name = "generation-forced",
	.summary = "a page is freed after a flush that was owed, while another is forced",
	.cpus = 3,
	.setup = setup_force,
	.program = {force, owe_and_free, look},
};
