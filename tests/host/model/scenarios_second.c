/* Scenarios of the software MMU: guests against migrations, scans, pins, splits, and the end of the guest. */
#include "model.h"

#include <kernel/atomic.h>
#include <kernel/error.h>
#include <mm/dup.h>
#include <mm/hint.h>
#include <mm/knob.h>

static struct aspace *a;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)
#define END (VA + 2 * PAGE_SIZE)

/* The guest runs on this CPU already, and has what it needs. */
static void warm_up(void *arg __unused)
{
	guest_enter();
	guest_write(VA, cpu_id());
	guest_write(VA2, cpu_id());
}

/* A guest on CPU 1, which may take hint faults. */
static void setup_with(u32 notify)
{
	a = guest_space(notify);
	guest_create(a, VA, 2);
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
	guest_destroy();
}

/* ---- what CPUs do ----------------------------------------------------------------------------- */

/* Of the guest that runs. */
static void guest_goes_on(unsigned cpu)
{
	guest_write(VA, cpu);
	guest_write(VA2, cpu);
	guest_write(VA, cpu);
	guest_read(VA2, cpu, cpu ^ 3);
	guest_leave();
	work_read(VA, cpu, cpu);
}

static void guest_comes(unsigned cpu)
{
	guest_enter();
	guest_write(VA, cpu);
	guest_write(VA2, cpu);
	guest_read(VA2, cpu, cpu ^ 3);
	guest_leave();
}

static void migrate_twice(unsigned cpu __unused)
{
	work_migrate(a, VA, 2, 1);
	work_migrate(a, VA, 2, 0);
}

static u32 moved; /* CPU 2 is through */

/* The guest stays on its CPU until then. */
static void guest_waits(unsigned cpu)
{
	guest_write(VA, cpu);
	while (!load_relaxed(&moved))
		cpu_relax();
	guest_write(VA2, cpu);
	guest_write(VA, cpu);
	guest_leave();
}

static void migrate_one(unsigned cpu __unused)
{
	work_migrate(a, VA, 1, 1);
	store_relaxed(&moved, 1U);
}

static void scan(unsigned cpu __unused)
{
	hint_mark(a, VA, END);
}

static void scan_and_migrate(unsigned cpu __unused)
{
	hint_mark(a, VA, END);
	work_migrate(a, VA, 1, 1);
}

const struct scenario second_migrates = {
	.name = "second-migrate",
	.summary = "a guest on two CPUs writes pages that move there and back",
	.cpus = 3,
	.setup = setup_start,
	.program = {migrate_twice, guest_goes_on, guest_comes},
	.end = end_two,
};

const struct scenario second_scan = {
	.name = "second-scan",
	.summary = "a scan that zaps at its beginning, a guest, and a migration of one page",
	.cpus = 3,
	.setup = setup_start,
	.program = {scan, guest_waits, migrate_one},
	.end = end_two,
};

const struct scenario second_scan_protect = {
	.name = "second-scan-protect",
	.summary = "the same, zapped entry by entry as they become hint entries",
	.cpus = 3,
	.setup = setup_protect,
	.program = {scan, guest_waits, migrate_one},
	.end = end_two,
};

const struct scenario second_scan_late = {
	.name = "second-scan-late",
	.summary = "the same, told when the first entry is about to change",
	.cpus = 3,
	.setup = setup_late,
	.program = {scan, guest_waits, migrate_one},
	.end = end_two,
};

/* Three pages, the middle one pinned: what is told late comes in two runs. */
static struct page *between;

static void setup_runs(void)
{
	a = work_space("a", VA, 3, RW);
	for (vaddr_t va = VA; va <= END; va += PAGE_SIZE)
		phys_to_page(pte_pa(*aspace_entry(a, va), 0))->last = 1 << 16 | 2;
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	knobs.hint = HINT_LATE;
	knobs.notify = NOTIFY_LATE;
	knobs.pinned = PINNED_SKIP;
	if (aspace_pin(a, VA2, true, &between))
		fake_fail("scenario: no pin");
	guest_create(a, VA, 3);
	fake_on_cpu(1, warm_up, NULL);
}

static void scan_three(unsigned cpu __unused)
{
	hint_mark(a, VA, END + PAGE_SIZE);
	if (pte_is_hint(*aspace_entry(a, VA2)))
		fake_fail("a pinned page that was to be spared has a hint entry");
}

