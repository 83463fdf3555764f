/*
 * The NUMA scan: window by window it takes access to a space's pages away, so
 * that the next access tells who uses them, and adapts its pace to the answers.
 *
 * A hint entry means "nobody caches this" only after the window's flush.
 * as->flush_pending counts the windows for which that is not yet so: raised
 * before the first entry of a window changes, lowered when the flush is
 * complete. See aspace_may_be_cached().
 */
#include <mm/change.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/numa.h>
#include <mm/scan_spare.h>
#include <mm/stats.h>
#include <mm/takedown.h>
#include <kernel/clock.h>
#include <kernel/fixed.h>
#include <kernel/panic.h>

/* ---- a window -------------------------------------------------------------------- */

enum { WINDOW_PARTS = 16 }; /* areas in one window */

struct window {
	struct aspace *as;
	struct part {
		vaddr_t start, end;
		struct change change; /* begun: until the flush */
		bool told; /* late: they have heard of its first entries, ... */
		bool refused; /* ... or one of them has refused: the rest is left alone until the next pass */
	} part[WINDOW_PARTS];
	unsigned parts;
	bool late; /* subscribers hear of entries as they are about to change */
	bool slow_only; /* spares pages of nodes with CPUs */
	struct tlb_gather gather;
	u64 made; /* hint entries */
};

/* One present leaf, under its PTL. */
static void make_hint(struct window *w, pte_t *ptep, pte_t old, unsigned level, vaddr_t va)
{
	struct page *page = phys_to_page(pte_pa(old, level));

	entry_take((struct takedown){.as = w->as,
				     .page = page,
				     .va = va,
				     .ptep = ptep,
				     .level = level,
				     .old = old,
				     .become = become_hint,
				     .cached = true,
				     .alone = load_relaxed(&page->mapcount) == 1,
				     .later = true, /* with the run */
				     .site = ORACLE_SITE(ORACLE_SCAN),
				     .gather = &w->gather});
	w->made++;
}

/* Entries of one table, the first at va, which is aligned. */
static __always_inline void scan_table(struct window *w, struct pt_pos pos, vaddr_t va, vaddr_t end)
{
	struct spinlock *ptl = pt_lock_of(pos.ptep);
	u64 size = PT_LEVEL_SIZE(pos.level);
	vaddr_t first = ~0UL, last = 0;

	spin_lock(ptl);
	for (; va < end; va += size, pos.ptep++) {
		pte_t old = pte_load(pos.ptep);

		if (!pte_is_leaf(old, pos.level))
			continue;
		make_hint(w, pos.ptep, old, pos.level, va);
		first = MIN(first, va);
		last = va;
	}
	spin_unlock(ptl);
	if (first <= last)
		tlb_gather_add_range(&w->gather, &w->as->ctx, first, last + size, pos.level);
}

/* Entries side by side, all of which are to be taken, of a table whose PTL is held. */
struct run {
	pte_t *ptep;
	vaddr_t start, end; /* end: start where there is none */
};

/* May they be taken? Who is told late hears of them now; what is refused once is left alone to the end. */
static bool may_take(struct window *w, struct part *part, const struct run *run)
{
	if (w->late && !part->refused) {
		part->refused = part->told ? change_go_on_late(&part->change, run->start, run->end,
							       &w->gather)
					   : change_begin_late(&part->change, run->start, run->end,
							       &w->gather);
		part->told |= !part->refused;
	}
	return !part->refused;
}

/* A run has ended, if there was one: take it. all: from the first to the last that was taken. */
static void take_run(struct window *w, struct part *part, struct run *run, unsigned level,
		     struct run *all)
{
	struct run r = *run;

	run->end = run->start;
	if (r.start == r.end || !may_take(w, part, &r))
		return;
	for (vaddr_t va = r.start; va < r.end; va += PT_LEVEL_SIZE(level), r.ptep++)
		make_hint(w, r.ptep, pte_load(r.ptep), level, va);
	if (all->start == all->end)
		all->start = r.start;
	all->end = r.end;
}

static bool is_spared(const struct window *w, pte_t pte, unsigned level, vaddr_t va)
{
	const struct page *page = phys_to_page(pte_pa(pte, level));

	if (w->slow_only && numa_has_cpus(page->node))
		return true;
	return knobs.pinned != PINNED_MARK && scan_spares(w->as, va, page);
}

