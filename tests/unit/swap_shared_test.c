/* Shared anonymous memory goes to swap and back, under threads of two spaces that show it: all find what each wrote. */
#include "mm_writers.h"
#include <kernel/error.h>
#include <kernel/smp.h>
#include <mm/hint.h>
#include <mm/reclaim.h>
#include <mm/swap.h>

#define RW (PROT_READ | PROT_WRITE)

enum {
	FEW = 6, /* pages of short rounds */
	ROUNDS = 80,
	MANY = 1024, /* pages of which half are more than there is room for */
	LAPS = 2, /* that each writer has gone round them, at least */
	SHORT = 16, /* rounds: with fewer, a run is to be short */
};

/* An object in two spaces, at the same address; and swap, with room for all of it. */
struct shared {
	struct fixture fx; /* the first space */
	struct aspace *other;
	struct object *obj;
	struct store *store;
	u64 read_in;
};

static u64 pages_read_in(void)
{
	u64 sum = 0;

	for_each_online_cpu (cpu)
		sum += load_relaxed(&cpu_ptr(cpu, mm_counters)->read_in);
	return sum;
}

static vaddr_t map(struct shared *s, struct aspace *as, vaddr_t va)
{
	int err;

	return aspace_map(as, s->obj, 0, va, s->fx.len, RW, false, BOOT_NODE_NONE, &err);
}

/* False: no memory (reported). */
static bool shared_init(struct shared *s, u64 pages)
{
	*s = (struct shared){
		.fx = {.as = aspace_create("shared", BOOT_NODE_NONE), .len = pages << PAGE_SHIFT},
		.other = aspace_create("other", BOOT_NODE_NONE),
		.obj = object_create(pages),
		.store = swap_store_create(pages, BOOT_NODE_NONE)};
	if (!EXPECT(s->fx.as && s->other && s->obj && s->store) || !EXPECT(!swap_on(s->store)))
		return false;
	s->fx.va = map(s, s->fx.as, 0);
	s->read_in = pages_read_in();
	return EXPECT(s->fx.va) && EXPECT_EQ(map(s, s->other, s->fx.va), s->fx.va);
}

/* Words of all writers, read through one space. */
static u64 count_wrong(const struct shared *s, const struct writers *w, struct aspace *as)
{
	u64 wrong = 0;

	aspace_load(as);
	for (u64 i = 0; i < w->pages; i++)
		for (unsigned n = 0; n < w->count; n++)
			wrong += load_relaxed(writers_word(s->fx.va, i, n)) != w->writer[n].rounds;
	aspace_load(NULL);
	return wrong;
}

/*
 * Each space finds what the writers of both wrote last, also when the other one is gone; and nothing is left in swap then.
 * The first one looks before, too: a page that was never in swap stays by its mappings alone, and its own writers may not have
 * had a turn.
 */
static void shared_fini(struct shared *s, const struct writers *w)
{
	EXPECT_EQ(count_wrong(s, w, s->other), 0);
	EXPECT_EQ(count_wrong(s, w, s->fx.as), 0);
	aspace_destroy(s->other);
	EXPECT_EQ(count_wrong(s, w, s->fx.as), 0);
	aspace_destroy(s->fx.as);
	object_put(s->obj);
	EXPECT_EQ(swap_store_wrong(s->store), 0);
	EXPECT_EQ(swap_references(), 0);
	EXPECT_EQ(swap_off(), 0);
	pmm_drain_caches();
}

/* ---- short rounds ----------------------------------------------------------------------------- */

/* What somebody else does with the pages, in turn, in one space or the other. */
static void one_step(struct shared *s, u64 round)
{
	struct fixture fx = s->fx;
	u32 node = (u32)(round / 10 % numa_node_count());

	if (round % 2)
		fx.as = s->other;
	if (!pmm_node_has_memory(node))
		return;
	switch (round / 2 % 5) {
	case 0:
	case 3:
		reclaim_pages(node, FEW / 2);
		break;
	case 1:
		fixture_migrate(&fx, node, NULL);
		break;
	case 2:
		hint_mark(fx.as, fx.va, fx.va + fx.len);
		break;
	default:
		EXPECT_EQ(aspace_protect(fx.as, fx.va, fx.len / 2, RW), 0);
	}
}

TEST(reclaim, shared_memory_is_whole_after_many_short_rounds)
{
	u64 rounds = ktest_rounds(ROUNDS);
	struct shared s;

	if (!shared_init(&s, FEW))
		return;
	struct writers writers = {.other = s.other};

	writers_start(&writers, &s.fx);
	for (u64 round = 0; round < rounds; round++)
		one_step(&s, round);
	writers_stop(&writers);
	if (writers.count && rounds >= 1000)
		EXPECT(pages_read_in() - s.read_in > rounds / 100);
	shared_fini(&s, &writers);
}

/* ---- twice what there is room for ------------------------------------------------------------- */

/* All frames of a node but so many, and its reserve, linked by next. */
static struct page *take_all_but(u32 node, u64 left, struct page *frames)
{
	struct pmm_node_stats stats;

	pmm_drain_caches();
	pmm_node_stats(node, &stats);
	for (u64 more = stats.free; more > left + stats.watermark_min; more--) {
		struct page *page = pmm_alloc(node, 0, PMM_STRICT | PMM_NO_RECLAIM);

		if (!page)
			break;
		page->next = frames;
		frames = page;
	}
	return frames;
}

static void give_back(struct page *frames)
{
	for (struct page *next; frames; frames = next) {
		next = frames->next;
		page_put(frames, PAGE_REF);
	}
}

static u64 laps(const struct writers *w)
{
	u64 least = LAPS;

	for (unsigned n = 0; n < w->count; n++)
		least = MIN(least, load_acquire(&w->writer[n].rounds));
	return least;
}

TEST(reclaim, shared_memory_of_twice_what_there_is_room_for)
{
	struct page *frames = NULL;
	u32 nodes = 0;
	struct shared s;

	if (cpumask_weight(&cpu_online) == 1)
		SKIP("no other CPU to write");
	if (ktest_rounds(SHORT) < SHORT)
		SKIP("takes every frame of every node, which is slow: runs with test.rounds=%u or "
		     "more",
		     SHORT);
	if (!shared_init(&s, MANY))
		return;
	struct writers writers = {.other = s.other};

	/* It would keep a CPU of a writer for ever: there are never as many frames as it wants. */
	reclaim_background(false);
	for (u32 node = 0; node < numa_node_count(); node++)
		nodes += pmm_node_has_memory(node);
	for (u32 node = 0; node < numa_node_count(); node++)
		if (pmm_node_has_memory(node))
			frames = take_all_but(node, MANY / 2 / nodes, frames);
	writers_start(&writers, &s.fx);
	while (laps(&writers) < LAPS) {
		cpu_relax();
		context_yield();
	}
	writers_stop(&writers);
	EXPECT(pages_read_in() - s.read_in >= MANY / 2);
	/* That pages go and come has been seen by now; what is in them is looked at with room for all. */
	give_back(frames);
	reclaim_background(true);
	shared_fini(&s, &writers);
	pmm_drain_caches();
}
