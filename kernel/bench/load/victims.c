/* Workload threads: the loop, and what they report of it. */
#include <kernel/context.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <mm/numa.h>
#include <harness/bench.h>
#include "guest.h"
#include "victim_loop.h"
#include "vcpu.h"
#include "victims.h"

enum { SETTLE_OPS = 1024 }; /* enough to fill what a TLB holds of a small working set again */

static void victim_main(void *arg)
{
	victim_loop(arg, NULL);
}

/* ---- all of them ---------------------------------------------------------------- */

/*
 * The CPU that asks does not sleep here: a wake-up would be one more interrupt
 * in the counts. Victims answer after one operation, which at most waits for a
 * page that nobody moves now.
 */
void victims_end_period(struct victims *v)
{
	u32 period = v->period + 1;

	/* Release; pairs with the acquire in victim_main(). */
	store_release(&v->period, period);
	/* Acquire; pairs with the release in begin_period(): the reports of the last one are there. */
	for (unsigned i = 0; i < v->count; i++)
		while (load_acquire(&v->victim[i]->seen) != period)
			cpu_relax();
}

void victims_settle_in(const struct victims *v)
{
	for (unsigned i = 0; i < v->count; i++) {
		const struct victim *victim = v->victim[i];
		u64 enough = victim->report.ops + MIN(victim->region->pages * 8, (u64)SETTLE_OPS);

		while (load_relaxed(&victim->now.ops) < enough)
			cpu_relax();
	}
}

void victims_sum(const struct victims *v, struct victim_report *sum)
{
	*sum = (struct victim_report){0};
	for (unsigned i = 0; i < v->count; i++) {
		const struct victim_report *r = &v->victim[i]->report;

		sum->ops += r->ops;
		sum->verified += r->verified;
		sum->in_window += r->in_window;
		sum->stale += r->stale;
		sum->waits += r->waits;
		sum->longest_wait = MAX(sum->longest_wait, r->longest_wait);
		sum->longest_gap = MAX(sum->longest_gap, r->longest_gap);
	}
}

void victims_add_latency(const struct victims *v, u64 *histogram)
{
	for (unsigned i = 0; i < v->count; i++)
		for (unsigned k = 0; k < HIST_BUCKETS; k++)
			histogram[k] += v->victim[i]->histogram[(v->period + 1) % 2][k];
}

/* Which pages are drawn, and which are written; k-th thread of its region. */
static void set_pages(struct victim *v, const struct victims_config *c, u64 k)
{
	u64 pages = v->region->pages;

	v->wrap = v->own_pages = pages;
	if (!c->sharers)
		return;
	v->stripe = c->stripe;
	v->own = k * c->share_pages;
	v->own_pages = c->share_pages;
	v->wrap = v->writers * c->share_pages;
	v->first = (v->own + v->wrap - (c->sharers - 1) * c->share_pages) % v->wrap;
	v->writers = 1;
	v->writer = 0;
}

static struct victim *victim_create(struct victims *all, const struct victims_config *c, unsigned i)
{
	unsigned cpu = c->cpu[i % c->cpu_count];
	struct victim *v = kmem.alloc(sizeof(*v), numa_node_of_cpu(cpu));

	if (!v)
		return NULL;
	v->all = all;
	v->id = i;
	v->cpu = cpu;
	v->region = &c->region[i % c->regions];
	v->writer = i / c->regions;
	v->writers = (c->count - i % c->regions + c->regions - 1) / c->regions;
	set_pages(v, c, i / c->regions);
	v->write_below = (u32)(c->write_pct * (1UL << 31) / 100);
	v->slice_left = c->slice;
	pattern_start(&all->pattern, &v->walk, c->seed, i);
	v->ctx = context_spawn(cpu, "victim",
			       c->vcpus	  ? vcpu_main
			       : c->guest ? guest_main
					  : victim_main,
			       v, v->region->as);
	if (v->ctx)
		return v;
	kmem.free(v, sizeof(*v));
	return NULL;
}

/* 0 or -ENOMEM; they run when it returns, and no period has ended. */
static int victims_start(struct victims *v, const struct victims_config *c)
{
	u32 here = numa_node_of_cpu(cpu_id());
	u64 pages = c->sharers ? c->sharers * c->share_pages : c->region->pages;

	*v = (struct victims){.slice = c->slice, .guest = c->guest, .vcpus = c->vcpus};
	if (!c->count)
		return 0;
	v->victim = kmem.alloc(MAX_CPUS * sizeof(v->victim[0]), here);
	if (!v->victim || pattern_init(&v->pattern, c->pattern, pages, c->seed, here))
		return -ENOMEM;
	if (c->vcpus)
		vcpus_take_pattern(c->vcpus, &v->pattern);
	for (; v->count < c->count; v->count++) {
		v->victim[v->count] = victim_create(v, c, v->count);
		if (!v->victim[v->count])
			return -ENOMEM;
	}
	return 0;
}

static int setup(struct bench *b, struct victims *v, struct region *region, unsigned regions,
		 struct softmmu *guest, struct vcpus *vcpus, u64 share_pages)
{
	const struct bench_params *p = &b->params;
	struct victims_config c = {
		.count = (unsigned)p->threads,
		.cpu_count = p->cpu_count,
		.cpu = p->cpu,
		.region = region,
		.regions = regions,
		.pattern = (enum pattern_kind)p->pattern,
		.write_pct = p->read_only ? 0 : p->write_pct,
		.slice = p->slice,
		.seed = p->seed +
			b->reps_done, /* other accesses in each round that starts them anew */
		.sharers = share_pages ? p->share : 0,
		.share_pages = share_pages,
		.stripe = p->stripe,
		.guest = guest,
		.vcpus = vcpus,
	};

	if (victims_start(v, &c))
		return bench_fail(b, -ENOMEM, "no memory for %lu threads", p->threads);
	return 0;
}

int victims_setup(struct bench *b, struct victims *v, struct region *region, unsigned regions,
		  u64 share_pages)
{
	return setup(b, v, region, regions, NULL, NULL, share_pages);
}

int victims_setup_guest(struct bench *b, struct victims *v, struct region *region,
			struct softmmu *guest, u64 share_pages)
{
	return setup(b, v, region, 1, guest, NULL, share_pages);
}

int victims_setup_vcpus(struct bench *b, struct victims *v, struct region *region,
			struct vcpus *vcpus, u64 share_pages)
{
	return setup(b, v, region, 1, NULL, vcpus, share_pages);
}

u64 victims_lag(const struct victims *v)
{
	return v->vcpus ? GUEST_REPORT_OPS : 0;
}

void victims_stop(struct victims *v)
{
	store_relaxed(&v->stop, 1);
	for (unsigned i = 0; i < v->count; i++) {
		context_join(v->victim[i]->ctx);
		kmem.free(v->victim[i], sizeof(*v->victim[i]));
	}
	if (v->victim)
		kmem.free(v->victim, MAX_CPUS * sizeof(v->victim[0]));
	pattern_free(&v->pattern);
	*v = (struct victims){0};
}
