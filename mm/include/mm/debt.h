/*
 * Debts: frames that are held back, and the contexts that still owe a flush for
 * them. A tool for deferrals, which decide only when to owe and when to pay.
 */
#pragma once

#include <mm/page.h>
#include <mm/tlb.h>

enum { DEBT_CONTEXT_WORDS = TLB_CONTEXT_IDS / 64 };

struct debts {
	struct spinlock lock; /* the fields below */
	struct page *held[MAX_NODES][2]; /* by node and size (4 KiB, 2 MiB), linked by next */
	u64 held_pages; /* 4 KiB frames; written under the lock, read without it */
	u64 promised; /* the same, of pages that are being moved */
	u64 owing[DEBT_CONTEXT_WORDS]; /* contexts with a flush owed, by id */
	u64 paying[DEBT_CONTEXT_WORDS]; /* of the payment under way: they owe until it is over */
	u64 owing_count; /* in `owing` */
	u64 begun; /* payments; read without the lock */
	u64 done; /* of those: all up to this one are over */
	u64 since; /* cycles: oldest debt or held frame; 0 = nothing is owed, nothing held */
	struct rwlock payer; /* write side: one pays, others wait until it is paid */
};

/*
 * Note that this context owes a flush: one of its entries was just taken down. Must
 * come before debts_hold() of the frame. A PTL may be held.
 */
void debts_owe(struct debts *d, struct tlb_context *ctx);
/* Does this context owe a flush, or is it being paid for? Any context. */
bool debts_owes(struct debts *d, const struct tlb_context *ctx);
/*
 * Is there room for so many more frames under the knob defer_pages? Then they are
 * kept free for this CPU until debts_call_over(). Task context.
 */
bool debts_promise(struct debts *d, u64 pages);
/*
 * A call to migrate is over on this CPU: what was promised is held by now, or never
 * will be. True: it is time to pay, as there was no room, or a debt is old. Task context.
 */
bool debts_call_over(struct debts *d);
/* Hold the old frame of a migrated page back until debts_pay(). Task context. */
void debts_hold(struct debts *d, struct page *page);
/*
 * Take a held frame of this node and size (order 0 or HUGE_ORDER) for a new page, with one reference.
 * NULL: there is none. The flush for it stays owed. Task context.
 */
struct page *debts_take(struct debts *d, u32 node, unsigned order);
/*
 * Flush every context that owes, in one shootdown, then free every frame that was
 * held at the time of the call; the oracle checks each. CPUs that have flushed since
 * for other reasons are left out (knob defer_skip); if all have, nobody flushes. If
 * another CPU is paying, waits until that is done, too. Task context, interrupts on,
 * no spinlock held. Returns how many contexts owed, in the unit of debts_created.
 */
u64 debts_pay(struct debts *d);
/*
 * The same for what was noted before debts_begun() returned this: nothing is done, and 0 returned, if a payment that began
 * later ends while we wait for our turn.
 */
u64 debts_pay_since(struct debts *d, u64 begun);
/*
 * Is a debt, or a frame that is held, as old as the knob defer_age allows? If there
 * is one that will be, this CPU's timer is set for it. Task context.
 */
bool debts_are_old(struct debts *d);
/*
 * The halves of it, for a deferral that lets CPUs flush themselves in between.
 *
 * debts_post() expires every context that owes and hands publish() the frames
 * that were held, as a chain; the CPUs that have to flush before they may be
 * freed; and how many contexts that were. Payers wait meanwhile: what they then
 * do not find in the debts they find where publish() has put it. The frames of
 * all entries that were noted are held by now, or never will be. Interrupts on,
 * no spinlock held.
 */
typedef void debts_publish(struct page *frames, const struct cpumask *cpus, u64 owed);
void debts_post(struct debts *d, debts_publish *publish);
/* Free a chain that debts_post() gave out: all CPUs that had to have flushed. Task context. */
void debts_free(struct debts *d, struct page *frames);
/*
 * Free a page at once, with what it owes in page.debt: for deferrals that pay when the frame leaves the allocator
 * (deferral.frames_leave). No references, no mappings. Task context.
 */
void debts_free_owing(struct page *page, u64 debt);
/*
 * The number of the newest payment that has begun: what was noted by now is paid by the next one at the latest. Numbers of
 * payments are generations: <mm/generation.h>. Any context, no lock.
 */
u64 debts_begun(const struct debts *d);
/*
 * Is what was noted before debts_begun() returned this paid for? Any context, no lock. True: the
 * flushes come before what the caller stores next. No acquire: see has_flushed() in mm/gather.c.
 */
bool debts_are_paid(const struct debts *d, u64 begun);
/* The number of the newest payment that is over, by the same rules. */
u64 debts_done(const struct debts *d);
/* 4 KiB frames held now. Any context, no lock. */
u64 debts_held(const struct debts *d);
/* Largest number of 4 KiB frames that all deferrals together held at one time since the last restart. */
u64 debts_held_max(void);
/* For the integral: what this CPU holds more, or fewer, it does from now on. After each call to migrate. Task context. */
void debts_note_held(void);
/*
 * Frames held, times cycles, up to now; a difference over a time is their integral. Nobody holds or pays meanwhile:
 * what a CPU holds counts from the end of the call to migrate in which it came.
 */
u64 debts_held_integral(u64 now);
/* Begin anew: the maximum is what is held now. Nobody holds or pays meanwhile. */
void debts_held_max_restart(void);
