/*
 * Deferrals: which flushes may wait, and when they are paid.
 *
 * A deferral says which flush may wait (entry_taken, may_defer), keeps the frames
 * that wait for it (frame_held), and pays when an event of <mm/pay.h> demands it
 * (pay). The shootdown core flushes, and mm/migrate.c moves pages, so a deferral
 * cannot free a frame too early. A hook that is not set does nothing.
 *
 * A deferral is one file in mm/defer/ and one line in mm/defer/deferrals.c. Its
 * knobs and counters are in that file, and appear in every list and record. Do not
 * take it for a scheme (<mm/scheme.h>): that is a name for settings of several
 * knobs, of which one chooses the deferral.
 */
#pragma once

#include <mm/page.h>
#include <mm/pay.h>
#include <mm/tlb.h>
#include <kernel/alarm.h>
#include <kernel/atomic.h>
#include <kernel/percpu.h>

struct knob;

enum { DEFERRALS_MAX = 16, DEFERRAL_COUNTERS_MAX = 16 }; /* more: panic at start */

/* A number that a deferral counts, per CPU: PERCPU(u64, name), each CPU writes its own. */
struct deferral_counter {
	const char *name; /* in records */
	u64 *percpu;
};

struct deferral {
	const char *name; /* value of the knob `defer` */
	const char *summary; /* one line */
	const char *unsafe; /* not NULL: what breaks; printed with every result */
	/* Why this machine or these knobs cannot; NULL = can. */
	const char *(*refuse)(void);
	void (*enable)(void); /* put in force; nothing is owed */
	/*
	 * One entry of a page under migration (src->slot tells it from the others of this call) was taken down; `old` is what it was: not
	 * writable, else the page is not asked about, as its copy needs the flush (I2).
	 * The deferral notes here what it must know of it later. False: the page
	 * cannot wait because of this entry, and its further entries are not shown.
	 * The page may still turn out not to wait, and is flushed as a whole then; a
	 * note that was made of it must do no harm. Whoever notes holds a lock that pay()
	 * takes as well (debts.lock does): change_pay() relies on that order. PTL held.
	 */
	bool (*entry_taken)(const struct page *src, struct tlb_context *ctx, vaddr_t va, pte_t old);
	/*
	 * Every entry of the page that a CPU can hold was shown, and entry_taken() let
	 * each one wait. True: none of them is flushed now, and frame_held() will be
	 * called with the old frame. It is not called if the page cannot move after
	 * all, as somebody has a reference: it is then mapped again where it was. dst:
	 * the new frame, which nobody else knows yet. No PTL held.
	 */
	bool (*may_defer)(const struct page *src, struct page *dst);
	bool defers; /* either of the two is set; filled in when it is put in force */
	/* The old frame of a page that has moved and whose flush waits. The deferral owns it until it pays. */
	void (*frame_held)(struct page *src);
	/*
	 * Every source of a call to migrate whose flush waits, if there were any, was given
	 * to frame_held() on this CPU: nothing that was noted here is still to be held. Task context,
	 * no spinlock; aspace.lock may be held. Returns how many debts it paid, as bounds were reached.
	 */
	u64 (*sources_held)(void);
	/*
	 * Clean pages that reclaim takes out of their files may wait, too. entry_left(): such a page's entry, which
	 * was read-only, was taken down; the deferral notes what it owes, by the rules of entry_taken(). If the page
	 * then leaves with all of its references, frame_held() is called with its frame. If it
	 * cannot, or a space changes meanwhile, PAY_STAY comes first. NULL: they do not wait.
	 */
	void (*entry_left)(struct tlb_context *ctx);
	/*
	 * Who reads that page in again gets another frame, while CPUs may still read the old one. payment(): a number,
	 * not 0, for the file, after all was noted; later is_owed() with the newest one: may an old frame still be
	 * read? Then the new page has an older copy (<mm/copies.h>). Set if entry_left is. Any context.
	 */
	u64 (*payment)(void);
	bool (*is_owed)(u64 payment);
	/*
	 * Held frames may become destinations of other pages before they are paid
	 * for. Only pages that nobody may write get such a frame (I5). Any frame may
	 * have been lent, so before other frames are freed, everything is paid (PAY_FREE).
	 */
	bool lends;
	/* A destination on this node is wanted: a held frame that may be used before it is paid for, or NULL. */
	struct page *(*frame_wanted)(u32 node, unsigned order);
	/*
	 * An event of PAY_DEMANDS or of `events` is about to happen. Pay what must not
	 * survive it. Returns how many debts that were, in the unit of debts_created.
	 * After PAY_KNOB and PAY_SETTLE nothing may be owed or held. Task context,
	 * interrupts on, no spinlock held; aspace.lock may be held.
	 */
	u64 (*pay)(enum pay_event why, const struct pay_scope *scope);
	/*
	 * Of PAY_DEMANDS, what needs no payment: PAY_BIT(PAY_RECLAIM) alone. It says why. A deferral whose entry_left
	 * is set needs it here.
	 */
	u32 spares;
	u32 events; /* that it wants to hear besides PAY_DEMANDS: PAY_BIT() of TICK, SWITCH, IDLE, MIGRATE, SPLIT */
	/*
	 * Some of these `count` frames have PG_OWES: the deferral gave them back with
	 * pmm_free_owing(), and they are about to leave the allocator. Pay for them;
	 * the oracle checks each afterwards. Returns how many debts were paid. Task
	 * context, interrupts on, no spinlock; must not allocate. Not set: they are
	 * paid for by then.
	 */
	u64 (*frames_leave)(struct page *first, u64 count);
	/*
	 * Not NULL: *tick_us microseconds after a debt was noted, a one-shot timer
	 * fires on that CPU (0: none does). First `tick` is called in the interrupt. It
	 * may flush this CPU and note things, but must not take a lock or wait. Then, if
	 * it is heard, PAY_TICK comes in task context, when the CPU switches contexts
	 * or has nothing to run. Both may ask for the next tick: deferral_tick_later().
	 */
	const u32 *tick_us;
	void (*tick)(void);
	bool ticks_always; /* every CPU, every *tick_us (not 0), from when it is put in force */
	u64 (*held)(void); /* 4 KiB frames held back now; any CPU, any time */
	struct knob *knobs; /* its own: see <mm/knob.h> */
	unsigned knob_count;
	const struct deferral_counter *counters; /* its own */
	unsigned counter_count;
};