static void guest_waits_for_last(unsigned cpu)
{
	guest_write(END, cpu);
	while (!load_relaxed(&moved))
		cpu_relax();
	guest_write(END, cpu);
	guest_write(VA2, cpu);
	guest_leave();
}

static void migrate_last(unsigned cpu __unused)
{
	work_migrate(a, END, 1, 1);
	store_relaxed(&moved, 1U);
}

static void end_runs(void)
{
	work_expect_all(a, VA, 3);
	page_put(between, PAGE_PIN);
	guest_destroy();
}

const struct scenario second_scan_runs = {
	.name = "second-scan-runs",
	.summary = "a scan that is told late, around a pinned page, a guest, and a migration of "
		   "what lies behind",
	.cpus = 3,
	.setup = setup_runs,
	.program = {scan_three, guest_waits_for_last, migrate_last},
	.end = end_runs,
};

/* ---- entering against a flush ------------------------------------------------------------------- */

static void cool_down(void *arg __unused)
{
	guest_leave();
}

static void setup_left(void)
{
	setup_start();
	fake_on_cpu(1, cool_down, NULL);
}

static void guest_visits(unsigned cpu)
{
	guest_visit(VA, cpu);
	guest_visit(VA, cpu);
}

/* A change by itself, so that little else happens: from its beginning to its end no guest has the page. */
static void begin_and_end(unsigned cpu __unused)
{
	struct change change;

	read_lock(&a->lock);
	change_begin(&change, a, CHANGE_MIGRATE, VA, VA2);
	guest_expect_none(VA);
	change_end(&change);
	read_unlock(&a->lock);
}

const struct scenario second_enters = {
	.name = "second-enter",
	.summary = "a guest comes back to a CPU that holds a page which a change takes away",
	.cpus = 2,
	.setup = setup_left,
	.program = {begin_and_end, guest_visits},
	.end = end_two,
};

/* ---- pins ----------------------------------------------------------------------------------------- */

/* As a device that the guest has: it writes the frame that it was given. */
static void pin_and_write(unsigned cpu)
{
	struct page *page = work_pin(a, VA);

	if (!page)
		return;
	fake_point(40);
	work_device_write(VA, page, cpu);
	fake_point(41);
	work_device_write(VA, page, cpu);
	page_put(page, PAGE_PIN);
	guest_enter();
	guest_read(VA, cpu, cpu);
	guest_leave();
}

const struct scenario second_pins = {
	.name = "second-pin",
	.summary = "a page is pinned for a device while it is scanned and moved under a guest",
	.cpus = 3,
	.setup = setup_protect,
	.program = {scan_and_migrate, guest_goes_on, pin_and_write},
	.end = end_two,
};

/* ---- a 2 MiB page ---------------------------------------------------------------------------------- */

#define MIDDLE GUEST_MIDDLE

static void setup_large(void)
{
	a = guest_large_space();
	guest_create(a, VA, HUGE_PAGES);
}

static void guest_uses_parts(unsigned cpu)
{
	guest_enter();
	guest_write(VA, cpu);
	guest_write(MIDDLE, cpu);
	guest_write(VA, cpu);
	guest_leave();
}

static void end_large(void)
{
	work_expect_all(a, VA, 1);
	work_expect_all(a, MIDDLE, 1);
	guest_destroy();
}

const struct scenario second_splits = {
	.name = "second-split",
	.summary = "a 2 MiB page of a guest is split while it is scanned, and a part moves",
	.cpus = 3,
	.large = true,
	.setup = setup_large,
	.program = {guest_scan_parts, guest_uses_parts, guest_split_and_move},
	.end = end_large,
};

/* ---- a subscriber that refuses ------------------------------------------------------------------------ */

static struct listener refuses;

/* Every change but the ends of what it has agreed to. */
static int refuse_begin(struct change_subscriber *s, const struct change *change)
{
	return change->why == CHANGE_MIGRATE ? -EAGAIN : listener_begin(s, change);
}

static int refuse_late(struct change_subscriber *s __unused, const struct change *change __unused,
		       vaddr_t from __unused, vaddr_t to __unused,
		       struct tlb_gather *gather __unused)
{
	return -EAGAIN;
}

