/* Scenarios of nested tables: a guest in hardware against migrations, scans, changes of rights, splits, and its own end. */
#include "model.h"

#include <kernel/atomic.h>
#include <mm/clean.h>
#include <mm/hint.h>
#include <mm/knob.h>

static struct aspace *a;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)
#define END (VA + 2 * PAGE_SIZE)

#define RUN(cpu, ...)                                                                              \
	nested_guest_run((const struct guest_access[]){__VA_ARGS__},                               \
			 ARRAY_SIZE(((const struct guest_access[]){__VA_ARGS__})), (cpu))
#define WRITES(at)                                                                                 \
	{                                                                                          \
		.va = (at), .what = GUEST_WRITES                                                   \
	}
#define READS(at, of)                                                                              \
	{                                                                                          \
		.va = (at), .what = GUEST_READS, .whose = (of)                                     \
	}
#define WAITS(flag)                                                                                \
	{                                                                                          \
		.what = GUEST_WAITS, .until = (flag)                                               \
	}

static void warm_up(void *arg __unused)
{
	RUN(cpu_id(), WRITES(VA), WRITES(VA2));
}

/* CPU 1 holds what its guest needs. */
static void setup_with(u32 notify)
{
	a = guest_space(notify);
	nested_guest_create(a, VA, 2);
	fake_on_cpu(1, warm_up, NULL);
}

static void setup_start(void)
{
	setup_with(NOTIFY_START);
}

static void setup_protect(void)
{
	setup_with(NOTIFY_PROTECT);
}

static void setup_late(void)
{
	setup_with(NOTIFY_LATE);
}

static void end_two(void)
{
	work_expect_all(a, VA, 2);
	nested_guest_end();
}

/* ---- migration and scans ------------------------------------------------------------------------ */

static void guest_goes_on(unsigned cpu)
{
	RUN(cpu, WRITES(VA), WRITES(VA2), WRITES(VA), READS(VA2, cpu ^ 3));
	work_read(VA, cpu, cpu);
}

static void migrate_twice(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
	work_migrate(a, VA, 2, 0);
}

const struct scenario nested_migrates = {
	.name = "nested-migrate",
	.summary = "a guest in hardware on two CPUs writes pages that move there and back",
	.cpus = 3,
	.setup = setup_start,
	.program = {migrate_twice, guest_goes_on, guest_goes_on},
	.end = end_two,
};

static u32 moved; /* CPU 2 is through */

/* It waits without an exit of its own. */
static void guest_waits(unsigned cpu)
{
	RUN(cpu, WRITES(VA), WAITS(&moved), WRITES(VA2), WRITES(VA));
}

static void scan(unsigned cpu __unused)
{
	hint_mark(a, VA, END);
}

static void migrate_one(unsigned cpu __unused)
{
	work_migrate(a, VA, 1, 1);
	store_relaxed(&moved, 1U);
}

const struct scenario nested_scan = {
	.name = "nested-scan",
	.summary = "a scan that zaps at its beginning, a guest in hardware, and a migration of one "
		   "page",
	.cpus = 3,
	.setup = setup_start,
	.program = {scan, guest_waits, migrate_one},
	.end = end_two,
};

const struct scenario nested_scan_protect = {
	.name = "nested-scan-protect",
	.summary = "the same, zapped entry by entry as they become hint entries",
	.cpus = 3,
	.setup = setup_protect,
	.program = {scan, guest_waits, migrate_one},
	.end = end_two,
};

const struct scenario nested_scan_late = {
	.name = "nested-scan-late",
	.summary = "the same, told when the first entry is about to change",
	.cpus = 3,
	.setup = setup_late,
	.program = {scan, guest_waits, migrate_one},
	.end = end_two,
};

/* ---- rights ------------------------------------------------------------------------------------- */

static void lower_and_raise(unsigned cpu __unused)
{
	aspace_protect(a, VA, 2 * PAGE_SIZE, PROT_READ);
	aspace_protect(a, VA, 2 * PAGE_SIZE, RW);
}

