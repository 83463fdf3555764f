/*
 * How far the cycle counters of the CPUs are apart. A boot-time figure for the
 * log and the records: times taken on different CPUs are compared only as far
 * as it allows.
 */
#include <kernel/clock.h>
#include <kernel/context.h>
#include <kernel/printk.h>

/* The quickest of them counts; 8 find one without an interrupt or a pause of the host. */
enum { ROUNDS = 8 };

struct skew_game {
	u32 ping, pong; /* number of the round: a release, for the acquire of who waits */
	unsigned boot_cpu, other_cpu;
	u64 stamp; /* the other's clock, before pong */
};

static void skew_answer(void *arg)
{
	struct skew_game *g = arg;

	for (u32 round = 1; round <= ROUNDS; round++) {
		wait_until(load_acquire(&g->ping) == round, "a clock comparison");
		store_relaxed(&g->stamp, cycles_now());
		store_release(&g->pong, round);
		cpu_wake(g->boot_cpu);
	}
}

/* The other's clock minus ours, in cycles, known to +-*error. */
static s64 skew_measure(struct skew_game *g, u64 *error)
{
	s64 skew = 0;

	*error = UINT64_MAX;
	for (u32 round = 1; round <= ROUNDS; round++) {
		u64 before = cycles_now(), after;

		store_release(&g->ping, round);
		cpu_wake(g->other_cpu);
		/* The other one runs a context that does nothing but answer. */
		wait_until(load_acquire(&g->pong) == round, "a clock comparison");
		after = cycles_now();
		if ((after - before) / 2 >= *error)
			continue;
		/* The other clock was read between `before` and `after`; the middle is the best guess. */
		*error = (after - before) / 2;
		skew = (s64)(load_relaxed(&g->stamp) - (before + *error));
	}
	return skew;
}

void clock_report_skew(void)
{
	u64 worst = 0, worst_error = 0;
	unsigned worst_cpu = 0;

	for_each_online_cpu (cpu) {
		struct skew_game game = {.boot_cpu = cpu_id(), .other_cpu = cpu};
		struct context *ctx;
		u64 error, size;
		s64 skew;

		if (cpu == cpu_id())
			continue;
		ctx = context_spawn(cpu, "clock-skew", skew_answer, &game, NULL);
		if (!ctx)
			continue;
		skew = skew_measure(&game, &error);
		context_join(ctx);
		size = skew < 0 ? -(u64)skew : (u64)skew;
		if (!worst_cpu || size > worst) {
			worst = size;
			worst_error = error;
			worst_cpu = cpu;
		}
	}
	if (worst_cpu)
		printk("clock: greatest skew %lu ns (cpu %u), measured to within %lu ns\n",
		       cycles_to_ns(worst), worst_cpu, cycles_to_ns(worst_error));
}
