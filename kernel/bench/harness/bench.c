/* What every workload is given of a run: failing with a reason, another CPU, time per unit; a run's memory. */
#include <kernel/clock.h>
#include <kernel/context.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/fixed.h>
#include <kernel/kmem.h>
#include <kernel/printf.h>
#include <mm/aspace.h>
#include <mm/kmem.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "bench.h"
#include "workload.h"

enum { NS_PER_INSTRUCTION = 8 }; /* the launcher's -icount shift=3 */

int bench_fail(struct bench *b, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	kvsnprintf(b->error, sizeof(b->error), fmt, ap);
	va_end(ap);
	return code;
}

u64 bench_ns_per(u64 cycles, u64 per, unsigned digits)
{
	u64 scale = 1;

	while (digits--)
		scale *= 10;
	return per ? mul_div_u64(mul_div_u64(cycles, 1000000000UL, cycles_hz()), scale, per) : 0;
}

u64 bench_ns_per_instruction(void)
{
	return det_mode ? NS_PER_INSTRUCTION : 0;
}

u64 bench_time_per(u64 cycles, u64 per, unsigned digits)
{
	return bench_ns_per(cycles, det_mode ? per * NS_PER_INSTRUCTION : per, digits);
}

int bench_run_on(unsigned cpu, struct aspace *as, void (*fn)(void *arg), void *arg)
{
	struct context *ctx;

	if (cpu == cpu_id()) {
		aspace_load(as);
		fn(arg);
		return 0;
	}
	ctx = context_spawn(cpu, "bench", fn, arg, as);
	if (!ctx)
		return -ENOMEM;
	context_join(ctx);
	return 0;
}

u64 bench_memory_in_use(void)
{
	return pmm_used() - kmem_pages_kept() + kmem_objects_in_use();
}

/* ---- a run's own memory ----------------------------------------------------- */

void *bench_alloc_here(size_t bytes)
{
	return kmem.alloc(bytes, numa_node_of_cpu(cpu_id()));
}

static void free_array(void *p, size_t bytes)
{
	if (p)
		kmem.free(p, bytes);
}

enum { VARIANTS_SIZE = BENCH_MAX_VARIANTS * sizeof(struct bench_variant) };

struct bench *bench_alloc(const struct workload *w)
{
	struct bench *b = bench_alloc_here(sizeof(*b));

	if (!b)
		return NULL;
	b->workload = w;
	b->variant = bench_alloc_here(VARIANTS_SIZE);
	b->state = w->state_size ? bench_alloc_here(w->state_size) : NULL;
	if (b->variant && (b->state || !w->state_size))
		return b;
	bench_free(b);
	return NULL;
}

size_t bench_values_size(const struct bench *b)
{
	return b->series_count * b->params.reps * sizeof(u64);
}

void bench_free(struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++) {
		struct bench_variant *v = &b->variant[i];

		free_array(v->values, bench_values_size(b));
		free_array(v->waits, b->params.reps * sizeof(u64));
	}
	free_array(b->state, b->workload->state_size);
	free_array(b->variant, VARIANTS_SIZE);
	kmem.free(b, sizeof(*b));
}
