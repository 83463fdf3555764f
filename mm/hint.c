/*
 * The hint fault: who touched the page, should it move to that node, and in
 * which order to move and to map it.
 *
 * hint=early makes the entry accessible and then moves the page, so unmapping
 * finds an entry that CPUs may cache and has to flush them all. hint=late
 * keeps the hint entry until the page has moved: nobody can have cached it
 * since the scan's flush, so nothing is flushed, and access is restored only if
 * the page stays and the entry is still the one that faulted.
 *
 * The page is isolated before the PTL is dropped. A second thread that faults
 * after that cannot isolate it and maps it where it is; the first one's
 * unmapping then finds an accessible entry and flushes. Its waiters are those
 * of any migration.
 *
 * A 2 MiB page that two nodes use in turns is of use to neither as a whole.
 * With numa_split=shared it is split while its entry is a hint entry, which
 * costs no flush either, and each part then goes its own way.
 */
#include <mm/fault.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/migrate.h>
#include <mm/numa.h>
#include <mm/oracle.h>
#include <mm/split.h>
#include <mm/stats.h>
#include <kernel/clock.h>
#include <kernel/error.h>
#include <kernel/panic.h>

static PERCPU(struct hint_stats, hint_stats);
static PERCPU(struct aspace *, waits_for_scan); /* whose scan this CPU waits for; NULL = none */

/* ---- policy ------------------------------------------------------------------------ */

/*
 * What is known of a page's users, in page.last; 0 = nobody yet. Written under
 * the PTL of the entry that faults; of a page with several mappings an update
 * may be lost, which costs a reference in the filter.
 */
struct history {
	u32 who; /* bits 15-0: CPU + 1 of the last hint fault */
	u32 streak; /* 19-16: faults in a row by CPUs of its node */
	u32 bounces; /* 21-20: times that the page was pulled from one user's node to another's */
	u32 turns; /* 23-22: faults from another node than the one before, lately */
	u32 pulled; /* 31-24: node + 1 that pulled it last */
};

enum {
	STREAK_MAX = 15,
	BOUNCE_MAX = 3,
	TURN_MAX = 3,
	FILTER = 2, /* faults in a row that move a page */
	SPLIT_TURNS = 2, /* there and back: the first node was not just leaving */
	ALONE = 4, /* faults in a row after which the other node's turns are history */
};

struct reference {
	u32 now; /* page.last after it */
	u32 node; /* that touched it */
	bool own; /* the same CPU as last time, or nobody before */
	bool local;
	bool writable; /* it would be mapped writable */
	bool moved;
	bool failed; /* for lack of memory or because of a pin: not so soon again */
};

enum hint_outcome { PAGE_STAYS, PAGE_COMES, PAGE_SPLITS };

static inline struct history unpack(u32 last)
{
	return (struct history){
		.who = last & 0xffff,
		.streak = last >> 16 & STREAK_MAX,
		.bounces = last >> 20 & BOUNCE_MAX,
		.turns = last >> 22 & TURN_MAX,
		.pulled = last >> 24,
	};
}

static inline u32 pack(const struct history *h)
{
	return h->who | h->streak << 16 | h->bounces << 20 | h->turns << 22 | h->pulled << 24;
}

/* This CPU touches the page. */
static void note_user(struct history *h, u32 node)
{
	bool same = h->who && numa_node_of_cpu(h->who - 1) == node;

	if (h->who && !same)
		h->turns = MIN(h->turns + 1, (u32)TURN_MAX);
	h->streak = same ? MIN(h->streak + 1, (u32)STREAK_MAX) : 1;
	h->who = cpu_id() + 1;
	if (h->streak >= ALONE)
		h->turns = 0;
	if (h->streak == STREAK_MAX)
		h->bounces = 0;
}

/*
 * Should the page come to this node? Two faults in a row from there ask for it;
 * each time that it was pulled to and fro between users of different nodes
 * doubles what is asked, so that a page that both use stays with one of them,
 * until a long streak shows that only one is left.
 */
static bool pull(struct history *h, u32 node)
{
	if (h->streak < MIN((u32)FILTER << h->bounces, (u32)STREAK_MAX))
		return false;
	if (h->pulled && h->pulled != node + 1)
		h->bounces = MIN(h->bounces + 1, (u32)BOUNCE_MAX);
	h->pulled = node + 1;
	return true;
}

/*
 * Note this access in the page's history and decide what becomes of the page. A node without CPUs is
 * nobody's home, so its pages come at once, as in Linux's memory tiering mode. PTL held.
 */
