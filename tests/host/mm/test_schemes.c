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

static u32 value(const char *knob)
{
	return *knob_find(knob)->value;
}

static const char *source(const char *knob)
{
	return knob_source(knob_find(knob));
}

static bool set(const char *knob, const char *text)
{
	char err[160];

	return !knob_set(knob, text, "set", err, sizeof(err));
}

static void everything_default(void)
{
	char err[160];

	host_mm();
	knobs_stage_defaults();
	CHECK_EQ(knobs_commit(err, sizeof(err)), 0);
}

/* Nothing of the scheme before is left; what was set by hand is under it, and stays if no scheme names it. */
TEST(a_scheme_takes_the_place_of_the_one_in_force)
{
	everything_default();
	CHECK(set("range", "7") && set("batch", "4"));
	CHECK(apply("batch"));
	CHECK(apply("late-map"));
	CHECK_EQ(value("batch"), 4);
	CHECK(!strcmp(source("batch"), "set"));
	CHECK_EQ(value("batch_2m"), 1);
	CHECK(!strcmp(source("batch_2m"), "default"));
	CHECK_EQ(value("hint"), HINT_LATE);
	CHECK_EQ(value("range"), 7);
	CHECK(apply("batch+late-map"));
	CHECK(value("batch") == 512 && value("hint") == HINT_LATE);
	CHECK(set("batch", "8")); /* by hand, over a scheme's */
	CHECK(apply("late-map"));
	CHECK_EQ(value("batch"), 8);
	CHECK(apply(""));
	CHECK_EQ(value("hint"), HINT_LATE); /* no name, no change */
	everything_default();
	CHECK(value("batch") == 1 && value("hint") == HINT_EARLY);
	CHECK_EQ(value("range"), knob_find("range")->def);
}

static unsigned settled;

static void count_settling(void)
{
	settled++;
}

/* One mistake and nothing is changed, nor paid. */
TEST(knobs_change_all_or_none)
{
	char err[160];
	struct knob_hooks hooks;

	everything_default();
	hooks = knob_hooks;
	knob_hooks.settle = count_settling;
	settled = 0;
	CHECK_EQ(knob_stage("batch", "4", "set", err, sizeof(err)), 0);
	CHECK(knob_stage("range", "many", "set", err, sizeof(err)) < 0);
	CHECK_STR(err, "range=many: not a number from 0 to 4096");
	knobs_discard();
	CHECK_EQ(knobs_commit(err, sizeof(err)), 0);
	CHECK(!apply("batch+range=many") && !apply("batch+") && !apply("nothing"));
	CHECK_EQ(settled, 0);
	CHECK(value("batch") == 1 && !strcmp(source("batch"), "default"));
	CHECK_EQ(knob_stage("batch", "4", "set", err, sizeof(err)), 0);
	CHECK_EQ(scheme_stage("batch", err, sizeof(err)), 0);
	CHECK_EQ(knobs_commit(err, sizeof(err)), 0);
	CHECK_EQ(settled, 1);
	CHECK_EQ(value("batch"), 512);
	CHECK(apply("late-map"));
	CHECK_EQ(value("batch"),
		 4); /* the two came together, and lie over each other all the same */
	knob_hooks = hooks;
	everything_default();
}
