/*
 * Which change of an entry needs which flush: what each architecture's manual asks
 * for, one table per architecture, both in every image. mm/rules.c has the tables,
 * their sources, and why the flushes that are left out are safe.
 */
#pragma once

#include <arch/pgtable.h>

struct tlb_context;

/* One way in which an entry changed. A change may be several of them: ENTRY_BIT(). */
enum entry_change {
	ENTRY_APPEARED, /* not present -> present */
	ENTRY_WENT, /* present -> not present */
	ENTRY_FRAME, /* present -> present, another frame */
	ENTRY_SIZE, /* a leaf became a table, or a table a leaf */
	ENTRY_W_GAINED,
	ENTRY_W_LOST,
	ENTRY_X_GAINED,
	ENTRY_X_LOST,
	ENTRY_D_SET,
	ENTRY_D_CLEARED,
	ENTRY_A_SET,
	ENTRY_A_CLEARED,
	ENTRY_CHANGES
};

#define ENTRY_BIT(change) (1U << (change))
/* Changes after which an entry allows, without a fault, all that it did before, and more. */
#define ENTRY_GAINS                                                                                \
	(ENTRY_BIT(ENTRY_W_GAINED) | ENTRY_BIT(ENTRY_X_GAINED) | ENTRY_BIT(ENTRY_D_SET) |          \
	 ENTRY_BIT(ENTRY_A_SET))

/* How far a flush reaches, from less to more. */
enum rule_flush {
	RULE_NONE,
	RULE_LOCAL, /* this CPU */
	RULE_ALL, /* every CPU that may hold the entry, after the change */
	RULE_BREAK, /* the same, while the entry is not present: before the new one is written */
};

struct rule {
	const char *change, *source; /* in words; the manual's section */
	u8 flush; /* enum rule_flush, where hardware sets accessed and dirty */
	u8 by_faults; /* the same, where faults set them */
};

struct rule_set {
	const char *name;
	struct rule rule[ENTRY_CHANGES]; /* by enum entry_change */
	u8 fixup; /* after a write or fetch that faulted on an entry that allows it: enum rule_flush */
};

extern const struct rule_set rules_x86, rules_arm64;

/* What holds now: follows from the table and the knobs. Changes only with them. */
struct rules {
	const struct rule_set *set;
	u8 flush[ENTRY_CHANGES]; /* of the table, for this machine's way of setting accessed and dirty */
	u8 upgrade[ENTRY_CHANGES]; /* after a fault has given an entry more: enum rule_flush */
	u32 shootdown; /* changes that are flushed everywhere: ENTRY_BIT()s */
	u8 fixup[2]; /* after a fault that changed nothing: a first one, one that was retried */
	bool leaves_retried; /* a retried fault leaves accessed and dirty alone */
};
extern struct rules rules;

/* ENTRY_BIT() of each way in which old and new differ. Both are entries of this level. */
u32 entry_changes(pte_t old, pte_t new, unsigned level);
/* The table of the architecture that this machine has. */
const struct rule_set *rules_native(void);
/* Why the values that knobs are about to have do not go together, or NULL. */
const char *rules_refuse(void);
/* Put in force what follows from the machine and the knobs. Nobody handles a fault. Start-up, and when knobs change. */
void rules_use(void);

/*
 * Flush an entry of this level that gained access, or that a CPU may hold with less than it allows.
 * True: others were asked, or a broadcast completed. how: not RULE_BREAK. Interrupts on, no spinlock
 * held; aspace.lock may be held. May wait.
 */
bool rule_flush_entry(struct tlb_context *ctx, vaddr_t va, unsigned level, enum rule_flush how);
