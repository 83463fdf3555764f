/* A run: rounds of the variants in turn, each under its own knobs, and what is measured of them. */
#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/context.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/fixed.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/aspace.h>
#include <mm/debt.h>
#include <mm/deferral.h>
#include <mm/kmem.h>
#include <mm/knob.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <mm/scheme.h>
#include "kept.h"
#include "run.h"

#define PROGRESS_NS 2000000000UL /* a run that says nothing for longer looks dead */

int bench_fail(struct bench *b, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	kvsnprintf(b->error, sizeof(b->error), fmt, ap);
	va_end(ap);
	return code;
}

unsigned bench_series_add(struct bench *b, const char *unit, unsigned digits, unsigned busy,
			  bool time, const char *fmt, ...)
{
	struct bench_series *s = &b->series[b->series_count];
	va_list ap;
	int len;

	ASSERT(b->series_count < BENCH_MAX_SERIES);
	*s = (struct bench_series){.unit = unit, .digits = digits, .busy = busy, .time = time};
	va_start(ap, fmt);
	len = kvsnprintf(s->name, sizeof(s->name), fmt, ap);
	va_end(ap);
	ASSERT((size_t)len < sizeof(s->name)); /* or two series may share a name */
	return b->series_count++;
}

bool bench_worthwhile(const struct bench *b, unsigned series)
{
	return det_mode || bench_shown(b, series);
}

u64 bench_ns_per(u64 cycles, u64 per, unsigned digits)
{
	u64 scale = 1;

	while (digits--)
		scale *= 10;
	return per ? mul_div_u64(mul_div_u64(cycles, 1000000000UL, cycles_hz()), scale, per) : 0;
}

/* ---- measured parts --------------------------------------------------------- */

static void ipi_counts_read(struct ipi_counts *sum)
{
	*sum = (struct ipi_counts){0};
	for_each_online_cpu (cpu) {
		const struct ipi_counts *c = cpu_ptr(cpu, ipi_counts);

		sum->sent_wake += load_relaxed(&c->sent_wake);
		sum->sent_call += load_relaxed(&c->sent_call);
		sum->timer += load_relaxed(&c->timer);
	}
}

/* All fields of the counters are u64. */
static void counters_add_difference(struct mm_counters *sum, const struct mm_counters *new,
				    const struct mm_counters *old)
{
	u64 *s = (u64 *)sum;
	const u64 *a = (const u64 *)new, *b = (const u64 *)old;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(u64); i++)
		s[i] += a[i] - b[i];
}

static u64 flushes(const struct mm_counters *c)
{
	return c->flush_local_page + c->flush_local_full + c->flush_remote_page +
	       c->flush_remote_full + c->bcast_ops;
}

void bench_part_begin(struct bench_part *part)
{
	ipi_counts_read(&part->ipis_before);
	debts_held_max_restart();
	mm_counters_read(&part->before);
	deferral_counters_read(part->deferral_before);
}

/* What the deferral in force counted since. */
static void add_deferral_counters(u64 *sum, const u64 *before)
{
	u64 now[DEFERRAL_COUNTERS_MAX];

	deferral_counters_read(now);
	for (unsigned i = 0; i < deferral->counter_count; i++)
		sum[i] += now[i] - before[i];
}

u64 bench_part_end(struct bench_part *part, u64 cycles, struct bench_totals *t)
{
	u64 held = deferral->held(), start, took;

	mm_counters_read(&part->middle);
	start = cycles_now();
	deferral_settle();
	took = cycles_now() - start;
	mm_counters_read(&part->after);
	add_deferral_counters(t->deferral, part->deferral_before);
	ipi_counts_read(&part->ipis_after);
	counters_add_difference(&t->mm, &part->after, &part->before);
	t->ipis_wake += part->ipis_after.sent_wake - part->ipis_before.sent_wake;
	t->ipis_call += part->ipis_after.sent_call - part->ipis_before.sent_call;
	t->timer_irqs += part->ipis_after.timer - part->ipis_before.timer;
	ASSERT(!deferral->held()); /* settled: nothing outlives a part */
	t->cycles += cycles;
	t->settle_cycles += took;
	t->settle_ipis += part->after.ipis_sent - part->middle.ipis_sent;
	t->settle_flushes += flushes(&part->after) - flushes(&part->middle);
	t->debts_at_end = MAX(t->debts_at_end, held);
	t->held_pages_max = MAX(t->held_pages_max, debts_held_max());
	return took;
}

