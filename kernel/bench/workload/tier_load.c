/*
 * The threads of `tier`, and what goes on beside them: the initiator is the kernel's own threads, which
 * elsewhere demote, reclaim and scan. It looks at all watermarks again and again. The scan goes by
 * accesses, not by time: so schemes that are slower are not scanned more often.
 */
#include <kernel/clock.h>
#include <kernel/context.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/rng.h>
#include <kernel/string.h>
#include <mm/fault.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <mm/reclaim.h>
#include "tier.h"

enum {
	WORDS = PAGE_SIZE / sizeof(u64),
	SCANS = 4, /* while the threads access as many pages as there are */
	LOOK_EVERY = 16, /* accesses between looks at the watermarks */
	SAMPLE_ONE_IN = 16, /* accesses, before which an allocation is timed */
	TRIES = 2, /* to demote that began after a thread found too few frames free, at least one of them */
};

/* A fast node is below its low watermark, from which on it is demoted from. */
static bool tier_is_short(const struct tier_run *run)
{
	struct pmm_node_stats s;
	bool is_short = false;

	for (u32 node = 0; node < numa_node_count() && !is_short; node++)
		if (run->fast_nodes >> node & 1) {
			pmm_node_stats(node, &s);
			is_short = s.free + s.quarantined < s.watermark_low;
		}
	return is_short;
}

/* ---- a thread -------------------------------------------------------------------- */

static u64 *word_of(const struct tier_area *area, u64 page)
{
	return (u64 *)(area->base + (page << PAGE_SHIFT)) + page % WORDS;
}

/* What an anonymous page holds when it was written so many times; 0 is what a new one does. */
static u64 stamp_of(const struct tier_area *area, u64 page, u32 version)
{
	return (area->id << 24 | page) << 32 | version;
}

void tier_fill(const struct tier_area *area)
{
	for (u64 i = 0; i < area->pages; i++) {
		area->version[i] = 1;
		store_relaxed(word_of(area, i), stamp_of(area, i, 1));
	}
}

static void write_page(const struct tier_area *area, u64 page)
{
	u32 version = area->version[page] + 1;

	store_relaxed(&area->version[page], version);
	store_relaxed(word_of(area, page), stamp_of(area, page, version));
}

/* Of anonymous pages each is written by one thread, which knows how often; others know whose page it is. */
static bool is_mine(const struct tier_task *t, u64 page)
{
	return t->run->shape == TIER_LLM || page % t->run->tasks == t->id;
}

static void read_page(struct tier_task *t, u64 page)
{
	const struct tier_area *area = t->area;
	u64 found = load_relaxed(word_of(area, page)), expected;

	if (!area->version)
		expected = pattern_word(area->id, page, 0, page % WORDS);
	else if (is_mine(t, page))
		expected = stamp_of(area, page, area->version[page]);
	else
		expected = stamp_of(area, page, (u32)found);
	if (!t->run->verify)
		return;
	t->verified++;
	t->wrong += found != expected;
}

static u64 next_page(struct tier_task *t)
{
	if (t->run->shape == TIER_XSBENCH)
		return rng_pmbench(&t->rng) * t->area->pages >> 31; /* 31 random bits */
	u64 page = t->at;

	t->at = page + 1 == t->area->pages ? 0 : page + 1;
	return page;
}

static void access_one(struct tier_task *t)
{
	u64 page = next_page(t);
	unsigned percent = t->run->write_pct;

	if (percent && is_mine(t, page) && rng_pmbench(&t->rng) % 100 < percent)
		write_page(t->area, page);
	else
		read_page(t, page);
}

/*
 * The fast tier is short of frames: wait until those are demoted, or it was tried in vain. Without that,
 * threads under a scheme that demotes slowly would find no room for what they promote, and do less of what is measured.
 */
static void wait_for_room(const struct tier_run *run)
{
	u32 tried = load_relaxed(&run->tried);

	while (load_relaxed(&run->tried) - tried < TRIES && tier_is_short(run))
		cpu_relax();
}

/* Threads that read a model go through it together: whoever is ahead waits for the others. */
static void wait_for_others(const struct tier_task *t)
{
	const struct tier_run *run = t->run;

	for (unsigned i = 0; i < run->tasks; i++)
		while (load_relaxed(&run->task[i]->done) + LOOK_EVERY < t->done)
			cpu_relax();
}

/*
 * How long does an allocation take here and now? A frame as a fault takes it, given back at once. At random, as
 * caches empty in step with accesses: so a refill, or a payment, falls on a sample as often as on any allocation.
 */
static void time_allocation(struct tier_task *t)
{
	u64 start = cycles_now();
	struct page *page = pmm_alloc(numa_node_of_cpu(t->cpu), 0, 0);
	u64 took = cycles_now() - start;

	if (!page) {
		t->allocs_failed++;
		return;
	}
	pmm_free(page);
	t->alloc[hist_bucket(took)]++;
	t->longest_alloc = MAX(t->longest_alloc, took);
}

