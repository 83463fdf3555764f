/* Scenarios of the shootdown core by itself, for what no operation on a space asks of it yet. */
#include "model.h"

#include <mm/oracle.h>

static struct aspace *a, *b;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

/* ---- many spaces in one shootdown ------------------------------------------------------------ */

static void setup_expire(void)
{
	a = work_space("a", VA, 2, RW);
	b = work_space("b", VA, 1, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++) {
		work_load(b, cpu);
		if (cpu == 0)
			work_drop_begins(VA);
		work_load(a, cpu);
	}
	work_drop_begins(VA);
}

/* The entry goes, and nobody has been told yet. */
static struct page *take_down(struct aspace *as, vaddr_t va)
{
	pte_t *ptep = pgwalk_find(as->root, va, 0).ptep;

	spin_lock(pt_lock_of(ptep));
	struct page *page = phys_to_page(pte_pa(pt_take(ptep, pte_none()), 0));

	oracle_unmapped(page, &as->ctx, va, ORACLE_SITE(ORACLE_OTHER));
	atomic_fetch_add(&page->mapcount, -1U);
	spin_unlock(pt_lock_of(ptep));
	return page;
}

static void free_of_both(unsigned cpu)
{
	struct cpumask cpus;
	struct page *page[] = {take_down(a, VA), take_down(b, VA)};

	cpumask_clear(&cpus);
	tlb_expire(&a->ctx, &cpus);
	tlb_expire(&b->ctx, &cpus);
	tlb_flush_cpus(&cpus);
	for (unsigned i = 0; i < ARRAY_SIZE(page); i++)
		page_put(page[i], PAGE_REF);
	work_read(VA, cpu, 1);
	work_read(VA2, cpu, cpu);
}

static void through_both(unsigned cpu)
{
	work_write(VA, cpu);
	aspace_load(b);
	work_write(VA, cpu);
	aspace_load(a);
	work_read(VA, cpu, cpu);
	aspace_load(b);
	work_read(VA, cpu, cpu);
}

static void lazy_and_back(unsigned cpu)
{
	work_write(VA2, cpu);
	aspace_load(NULL);
	fake_point(42);
	aspace_load(b);
	work_read(VA, cpu, 1);
	aspace_load(a);
	work_read(VA2, cpu, cpu);
}

const struct scenario flush_cpus = {
	.name = "flush-cpus",
	.summary = "pages of two spaces are freed after one flush of all that CPUs hold",
	.cpus = 3,
	.setup = setup_expire,
	.program = {free_of_both, through_both, lazy_and_back},
	.end = NULL,
};