static void totals_add(struct bench_totals *sum, const struct bench_totals *t)
{
	static const struct mm_counters zero;

	counters_add_difference(&sum->mm, &t->mm, &zero);
	sum->ipis_wake += t->ipis_wake;
	sum->ipis_call += t->ipis_call;
	sum->timer_irqs += t->timer_irqs;
	sum->cycles += t->cycles;
	sum->settle_cycles += t->settle_cycles;
	sum->settle_ipis += t->settle_ipis;
	sum->settle_flushes += t->settle_flushes;
	sum->debts_at_end = MAX(sum->debts_at_end, t->debts_at_end);
	sum->held_pages_max = MAX(sum->held_pages_max, t->held_pages_max);
	for (unsigned i = 0; i < DEFERRAL_COUNTERS_MAX; i++)
		sum->deferral[i] += t->deferral[i];
	sum->units += t->units;
	sum->migrate.moved += t->migrate.moved;
	sum->migrate.moved_huge += t->migrate.moved_huge;
	sum->migrate.batches += t->migrate.batches;
	for (unsigned i = 0; i < MIGRATE_REASONS; i++)
		sum->migrate.failed[i] += t->migrate.failed[i];
	for (unsigned i = 0; i < PHASE_COUNT; i++)
		sum->migrate.phase[i] += t->migrate.phase[i];
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

/* ---- variants ----------------------------------------------------------------- */

/* The reason of a refusal goes to err, BENCH_ERROR_LEN bytes. */
static int variant_enter(struct bench *b, const struct bench_variant *v, char *err)
{
	int rc = scheme_apply(strcmp(v->scheme, "as-set") ? v->scheme : "", err, BENCH_ERROR_LEN);

	if (!rc && v->vary_value) {
		rc = knob_set(b->vary, v->vary_value, "vary", err, BENCH_ERROR_LEN);
		if (rc)
			scheme_restore();
	}
	return rc;
}

int bench_variant_try(struct bench *b, struct bench_variant *v)
{
	int rc = variant_enter(b, v, v->skipped);

	if (rc)
		return rc;
	if (deferral->unsafe) {
		v->unsafe = deferral->unsafe;
		if (!b->params.read_only)
			ksnprintf(v->skipped, sizeof(v->skipped), "%s needs --mapping ro: %s",
				  deferral->name, deferral->unsafe);
		else
			b->any_unsafe = true;
	}
	v->knobs_known = true;
	for (unsigned i = 0; i < knob_count(); i++)
		v->knob[i] = *knob_at(i)->value;
	v->counters = deferral->counters;
	v->counter_count = deferral->counter_count;
	scheme_restore();
	return 0;
}

static int run_variant(struct bench *b, unsigned index, u64 rep, bool warm_up)
{
	struct bench_variant *v = &b->variant[index];
	static struct bench_round round; /* one run at a time; too large for a stack */
	u64 value[BENCH_MAX_SERIES] = {0};
	int rc;

	ASSERT(rep < b->params.reps || warm_up);
	round = (struct bench_round){.variant = index, .warm_up = warm_up, .value = value};
	rc = variant_enter(b, v, b->error);
	if (rc)
		return rc;
	rc = b->workload->round(b, &round);
	scheme_restore();
	if (rc || warm_up)
		return rc;
	for (unsigned s = 0; s < b->series_count; s++)
		v->values[s * b->params.reps + rep] = value[s];
	if (v->waits)
		v->waits[rep] = round.wait;
	totals_add(&v->totals, &round.totals);
	return 0;
}

/*
 * One round of each variant. With an even number of them the first one
 * changes each time (A B, B A): rounds go to and fro between two nodes, and a
 * variant that always moved the same way could not be told from the direction.
 */
static int run_turn(struct bench *b, u64 rep, bool warm_up)
{
	unsigned active[BENCH_MAX_VARIANTS], n = 0;
	int rc = 0;

	for (unsigned i = 0; i < b->variant_count; i++)
		if (!b->variant[i].skipped[0])
			active[n++] = i;
	for (unsigned i = 0; i < n && !rc; i++)
		rc = run_variant(b, active[(i + (n % 2 ? 0 : rep)) % n], rep, warm_up);
	if (console_interrupted())
		b->interrupted = true;
	return rc;
}

void bench_progress(struct bench *b)
{
	u64 now = clock_ns();

	if (now - b->spoke < PROGRESS_NS)
		return;
	b->spoke = now;
	kprintf("# %s: %lu of %lu rounds\n", b->workload->name, b->reps_done, b->params.reps);
}

static int run_rounds(struct bench *b)
{
	u64 start, limit = b->params.time * 1000000000UL;
	int rc = 0;

	b->spoke = clock_ns();
	for (u64 i = 0; i < b->params.warmup && !rc && !b->interrupted; i++) {
		rc = run_turn(b, i, true);
		bench_progress(b);
	}
	start = clock_ns();
	while (b->reps_done < b->params.reps && !rc && !b->interrupted &&
	       (!limit || clock_ns() - start < limit)) {
		rc = run_turn(b, b->reps_done, false);
		if (!rc)
			b->reps_done++;
		bench_progress(b);
	}
	return rc;
}

/* ---- memory, and the whole ------------------------------------------------------ */

static void *alloc_here(size_t bytes)
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
	struct bench *b = alloc_here(sizeof(*b));

	if (!b)
		return NULL;
	b->workload = w;
	b->variant = alloc_here(VARIANTS_SIZE);
	b->state = w->state_size ? alloc_here(w->state_size) : NULL;
	if (b->variant && (b->state || !w->state_size))
		return b;
	bench_free(b);
	return NULL;
}

