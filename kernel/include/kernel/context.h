/*
 * Contexts: the workload threads. Each has a stack and runs on one CPU until
 * it ends; several on a CPU take turns only where they call context_yield().
 */
#pragma once

#include <kernel/smp.h>
#include <kernel/list.h>

struct aspace;

struct context {
	const char *name;
	void (*fn)(void *arg);
	void *arg;
	struct aspace *aspace; /* loaded while it runs; NULL = none needed */
	unsigned cpu;
	void *stack; /* with a guard page below */
	void *sp; /* saved while it does not run */
	u32 state; /* enum context_state; release/acquire */
	unsigned waiter_cpu; /* woken when it ends: the CPU that made it */
	struct list link; /* in the CPU's run queue, under that queue's lock */
};

enum context_state { CONTEXT_NEW, CONTEXT_QUEUED, CONTEXT_RUNNING, CONTEXT_DONE };

/* Queue fn(arg) as a context on a CPU. NULL: no memory for the stack. */
struct context *context_spawn(unsigned cpu, const char *name, void (*fn)(void *), void *arg,
			      struct aspace *aspace);
/* Has it ended? Then the caller sees what it did. Acquire: pairs with the release in finish_ended(). Any context. */
static inline bool context_has_ended(const struct context *ctx)
{
	return load_acquire(&ctx->state) == CONTEXT_DONE;
}
/*
 * A context that has ended and that nobody joins begins anew, with the same argument, on any CPU. Of callers at the
 * same time one restarts it. False: it has not ended, or has been restarted. Task context, no runqueue.lock held.
 */
bool context_restart(struct context *ctx, unsigned cpu);
/*
 * Wait until it ended, then free it. On the CPU that made it; other contexts
 * of this CPU run meanwhile. Never from the context itself.
 */
void context_join(struct context *ctx);
/* Let the next runnable context of this CPU run; returns at once if there is none. */
void context_yield(void);
bool context_alone(void); /* no other context is queued on this CPU, and nothing is due */
/*
 * Have context_due_handler called on this CPU, once, in task context: where its
 * contexts take turns, or as soon as it has nothing to run. Any context. For
 * what an interrupt handler may not do itself.
 */
void context_set_due(void);
extern void (*context_due_handler)(void);
void context_init_cpu(unsigned cpu); /* percpu_init(), when that CPU's area exists */
/* Run queued contexts, else wait: what a CPU without a console does for ever. */
void cpu_idle_loop(void) __noreturn;

/* mm registers how an address space is loaded before a context runs (NULL aspace = lazy). */
extern void (*context_load_aspace)(struct aspace *as);
