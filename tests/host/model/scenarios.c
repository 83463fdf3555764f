/* The scenarios: two to four CPUs, a few operations each, chosen to collide. */
#include <mm/deferral.h>
#include "model.h"

#include <kernel/atomic.h>

static struct aspace *a, *b;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

/* ---- migration against the program ------------------------------------------------- */

static void setup_two_writable(void)
{
	a = work_space("a", VA, 2, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
}

static void migrate_two(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
}

static void write_both(unsigned cpu)
{
	work_write(VA, cpu);
	work_write(VA2, cpu);
	work_read(VA, cpu, cpu);
	work_write(VA, cpu);
}

static void read_others(unsigned cpu)
{
	work_read(VA, cpu, 1);
	work_read(VA, cpu, 1);
	work_read(VA2, cpu, 1);
}

static void end_two(void)
{
	work_expect_all(a, VA, 2);
}

const struct scenario migrate_write = {
	.name = "migrate-write",
	.summary = "a migrator, a writer and a reader of the same two pages",
	.cpus = 3,
	.setup = setup_two_writable,
	.program = {migrate_two, write_both, read_others},
	.end = end_two,
};

static void setup_same(void)
{
	a = work_space("a", VA, 2, RW);
	work_make_identical(a, VA, 2);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	work_protect(a, VA, 2, PROT_READ);
}

static void migrate_there_and_back(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
	work_migrate(a, VA, 2, 0);
	deferral_settle();
}

static void read_same(unsigned cpu __unused)
{
	for (unsigned i = 0; i < 3; i++) {
		work_read_same(VA);
		work_read_same(VA2);
	}
}

const struct scenario migrate_read = {
	.name = "migrate-read",
	.summary = "read-only pages of equal contents go there and back under readers",
	.cpus = 3,
	.reads_only = true,
	.setup = setup_same,
	.program = {migrate_there_and_back, read_same, read_same},
};

static void setup_two_readonly(void)
{
	setup_two_writable();
	work_protect(a, VA, 2, PROT_READ);
}

static void migrate_twice(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
	work_migrate(a, VA, 2, 0);
}

static void upgrade_and_write(unsigned cpu)
{
	aspace_protect(a, VA, PAGE_SIZE, RW);
	work_write(VA, cpu);
	work_write(VA, cpu);
}

const struct scenario migrate_upgrade = {
	.name = "migrate-upgrade",
	.summary = "read-only pages move while another CPU makes one writable and writes it",
	.cpus = 3,
	.setup = setup_two_readonly,
	.program = {migrate_twice, upgrade_and_write, read_others},
	.end = end_two,
};

/* ---- migration against changes of the range ------------------------------------------ */

static void unmap_first(unsigned cpu __unused)
{
	aspace_unmap(a, VA, PAGE_SIZE);
	work_expect_at_most(a, VA, 0);
}

static void access_until_gone(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		if (!work_write(VA, cpu) || !work_read(VA, cpu, cpu))
			break;
	work_write(VA2, cpu);
}

static void end_second(void)
{
	work_expect_all(a, VA2, 1);
}

const struct scenario migrate_unmap = {
	.name = "migrate-unmap",
	.summary = "one page of two that move is unmapped under a writer",
	.cpus = 3,
	.setup = setup_two_writable,
	.program = {migrate_two, unmap_first, access_until_gone},
	.end = end_second,
};

static void protect_then_check(unsigned cpu __unused)
{
	aspace_protect(a, VA, 2 * PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
	work_expect_at_most(a, VA2, PROT_READ);
	work_read(VA, 1, 2);
}

const struct scenario migrate_protect = {
	.name = "migrate-protect",
	.summary = "two pages that move become read-only under a writer",
	.cpus = 3,
	.setup = setup_two_writable,
	.program = {migrate_two, protect_then_check, access_until_gone},
	.end = end_two,
};

static void drop_first(unsigned cpu)
{
	work_drop_begins(VA);
	aspace_drop(a, VA, PAGE_SIZE);
	work_drop_ended(VA);
	work_read(VA, cpu, 2);
	work_read(VA, cpu, cpu);
}

const struct scenario migrate_drop = {
	.name = "migrate-drop",
	.summary = "one page of two that move is dropped and read again",
	.cpus = 3,
	.setup = setup_two_writable,
	.program = {migrate_two, drop_first, access_until_gone},
};

static void migrate_to_one(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
}

static void migrate_there_then_back(unsigned cpu __unused)
{
	work_migrate(a, VA2, 1, 1);
	work_migrate(a, VA, 2, 0);
}

const struct scenario two_migrators = {
	.name = "two-migrators",
	.summary = "two CPUs move the same pages in both directions under a writer",
	.cpus = 3,
	.setup = setup_two_writable,
	.program = {migrate_to_one, migrate_there_then_back, write_both},
	.end = end_two,
};

/* A device writes through the pin: by physical address, whenever it likes. */
static void pin_and_write(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		struct page *page = work_pin(a, VA);

		if (!page)
			return;
		fake_point(40);
		if (phys_to_page(pte_pa(*aspace_entry(a, VA), 0)) != page)
			fake_fail("I10: the pinned page is not the mapped one");
		work_device_write(VA, page, cpu);
		fake_point(41);
		if (phys_to_page(pte_pa(*aspace_entry(a, VA), 0)) != page)
			fake_fail("I10: a pinned page was replaced");
		page_put(page, PAGE_PIN);
		work_read(VA, cpu, cpu);
	}
}

const struct scenario pin_migrate = {
	.name = "pin-migrate",
	.summary = "a page is pinned and unpinned while two CPUs move it",
	.cpus = 3,
	.setup = setup_two_writable,
	.program = {migrate_twice, pin_and_write, migrate_there_then_back},
	.end = end_two,
};

/* ---- shared objects ---------------------------------------------------------------------- */

static void setup_shared(void)
{
	a = work_space("a", VA, 2, RW);
	b = aspace_create("b", 1);
	work_alias(b, a, VA, MODEL_FAR, 2, RW);
	work_alias(a, a, VA, MODEL_FAR, 1, PROT_READ);
	work_load(a, 0);
	work_load(a, 1);
	work_load(b, 2);
}

static void fault_in_b(unsigned cpu)
{
	work_write(MODEL_FAR, cpu);
	work_read(MODEL_FAR + PAGE_SIZE, cpu, 1);
	work_write(MODEL_FAR + PAGE_SIZE, cpu);
}

static void fault_alias(unsigned cpu)
{
	work_read(MODEL_FAR, cpu, 2);
	work_write(VA, cpu);
	work_read(MODEL_FAR, cpu, cpu);
}

const struct scenario shared_fault = {
	.name = "shared-fault",
	.summary = "pages of an object move while other mappings of them are faulted in",
	.cpus = 3,
	.setup = setup_shared,
	.program = {migrate_two, fault_alias, fault_in_b},
	.end = end_two,
};

/* ---- debts against what must not find them ------------------------------------------------ */

static void drop_and_unmap(unsigned cpu)
{
	work_drop_begins(VA);
	aspace_drop(a, VA, PAGE_SIZE);
	work_drop_ended(VA);
	work_read(VA, cpu, 2);
	aspace_unmap(a, VA2, PAGE_SIZE);
	work_expect_at_most(a, VA2, 0);
}

static void read_until_gone(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++) {
		work_read(VA, cpu, 1);
		if (!work_read(VA2, cpu, 1))
			break;
	}
}

