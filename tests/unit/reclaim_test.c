/* Reclaim: files give frames back while others use them, by who allocates and by a CPU that is idle; nothing is lost. */
#include "mm_writers.h"
#include <kernel/clock.h>
#include <kernel/error.h>
#include <kernel/printf.h>
#include <kernel/smp.h>
#include <mm/clean.h>
#include <mm/dup.h>
#include <mm/file.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/reclaim.h>
#include <mm/swap.h>

enum {
	ID = 9, /* of the pattern file */
	PAGES = 48, /* of the file that is written */
	FEW = 6, /* pages of short rounds */
	TAIL = 16, /* and behind them, of a file: one goes in so many rounds */
	STEPS = 9,
	ROUNDS = 80,
	LARGE = 1 << 18, /* frames of a node: 1 GiB, each of which is written as it comes back */
};

/* ---- by an idle CPU -------------------------------------------------------------------- */

static u64 reclaimed_elsewhere(void)
{
	u64 sum = 0;

	for_each_online_cpu (cpu)
		if (cpu != cpu_id())
			sum += load_relaxed(&cpu_ptr(cpu, mm_counters)->reclaimed);
	return sum;
}

/* As many frames of the node as it takes to make it short, if nobody gives some back; linked by next. */
static struct page *take_until_low(u32 node)
{
	struct page *frames = NULL, *page;
	struct pmm_node_stats s;

	pmm_drain_caches();
	pmm_node_stats(node, &s);
	for (u64 left = s.free - s.watermark_low + 1; left; left--) {
		page = pmm_alloc(node, 0, PMM_STRICT | PMM_NO_RECLAIM);
		if (!page)
			break;
		page->next = frames;
		frames = page;
	}
	return frames;
}

/* The test's own CPU does nothing but allocate, and wait. */
TEST(reclaim, idle_cpu_gets_frames_back_when_a_node_is_short)
{
	u64 pages = 2 * knobs.watermark_gap + 256, before = reclaimed_elsewhere(), wrong = 0;
	u32 node = numa_node_of_cpu(cpu_id());
	struct pmm_node_stats stats;
	int err;

	if (cpumask_weight(&cpu_online) == 1 || !pmm_node_has_memory(node))
		SKIP("no other CPU, or no memory here");
	pmm_node_stats(node, &stats);
	if (stats.free > LARGE)
		SKIP("node %u has more than 1 GiB: making it short takes too long", node);
	struct aspace *as = aspace_create("reclaim", node);
	struct object *file = file_create(pattern_store_create(ID, pages));

	REQUIRE(as && file);
	vaddr_t va = aspace_map(as, file, 0, 0, pages << PAGE_SHIFT, PROT_READ, false, node, &err);

	REQUIRE(va);
	EXPECT_EQ(aspace_populate(as, va, pages << PAGE_SHIFT, node), pages);
	struct page *frames = take_until_low(node), *next;

	/* Awake: nobody knows that we wait. */
	for (u64 begun = cycles_now(), most = ns_to_cycles(WATCHDOG_NS);
	     reclaimed_elsewhere() == before && cycles_now() - begun < most;)
		cpu_relax();
	EXPECT(reclaimed_elsewhere() > before);
	for (; frames; frames = next) {
		next = frames->next;
		page_put(frames, PAGE_REF);
	}
	aspace_load(as);
	for (u64 i = 0; i < pages; i++)
		wrong += load_relaxed((u64 *)(va + (i << PAGE_SHIFT)) + i % 512) !=
			 pattern_word(ID, i, 0, (unsigned)(i % 512));
	aspace_load(NULL);
	EXPECT_EQ(wrong, 0);
	aspace_destroy(as);
	EXPECT_EQ(file_close(file), 0);
	pmm_drain_caches();
}

/* ---- while others write, clean, drop and move ---------------------------------------------- */

/* Now and then, whoever writes reclaims, too. */
static void reclaim_sometimes(unsigned number, u64 round)
{
	if (round % 8 == number)
		reclaim_pages(numa_node_of_cpu(cpu_id()), PAGES / 4);
}