/* As scan_table(), where not every entry is taken, or somebody is told of those that are. */
static __noinline void scan_table_by_runs(struct window *w, struct part *part, struct pt_pos pos,
					  vaddr_t va, vaddr_t end)
{
	struct spinlock *ptl = pt_lock_of(pos.ptep);
	u64 size = PT_LEVEL_SIZE(pos.level);
	struct run run = {0}, all = {0};

	spin_lock(ptl);
	for (; va < end; va += size, pos.ptep++) {
		pte_t pte = pte_load(pos.ptep);

		if (pte_is_leaf(pte, pos.level) && !is_spared(w, pte, pos.level, va)) {
			if (run.start == run.end)
				run = (struct run){pos.ptep, va, va};
			run.end = va + size;
		} else {
			take_run(w, part, &run, pos.level, &all);
		}
	}
	take_run(w, part, &run, pos.level, &all);
	spin_unlock(ptl);
	if (all.start != all.end)
		tlb_gather_add_range(&w->gather, &w->as->ctx, all.start, all.end, pos.level);
}

/* Part of an area. Read side of aspace.lock held. */
static __always_inline void scan_part(struct window *w, struct part *part, bool by_runs)
{
	vaddr_t va = part->start, end = part->end;

	while (va < end) {
		struct pt_pos pos = pgwalk_find(w->as->root, va, 0);
		u64 size = PT_LEVEL_SIZE(pos.level);
		vaddr_t at = ALIGN_DOWN(va, size);
		/* Neighbours of a large page may be tables: those one by one. */
		vaddr_t stop = pos.level ? at + size : ALIGN_DOWN(va, HUGE_SIZE) + HUGE_SIZE;

		if (pos.level <= 1 && by_runs)
			scan_table_by_runs(w, part, pos, at, MIN(stop, end));
		else if (pos.level <= 1)
			scan_table(w, pos, at, MIN(stop, end));
		va = stop;
	}
}

/* Apart, so that the usual scan, of everything, has no test for it. */
static __noinline void scan_by_runs(struct window *w)
{
	for (unsigned i = 0; i < w->parts; i++)
		scan_part(w, &w->part[i], true);
}

/* Nothing is in the window yet. */
static void window_init(struct window *w, struct aspace *as)
{
	w->as = as;
	w->slow_only = false;
	w->parts = 0;
	w->made = 0;
}

/* A part of the window, unless somebody refuses: then it is left out, until the next pass. */
static void window_add(struct window *w, vaddr_t start, vaddr_t end)
{
	struct part *part = &w->part[w->parts];
	u64 align = w->as->huge ? HUGE_SIZE : PAGE_SIZE; /* a large page is taken whole */

	ASSERT(w->parts < WINDOW_PARTS);
	part->start = start;
	part->end = end;
	part->told = part->refused = false;
	if (!change_begin(&part->change, w->as, CHANGE_HINT, ALIGN_DOWN(start, align),
			  ALIGN_UP(end, align)))
		w->parts++;
}

/* All parts were added: who refuses or waits has done so while no flush was pending. */
static void window_scan(struct window *w)
{
	tlb_gather_init(&w->gather, &w->as->ctx, 1);
	w->gather.by_scanner = true;
	w->late = change_is_told_late(w->as);
	hint_flush_begins(w->as);
	if (unlikely(w->late || w->slow_only || knobs.pinned != PINNED_MARK))
		scan_by_runs(w);
	else
		for (unsigned i = 0; i < w->parts; i++)
			scan_part(w, &w->part[i], false);
	tlb_gather_flush(&w->gather);
	hint_flush_ended(w->as);
	for (unsigned i = 0; i < w->parts; i++)
		change_end(&w->part[i].change);
	count_add(hint_entries, w->made);
}

u64 hint_mark(struct aspace *as, vaddr_t start, vaddr_t end)
{
	struct window w;

	/* The read side until the flush is complete: whoever lowers rights then finds nothing pending. */
	read_lock(&as->lock);
	window_init(&w, as);
	window_add(&w, start, end);
	window_scan(&w);
	read_unlock(&as->lock);
	return w.made;
}

/* ---- pace ------------------------------------------------------------------------- */

/* Tenths of hint faults: from here on a space counts as settled, as in Linux. */
enum { SETTLED = 7 };