static void guest_reads_and_writes(unsigned cpu)
{
	RUN(cpu, READS(VA, cpu ^ 3), WRITES(VA), READS(VA2, cpu));
	RUN(cpu, WRITES(VA2), READS(VA, cpu));
}

const struct scenario nested_protects = {
	.name = "nested-protect",
	.summary = "pages of a guest in hardware become read-only, and writable again",
	.cpus = 3,
	.setup = setup_start,
	.program = {lower_and_raise, guest_reads_and_writes, guest_reads_and_writes},
	.end = end_two,
};

/* A file's pages: what is clean is read-only until a write comes, and no change of the space says that it is writable then. */
static struct object *file;

static void setup_file(void)
{
	struct aspace *far;

	file = work_file(&a, &far);
	nested_guest_create(a, VA, 2);
}

static void clean_twice(unsigned cpu __unused)
{
	for (unsigned i = 0; i < 2; i++)
		work_expect("cleaning", file_clean(file, 0));
}

static void end_file(void)
{
	nested_guest_end();
	work_expect_synced();
}

const struct scenario nested_cleans = {
	.name = "nested-clean",
	.summary = "a file is cleaned while a guest in hardware reads and writes it",
	.cpus = 3,
	.setup = setup_file,
	.program = {guest_reads_and_writes, guest_reads_and_writes, clean_twice},
	.end = end_file,
};

/* ---- the last entry of a table ------------------------------------------------------------------ */

static void drop_both(unsigned cpu)
{
	for (vaddr_t va = VA; va < END; va += PAGE_SIZE) {
		work_drop_begins(va);
		aspace_drop(a, va, PAGE_SIZE);
		work_drop_ended(va);
	}
	RUN(cpu, READS(VA, cpu), WRITES(VA2));
}

static void end_dropped(void)
{
	nested_guest_end();
}

const struct scenario nested_drops = {
	.name = "nested-drop",
	.summary = "the last pages of a nested table are dropped, and come back",
	.cpus = 3,
	.setup = setup_start,
	.program = {drop_both, guest_goes_on, guest_reads_and_writes},
	.end = end_dropped,
};

/* ---- a 2 MiB page ------------------------------------------------------------------------------- */

#define MIDDLE GUEST_MIDDLE

static void setup_large(void)
{
	a = guest_large_space();
	nested_guest_create(a, VA, HUGE_PAGES);
}

static void guest_uses_parts(unsigned cpu)
{
	RUN(cpu, WRITES(VA), WRITES(MIDDLE), WAITS(&moved), WRITES(MIDDLE), WRITES(VA));
}

static void split_and_tell(unsigned cpu)
{
	guest_split_and_move(cpu);
	store_relaxed(&moved, 1U);
}

static void end_large(void)
{
	work_expect_all(a, VA, 1);
	work_expect_all(a, MIDDLE, 1);
	nested_guest_end();
}

const struct scenario nested_splits = {
	.name = "nested-split",
	.summary = "a 2 MiB page of a guest in hardware is split while it is scanned, and a part "
		   "moves",
	.cpus = 3,
	.large = true,
	.setup = setup_large,
	.program = {guest_scan_parts, guest_uses_parts, split_and_tell},
	.end = end_large,
};

/* ---- the guest goes ----------------------------------------------------------------------------- */

static void scan_and_migrate(unsigned cpu __unused)
{
	hint_mark(a, VA, END);
	work_migrate(a, VA, 1, 1);
}

static void run_and_go(unsigned cpu)
{
	guest_goes_on(cpu);
	nested_guest_destroy();
	work_write(VA, cpu);
}

static void write_alone(unsigned cpu)
{
	work_write(VA, cpu);
	work_write(VA2, cpu);
}

static void end_gone(void)
{
	work_expect_all(a, VA, 2);
	if (change_subscriptions)
		fake_fail("%u subscriptions are left", change_subscriptions);
}

const struct scenario nested_leaves = {
	.name = "nested-leave",
	.summary =
		"a guest in hardware ends, with its tables, while its memory is scanned and moved",
	.cpus = 3,
	.setup = setup_protect,
	.program = {scan_and_migrate, run_and_go, write_alone},
	.end = end_gone,
};