static void disturb(struct fixture *fx, struct object *file, u64 round)
{
	char err[80];

	EXPECT_EQ(knob_set("reclaim_batch", round % 2 ? "32" : "3", "set", err, sizeof(err)), 0);
	for (u32 node = 0; node < numa_node_count(); node++) {
		if (!pmm_node_has_memory(node))
			continue;
		reclaim_pages(node, PAGES / 2);
		if (round % 4 == 0)
			fixture_migrate(fx, node, NULL);
	}
	if (round % 3 == 0)
		hint_mark(fx->as, fx->va, fx->va + fx->len);
	if (round % 5 == 0)
		EXPECT_EQ(aspace_drop(fx->as, fx->va, fx->len / 2), 0);
	if (round % 5 == 1) {
		int busy = file_invalidate(file, round % PAGES, 1, FILE_KEEP);

		EXPECT(!busy || busy == -EBUSY);
	}
	if (round % 7 == 0)
		EXPECT_EQ(file_sync(file), 0);
}

/* Nothing that is written is lost, whoever takes the page meanwhile, and the store is handed no torn page. */
TEST(reclaim, writes_are_kept_while_pages_are_reclaimed_cleaned_dropped_and_moved)
{
	struct fixture fx = {.len = PAGES << PAGE_SHIFT};
	struct writers writers = {.between = reclaim_sometimes};
	u32 batch = knobs.reclaim_batch;
	char text[80], was[16];
	struct object *file = fixture_open(&fx, "reclaim", false);

	REQUIRE(file);
	writers_start(&writers, &fx);
	for (u64 round = 0, rounds = ktest_rounds(ROUNDS); round < rounds; round++)
		disturb(&fx, file, round);
	writers_stop(&writers);
	writers_expect_stored(&writers, file);
	ksnprintf(was, sizeof(was), "%u", batch);
	EXPECT_EQ(knob_set("reclaim_batch", was, "set", text, sizeof(text)), 0);
	fixture_close(&fx, file);
}

/* ---- anonymous pages, to swap and back ------------------------------------------------------------- */

struct swapping {
	struct store *store;
	struct aspace *dup; /* of the last round but this one; NULL: none */
};

/* A duplicate has what was written before, and goes with what it has in swap. */
static void duplicate(struct swapping *s, struct fixture *fx)
{
	int err;

	if (s->dup)
		aspace_destroy(s->dup);
	s->dup = aspace_dup(fx->as, "duplicate", BOOT_NODE_NONE, &err);
	EXPECT(s->dup);
}

static void disturb_swap(struct swapping *s, struct fixture *fx, u64 round)
{
	char err[80];

	EXPECT_EQ(knob_set("reclaim_batch", round % 2 ? "32" : "3", "set", err, sizeof(err)), 0);
	for (u32 node = 0; node < numa_node_count(); node++) {
		if (!pmm_node_has_memory(node))
			continue;
		reclaim_pages(node, PAGES / 2);
		if (round % 4 == 0)
			fixture_migrate(fx, node, NULL);
	}
	if (round % 3 == 0)
		hint_mark(fx->as, fx->va, fx->va + fx->len);
	if (round % 3 == 1)
		duplicate(s, fx);
}

/* Nothing that is written is lost, and swap has nothing left when all is gone. */
TEST(reclaim, writes_are_kept_while_pages_go_to_swap_move_and_are_duplicated)
{
	struct fixture fx = {.len = PAGES << PAGE_SHIFT};
	struct writers writers = {.between = reclaim_sometimes};
	struct swapping s = {.store = swap_store_create(8 * PAGES, BOOT_NODE_NONE)};
	struct mm_counters before, after;
	u32 batch = knobs.reclaim_batch;
	char text[80], was[16];
	int err;

	REQUIRE(s.store && !swap_on(s.store));
	mm_counters_read(&before);
	fx.as = aspace_create("swap", BOOT_NODE_NONE);
	REQUIRE(fx.as);
	fx.va = aspace_map(fx.as, NULL, 0, 0, fx.len, PROT_READ | PROT_WRITE, false, BOOT_NODE_NONE,
			   &err);
	REQUIRE(fx.va);
	writers_start(&writers, &fx);
	after = before;
	/* A few rounds may be over before a writer comes to a page that is in swap. */
	for (u64 round = 0, rounds = ktest_rounds(ROUNDS);
	     round < rounds || (round < ROUNDS && after.read_in == before.read_in); round++) {
		disturb_swap(&s, &fx, round);
		mm_counters_read(&after);
	}
	writers_stop(&writers);
	if (s.dup)
		aspace_destroy(s.dup);
	aspace_destroy(fx.as);
	mm_counters_read(&after);
	if (writers.count)
		EXPECT(after.read_in > before.read_in);
	EXPECT_EQ(swap_store_wrong(s.store), 0);
	EXPECT_EQ(swap_references(), 0);
	EXPECT_EQ(swap_off(), 0);
	ksnprintf(was, sizeof(was), "%u", batch);
	EXPECT_EQ(knob_set("reclaim_batch", was, "set", text, sizeof(text)), 0);
	pmm_drain_caches();
}