static size_t values_size(const struct bench *b)
{
	return b->series_count * b->params.reps * sizeof(u64);
}

void bench_free(struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++) {
		struct bench_variant *v = &b->variant[i];

		free_array(v->values, values_size(b));
		free_array(v->waits, b->params.reps * sizeof(u64));
		free_array(v->in_window, b->params.threads * sizeof(u64));
	}
	free_array(b->state, b->workload->state_size);
	free_array(b->variant, VARIANTS_SIZE);
	kmem.free(b, sizeof(*b));
}

static bool alloc_variant(const struct bench *b, struct bench_variant *v)
{
	v->values = alloc_here(values_size(b));
	if (!b->params.threads)
		return v->values;
	v->waits = alloc_here(b->params.reps * sizeof(u64));
	v->in_window = alloc_here(b->params.threads * sizeof(u64));
	return v->values && v->waits && v->in_window;
}

static int alloc_values(struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++)
		if (!b->variant[i].skipped[0] && !alloc_variant(b, &b->variant[i]))
			return bench_fail(b, -ENOMEM, "no memory for %lu samples", b->params.reps);
	return 0;
}

/* Median of 33: what a pair of clock reads costs, which every sample contains once. */
static u64 measure_noise_floor(void)
{
	u64 took[33];
	struct summary s;

	for (unsigned i = 0; i < ARRAY_SIZE(took); i++) {
		u64 start = cycles_now();

		took[i] = cycles_now() - start;
	}
	samples_summary(took, ARRAY_SIZE(took), &s);
	return s.median;
}

static bool all_skipped(const struct bench *b)
{
	for (unsigned i = 0; i < b->variant_count; i++)
		if (!b->variant[i].skipped[0])
			return false;
	return true;
}

/*
 * Trust of each series, the worse of before and after. Before, a host that is
 * busy for a moment is given time; after, it was busy in the measurement.
 */
void bench_judge(struct bench *b, bool again)
{
	enum { TRIES = 3 };
	unsigned worst = 0;

	for (unsigned i = 0; i < b->series_count; i++)
		worst = MAX(worst, b->series[i].busy);
	trust_forget();
	for (unsigned i = 1; !again && i < TRIES && trust_of(b, worst) == TRUST_COUNTS; i++)
		trust_forget();
	for (unsigned i = 0; i < b->series_count; i++) {
		enum trust t = b->disturbed ? TRUST_COUNTS : trust_of(b, b->series[i].busy);

		b->series[i].trust = again ? MIN(t, b->series[i].trust) : t;
	}
	b->trust = b->series[0].trust;
}

u64 bench_memory_in_use(void)
{
	return pmm_used() - kmem_pages_kept() + kmem_objects_in_use();
}

/* Between setup and teardown; *kept = what outlives the workload: its samples. */
static int run_workload(struct bench *b, u64 *kept)
{
	u64 used;
	int rc = b->workload->setup(b);

	if (rc)
		return rc;
	bench_judge(b, false);
	used = bench_memory_in_use();
	rc = alloc_values(b);
	*kept = bench_memory_in_use() - used;
	if (!rc && b->workload->start)
		rc = b->workload->start(b);
	return rc ? rc : run_rounds(b);
}

int bench_measure(struct bench *b)
{
	u64 used, after, kept = 0;
	int rc;

	if (all_skipped(b))
		return 0;
	b->noise_floor = measure_noise_floor();
	used = bench_memory_in_use();
	rc = run_workload(b, &kept);
	b->workload->teardown(b);
	aspace_load(NULL);
	after = bench_memory_in_use();
	after = after > used + kept ? after - used - kept : 0;
	b->leaked = b->params.keep && kept_claim(after) ? 0 : after;
	if (!rc)
		bench_judge(b, true);
	return rc;
}
