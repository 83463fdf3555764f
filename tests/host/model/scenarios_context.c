/*
 * Contexts: whoever finds that one has ended sees what it did, on any CPU. What is ordered here are plain accesses, so
 * only explore_races has these scenarios.
 */

/* The machine comes without contexts (arch/fake/kernel.c); here the kernel's own are beside what it has instead. */
#define context_alone own_context_alone
#define context_set_due own_context_set_due
#define context_load_aspace own_context_load_aspace
#define context_due_handler own_context_due_handler
#define cpu_idle_loop own_cpu_idle_loop
#include "../../../kernel/core/context.c"

#include "model.h"

static char its_stack[KSTACK_SIZE] __aligned(64); /* of one context at a time */
static struct context *task;
static u64 runs; /* how often it ran: without an accessor, as only it has this until it has ended */
static u32 restarts, over;

static void *stack_alloc(u32 node __unused)
{
	return its_stack;
}

/* Whoever has it next may do anything to all of it. */
static void stack_free(void *stack)
{
	memset(stack, 0, KSTACK_SIZE);
}

static void count_run(void *arg __unused)
{
	runs++;
}

static void setup(void)
{
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		context_init_cpu(cpu);
	kmem.stack_alloc = stack_alloc;
	kmem.stack_free = stack_free;
}

static void setup_task(void)
{
	setup();
	task = context_spawn(0, "task", count_run, NULL, NULL);
}

/* Each runs what it has restarted; CPU 0 begins with what was there. */
static void restart_and_run(unsigned cpu)
{
	for (unsigned n = 0; n < 2; n++) {
		if (context_restart(task, cpu))
			atomic_fetch_add_relaxed(&restarts, 1);
		context_yield();
	}
}

static void expect_all_runs(void)
{
	if (runs != restarts + 1)
		fake_fail("a context was restarted %u times, and ran %lu times", restarts, runs);
	/* What is left on the stack is no part of the state: whoever observes accesses ran there, too. */
	memset(its_stack, 0, (u64)task - (u64)its_stack);
}

const struct scenario context_restarts = {
	.name = "context-restart",
	.summary = "two CPUs restart a context that has ended, and run it",
	.cpus = 2,
	.setup = setup_task,
	.program = {restart_and_run, restart_and_run},
	.end = expect_all_runs,
};

/* The idle loop, which ends here. */
static void run_until_over(unsigned cpu __unused)
{
	while (!load_relaxed(&over)) {
		wait_until_patient(!context_alone() || load_relaxed(&over), "work");
		context_yield();
	}
}

static void expect_runs(u64 n)
{
	if (runs != n)
		fake_fail("a context has ended %lu times, and ran %lu times", n, runs);
}

static void spawn_restart_join(unsigned cpu __unused)
{
	struct context *ctx = context_spawn(0, "task", count_run, NULL, NULL);

	wait_until_patient(context_has_ended(ctx), "its end");
	expect_runs(1);
	context_restart(ctx, 0);
	while (!context_has_ended(ctx)) /* now its end wakes nobody here */
		cpu_relax();
	expect_runs(2);
	context_join(ctx);
	context_join(context_spawn(0, "task", count_run, NULL, NULL));
	expect_runs(3);
	store_relaxed(&over, 1);
	cpu_wake(0);
}

const struct scenario context_joins = {
	.name = "context-join",
	.summary = "a CPU has contexts run on another one that is idle, and frees each when it has "
		   "ended",
	.cpus = 2,
	.setup = setup,
	.program = {run_until_over, spawn_restart_join},
};
