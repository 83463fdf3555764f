/* What schemes come to on either rule set, and what the knobs of like-linux-* do: docs/linux.md. */
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/knobs.h>
#include <mm/scheme.h>
#include <mm/stats.h>

#define RW (PROT_READ | PROT_WRITE)

enum { PAGES = 8 };

static bool apply(const char *names)
{
	char err[160];

	host_mm();
	return !scheme_apply(names, err, sizeof(err));
}

/* Whatever transport earlier tests left: the native one. */
static bool apply_6_12(void)
{
	host_mm();
	return apply(fake_config.arm64 ? "like-linux-6.12+transport=bcast-late"
				       : "like-linux-6.12");
}

static void load(void *as)
{
	aspace_load(as);
}

static struct aspace *filled(vaddr_t *va)
{
	struct aspace *as = host_space(PAGES, RW, false, 0, va);

	for (u64 i = 0; as && i < PAGES; i++)
		*host_word(as, *va + i * PAGE_SIZE, true) = i;
	return as;
}

static bool moved(struct aspace *as, vaddr_t va)
{
	struct migrate_stats stats;

	if (host_migrate(as, va, PAGES, 1, &stats, NULL) || stats.moved != PAGES)
		return false;
	for (u64 i = 0; i < PAGES; i++)
		if (*host_word(as, va + i * PAGE_SIZE, false) != i)
			return false;
	return true;
}

TEST(scheme_names_stand_for_every_choice_of_their_kernel)
{
	CHECK(apply("batch"));
	CHECK_EQ(knobs.batch_2m, 8);
	scheme_restore();
	CHECK(apply("baseline"));
	CHECK_EQ(knobs.batch, 1);
	CHECK_EQ(knobs.batch_2m, 1);
	CHECK_EQ(knobs.hint, HINT_EARLY);
	scheme_restore();
	CHECK(apply("like-linux-6.1"));
	CHECK_EQ(knobs.batch, 1);
	CHECK_EQ(knobs.batch_2m, 1);
	CHECK_EQ(knobs.hint, HINT_LATE);
	CHECK_EQ(knobs.numa_split, SPLIT_OFF);
	scheme_restore();
}

TEST(linux_6_12_batches_by_the_rules_of_each_isa)
{
	CHECK(apply("like-linux-6.12"));
	CHECK_EQ(knobs.batch, 512);
	CHECK_EQ(knobs.batch_2m, 1);
	CHECK_EQ(knobs.hint, HINT_LATE);
	CHECK_EQ(knobs.batch_alone, fake_config.arm64);
	CHECK_EQ(knobs.batch_flush, fake_config.arm64 ? BATCH_FLUSH_RANGE : BATCH_FLUSH_ALL);
	scheme_restore();
	fake_config.repeats = true;
	CHECK(apply("like-linux-6.12"));
	fake_config.repeats = false;
	CHECK_EQ(knobs.batch, fake_config.arm64 ? 1 : 512);
	scheme_restore();
	CHECK(apply("like-linux-6.12+batch=64"));
	CHECK_EQ(knobs.batch, 64);
	scheme_restore();
}

/* Nobody else has the space: x86-64 flushes page by page, arm64 completes all with one broadcast. */
TEST(linux_6_12_moves_a_space_that_runs_here_alone)
{
	struct mm_counters before, *mine = cpu_ptr(0, mm_counters);
	vaddr_t va;
	struct aspace *as = filled(&va);

	CHECK(apply_6_12());
	before = *mine;
	CHECK(moved(as, va));
	CHECK_EQ(mine->shootdowns - before.shootdowns, fake_config.arm64 ? 1 : PAGES);
	CHECK_EQ(mine->flush_local_page - before.flush_local_page, fake_config.arm64 ? 0 : PAGES);
	CHECK_EQ(mine->flush_local_full, before.flush_local_full);
	CHECK_EQ(mine->bcast_syncs - before.bcast_syncs, fake_config.arm64);
	scheme_restore();
	aspace_destroy(as);
}

/* Another CPU has it, lazily even: one flush for all, on x86-64 of everything. */
TEST(linux_6_12_batches_where_another_cpu_is_in_the_mask)
{
	for (unsigned lazy = 0; lazy < 2; lazy++) {
		struct mm_counters before, *mine = cpu_ptr(0, mm_counters);
		vaddr_t va;
		struct aspace *as = filled(&va);

		fake_on_cpu(1, load, as);
		if (lazy)
			fake_on_cpu(1, load, NULL);
		CHECK(apply_6_12());
		before = *mine;
		CHECK(moved(as, va));
		CHECK_EQ(mine->shootdowns - before.shootdowns, 1);
		CHECK_EQ(mine->ipis_sent - before.ipis_sent, !fake_config.arm64);
		CHECK_EQ(mine->flush_local_full - before.flush_local_full, !fake_config.arm64);
		CHECK_EQ(mine->bcast_ops - before.bcast_ops, fake_config.arm64 ? PAGES : 0);
		scheme_restore();
		aspace_destroy(as);
	}
}

/* A page that is mapped in a space which somebody else runs is not flushed at once for the sake of the other. */
TEST(pages_of_several_spaces_are_batched_if_one_runs_elsewhere)
{
	struct mm_counters before, *mine = cpu_ptr(0, mm_counters);
	struct migrate_stats stats;
	vaddr_t a, b, x, y;
	struct aspace *other = filled(&b), *as = filled(&a);
	struct object *obj = host_shared(as, other, &x, &y);

	CHECK(host_word(as, x, true) && host_word(other, y, true));
	CHECK(apply("batch+batch_alone=off"));
	before = *mine;
	CHECK_EQ(host_migrate(as, x, 1, 1, &stats, NULL), 0);
	CHECK_EQ(host_migrate(as, a, PAGES, 1, &stats, NULL), 0);
	CHECK_EQ(mine->shootdowns - before.shootdowns, 1 + PAGES);
	fake_on_cpu(1, load, other);
	before = *mine;
	CHECK_EQ(host_migrate(as, x, 1, 0, &stats, NULL), 0);
	CHECK_EQ(mine->shootdowns - before.shootdowns, 1);
	scheme_restore();
	object_put(obj);
	aspace_destroy(as);
	aspace_destroy(other);
}

/* Where the page stays, its flush is as complete as ever, and nothing is lost. */
TEST(linux_6_12_leaves_pinned_pages_where_they_are)
{
	struct migrate_stats stats;
	struct page *page;
	vaddr_t va;
	struct aspace *as = filled(&va);

	CHECK_EQ(aspace_pin(as, va + 3 * PAGE_SIZE, true, &page), 0);
	CHECK(apply_6_12());
	CHECK_EQ(host_migrate(as, va, PAGES, 1, &stats, NULL), 1);
	CHECK_EQ(stats.moved, PAGES - 1);
	CHECK_EQ(stats.failed[MIGRATE_PINNED], 1);
	for (u64 i = 0; i < PAGES; i++)
		CHECK_EQ(*host_word(as, va + i * PAGE_SIZE, false), i);
	scheme_restore();
	page_put(page, PAGE_PIN);
	aspace_destroy(as);
}
