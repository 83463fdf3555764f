/*
 * The loop of a workload thread, for victims.c and guest.c, which each compile it once: with the threads' own
 * addresses, and with a guest's. For victim_guest.c and vcpu.c the parts of it, inside a guest and around it.
 */
#pragma once

#include <kernel/context.h>
#include <kernel/det.h>
#include <kernel/string.h>
#include <mm/fault.h>
#include "guest.h"
#include "victims.h"

/* ---- one operation ---------------------------------------------------------- */

static void note_stale(struct victim *v, u64 page, u64 word, u64 mix, u32 published)
{
	if (!v->now.stale++)
		v->first_stale = (struct stale_read){page, word, mix, region_tag(v->region, page),
						     published};
}

static inline bool deep_ok(const struct region *r, const u64 *words, u32 tag)
{
	return !r->deep || load_relaxed(&words[region_deep_word(tag)]) == region_mix(tag);
}

/* What a page's words say. True: they may be verified, and were right. */
static __always_inline bool verify_page(struct victim *v, u64 page, const u64 *words, u32 tag)
{
	const struct region *r = v->region;
	/* Acquire: pairs with the release in write_page(); the page is at least this new. */
	u32 published = load_acquire(&r->published[page]);
	u64 word = load_relaxed(&words[CANARY_WORD]), mix = load_relaxed(&words[CANARY_MIX]);

	if (unlikely(!r->verify))
		return false;
	if (unlikely(word >> 32 != tag || (u32)word < published || mix != region_mix(tag) ||
		     !deep_ok(r, words, tag))) {
		note_stale(v, page, word, mix, published);
		return false;
	}
	v->now.verified++;
	return true;
}

/*
 * A read was inside the window if the page's entry was a migration entry
 * before and after it and it did not wait: it used a translation that was
 * about to be shot down.
 */
static inline void read_page(struct victim *v, u64 page, const u64 *words)
{
	const struct region *r = v->region;
	const struct fault_wait *fw = this_cpu_ptr(fault_wait);
	u32 tag = region_tag(r, page);
	bool moving = aspace_entry_moving(r->entry[page]);
	u64 waits = fw->count;

	if (!verify_page(v, page, words, tag))
		return;
	if (unlikely(moving) && load_relaxed(&fw->count) == waits &&
	    aspace_entry_moving(r->entry[page]))
		v->now.in_window++;
}

/* The next page that is mine. */
static inline u64 page_to_write(const struct victim *v, u64 page)
{
	return page + (v->writer + v->writers - page % v->writers) % v->writers;
}

static inline void write_page(struct victim *v, u64 page, u64 *words)
{
	const struct region *r = v->region;
	u32 stamp = r->published[page] + 1;

	store_relaxed(&words[CANARY_WORD], (u64)region_tag(r, page) << 32 | stamp);
	/* Release; pairs with the acquires of who reads: who sees the stamp sees the page. */
	store_release(&r->published[page], stamp);
}

/* One access: by the thread's own addresses, or as a guest, which is where the page is for no longer than it takes. */
static __always_inline void access_page(struct victim *v, u64 page, bool writes,
					struct softmmu *guest)
{
	irqflags_t flags = 0;
	u64 *words =
		guest ? guest_reach(guest, page, writes, &flags) : region_page(v->region, page);

	if (writes)
		write_page(v, page, words);
	else
		read_page(v, page, words);
	if (guest)
		irq_restore(flags);
}

/* What an operation accesses. False: nothing, as the page would be beyond the last. */
static __always_inline bool next_access(struct victim *v, u64 *accessed, bool *write)
{
	u64 page = pattern_next(&v->all->pattern, &v->walk) + v->first;

	if (page >= v->wrap)
		page -= v->wrap;
	bool writes = (u32)(v->walk.rng >> 3 & INT32_MAX) < v->write_below &&
		      page - v->own < v->own_pages;

	if (unlikely(v->stripe))
		page = striped_page(page, v->stripe, v->wrap / v->own_pages, v->own_pages);
	if (writes)
		page = page_to_write(v, page);
	*accessed = page;
	*write = writes;
	return !writes || page < v->region->pages;
}

static __always_inline void operate(struct victim *v, struct softmmu *guest)
{
	bool writes;
	u64 page;

	if (next_access(v, &page, &writes))
		access_page(v, page, writes, guest);
	store_relaxed(&v->now.ops, v->now.ops + 1);
}

/* ---- reports ------------------------------------------------------------------ */

/* From the end of one operation to the end of the next: what this one took, waits included. */
static inline void note_time(struct victim *v)
{
	u64 now = cycles_now(), gap = now - v->last;

	v->last = now;
	v->histogram[v->seen % 2][hist_bucket(gap)]++;
	if (gap > v->longest_gap)
		v->longest_gap = gap;
}

/* A new period: leave a report of the one that ended, and start over. */
static void begin_period(struct victim *v, u32 period)
{
	struct fault_wait *fw = this_cpu_ptr(fault_wait);

	v->report = v->now;
	v->report.longest_wait = fw->longest;
	v->report.waits = fw->count;
	v->report.longest_gap = v->longest_gap;
	*fw = (struct fault_wait){0};
	v->longest_gap = 0;
	memset(v->histogram[period % 2], 0, sizeof(v->histogram[0]));
	/* Release: pairs with the acquire in victims_end_period(). */
	store_release(&v->seen, period);
	v->last = cycles_now();
}

static __always_inline void victim_loop(struct victim *v, struct softmmu *guest)
{
	struct victims *all = v->all;

	v->last = cycles_now();
	while (!load_relaxed(&all->stop)) {
		/* Acquire; pairs with victims_end_period(): what was arranged before is seen. */
		u32 period = load_acquire(&all->period);

		if (unlikely(period != v->seen))
			begin_period(v, period);
		operate(v, guest);
		note_time(v);
		if (guest || det_mode)
			cpu_relax(); /* instruction counting switches CPUs where they relax */
		if (unlikely(all->slice) && !--v->slice_left) {
			v->slice_left = all->slice;
			context_yield();
		}
	}
}