static void setup_refused(void)
{
	setup_late();
	refuses.subscriber = (struct change_subscriber){.begin = refuse_begin,
							.begin_nonblock = refuse_late,
							.taken = listener_taken,
							.end = listener_end};
	if (change_subscribe(a, &refuses.subscriber))
		fake_fail("scenario: no room for a subscriber");
}

static void scan_and_move_in_vain(unsigned cpu __unused)
{
	pte_t before = *aspace_entry(a, VA);

	hint_mark(a, VA, END);
	work_migrate(a, VA, 2, 1);
	if (pte_pa(*aspace_entry(a, VA), 0) != pte_pa(before, 0) ||
	    pte_is_hint(*aspace_entry(a, VA)) || pte_is_hint(*aspace_entry(a, VA2)))
		fake_fail("an entry has changed in a change that a subscriber has refused");
}

static void drop_second(unsigned cpu)
{
	work_drop_begins(VA2);
	aspace_drop(a, VA2, PAGE_SIZE);
	guest_enter();
	work_drop_ended(VA2);
	guest_read(VA2, cpu, cpu);
	guest_leave();
}

static void end_refused(void)
{
	if (refuses.open)
		fake_fail("a change that was heard is not over");
	change_unsubscribe(a, &refuses.subscriber);
	guest_destroy();
}

const struct scenario second_refuses = {
	.name = "second-refuse",
	.summary = "scans and moves that a second subscriber refuses after the guest's has agreed",
	.cpus = 3,
	.setup = setup_refused,
	.program = {scan_and_move_in_vain, guest_goes_on, drop_second},
	.end = end_refused,
};

/* ---- the guest goes ---------------------------------------------------------------------------------- */

static void run_and_go(unsigned cpu)
{
	guest_goes_on(cpu);
	guest_destroy();
	work_write(VA, cpu);
}

static void end_gone(void)
{
	work_expect_all(a, VA, 2);
	if (change_subscriptions)
		fake_fail("%u subscriptions are left", change_subscriptions);
}

const struct scenario second_leaves = {
	.name = "second-leave",
	.summary = "a guest ends while its memory is scanned, entry by entry, and moved",
	.cpus = 3,
	.setup = setup_protect,
	.program = {scan, run_and_go, migrate_one},
	.end = end_gone,
};

/* ---- rights go ---------------------------------------------------------------------------------------- */

static void take_away(unsigned cpu __unused)
{
	aspace_protect(a, VA, PAGE_SIZE, PROT_READ);
	aspace_unmap(a, VA2, PAGE_SIZE);
	guest_expect_none(VA2);
}

static void go_on_until_refused(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		guest_write(VA2, cpu);
		guest_write(VA, cpu);
	}
	guest_read(VA, cpu, cpu);
	guest_leave();
}

static void come_until_refused(unsigned cpu)
{
	guest_enter();
	go_on_until_refused(cpu);
}

static void end_first(void)
{
	work_expect_all(a, VA, 1);
	guest_destroy();
}

const struct scenario second_unmaps = {
	.name = "second-unmap",
	.summary = "of a guest's pages one becomes read-only and one is unmapped under it",
	.cpus = 3,
	.setup = setup_start,
	.program = {take_away, go_on_until_refused, come_until_refused},
	.end = end_first,
};

/* ---- copies -------------------------------------------------------------------------------------------- */

/* One page, which a duplicate shows, too: the guest's first write copies it, and a CPU's may be faster. */
static void setup_dup(void)
{
	a = work_space("a", VA, 1, RW);
	work_dup(a);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	knobs.hint = HINT_LATE;
	knobs.notify = NOTIFY_START;
	knobs.pinned = PINNED_MARK;
	guest_create(a, VA, 1);
}

static void guest_reads_and_writes(unsigned cpu)
{
	guest_enter();
	guest_read(VA, cpu, 0);
	guest_write(VA, cpu);
	guest_read(VA, cpu, 0);
	guest_leave();
}

static void cpu_writes(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA, cpu, 1);
}

static void end_dup(void)
{
	work_expect_all(a, VA, 1);
	guest_destroy();
}

const struct scenario second_dup = {
	.name = "second-copy",
	.summary = "a page that a duplicate shows, too, is read and copied by a guest and by a CPU",
	.cpus = 2,
	.setup = setup_dup,
	.program = {cpu_writes, guest_reads_and_writes},
	.end = end_dup,
};