/* A fault counts twice, as local or remote, then as own or shared: the second may be still to come. */
static u64 tenths(u64 part, u64 rest)
{
	return part * 10 / MAX(part + rest, 1UL);
}

/* Since the last call, or the first one's pass began. */
static struct hint_tally tally_new(struct hint_scan *s)
{
	const struct hint_tally *t = &s->as->hints, b = s->before;

	s->before = (struct hint_tally){
		.local = load_relaxed(&t->local),
		.remote = load_relaxed(&t->remote),
		.own = load_relaxed(&t->own),
		.shared = load_relaxed(&t->shared),
		.failed = load_relaxed(&t->failed),
	};
	return (struct hint_tally){
		.local = s->before.local - b.local,
		.remote = s->before.remote - b.remote,
		.own = s->before.own - b.own,
		.shared = s->before.shared - b.shared,
		.failed = s->before.failed - b.failed,
	};
}

/*
 * A pass has ended: mostly private or mostly local faults, and the next ones
 * may come later; many remote and shared ones, sooner; none at all or failed
 * moves, twice as late. Steps of a tenth of the period.
 */
static void adapt(struct hint_scan *s)
{
	u64 least = knobs.scan_min * 1000UL, most = MAX(knobs.scan_max * 1000UL, least);
	struct hint_tally t = tally_new(s);
	u64 slot = (s->period + 9) / 10;

	if (t.failed || !(t.local + t.remote)) {
		s->period *= 2;
	} else {
		u64 local = tenths(t.local, t.remote), own = tenths(t.own, t.shared);
		u64 ratio = MAX(local, own);

		if (own >= SETTLED)
			ratio = own;
		if (ratio >= SETTLED)
			s->period += MAX(ratio - SETTLED, 1UL) * slot;
		else
			s->period -= (SETTLED - ratio) * slot;
	}
	s->period = MIN(MAX(s->period, least), most);
}

/* The scan has gone through all areas once. */
static void end_pass(struct hint_scan *s)
{
	adapt(s);
	store_relaxed(&s->as->scan_period, s->period);
	s->passes++;
	s->space_pages = s->pages;
	s->pages = 0;
	s->next = 0;
}

/* The next piece to scan, at most `pages`; false: the pass is at its end. Read side held. */
static bool next_part(struct hint_scan *s, u64 pages, vaddr_t *va, vaddr_t *end)
{
	struct area *area;

	list_for_each_entry (area, &s->as->areas, link) {
		/* Where somebody chose the nodes, faults do not choose others. */
		if (area->end <= s->next || area->placement != PLACE_PREFERRED)
			continue;
		*va = MAX(area->start, s->next);
		*end = MIN(area->end, *va + (pages << PAGE_SHIFT));
		if (area->huge) /* whole large pages */
			*end = MIN(area->end, ALIGN_UP(*end, HUGE_SIZE));
		return true;
	}
	return false;
}

/*
 * Windows share out the time of a pass; before the first one ended, each gets
 * all of it. But never so little that scanning takes more than its share: of
 * time at work, as waiting for other CPUs is not.
 */
static u64 pause_after(const struct hint_scan *s, u64 scanned, u64 took)
{
	u64 pause = s->space_pages > scanned ? mul_div_u64(s->period, scanned, s->space_pages)
					     : s->period;
	u64 rest = took * (100 - knobs.scan_load) / knobs.scan_load;

	return MAX(pause, MIN(rest, knobs.scan_max * 1000UL));
}

u64 hint_scan(struct hint_scan *s)
{
	u64 size = knobs.scan_size, scanned = 0, start;
	struct window w;
	vaddr_t va, end;

	if (!s->period)
		s->period = knobs.scan_min * 1000UL;
	read_lock(&s->as->lock);
	start = cycles_now();
	window_init(&w, s->as);
	w.slow_only = s->slow_only;
	while (scanned < size && w.parts < WINDOW_PARTS &&
	       next_part(s, size - scanned, &va, &end)) {
		window_add(&w, va, end);
		scanned += (end - va) >> PAGE_SHIFT;
		s->next = end;
	}
	window_scan(&w);
	bool more = next_part(s, 1, &va, &end);
	u64 took = cycles_to_ns(cycles_now() - start);

	read_unlock(&s->as->lock);
	s->pages += scanned;
	if (!more)
		end_pass(s);
	return pause_after(s, scanned, took);
}