static enum hint_outcome judge_page(const struct page *page, struct reference *r)
{
	struct history h = unpack(load_relaxed(&page->last));
	enum hint_outcome outcome = PAGE_STAYS;

	r->node = numa_node_of_cpu(cpu_id());
	r->own = !h.who || h.who == cpu_id() + 1;
	r->local = page->node == r->node;
	note_user(&h, r->node);
	if (knobs.numa_split && page->order && h.turns >= SPLIT_TURNS) {
		h.turns = 0; /* if it stays whole, not with each fault again */
		outcome = PAGE_SPLITS;
	} else if (!r->local && (!numa_has_cpus(page->node) || pull(&h, r->node))) {
		outcome = PAGE_COMES;
	}
	r->now = pack(&h);
	return outcome;
}

/*
 * Count a fault, once. Users of a read-only page do not count as a group that
 * shares data (hint_faults_grouped): everybody reads libraries and the like.
 * Read-only means as the entry would be mapped again.
 */
static void account(struct aspace *as, const struct reference *r)
{
	struct hint_tally *t = &as->hints;

	count(hint_faults);
	if (r->local)
		count(hint_faults_local);
	if (!r->own)
		count(hint_faults_shared);
	if (!r->own && r->writable)
		count(hint_faults_grouped);
	atomic_fetch_add_relaxed(r->local || r->moved ? &t->local : &t->remote, 1UL);
	atomic_fetch_add_relaxed(r->own ? &t->own : &t->shared, 1UL);
	if (r->failed)
		atomic_fetch_add_relaxed(&t->failed, 1UL);
}

/* ---- the handler -------------------------------------------------------------------- */

/* Move the isolated page. Locks: the read side only. */
static enum migrate_reason move_here(struct fault *f, struct pt_pos pos, struct page *page,
				     u32 node)
{
	u64 flushes = this_cpu_ptr(mm_counters)->shootdowns, pages = 1UL << page->order;
	bool late = knobs.hint == HINT_LATE, far = !numa_has_cpus(page->node);
	struct migrate_request req = {
		.as = f->as,
		.start = ALIGN_DOWN(f->va, PT_LEVEL_SIZE(pos.level)),
		.len = PT_LEVEL_SIZE(pos.level),
		.to_node = node,
		.stats = &this_cpu_ptr(hint_stats)->migrate,
		.unflushed = late,
	};
	enum migrate_reason reason = migrate_isolated(&req, page);

	if (reason == MIGRATE_OK)
		count_add(hint_moved, pages);
	if (reason == MIGRATE_OK && far)
		count_add(pages_promoted, pages);
	if (late && this_cpu_ptr(mm_counters)->shootdowns != flushes)
		count(hint_second_flushed);
	return reason;
}

/* Migration had taken the entry down and made it accessible again itself. */
static inline bool put_back(enum migrate_reason reason)
{
	return reason == MIGRATE_PINNED || reason == MIGRATE_RACED;
}

/* The page did not move: access again, unless somebody changed the entry. False: somebody did. */
static bool restore(const struct fault *f, struct pt_pos pos)
{
	struct spinlock *ptl = pt_lock_of(pos.ptep);

	spin_lock(ptl);
	bool same = pte_load(pos.ptep).v == f->seen.v;

	if (same)
		pt_install(pos.ptep, pte_from_hint(f->seen));
	spin_unlock(ptl);
	return same;
}

/* False: it stayed where it is, and somebody else changed the entry. */
static bool move_or_restore(struct fault *f, struct pt_pos pos, struct page *page,
			    struct reference *r)
{
	enum migrate_reason reason = move_here(f, pos, page, r->node);

	r->moved = reason == MIGRATE_OK;
	r->failed = reason == MIGRATE_PINNED || reason == MIGRATE_NO_MEMORY;
	return knobs.hint != HINT_LATE || r->moved || put_back(reason) || restore(f, pos);
}

/* The isolated 2 MiB page becomes small ones, whose entries are hint entries. */
static bool split_here(const struct fault *f, struct pt_pos pos, struct page *page,
		       struct reference *r)
{
	int err = page_split_hint(f->as, ALIGN_DOWN(f->va, HUGE_SIZE), pos.ptep, f->seen, page);

	r->failed = err == -EBUSY || err == -ENOMEM;
	return !err;
}

/*
 * A scan's flush is pending and the page is to move: wait for that flush, which
 * is less than one of our own, and look again. To let the page stay would never
 * move those that are always in use. The scanner needs nothing that we hold: it
 * has the read side already, and this CPU acknowledges while it waits.
 */
