/* Pages that several spaces map: what is held while their entries are down. */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/deferral.h>
#include <mm/pgwalk.h>
#include <mm/scheme.h>
#include <mm/stats.h>
#include <kernel/smp.h>

#include <string.h>

#define RW (PROT_READ | PROT_WRITE)

enum {
	SPACES = TLB_GATHER_CONTEXTS + 1,
	FLUSH_STEPS = 100000, /* what a flush takes here: more than all the rest */
};

static struct aspace *space[SPACES];
static vaddr_t va[SPACES];
static struct object *obj;
static struct {
	unsigned all, with_a_spinlock, without_the_object;
} flushes, flushes_before;

/* One page of one object in every space. */
static void share(void)
{
	int err;

	host_mm();
	obj = object_create(1);
	for (unsigned i = 0; i < SPACES; i++) {
		space[i] = aspace_create("shared", 0);
		va[i] = aspace_map(space[i], obj, 0, 0, PAGE_SIZE, RW, false, 0, &err);
		CHECK(va[i] && host_word(space[i], va[i], true));
	}
}

static void unshare(void)
{
	for (unsigned i = 0; i < SPACES; i++)
		aspace_destroy(space[i]);
	object_put(obj);
}

static bool object_is_held(void)
{
	return (load_relaxed(&obj->lock.arrived) - load_relaxed(&obj->lock.left)) / RWLOCK_READER;
}

/* A flush begins as it takes its generation. One that is owed takes it, too, and says so next. */
static void look_at_flushes(const void *addr, u64 old, u64 value, bool atomic)
{
	unsigned i = 0;

	while (i < SPACES && addr != &space[i]->ctx.gen && addr != &space[i]->ctx.owed)
		i++;
	if (i == SPACES || !atomic || !generation_before(old, value))
		return;
	if (addr == &space[i]->ctx.owed) {
		CHECK_EQ(value, space[i]->ctx.gen);
		flushes = flushes_before;
		return;
	}
	flushes_before = flushes;
	flushes.all++;
	fake_steps += FLUSH_STEPS;
	flushes.without_the_object += !object_is_held();
	for (i = 0; i < SPACES; i++)
		flushes.with_a_spinlock +=
			spin_is_locked(pt_lock_of(pgwalk_find(space[i]->root, va[i], 0).ptep));
}

static u64 migrate_watched(struct migrate_stats *stats)
{
	memset(&flushes, 0, sizeof(flushes));
	fake_hooks.stored = look_at_flushes;
	u64 failed = host_migrate(space[0], va[0], 1, 1, stats, NULL);

	fake_hooks.stored = NULL;
	return failed;
}

/* More contexts than a gather has room for: it is flushed on the way, where waiting is allowed. */
TEST(shared_by_more_spaces_than_a_gather_holds)
{
	struct migrate_stats stats;

	share();
	CHECK_EQ(migrate_watched(&stats), 0);
	CHECK_EQ(stats.moved, 1);
	CHECK_EQ(flushes.all, SPACES);
	CHECK_EQ(flushes.with_a_spinlock, 0);
	CHECK_EQ(flushes.without_the_object, 0);
	CHECK(stats.phase[PHASE_FLUSH] >=
	      (u64)SPACES * FLUSH_STEPS); /* and not booked as unmapping */
	CHECK(stats.phase[PHASE_UNMAP] < FLUSH_STEPS);
	CHECK(!object_is_held());
	for (unsigned i = 0; i < SPACES; i++)
		CHECK(host_page(space[i], va[i])->node == 1);
	unshare();
}

/* An entry that cannot be found: the others come back before the flush, and their spaces must outlive it. */
TEST(shared_entries_come_back_and_their_spaces_stay_for_the_flush)
{
	struct migrate_stats stats;

	share();
	struct page *page = host_page(space[0], va[0]);

	atomic_fetch_add(&page->mapcount, 1);
	CHECK_EQ(migrate_watched(&stats), 1);
	atomic_fetch_add(&page->mapcount, -1U);
	CHECK_EQ(stats.failed[MIGRATE_RACED], 1);
	CHECK_EQ(flushes.all, SPACES);
	CHECK_EQ(flushes.with_a_spinlock, 0);
	CHECK_EQ(flushes.without_the_object, 0);
	CHECK(!object_is_held());
	for (unsigned i = 0; i < SPACES; i++)
		CHECK(host_page(space[i], va[i]) == page);
	unshare();
}