const struct scenario owed_range = {
	.name = "owed-range",
	.summary = "read-only pages move, then one is dropped and one unmapped under a reader",
	.cpus = 3,
	.setup = setup_two_readonly,
	.program = {migrate_twice, drop_and_unmap, read_until_gone},
};

static void setup_owed_alias(void)
{
	a = work_space("a", VA, 2, RW);
	b = aspace_create("b", 1);
	work_load(a, 0);
	work_load(a, 1);
	work_load(b, 2);
	work_protect(a, VA, 2, PROT_READ);
}

static void read_both(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++) {
		work_read(VA, cpu, 2);
		work_read(VA2, cpu, 2);
	}
}

static void write_alias(unsigned cpu)
{
	work_alias(b, a, VA, MODEL_FAR, 2, RW);
	work_write(MODEL_FAR, cpu);
	work_write(MODEL_FAR + PAGE_SIZE, cpu);
	work_write(MODEL_FAR, cpu);
}

const struct scenario owed_alias = {
	.name = "owed-alias",
	.summary = "read-only pages move, then another space maps and writes them",
	.cpus = 3,
	.setup = setup_owed_alias,
	.program = {migrate_twice, read_both, write_alias},
	.end = end_two,
};

/* ---- a writer against its own rights ---------------------------------------------------------- */

static void protect_to_and_fro(unsigned cpu)
{
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	work_expect_at_most(a, VA, PROT_READ);
	aspace_protect(a, VA, PAGE_SIZE, RW);
	work_write(VA, cpu);
}

static void write_while_allowed(unsigned cpu)
{
	for (unsigned i = 0; i < 4; i++)
		work_write(VA, cpu);
}

const struct scenario protect_write = {
	.name = "protect-write",
	.summary = "a page becomes read-only and writable again under two writers",
	.cpus = 3,
	.setup = setup_two_writable,
	.program = {protect_to_and_fro, write_while_allowed, write_while_allowed},
	.end = end_two,
};

/* ---- dirty state --------------------------------------------------------------------------------- */

static void setup_clean(void)
{
	setup_two_writable();
	pt_change(pgwalk_find(a->root, VA, 0).ptep, pte_mk_clean);
	tlb_flush_context(&a->ctx);
}

static void write_clean(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA, cpu, cpu);
}

static void end_clean(void)
{
	end_two();
	if (!pte_is_dirty(*aspace_entry(a, VA)))
		fake_fail("I3: the page was written and its entry is clean");
}

const struct scenario migrate_dirty = {
	.name = "migrate-dirty",
	.summary = "the first store to a clean page meets its migration",
	.cpus = 3,
	.setup = setup_clean,
	.program = {migrate_two, write_clean, write_clean},
	.end = end_clean,
};