static void wait_for_scan(struct aspace *as)
{
	struct aspace **mine = this_cpu_ptr(waits_for_scan);

	count(hint_waits);
	store_relaxed(mine, as);
	/* Relaxed: the fault starts over, and whoever takes the entry down looks again. */
	wait_until(!load_relaxed(&as->flush_pending), "the flush of a NUMA scan");
	store_relaxed(mine, NULL);
}

void hint_flush_begins(struct aspace *as)
{
	/* The exchange of the first entry, a full barrier, comes after; partner: aspace_may_be_cached(). */
	atomic_fetch_add_relaxed(&as->flush_pending, 1);
}

void hint_flush_ended(struct aspace *as)
{
	/*
	 * Full barrier after the last acknowledgement; partner: aspace_may_be_cached().
	 * And before the look at who waits; partner: the one in wait_turn().
	 */
	u32 pending = atomic_fetch_add(&as->flush_pending, -1U);

	ASSERT(pending);
	for_each_online_cpu (cpu)
		if (load_relaxed(cpu_ptr(cpu, waits_for_scan)) == as)
			cpu_wake(cpu);
}

/* PTL held, dropped on return; the entry is the one that faulted. */
static enum fault_result hint_fault_locked(struct fault *f, struct pt_pos pos, struct spinlock *ptl)
{
	struct page *page = phys_to_page(pte_pa(f->seen, pos.level));
	struct reference r = {.writable = pte_is_writable(pte_from_hint(f->seen))};
	enum hint_outcome outcome = judge_page(page, &r);
	/* The entry stays a hint entry, which nobody caches, until the page has moved or is split. */
	bool keep = outcome == PAGE_SPLITS || (outcome == PAGE_COMES && knobs.hint == HINT_LATE);

	if (keep && load_relaxed(&f->as->flush_pending)) {
		spin_unlock(ptl);
		wait_for_scan(f->as);
		return FAULT_RETRY;
	}
	store_relaxed(&page->last, r.now);

	bool isolated = outcome != PAGE_STAYS && page_isolate(page);

	/* Somebody moves it at this moment: it may be used where it is until its entry is taken down. */
	if (!isolated && load_relaxed(&page->flags) & PG_ISOLATED)
		count(hint_faults_second);
	if (!keep || !isolated)
		pt_install(pos.ptep, pte_from_hint(f->seen));
	spin_unlock(ptl);
	if (isolated && outcome == PAGE_SPLITS) {
		if (split_here(f, pos, page, &r))
			return FAULT_RETRY; /* and is a fault on one of the parts */
		keep = restore(f, pos);
	} else if (isolated) {
		keep = move_or_restore(f, pos, page, &r);
	}
	/* Else changed by somebody else, who accounts for a fault of his own. */
	if (!isolated || keep)
		account(f->as, &r);
	return FAULT_DONE;
}

enum fault_result hint_fault(struct fault *f, struct pt_pos pos)
{
	struct spinlock *ptl = pt_lock_of(pos.ptep);
	enum fault_result result = FAULT_DONE;

	spin_lock(ptl);
	if (pte_load(pos.ptep).v == f->seen.v) {
		result = hint_fault_locked(f, pos, ptl);
	} else {
		spin_unlock(ptl);
		count(hint_faults_second);
	}
	/* A fault that starts over is still the same fault. */
	if (result == FAULT_DONE)
		this_cpu_ptr(hint_stats)->cycles += cycles_now() - f->start;
	return result;
}

void hint_forget(struct aspace *as, vaddr_t start, vaddr_t end)
{
	read_lock(&as->lock);
	while (start < end) {
		struct pt_pos pos = pgwalk_find(as->root, start, 0);
		pte_t pte = pte_load(pos.ptep);

		if (pte_is_leaf(pte, pos.level) || pte_is_hint(pte))
			store_relaxed(&phys_to_page(pte_pa(pte, pos.level))->last, 0U);
		start = ALIGN_DOWN(start, PT_LEVEL_SIZE(pos.level)) + PT_LEVEL_SIZE(pos.level);
	}
	read_unlock(&as->lock);
}

void hint_stats_read(struct hint_stats *sum)
{
	*sum = (struct hint_stats){0};
	for_each_online_cpu (cpu) {
		const struct hint_stats *s = cpu_ptr(cpu, hint_stats);

		migrate_stats_add(&sum->migrate, &s->migrate);
		sum->cycles += load_relaxed(&s->cycles);
	}
}
