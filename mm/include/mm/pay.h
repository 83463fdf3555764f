/*
 * Events at which a debt may have to be paid.
 *
 * Some operations must not happen while a stale entry exists. Each place in mm/
 * that does such a thing calls pay() first, and says what is about to happen
 * (the event) and to what (the scope). The deferral in force pays what it must,
 * and says how many debts that were; they are counted by event (debts_forced). If
 * there is no deferral, or it does not hear the event, pay() is a load and a test.
 *
 * Code that does something new of this kind adds a line below.
 */
#pragma once

#include <kernel/atomic.h>

struct page;
struct tlb_context;

/*
 * X(name in records, constant), and in the comment the scope. Every deferral hears
 * the events up to SETTLE; those after it are heard by deferrals that ask for them
 * (deferral.events).
 */
#define PAY_EVENTS(X)                                                                                                \
	X(write_upgrade, WRITE_UPGRADE) /* page, range: a read-only entry becomes writable */                        \
	X(map, MAP) /* page (NULL: nobody maps it), range, write: mapped where nothing was */                        \
	X(pin, PIN) /* page: somebody may hold it for ever, and write it */                                          \
	X(protect, PROTECT) /* range: other rights, also more */                                                     \
	X(unmap, UNMAP) /* range */                                                                                  \
	X(drop, DROP) /* range: contents go, the area stays */                                                       \
	X(hint, HINT) /* range: entries are about to become hint entries */                                          \
	X(exit, EXIT) /* context: the space is about to go */                                                        \
	X(copy, COPY) /* range: a copy of its page is about to be mapped there instead */                            \
	X(duplicate,                                                                                                 \
	  DUPLICATE) /* context: its pages are about to be shared with a duplicate, read-only */                     \
	X(file_write, FILE_WRITE) /* page: the kernel is about to write it */                                        \
	X(truncate,                                                                                                  \
	  TRUNCATE) /* page: it is about to leave its object; NULL: one that left owing is gone, or changes */       \
	X(reclaim,                                                                                                   \
	  RECLAIM) /* page, or range: pages leave their file, to make room; they are flushed before they are free */ \
	X(free, FREE) /* all: frames that were not deferred are freed; they may have been lent */                    \
	X(pressure, PRESSURE) /* node, order: an allocation fails unless frames come back */                         \
	X(knob, KNOB) /* all: the rules are about to change */                                                       \
	X(settle, SETTLE) /* all: end of a measured part, leak check */                                              \
	X(migrate, MIGRATE) /* range: pages of it are about to move (again) */                                       \
	X(stay,                                                                                                      \
	  STAY) /* all: pages that were to leave their file owing cannot (deferral.entry_left) */                    \
	X(split, SPLIT) /* range: a 2 MiB page becomes small ones; same frames, same rights */                       \
	X(leave,                                                                                                     \
	  LEAVE) /* frames that owe leave the allocator: not by pay(), see deferral.frames_leave */                  \
	X(bound,                                                                                                     \
	  BOUND) /* pages have moved, and as much is held, or for as long, as may be: see deferral.sources_held */   \
	X(tick, TICK) /* this CPU: deferral.tick_us after a debt was noted on it; no locks held */                   \
	X(switch, SWITCH) /* this CPU: it is about to load this context; no locks held */                            \
	X(idle, IDLE) /* this CPU: it has no context to run any more; no locks held */

enum pay_event {
#define X(name, constant) PAY_##constant,
	PAY_EVENTS(X)
#undef X
		PAY_EVENT_COUNT
};
extern const char *const pay_event_names[PAY_EVENT_COUNT];

#define PAY_BIT(event) (1U << (event))
#define PAY_DEMANDS (PAY_BIT(PAY_SETTLE + 1) - 1) /* heard by every deferral that pays */

/* What the event is about. Fields that say nothing are NULL or 0: all of it. */
struct pay_scope {
	struct page *page;
	struct tlb_context *ctx;
	vaddr_t start, end; /* of ctx; both 0: everything */
	bool write; /* PAY_MAP: the new entry may be written */
	u32 node; /* PAY_PRESSURE: where frames are wanted, ... */
	unsigned order; /* ... and of which size */
};

static inline struct pay_scope pay_all(void)
{
	return (struct pay_scope){0};
}

static inline struct pay_scope pay_page(struct page *page)
{
	return (struct pay_scope){.page = page};
}

static inline struct pay_scope pay_range(struct tlb_context *ctx, vaddr_t start, vaddr_t end)
{
	return (struct pay_scope){.ctx = ctx, .start = start, .end = end};
}

static inline struct pay_scope pay_context(struct tlb_context *ctx)
{
	return (struct pay_scope){.ctx = ctx};
}

static inline struct pay_scope pay_frames(u32 node, unsigned order)
{
	return (struct pay_scope){.node = node, .order = order};
}

/* A PAY_BIT() for each event that the deferral in force hears; changes with it, by accessors. */
extern u32 pay_heard;

static __always_inline bool pay_is_heard(enum pay_event why)
{
	return load_relaxed(&pay_heard) & PAY_BIT(why);
}

/* pay() for an event that is known to be heard. */
void pay_now(enum pay_event why, struct pay_scope scope);

/*
 * This event is about to happen. On return all debts are paid that must not
 * survive it. Task context, interrupts on, no spinlock held; aspace.lock and read
 * sides of object.lock may be held. May wait.
 */
static __always_inline void pay(enum pay_event why, struct pay_scope scope)
{
	if (unlikely(pay_is_heard(why)))
		pay_now(why, scope);
}
