/*
 * Deferrals: who decides that a flush may wait, and when it is paid.
 *
 * The shootdown core does the flushing and mm/migrate.c the moving, so a deferral cannot
 * free early. Hooks are named after the event at which a debt may be made or
 * must be paid; unset hooks become no-ops at registration. A deferral is one
 * file in mm/defer/ and one line in mm/defer/deferrals.c. A scheme
 * (<mm/scheme.h>) is something else: a name for knobs, of which one chooses the
 * deferral.
 */
#pragma once

#include <mm/page.h>
#include <mm/tlb.h>

struct deferral {
	const char *name; /* value of the knob `defer` */
	const char *summary; /* one line */
	const char *unsafe; /* not NULL: what breaks; printed with every result */
	/* Why this machine or these knobs cannot; NULL = can. */
	const char *(*refuse)(void);
	void (*enable)(void);
	/*
	 * One entry of a page under migration was taken down. True: its flush
	 * may wait, and frame_held() will be called with the source, unless the page
	 * turns out to be pinned: it is mapped again where it was then. What the
	 * scheme must know of the entry later, it notes here; a note of a page that
	 * stayed must do no harm. Under the PTL.
	 */
	bool (*may_defer)(const struct page *src, struct tlb_context *ctx, vaddr_t va, pte_t old);
	/* The source of a moved page whose flush waits. The scheme owns the frame until it pays. */
	void (*frame_held)(struct page *src);
	/*
	 * Held frames may serve as destinations before they are paid for. Only
	 * pages of areas that nobody may write get one (I5), and whatever is freed
	 * without deferral waits until everything is paid: it may have been lent.
	 */
	bool lends;
	/* A destination on this node is wanted: a held frame that may be used without payment, or NULL. */
	struct page *(*frame_wanted)(u32 node, unsigned order);
	/* A read-only entry is about to become writable; returns with the page's debt paid. */
	void (*write_upgrade)(struct page *page);
	/* The range is about to change for this reason; returns with its debts paid. */
	void (*range_change)(struct tlb_context *ctx, vaddr_t start, vaddr_t end);
	/* Pay everything: nothing stale, nothing held afterwards. */
	void (*settle)(void);
	/* 4 KiB frames held back now. */
	u64 (*held)(void);
};

extern const struct deferral *deferral; /* the one in force; never NULL */
extern const struct deferral *const deferrals[]; /* NULL at the end; mm/defer/deferrals.c */
/* Put deferrals[index] in force, with unset hooks replaced by no-ops. Nothing may be owed. */
void deferral_use(u32 index);
/* Pay all debts now. Task context, interrupts on, no spinlock held. */
void deferral_settle(void);
