/*
 * Contexts: workload threads that take turns on a CPU.
 *
 * A CPU has a base context, which is its own loop: the console on CPU 0, the
 * idle loop on the others. The idle loop runs only when nothing is queued; the
 * console takes its turn like everybody else.
 *
 * Any CPU may queue a context; only its own CPU takes it from the queue and
 * runs it, so everything else here is touched by one CPU only.
 */
#include <kernel/context.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/spinlock.h>

struct runqueue {
	struct spinlock lock; /* queue, queued */
	struct list queue;
	u32 queued; /* length; read without the lock by its own CPU's wait */
	u32 due; /* context_due_handler is to be called; this CPU only, its interrupts included */
	struct context base;
	struct context *running;
	struct context *ended; /* its stack is left only when another context has been resumed */
	struct aspace *loaded; /* last one given to context_load_aspace */
};

static PERCPU(struct runqueue, runqueue);
void (*context_load_aspace)(struct aspace *as);
void (*context_due_handler)(void);

void context_init_cpu(unsigned cpu)
{
	struct runqueue *rq = cpu_ptr(cpu, runqueue);

	*rq = (struct runqueue){.base = {.cpu = cpu, .state = CONTEXT_RUNNING}};
	list_init(&rq->queue);
	rq->running = &rq->base;
}

static void enqueue(struct runqueue *rq, struct context *ctx)
{
	spin_lock(&rq->lock);
	store_relaxed(&ctx->state, CONTEXT_QUEUED);
	list_add_tail(&rq->queue, &ctx->link);
	store_relaxed(&rq->queued, rq->queued + 1);
	spin_unlock(&rq->lock);
}

static struct context *dequeue(struct runqueue *rq)
{
	struct context *ctx = NULL;

	if (!load_relaxed(&rq->queued))
		return NULL;
	spin_lock(&rq->lock);
	ctx = container_of(rq->queue.next, struct context, link);
	list_del(&ctx->link);
	store_relaxed(&rq->queued, rq->queued - 1);
	spin_unlock(&rq->lock);
	return ctx;
}

/* On the stack of the context that was resumed: the one that ended before is off its stack now. */
static void finish_ended(struct runqueue *rq)
{
	struct context *ended = rq->ended;

	if (!ended)
		return;
	unsigned waiter = ended->waiter_cpu;

	rq->ended = NULL;
	/* Release; pairs with context_has_ended() in context_join(), which frees it, and context_restart(): no access after this. */
	store_release(&ended->state, CONTEXT_DONE);
	cpu_wake(waiter);
}

static void load_aspace(struct runqueue *rq, struct aspace *as)
{
	if (rq->loaded == as || !context_load_aspace)
		return;
	rq->loaded = as;
	context_load_aspace(as);
}

static void switch_to(struct runqueue *rq, struct context *next)
{
	struct context *prev = rq->running;
	struct cpu *self = this_cpu_ptr(cpu_self);

	load_aspace(rq, next->aspace);
	irqflags_t flags = irq_save();

	store_relaxed(&next->state, CONTEXT_RUNNING);
	rq->running = next;
	self->current = next == &rq->base ? NULL : next;
	store_relaxed(&self->busy_with, next->name);
	context_switch(&prev->sp, next->sp);
	/* Here prev goes on, perhaps much later. */
	finish_ended(rq);
	irq_restore(flags);
}

static void context_entry(void) __noreturn;
static void context_entry(void)
{
	struct runqueue *rq = this_cpu_ptr(runqueue);
	struct context *ctx = rq->running, *next;

	finish_ended(rq);
	ctx->fn(ctx->arg);
	rq->ended = ctx;
	next = dequeue(rq);
	switch_to(rq, next ? next : &rq->base);
	panic("context %s went on after its end", ctx->name);
}

struct context *context_spawn(unsigned cpu, const char *name, void (*fn)(void *), void *arg,
			      struct aspace *aspace)
{
	char *stack = kmem.stack_alloc(cpu_ptr(cpu, cpu_self)->node);
	struct context *ctx;

	ASSERT(cpumask_test(&cpu_online, cpu));
	if (!stack)
		return NULL;
	/* The context lives at the top of its own stack, where no overflow reaches it. */
	ctx = (struct context *)ALIGN_DOWN((u64)stack + KSTACK_SIZE - sizeof(*ctx), 64);
	*ctx = (struct context){
		.name = name,
		.fn = fn,
		.arg = arg,
		.aspace = aspace,
		.cpu = cpu,
		.stack = stack,
		.sp = context_prepare(ctx, context_entry),
		.waiter_cpu = cpu_id(),
	};
	enqueue(cpu_ptr(cpu, runqueue), ctx);
	cpu_wake(cpu);
	return ctx;
}

bool context_restart(struct context *ctx, unsigned cpu)
{
	u32 state = CONTEXT_DONE;

	ASSERT(cpumask_test(&cpu_online, cpu));
	/* Acquire: it is off its stack; pairs with the release in finish_ended(). From here on it is ours alone. */
	if (!atomic_cmpxchg_acquire(&ctx->state, &state, (u32)CONTEXT_QUEUED))
		return false;
	ctx->cpu = ctx->waiter_cpu = cpu;
	ctx->sp = context_prepare(ctx, context_entry);
	enqueue(cpu_ptr(cpu, runqueue), ctx);
	cpu_wake(cpu);
	return true;
}

bool context_alone(void)
{
	const struct runqueue *rq = this_cpu_ptr(runqueue);

	return !load_relaxed(&rq->queued) && !load_relaxed(&rq->due);
}

void context_set_due(void)
{
	store_relaxed(&this_cpu_ptr(runqueue)->due, 1);
}

static inline void run_due(struct runqueue *rq)
{
	if (likely(!load_relaxed(&rq->due)))
		return;
	store_relaxed(&rq->due, 0); /* first: what becomes due meanwhile is run again */
	context_due_handler();
}

void context_yield(void)
{
	struct runqueue *rq = this_cpu_ptr(runqueue);

	run_due(rq);
	struct context *next = dequeue(rq);

	if (!next)
		return;
	enqueue(rq, rq->running);
	switch_to(rq, next);
}

void context_join(struct context *ctx)
{
	for (;;) {
		/*
		 * No watchdog: how long a workload runs is its own affair, and its own waits are
		 * watched.
		 */
		wait_until_patient(context_has_ended(ctx) || !context_alone(),
				   "the end of a context");
		if (context_has_ended(ctx))
			break;
		context_yield();
	}
	kmem.stack_free(ctx->stack);
}

void cpu_idle_loop(void)
{
	struct runqueue *rq = this_cpu_ptr(runqueue);

	for (;;) {
		wait_until_patient(!context_alone(), "work");
		run_due(rq);
		struct context *next = dequeue(rq);

		if (next)
			switch_to(rq, next);
	}
}
