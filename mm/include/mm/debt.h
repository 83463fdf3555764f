/*
 * Debts: frames held back and the contexts that still owe a flush for them.
 * What a deferral keeps; it decides only when to owe and when to pay.
 */
#pragma once

#include <mm/page.h>
#include <mm/tlb.h>

enum { DEBT_CONTEXT_WORDS = TLB_CONTEXT_IDS / 64 };

struct debts {
	struct spinlock lock; /* the fields below */
	struct page *held[MAX_NODES][2]; /* by node and size (4 KiB, 2 MiB), linked by next */
	u64 held_pages; /* 4 KiB frames; written under the lock, read without it */
	u64 owing[DEBT_CONTEXT_WORDS]; /* contexts with a flush owed, by id */
	u64 owing_count; /* of them */
	struct rwlock payer; /* write side: one pays, others wait until it is paid */
};

/* The flush of an entry of this context is owed. Before the frame is held; under a PTL. */
void debts_owe(struct debts *d, const struct tlb_context *ctx);
/* Hold the source of a migrated page until debts_pay(). */
void debts_hold(struct debts *d, struct page *page);
/* A held frame of this node and size, ready to be mapped again; NULL: none. Its debts stay owed. */
struct page *debts_take(struct debts *d, u32 node, unsigned order);
/*
 * Flush every context that owes, in one shootdown, and free every frame that was held when it was
 * called. Returns after somebody else's payment in progress, too. Interrupts
 * on, no spinlock held. The oracle checks each frame. Returns how many
 * contexts owed: what debts_created counted.
 */
u64 debts_pay(struct debts *d);
/* 4 KiB frames held now. Any context, no lock. */
u64 debts_held(const struct debts *d);
/* Most 4 KiB frames that all deferrals together held back at one time since the last restart. */
u64 debts_held_max(void);
/* Forget that: what is held now is the most so far. Nobody holds or pays meanwhile. */
void debts_held_max_restart(void);