static void task_main(void *arg)
{
	struct tier_task *t = arg;
	struct tier_run *run = t->run;
	struct fault_wait *fw = this_cpu_ptr(fault_wait);

	*fw = (struct fault_wait){0};
	store_release(&t->ready, 1);
	cpu_wake(run->starter); /* it may have halted */
	while (!load_acquire(&run->go))
		cpu_relax();
	for (u64 i = 0, ops = run->ops; i < ops; i++) {
		if (i % LOOK_EVERY == 0) {
			wait_for_others(t);
			wait_for_room(run);
		}
		if (rng_splitmix64(&t->sampler) % SAMPLE_ONE_IN == 0)
			time_allocation(t);
		access_one(t);
		store_relaxed(&t->done, i + 1);
		if (run->relax)
			cpu_relax();
	}
	t->ended = cycles_now();
	t->waits = fw->count;
	t->longest_wait = fw->longest;
	/* Full barrier: what the thread left comes before. Pairs with the acquire in tier_go(). */
	atomic_fetch_add(&run->left, -1U);
	while (!load_acquire(
		&run->at_rest)) /* what is demoted until then has its space loaded here, as before */
		cpu_relax();
}

int tier_spawn(struct tier_run *run, u64 ops)
{
	store_relaxed(&run->go, 0);
	store_relaxed(&run->at_rest, 0);
	store_relaxed(&run->left, run->tasks);
	run->starter = cpu_id();
	run->ops = ops;
	for (unsigned i = 0; i < run->tasks; i++) {
		struct tier_task *t = run->task[i];

		t->done = t->verified = t->wrong = t->longest_alloc = t->allocs_failed = 0;
		memset(t->alloc, 0, sizeof(t->alloc));
		store_relaxed(&t->ready, 0);
		t->ctx = context_spawn(t->cpu, "tier", task_main, t, t->area->as);
		if (!t->ctx) {
			run->ops = 0; /* the others have nothing to do, and wait for nobody */
			return -ENOMEM;
		}
		wait_until(load_acquire(&t->ready), "a thread to be there");
	}
	return 0;
}

void tier_join(struct tier_run *run)
{
	store_release(&run->go, 1);
	store_release(&run->at_rest, 1); /* those that never began wait for nobody */
	for (unsigned i = 0; i < run->tasks; i++)
		if (run->task[i]->ctx) {
			context_join(run->task[i]->ctx);
			run->task[i]->ctx = NULL;
		}
}

/* ---- the kernel's own threads -------------------------------------------------------- */

/*
 * From its low watermark on until it has the gap, a batch at a time: while threads go on allocating that may never be, and
 * the scan must not wait for it.
 */
static void demote(struct tier_run *run, u32 node)
{
	u64 bit = 1UL << node;

	if (pmm_is_short(node, 0))
		run->demoting |= bit;
	if (!(run->demoting & bit) || demote_some(run->demotion, run->spaces, node))
		return;
	run->demoting &= ~bit;
	store_relaxed(&run->tried, run->tried + 1);
}

/* The slow tier first, so that there is room for what comes from the fast one. */
static void balance(struct tier_run *run)
{
	reclaim_balance(run->slow);
	for (u32 node = 0; node < numa_node_count(); node++)
		if (run->fast_nodes >> node & 1)
			demote(run, node);
}

/*
 * Both tiers have what they are to have free: a round that began with more than it ends with, by chance, would have less
 * to demote and reclaim than others.
 */
static void come_to_rest(struct tier_run *run)
{
	for (u32 node = 0; node < numa_node_count(); node++)
		if (run->fast_nodes >> node & 1)
			while (demote_some(run->demotion, run->spaces, node))
				;
	reclaim_to_gap(run->slow);
}

static u64 accesses(const struct tier_run *run)
{
	u64 sum = 0;

	for (unsigned i = 0; i < run->tasks; i++)
		sum += load_relaxed(&run->task[i]->done);
	return sum;
}

static u64 pages_of(const struct tier_run *run)
{
	u64 pages = 0;

	for (unsigned i = 0; i < run->areas; i++)
		pages += run->area[i].pages;
	return pages;
}

/* All spaces, once. */
static void scan(struct tier_run *run)
{
	for (unsigned i = 0; i < run->spaces; i++)
		for (u64 pass = run->scan[i].passes; run->scan[i].passes == pass;)
			hint_scan(&run->scan[i]);
	run->passes++;
}

void tier_go(struct tier_run *run)
{
	u64 step = pages_of(run) / SCANS, next = step;

	run->passes = 0;
	scan(run);
	run->start = cycles_now();
	store_release(&run->go, 1); /* pairs with the acquire in task_main() */
	while (load_acquire(&run->left)) {
		balance(run);
		if (accesses(run) >= next) {
			scan(run);
			next += step;
		}
		cpu_relax();
	}
	come_to_rest(run);
	store_release(&run->at_rest, 1); /* pairs with the acquire in task_main() */
}