/* Pages of many objects in one range: as many batches as it takes, and nothing stays held. */
TEST(shared_objects_beyond_what_a_batch_holds)
{
	enum { OBJECTS = 20 };
	struct object *objects[OBJECTS];
	struct migrate_stats stats;
	struct aspace *as, *other;
	vaddr_t first, ignored;
	int err;

	as = host_space(1, RW, false, 0, &ignored);
	other = aspace_create("other", 0);
	first = ALIGN_UP(ignored, HUGE_SIZE) + HUGE_SIZE;
	for (u64 i = 0; i < OBJECTS; i++) {
		objects[i] = object_create(1);
		CHECK(aspace_map(as, objects[i], 0, first + i * PAGE_SIZE, PAGE_SIZE, RW, false, 0,
				 &err));
		CHECK(aspace_map(other, objects[i], 0, first + i * PAGE_SIZE, PAGE_SIZE, RW, false,
				 0, &err));
		*host_word(as, first + i * PAGE_SIZE, true) = i;
		CHECK_EQ(*host_word(other, first + i * PAGE_SIZE, true), i);
	}
	CHECK_EQ(host_migrate(as, first, OBJECTS, 1, &stats, NULL), 0);
	CHECK_EQ(stats.moved, OBJECTS);
	for (u64 i = 0; i < OBJECTS; i++) {
		CHECK_EQ(host_page(other, first + i * PAGE_SIZE)->node, 1);
		CHECK_EQ(objects[i]->lock.arrived, objects[i]->lock.left);
		object_put(objects[i]);
	}
	aspace_destroy(as);
	aspace_destroy(other);
}

/* ---- deferral: per page, all entries or none ------------------------------------------- */

static void protect(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		CHECK_EQ(aspace_protect(space[i], va[i], PAGE_SIZE, PROT_READ), 0);
}

static void move_with_skeleton(void)
{
	struct migrate_stats stats;
	char err[160];

	CHECK_EQ(scheme_apply("batch+defer=skeleton", err, sizeof(err)), 0);
	CHECK_EQ(migrate_watched(&stats), 0);
	CHECK_EQ(stats.moved, 1);
}

TEST(shared_readonly_page_may_wait_as_a_whole)
{
	share();
	protect(0, SPACES);
	move_with_skeleton();
	CHECK_EQ(flushes.all, 0);
	CHECK_EQ(deferral->held(), 1);
	u64 paid = this_cpu_ptr(mm_counters)->forced[PAY_SETTLE];

	deferral_settle();
	CHECK_EQ(this_cpu_ptr(mm_counters)->forced[PAY_SETTLE], paid + SPACES);
	CHECK_EQ(deferral->held(), 0);
	scheme_restore();
	unshare();
}

/* The last entry, or the first, may be written: those that were noted are flushed with it. */
TEST(shared_page_with_one_writable_entry_does_not_wait)
{
	for (unsigned writable = 0; writable < SPACES; writable += SPACES - 1) {
		share();
		protect(0, writable);
		protect(writable + 1, SPACES);
		u64 before[SPACES];

		for (unsigned i = 0; i < SPACES; i++)
			before[i] = space[i]->ctx.gen;
		move_with_skeleton();
		CHECK_EQ(flushes.with_a_spinlock, 0);
		for (unsigned i = 0; i < SPACES; i++)
			CHECK(space[i]->ctx.gen != before[i]);
		CHECK_EQ(deferral->held(), 0);
		scheme_restore();
		unshare();
	}
}

/* An entry cannot be found: the page stays, and what was noted of the others is flushed. */
TEST(shared_page_that_stays_does_not_wait)
{
	struct migrate_stats stats;
	char err[160];

	share();
	protect(0, SPACES);
	CHECK_EQ(scheme_apply("batch+defer=skeleton", err, sizeof(err)), 0);
	atomic_fetch_add(&host_page(space[0], va[0])->mapcount, 1);
	CHECK_EQ(migrate_watched(&stats), 1);
	atomic_fetch_add(&host_page(space[0], va[0])->mapcount, -1U);
	CHECK_EQ(flushes.all, SPACES);
	CHECK_EQ(deferral->held(), 0);
	scheme_restore();
	unshare();
}