/* ---- short rounds: one step of the disturber each, on few pages -------------------------------- */

/*
 * What is behind the pages of the writers: a file gets shorter there, a page at a time, while they write the page
 * that goes next. Not through their own mapping, where an access that comes too late would be refused: by file_write(),
 * which says so, or into a pinned page.
 */
static struct tail {
	const struct fixture *fx;
	struct object *file; /* NULL: anonymous memory, which has none */
	u64 end; /* where the file ends, in pages; release and acquire */
	u64 told[WRITERS_MAX]
		[TAIL]; /* what each has written for certain, by page; release and acquire */
	u64 cut,
		stored; /* pages that are gone, and of them those whose words were looked for in the store */
} tail;

static bool write_pinned(u64 page, unsigned number, u64 round)
{
	struct page *pinned;

	if (aspace_pin(tail.fx->as, tail.fx->va + (page << PAGE_SHIFT), true, &pinned))
		return false;
	store_relaxed(writers_word((vaddr_t)page_to_virt(pinned), 0, number), round);
	page_put(pinned, PAGE_PIN);
	return true;
}

static void write_tail(unsigned number, u64 round)
{
	u64 page = load_acquire(&tail.end) - 1;
	u64 at = (page << PAGE_SHIFT) + (WRITERS_FIRST_WORD + number) * sizeof(round);

	if (!tail.file || page < FEW)
		return;
	bool there = round % 2 ? file_write(tail.file, at, &round, sizeof(round)) == sizeof(round)
			       : write_pinned(page, number, round);

	if (there)
		store_release(&tail.told[number][page - FEW], round);
}

/* The last page goes. What was written before it was cleaned is in the store; and nobody gets at it any more. */
static void cut_tail(const struct fixture *fx, struct object *file)
{
	u64 page = tail.end - 1, told[WRITERS_MAX], word;

	if (page < FEW)
		return;
	for (unsigned n = 0; n < WRITERS_MAX; n++)
		told[n] = load_acquire(&tail.told[n][page - FEW]);
	int err = file_sync(file);

	EXPECT(!err || err == -EBUSY); /* somebody has a pin just now */
	EXPECT_EQ(file_truncate(file, page), 0);
	store_release(&tail.end, page);
	for (unsigned n = 0; n < WRITERS_MAX && !err; n++)
		EXPECT(memory_store_word(file->store, page, WRITERS_FIRST_WORD + n) >= told[n]);
	EXPECT_EQ(file_read(file, page << PAGE_SHIFT, &word, sizeof(word)), 0);
	EXPECT_EQ(aspace_populate(fx->as, fx->va + (page << PAGE_SHIFT), PAGE_SIZE, BOOT_NODE_NONE),
		  -ENOMEM);
	tail.cut++;
	tail.stored += !err && told[0];
}

