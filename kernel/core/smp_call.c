/*
 * "Run this on that CPU."
 *
 * Each CPU has one request, for the call that it makes, and a set of the CPUs that
 * ask something of it. All CPUs may call at the same time. The caller sets a bit of
 * request.silent for each target, and each target clears its bit when the function
 * has returned. So the watchdog can tell who has not answered.
 *
 * A target answers by interrupt, or from smp_poll() if it waits with
 * interrupts off; fn waits for nobody. So every call ends.
 */
#include <kernel/det.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/smp.h>

struct call_request {
	void (*fn)(void *arg); /* fn, arg: written by the caller while silent is empty */
	void *arg;
	struct cpumask silent; /* targets that have not answered; atomic */
};

static PERCPU(struct call_request, call_request);
static PERCPU(struct cpumask, call_pending); /* CPUs whose request this one has to serve; atomic */

static void serve_one(unsigned caller)
{
	struct call_request *request = cpu_ptr(caller, call_request);

	request->fn(request->arg);
	/* Full barrier: what fn did is visible to the caller when it sees its mask empty. */
	cpumask_unset_atomic(&request->silent, cpu_id());
	/* The last one wakes. If the caller is on to its next call, it is woken for nothing. */
	if (cpumask_empty(&request->silent))
		cpu_wake(caller);
}

void smp_call_serve(void)
{
	struct cpumask *pending = this_cpu_ptr(call_pending);

	for (unsigned w = 0; w < cpu_words; w++) {
		if (!load_relaxed(&pending->bits[w]))
			continue;
		/* Full barrier; pairs with the setting of the bit in smp_call(): its request is visible. */
		for (u64 bits = atomic_xchg(&pending->bits[w], 0); bits; bits &= bits - 1)
			serve_one(w * 64 + (unsigned)__builtin_ctzl(bits));
	}
}

static void call_blame(void *arg)
{
	const struct call_request *request = arg;
	char name[80];

	printk("call of %s: no answer from\n", symbol_of((u64)request->fn, name, sizeof(name)));
	smp_report(&request->silent);
}

/* Ask them; the request is complete. */
static void call_send(const struct cpumask *targets)
{
	cpumask_for_each (cpu, targets)
		cpumask_set_atomic(cpu_ptr(cpu, call_pending), cpu_id());
	this_cpu_ptr(ipi_counts)->sent_call += cpumask_weight(targets);
	ipi_send_mask(targets, IPI_CALL);
}

void smp_call(const struct cpumask *mask, void (*fn)(void *arg), void *arg)
{
	struct call_request *request = this_cpu_ptr(call_request);
	unsigned self = cpu_id();
	struct cpumask targets = {.bits = {0}};

	ASSERT(cpumask_empty(&request->silent)); /* not from inside a called function */
	for (unsigned w = 0; w < cpu_words; w++)
		targets.bits[w] = load_relaxed(&mask->bits[w]) & load_relaxed(&cpu_online.bits[w]);
	bool self_too = cpumask_test(&targets, self);

	cpumask_unset(&targets, self);
	request->fn = fn;
	request->arg = arg;
	for (unsigned w = 0; w < cpu_words; w++)
		store_relaxed(&request->silent.bits[w], targets.bits[w]);
	if (!cpumask_empty(&targets))
		call_send(&targets);
	if (self_too) {
		irqflags_t flags = irq_save();

		fn(arg);
		irq_restore(flags);
		det_yield_point();
	}
	wait_until_blame(cpumask_empty(&request->silent), "the answer to a call", call_blame,
			 request);
	/* Orders the look at the scoreboard before the caller's loads; pairs with serve_one(). */
	smp_mb();
}

void smp_call_one(unsigned cpu, void (*fn)(void *arg), void *arg)
{
	struct cpumask mask;

	cpumask_clear(&mask);
	cpumask_set(&mask, cpu);
	smp_call(&mask, fn, arg);
}