extern const struct deferral
	*deferral; /* the one in force; never NULL; every hook but `pay` is set */
extern const struct deferral
	*const deferrals[]; /* all there are, NULL at the end; mm/defer/deferrals.c */
/*
 * A batch of reclaim whose flush may wait: true if the deferral in force lets it, which then stays until
 * deferral_reclaim_end(). Task context; may wait.
 */
bool deferral_reclaim_begin(void);
void deferral_reclaim_end(void);
/*
 * Put one in force; hooks that it leaves out become no-ops. Nothing is owed or held, and nobody
 * migrates. Task context, interrupts on.
 */
void deferral_use(const struct deferral *wanted);
/* Pay all debts now. Task context, interrupts on, no spinlock held. */
void deferral_settle(void);
/* For who moved or reclaimed pages: call sources_held and count what it paid. The same rules. */
void deferral_sources_held(void);
/* For the allocator: call frames_leave and count what it paid. The same rules. */
void deferral_frames_leave(struct page *first, u64 count);
/*
 * For entry_taken(): does the knob defer_for let flushes of this move wait? Those of
 * tiering go from a node with CPUs to one without, or back. Any context.
 */
bool deferral_is_for(const struct page *src);
/* A debt was noted on this CPU: set its timer, if the deferral wants ticks and none is set yet. Any context. */
static inline void deferral_tick_later(void)
{
	const u32 *us =
		load_relaxed(&deferral->tick_us); /* once: the deferral may be replaced meanwhile */

	if (unlikely(us && *us))
		alarm_set(*us * 1000UL);
}

/* Boot CPU, once: registers with the timer and with context switches. */
void deferral_init(void);
/* Counters of the one in force, in its order, summed over all CPUs. Any context; inexact while it counts. */
void deferral_counters_read(u64 sum[DEFERRAL_COUNTERS_MAX]);
