/*
 * Deferrals: who decides that a flush may wait, and when it is paid.
 *
 * The shootdown core does the flushing and mm/migrate.c the moving, so a deferral
 * cannot free early. It says which flush may wait (entry_taken, may_defer), keeps what is held for
 * it (frame_held), and pays when an event of <mm/pay.h> demands it (pay). Hooks
 * that are not set do nothing, and cost nothing that is noticed.
 *
 * A deferral is one file in mm/defer/ and one line in mm/defer/deferrals.c; its
 * knobs and counters are in its file, and show up in every list and record. A
 * scheme (<mm/scheme.h>) is something else: a name for knobs, of which one
 * chooses the deferral.
 */
#pragma once

#include <mm/page.h>
#include <mm/pay.h>
#include <mm/tlb.h>
#include <kernel/alarm.h>
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
	 * One entry of a page under migration was taken down; `old` is what it was.
	 * What the deferral must know of it later, it notes here. False: the page
	 * cannot wait, for the sake of this entry, and its others are not shown. Of
	 * a page that does not wait in the end all is flushed, so a note of it must
	 * do no harm. Under the PTL.
	 */
	bool (*entry_taken)(const struct page *src, struct tlb_context *ctx, vaddr_t va, pte_t old);
	/*
	 * Every entry of the page was shown, but for those that no CPU can hold, and
	 * entry_taken() let each wait. True: no flush for any of them, and
	 * frame_held() will be called with the source, unless somebody turns out to
	 * hold the page: it is mapped again where it was then. No PTL held.
	 */
	bool (*may_defer)(const struct page *src);
	bool defers; /* either of the two is set; filled in when it is put in force */
	/* The source of a moved page whose flush waits. The deferral owns the frame until it pays. */
	void (*frame_held)(struct page *src);
	/*
	 * Held frames may serve as destinations before they are paid for. Only
	 * pages of areas that nobody may write get one (I5), and whatever is freed
	 * without deferral waits until everything is paid: it may have been lent.
	 */
	bool lends;
	/* A destination on this node is wanted: a held frame that may be used without payment, or NULL. */
	struct page *(*frame_wanted)(u32 node, unsigned order);
	/*
	 * An event of PAY_DEMANDS or of `events` is about to happen. Pays what must
	 * not survive it and returns how many debts that were, in the unit of
	 * debts_created: 0 = none. After KNOB and SETTLE nothing is owed or held.
	 */
	u64 (*pay)(enum pay_event why, const struct pay_scope *scope);
	u32 events; /* heard beside PAY_DEMANDS: PAY_BIT() of TICK, SWITCH, IDLE, MIGRATE, SPLIT */
	/*
	 * Frames that it gave back with pmm_free_owing() are about to leave the
	 * allocator: of these `count`, those with PG_OWES. Returns with their debts
	 * paid, how many that were; the oracle looks at each of them then. Task
	 * context, interrupts on, no spinlock; allocates nothing. Not set: they must
	 * be paid for by then.
	 */
	u64 (*frames_leave)(struct page *first, u64 count);
	/*
	 * Not NULL: a one-shot timer on the CPU that noted a debt, *tick_us later (0:
	 * none). It calls `tick` in the interrupt, which may flush this CPU and note
	 * things, but takes no lock and waits for nothing; then PAY_TICK, if that is
	 * heard, in task context, where the CPU's contexts take turns or it has
	 * nothing to run. deferral_tick_later() in either asks for the next one.
	 */
	const u32 *tick_us;
	void (*tick)(void);
	u64 (*held)(void); /* 4 KiB frames held back now; any CPU, any time */
	struct knob *knobs; /* its own: see <mm/knob.h> */
	unsigned knob_count;
	const struct deferral_counter *counters; /* its own */
	unsigned counter_count;
};

extern const struct deferral *deferral; /* the one in force; never NULL, every hook set */
extern const struct deferral *const deferrals[]; /* NULL at the end; mm/defer/deferrals.c */
/* Put one in force, with unset hooks replaced by no-ops. Nothing may be owed. */
void deferral_use(const struct deferral *wanted);
/* Pay all debts now. Task context, interrupts on, no spinlock held. */
void deferral_settle(void);
/* For the allocator: call frames_leave and count what it paid. */
void deferral_frames_leave(struct page *first, u64 count);
/* A debt was noted on this CPU: have its timer tick, if the deferral wants that and it does not yet. Any context. */
static inline void deferral_tick_later(void)
{
	if (unlikely(deferral->tick_us && *deferral->tick_us))
		alarm_set(*deferral->tick_us * 1000UL);
}

/* At start: ties to the timer. */
void deferral_init(void);
/* Counters of the one in force, in its order, summed over all CPUs. */
void deferral_counters_read(u64 sum[DEFERRAL_COUNTERS_MAX]);