/* What somebody else does with the pages, in turn; file NULL: they are anonymous. */
static void one_step(struct fixture *fx, struct object *file, u64 round)
{
	u32 node = (u32)(round / STEPS % numa_node_count());
	int busy;

	if (!pmm_node_has_memory(node))
		return;
	switch (round % STEPS) {
	case 0:
		reclaim_pages(node, FEW / 2);
		break;
	case 1:
	case 5:
		fixture_migrate(fx, node, NULL);
		break;
	case 2:
		hint_mark(fx->as, fx->va, fx->va + fx->len);
		break;
	case 3: /* the file's own: cleaned and written back */
		busy = file ? file_sync(file) : 0;
		EXPECT(!busy || busy == -EBUSY); /* its last page may be pinned */
		break;
	case 4:
		busy = file ? file_invalidate(file, round / STEPS % FEW, 1, FILE_KEEP) : 0;
		EXPECT(!busy || busy == -EBUSY);
		break;
	case 6:
		if (file)
			EXPECT_EQ(aspace_drop(fx->as, fx->va, fx->len / 2), 0);
		break;
	case 7: /* to what it is: those of a file may be written after a fault alone */
		EXPECT_EQ(aspace_protect(fx->as, fx->va, fx->len / 2, PROT_READ | PROT_WRITE), 0);
		break;
	default:
		if (file)
			cut_tail(fx, file);
	}
}

static u64 pages_read_in(void)
{
	u64 sum = 0;

	for_each_online_cpu (cpu)
		sum += load_relaxed(&cpu_ptr(cpu, mm_counters)->read_in);
	return sum;
}

/* Rounds from `first` on, with writers of the pages before the tail; and what they wrote last is there. */
static void short_rounds(struct fixture *fx, struct object *file, u64 first, u64 count)
{
	struct fixture head = {.as = fx->as, .va = fx->va, .len = FEW << PAGE_SHIFT};
	struct writers writers = {.between = write_tail};

	tail = (struct tail){
		.fx = fx, .file = file, .end = FEW + TAIL, .cut = tail.cut, .stored = tail.stored};
	writers_start(&writers, &head);
	for (u64 round = first; round < first + count; round++)
		one_step(fx, file, round);
	writers_stop(&writers);
	if (file)
		writers_expect_stored(&writers, file);
}

/* Of so many rounds with writers: that pages left meanwhile. Of few there may be none. */
static bool are_many(u64 rounds)
{
	return cpumask_weight(&cpu_online) > 1 && rounds >= 1000;
}

/* 10^4 of each, and 10^6 in `make test-all`. A file has no more tail after so many, and then another one comes. */
TEST(reclaim, file_is_whole_after_many_short_rounds)
{
	u64 rounds = ktest_rounds(ROUNDS), before = pages_read_in();

	tail = (struct tail){.cut = 0};
	for (u64 first = 0; first < rounds; first += STEPS * TAIL) {
		struct fixture fx = {.len = (FEW + TAIL) << PAGE_SHIFT};
		struct object *file = fixture_open(&fx, "short", false);

		REQUIRE(file);
		short_rounds(&fx, file, first, MIN(STEPS * TAIL, rounds - first));
		fixture_close(&fx, file);
	}
	if (!are_many(rounds))
		return;
	EXPECT(pages_read_in() - before > rounds / 100);
	EXPECT(tail.cut > rounds / STEPS / numa_node_count() - TAIL);
	EXPECT(tail.stored > tail.cut / 4);
}

TEST(reclaim, swap_is_whole_after_many_short_rounds)
{
	u64 rounds = ktest_rounds(ROUNDS), before = pages_read_in();
	struct fixture fx = {.len = FEW << PAGE_SHIFT};
	struct store *store = swap_store_create(4 * FEW, BOOT_NODE_NONE);
	int err;

	REQUIRE(store && !swap_on(store));
	fx.as = aspace_create("short", BOOT_NODE_NONE);
	REQUIRE(fx.as);
	fx.va = aspace_map(fx.as, NULL, 0, 0, fx.len, PROT_READ | PROT_WRITE, false, BOOT_NODE_NONE,
			   &err);
	REQUIRE(fx.va);
	short_rounds(&fx, NULL, 0, rounds);
	if (are_many(rounds))
		EXPECT(pages_read_in() - before > rounds / 100);
	aspace_destroy(fx.as);
	EXPECT_EQ(swap_store_wrong(store), 0);
	EXPECT_EQ(swap_references(), 0);
	EXPECT_EQ(swap_off(), 0);
	pmm_drain_caches();
}
