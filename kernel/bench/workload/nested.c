/*
 * `nested`: what a second MMU costs by itself, on the CPU that runs, with a guest in the software MMU: a nested
 * fault, from the guest's exit to its re-entry, of a page that the host has mapped; a translation that the CPU
 * holds; and a change's beginning and end, which zap what the guest has of 1 page and of 512. No other CPU takes part. Where guests
 * run in hardware, the same of one (nested_vm.c).
 */
#include <harness/part.h>
#include <harness/workload.h>
#include <kernel/clock.h>
#include <kernel/error.h>
#include <mm/numa.h>
#include <load/guest.h>
#include "nested.h"

enum { PAGES = NESTED_PAGES, LAPS = NESTED_LAPS };

struct nested_state {
	struct aspace *as;
	vaddr_t base;
	struct softmmu guest;
	bool has_guest;
	struct nested_vm vm;
	struct bench_part part;
};

/* One access, where an access goes: the guest runs here meanwhile. */
static void touch(struct nested_state *s, u64 page)
{
	irqflags_t flags;
	u64 *at = guest_reach(&s->guest, page, true, &flags);

	store_relaxed(at, page);
	irq_restore(flags);
}

static void touch_all(struct nested_state *s)
{
	guest_enter(&s->guest);
	for (u64 page = 0; page < PAGES; page++)
		touch(s, page);
	guest_leave(&s->guest);
}

enum operation { FAULT, HELD, INVALIDATE_1, INVALIDATE_512, OPERATIONS };

static const struct operation_row {
	const char *name;
	u64 calls; /* in one lap */
	bool filled; /* it begins with all pages in the guest's tables; else with none */
} operations[OPERATIONS] = {
	[FAULT] = {"fault", PAGES, false},
	[HELD] = {"held", PAGES, true},
	[INVALIDATE_1] = {"invalidate_1", PAGES, true},
	[INVALIDATE_512] = {"invalidate_512", 1, true},
};

/* The page that was touched last, which the CPU holds. */
static void touch_held(struct nested_state *s)
{
	guest_enter(&s->guest);
	for (u64 i = 0; i < PAGES; i++)
		touch(s, PAGES - 1);
	guest_leave(&s->guest);
}

static __noinline int run(struct nested_state *s, enum operation op)
{
	switch (op) {
	case FAULT:
		touch_all(s);
		return 0;
	case HELD:
		touch_held(s);
		return 0;
	case INVALIDATE_1:
		return nested_invalidate(s->as, s->base, 1);
	default:
		return nested_invalidate(s->as, s->base, PAGES);
	}
}

static int measure(struct bench *b, u64 arg, u64 *value)
{
	const struct operation_row *op = &operations[arg];
	struct nested_state *s = b->state;
	u64 cycles = 0;
	int err = 0;

	for (unsigned lap = 0; lap < LAPS && !err; lap++) {
		if (op->filled)
			touch_all(s);
		else
			err = nested_invalidate(s->as, s->base, PAGES);
		u64 start = cycles_now();

		err = err ? err : run(s, (enum operation)arg);
		cycles += cycles_now() - start;
	}
	*value = bench_time_per(cycles, LAPS * op->calls, 0);
	return err;
}

static int nested_setup(struct bench *b)
{
	struct nested_state *s = b->state;
	const struct hypervisor *hv;
	const char *why;

	for (unsigned i = 0; i < OPERATIONS; i++)
		bench_series_add(b,
				 &(struct bench_series){.unit = "ns",
							.busy = 1,
							.time = true,
							.measure = measure,
							.arg = i},
				 "%s", operations[i].name);
	s->as = nested_space(b, &s->base);
	if (!s->as)
		return -ENOMEM;
	int err = softmmu_create(&s->guest, s->as, s->base, PAGES, numa_node_of_cpu(cpu_id()));

	s->has_guest = !err;
	if (err)
		return bench_fail(b, err, "no memory for the guest's tables");
	hv = hypervisor_find(&why);
	return hv ? nested_vm_setup(b, &s->vm, hv) : 0;
}

static int nested_round(struct bench *b, struct bench_round *round)
{
	struct nested_state *s = b->state;

	part_begin(&s->part);
	u64 start = cycles_now();
	int rc = bench_series_measure(b, round);

	part_end(&s->part, cycles_now() - start, &round->totals);
	round->totals.units = 1;
	return rc ? bench_fail(b, rc, "an invalidation failed (%d)", rc) : 0;
}

static void nested_teardown(struct bench *b)
{
	struct nested_state *s = b->state;

	nested_vm_teardown(&s->vm);
	if (s->has_guest)
		softmmu_destroy(&s->guest);
	if (s->as)
		aspace_destroy(s->as);
}

WORKLOAD(workload_nested) = {
	.name = "nested",
	.summary = "what a guest's fault and an invalidation of 1 and of 512 of its pages cost",
	.unit = "ns",
	.min_cpus = 1,
	.min_nodes = 1,
	.separates = "",
	.state_size = sizeof(struct nested_state),
	.setup = nested_setup,
	.round = nested_round,
	.teardown = nested_teardown,
};
