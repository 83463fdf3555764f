/*
 * luf - frames are freed at once, owing; one flush pays for all of them when the first is used again.
 *
 * After LUF, "lazy unmap flush" (Park, linux-mm 2024-25; never merged), MIGRC's successor.
 * A frame carries its debt into the allocator, where it queues behind all that owe
 * nothing. So when one is wanted, the memory that was free has been used up, and the
 * payment covers all that was freed meanwhile.
 *
 * Promise   as skeleton.c: nobody reads an older copy of a page than it may.
 * Pays      all there is, in one shootdown: when a frame leaves the allocator that no
 *           payment has covered, or when something demands it: mm/copies.c.
 * Tunables  defer_for, defer_skip, defer_age as migrc. No frame is held back, so
 *           defer_pages bounds nothing: a frame that owes is free memory.
 *
 * Keeps     I1: frames leave only through luf_frames_leave(). A frame's debt is the
 *           number of payments that had begun when it was freed. All of its entries
 *           were noted before that (debts_owe(), under the PTL), so a payment that
 *           begins later covers them: debts_are_paid() is true after its flush alone,
 *           and its acquire pairs with the release in debts_pay().
 *           Whoever pays at the same time is waited for (debts.payer).
 *           I2, I5-I7, I9, I11: as migrc.c.
 * Stale     until somebody else's flush, one of those events, or the next use of a frame.
 * Costs     a shootdown inside an allocation, once in all the memory that is free.
 * Saves     the shootdown of every batch of read-only pages, and the memory that migrc holds.
 *
 * A block has the debts of all frames that have merged into it: each keeps its own, and
 * the newest counts. LUF has a table of 65,536 debts, in which a key that is used again
 * takes on the older debt, too; here one number says what it needs, as a payment is for all.
 * It comes round as any generation does (<mm/generation.h>). A frame may lie here for longer than that, and owe nothing
 * by then: its debt then looks like one that is not paid, and costs a payment, or like one that is. Those of the last
 * payments, which alone may be unpaid, are near, and look like what they are.
 *
 * What reviewers of LUF asked (Hansen, Hildenbrand and others, linux-mm 2024-25):
 *   a lock that every file_write() takes: it takes none. PAY_FILE_WRITE tests the page's
 *     PG_COPIED, and so costs a load where nothing owes.
 *   one file at two addresses, read at one and written at the other, after the page was reclaimed:
 *     a file knows which payment covers the pages that have left it owing (luf_payment()). A page that is read in before
 *     that is marked as having older copies, and whoever makes an entry of it writable pays, wherever those were mapped.
 *   a page that is replaced, as by a probe or a copy on write: PAY_COPY pays before, and PAY_MAP
 *     where nothing is mapped any more.
 *   contents that change by themselves, as of a file on a network: store_begins_to_change() pays,
 *     and from then on nothing leaves that file owing. A page that moves is in memory, and nobody but us changes it there.
 *   frames that are poisoned or zeroed when they are freed: ours are when they leave.
 *   no way to find a mistake: the oracle asks at each frame's exit, and the explorer at each access.
 *
 * Deferred are moves, and clean pages of files that reclaim takes (mm/reclaim.c). Their entries are read-only, as
 * write faults make pages dirty, and lead to their own frames, whose contents the store has: so whoever
 * reads on reads what who reads the page in again gets. Truncation and invalidation pay, and unmap
 * keeps its promise that nobody has access when it returns (I7).
 */
#include <mm/copies.h>
#include <mm/deferral.h>
#include <mm/knob.h>

static struct debts debts; /* the contexts that owe. No frame is held here */
static PERCPU(u64, luf_freed);
static PERCPU(u64, luf_settled);
static PERCPU(u64, luf_paid);

/* Under the PTL, after the exchange. */
static bool luf_entry_taken(const struct page *src, struct tlb_context *ctx, vaddr_t va, pte_t old)
{
	(void)va, (void)old;
	if (!deferral_is_for(src))
		return false;
	debts_owe(&debts, ctx);
	return true;
}

static bool luf_may_defer(const struct page *src, struct page *dst)
{
	(void)src;
	copies_mark(dst);
	return true;
}

/* A page that is reclaimed: its flush waits as that of a move does. Under the PTL, after the exchange. */
static void luf_entry_left(struct tlb_context *ctx)
{
	debts_owe(&debts, ctx);
}

/* The next one that begins covers what was noted by now. 0 would say that nothing was: the one after it does, too. */
static u64 luf_payment(void)
{
	u64 next = debts_begun(&debts) + 1;

	return next ? next : 1;
}

static bool luf_is_owed(u64 payment)
{
	return !debts_are_paid(&debts, payment - 1);
}

static void luf_frame_held(struct page *src)
{
	++*this_cpu_ptr(luf_freed);
	debts_free_owing(src, debts_begun(&debts));
}

static u64 luf_sources_held(void)
{
	return debts_are_old(&debts) ? debts_pay(&debts) : 0;
}

/* ---- who pays ------------------------------------------------------------------------ */

static u64 luf_frames_leave(struct page *first, u64 count)
{
	u64 done = debts_done(&debts), newest = done - 1;

	/* Each by itself: of three that are far apart, none is the newest. */
	for (struct page *page = first; page < first + count; page++)
		if (load_relaxed(&page->flags) & PG_OWES && !generation_before(page->debt, done) &&
		    generation_before(newest, page->debt))
			newest = page->debt;
	if (generation_before(newest, done)) {
		++*this_cpu_ptr(luf_settled);
		return 0;
	}
	++*this_cpu_ptr(luf_paid);
	return debts_pay_since(&debts, newest);
}

static u64 luf_pay(enum pay_event why, const struct pay_scope *scope)
{
	return copies_pay(&debts, why, scope);
}

static const struct deferral_counter counters[] = {
	{"luf_freed", &luf_freed}, /* frames freed owing; a 2 MiB frame is one */
	{"luf_settled", &luf_settled}, /* blocks that left after a payment */
	{"luf_paid", &luf_paid}, /* blocks that left, and all debts were paid first */
};

extern const struct deferral defer_luf;
const struct deferral defer_luf = {
	.name = "luf",
	.summary =
		"free read-only sources at once, owing; one flush pays for all when the first is "
		"used",
	.entry_taken = luf_entry_taken,
	.may_defer = luf_may_defer,
	.frame_held = luf_frame_held,
	.sources_held = luf_sources_held,
	.entry_left = luf_entry_left,
	.payment = luf_payment,
	.is_owed = luf_is_owed,
	.pay = luf_pay,
	.events = COPIES_EVENTS | PAY_BIT(PAY_STAY),
	.spares = COPIES_SPARES,
	.frames_leave = luf_frames_leave,
	.tick_us = &knobs.defer_age,
	.counters = counters,
	.counter_count = sizeof(counters) / sizeof(counters[0]),
};
