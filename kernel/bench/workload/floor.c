/*
 * `floor`: the cheapest way to do on this machine what migration must do: copy
 * a page, reach another CPU, flush, take a fault. In short form it is measured
 * in the same boot beside every other workload.
 */
#include <harness/trust.h>
#include <harness/workload.h>
#include <kernel/clock.h>
#include <kernel/copy.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/printf.h>
#include <kernel/string.h>
#include <load/spinner.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <report/figures.h>

enum {
	COPY_PAGES = 4096, /* frames on each side at most, else as many as the run moves */
	PAIR_PAGES = 256, /* for node pairs that the run does not use */
	CALLS = 16, /* remote calls per sample */
	FLUSHES = 64, /* local flushes per sample */
	FAULTS = 64, /* pages touched per sample */
	AREA_PAGES = 64, /* of the space that the other CPUs have loaded */
	TARGETS = 15, /* CPUs measured one by one; the record says how many are left out */
	NODES = 4, /* node pairs copied one by one: 16 */
};

struct frames {
	unsigned order, count;
	struct page **page; /* [COPY_PAGES] */
};

struct floor_state {
	struct frames from[MAX_NODES], to[MAX_NODES]; /* of the nodes that copies touch */
	struct aspace *as;
	struct object *object;
	vaddr_t area;
};

/* ---- copies ------------------------------------------------------------------- */

/* `pages` 4 KiB pages of a node, or as many as it has. 0 or -ENOMEM. */
static int frames_get(struct frames *f, u32 node, u64 pages, bool huge)
{
	struct pmm_node_stats stats;
	u64 want;

	if (f->page)
		return 0;
	f->page = kmem.alloc(COPY_PAGES * sizeof(f->page[0]), numa_node_of_cpu(cpu_id()));
	if (!f->page)
		return -ENOMEM;
	pmm_node_stats(node, &stats);
	/* Two sets of each node at most; the rest stays for the run's own needs. */
	want = MIN(pages, stats.free / 4);
	f->order = huge ? HUGE_ORDER : 0;
	if (huge)
		want = MAX(want / HUGE_PAGES, 1UL);
	for (; f->count < want; f->count++) {
		f->page[f->count] = pmm_alloc(node, f->order, PMM_STRICT);
		if (!f->page[f->count])
			break;
	}
	return f->count ? 0 : -ENOMEM;
}

static void frames_put(struct frames *f)
{
	while (f->count)
		page_put(f->page[--f->count], PAGE_REF);
	if (f->page)
		kmem.free(f->page, COPY_PAGES * sizeof(f->page[0]));
	f->page = NULL;
}

/* Every frame of one set into the other; cycles. */
static u64 copy_all(const struct frames *to, const struct frames *from,
		    void (*copy)(void *dst, const void *src))
{
	unsigned n = MIN(to->count, from->count);
	u64 start = cycles_now();

	for (unsigned i = 0; i < n; i++) {
		char *dst = page_to_virt(to->page[i]);
		const char *src = page_to_virt(from->page[i]);

		for (u64 at = 0; at < PAGE_SIZE << from->order; at += PAGE_SIZE)
			copy(dst + at, src + at);
	}
	return cycles_now() - start;
}

static u64 copy_time(const struct floor_state *s, u32 from, u32 to,
		     void (*copy)(void *dst, const void *src))
{
	const struct frames *f = &s->from[from], *t = &s->to[to];
	u64 pages = (u64)MIN(f->count, t->count) << f->order;

	return bench_time_per(copy_all(t, f, copy), pages, 0);
}

enum { NODE_BITS = 16 }; /* of a pair of nodes as one number: from << NODE_BITS | to */

static u64 pair(u64 from, u64 to)
{
	return from << NODE_BITS | to;
}

static int copy_pair(struct bench *b, u64 nodes, u64 *value)
{
	*value = copy_time(b->state, (u32)(nodes >> NODE_BITS), (u32)nodes & ((1 << NODE_BITS) - 1),
			   copy_page);
	return 0;
}

static int copy_by(struct bench *b, u64 variant, u64 *value)
{
	const struct bench_params *p = &b->params;

	*value = copy_time(b->state, (u32)p->from, (u32)p->to, copy_variants[variant].copy);
	return 0;
}

static void zero(void *dst, const void *src __unused)
{
	zero_page(dst);
}

/* What the first fault of an anonymous page does besides its path. */
static int zeroing(struct bench *b, u64 arg __unused, u64 *value)
{
	*value = copy_time(b->state, (u32)b->params.from, (u32)b->params.to, zero);
	return 0;
}

/* ---- other CPUs ------------------------------------------------------------------- */

static void nothing(void *arg)
{
	(void)arg;
}

/* The median of some calls: one that met a descheduled CPU would drown the others in a mean. */
static u64 call_time(unsigned cpu, bool halted)
{
	u64 took[CALLS];
	struct summary sum;

	for (unsigned i = 0; i < CALLS; i++) {
		/* It goes to sleep by itself, having nothing to run; never with idle=poll. */
		while (halted && !idle_polls && !load_relaxed(&cpu_ptr(cpu, cpu_self)->halted))
			cpu_relax();
		u64 start = cycles_now();

		smp_call_one(cpu, nothing, NULL);
		took[i] = cycles_now() - start;
	}
	samples_summary(took, CALLS, &sum);
	return bench_time_per(sum.median, 1, 0);
}

static int call_all(struct bench *b, u64 arg, u64 *value)
{
	u64 start = cycles_now();

	(void)b, (void)arg;
	for (unsigned i = 0; i < CALLS; i++)
		smp_call(&cpu_online, nothing, NULL);
	*value = bench_time_per(cycles_now() - start, CALLS, 0);
	return 0;
}

static int call_spinning(struct bench *b, unsigned cpu, enum spin_kind kind, u64 *value)
{
	struct floor_state *s = b->state;
	struct spinner spinner;
	int rc = spinner_start(&spinner, cpu, kind, s->as, s->area, AREA_PAGES);

	if (!rc)
		*value = call_time(cpu, false);
	spinner_stop(&spinner);
	return rc;
}

static int call_busy(struct bench *b, u64 cpu, u64 *value)
{
	return call_spinning(b, (unsigned)cpu, SPIN_LOAD, value);
}

static int call_relaxing(struct bench *b, u64 cpu, u64 *value)
{
	return call_spinning(b, (unsigned)cpu, SPIN_RELAX, value);
}

static int call_halted(struct bench *b, u64 cpu, u64 *value)
{
	(void)b;
	*value = call_time((unsigned)cpu, true);
	return 0;
}

/* ---- flushes and faults -------------------------------------------------------------- */

static int flush_page(struct bench *b, u64 arg, u64 *value)
{
	const struct floor_state *s = b->state;
	u64 start = cycles_now();

	(void)arg;
	for (unsigned i = 0; i < FLUSHES; i++)
		tlb_flush_local(&s->as->ctx, s->area + ((i % AREA_PAGES) << PAGE_SHIFT), 0);
	*value = bench_time_per(cycles_now() - start, FLUSHES, 0);
	return 0;
}

static int flush_context(struct bench *b, u64 arg, u64 *value)
{
	const struct floor_state *s = b->state;
	u64 start = cycles_now();

	(void)arg;
	for (unsigned i = 0; i < FLUSHES; i++)
		tlb_flush_context(&s->as->ctx);
	*value = bench_time_per(cycles_now() - start, FLUSHES, 0);
	return 0;
}

/* The pages exist; a second mapping of them is filled by faults that find them. */
static int fault_minor(struct bench *b, u64 arg, u64 *value)
{
	struct floor_state *s = b->state;
	u64 start, len = AREA_PAGES << PAGE_SHIFT;
	int err = 0;
	vaddr_t va = aspace_map(s->as, s->object, 0, 0, len, PROT_READ | PROT_WRITE, false,
				BOOT_NODE_NONE, &err);

	(void)arg;
	if (!va)
		return err;
	load_relaxed((const u64 *)va); /* the first fault makes the tables */
	start = cycles_now();
	for (unsigned i = 1; i < FAULTS; i++)
		load_relaxed((const u64 *)(va + ((u64)i << PAGE_SHIFT)));
	*value = bench_time_per(cycles_now() - start, FAULTS - 1, 0);
	return aspace_unmap(s->as, va, len);
}

/* A fault that the handler refuses: nothing is mapped there. The cheapest there is. */
static int fault_refused(struct bench *b, u64 arg, u64 *value)
{
	const struct floor_state *s = b->state;
	u64 start = cycles_now(), loaded;

	(void)arg;
	for (unsigned i = 0; i < FAULTS; i++)
		probe_load64(s->area + (AREA_PAGES << PAGE_SHIFT), &loaded);
	*value = bench_time_per(cycles_now() - start, FAULTS, 0);
	return 0;
}

/* ---- which ---------------------------------------------------------------------------- */

static u32 nodes_measured(const struct bench *b)
{
	return b->brief ? 0 : MIN(numa_node_count(), (u32)NODES);
}

static unsigned targets_measured(const struct bench *b)
{
	return b->brief ? 0 : MIN(b->params.cpu_count, (unsigned)TARGETS);
}

/* A row with a copy of a page, one that occupies another CPU, and any other. */
#define COPY_ROW(fn, number)                                                                       \
	&(struct bench_series)                                                                     \
	{                                                                                          \
		.unit = "ns/page", .busy = 1, .time = true, .measure = (fn), .arg = (number)       \
	}
#define ROW(fn, busy_cpus, number)                                                                 \
	&(struct bench_series)                                                                     \
	{                                                                                          \
		.unit = "ns", .busy = (busy_cpus), .time = true, .measure = (fn), .arg = (number)  \
	}

static void declare_targets(struct bench *b)
{
	const struct bench_params *p = &b->params;

	for (unsigned i = 0; i < targets_measured(b); i++) {
		bench_series_add(b, ROW(call_busy, 2, p->cpu[i]), "ipi_busy_cpu%u", p->cpu[i]);
		bench_series_add(b, ROW(call_relaxing, 2, p->cpu[i]), "ipi_relaxing_cpu%u",
				 p->cpu[i]);
		bench_series_add(b, ROW(call_halted, 2, p->cpu[i]), "ipi_halted_cpu%u", p->cpu[i]);
	}
	if (p->cpu_count)
		bench_series_add(b, ROW(call_all, 1 + p->cpu_count, 0), "call_all");
}

static void declare(struct bench *b)
{
	const struct bench_params *p = &b->params;
	u32 nodes = nodes_measured(b);

	bench_series_add(b, COPY_ROW(copy_pair, pair(p->from, p->to)), "copy");
	if (p->cpu_count) {
		bench_series_add(b, ROW(call_busy, 2, p->cpu[0]), "ipi_busy");
		bench_series_add(b, ROW(call_halted, 2, p->cpu[0]), "ipi_halted");
	}
	if (b->brief)
		return;
	for (u32 i = 0; i < nodes * nodes; i++)
		bench_series_add(b, COPY_ROW(copy_pair, pair(i / nodes, i % nodes)), "copy_%u_%u",
				 i / nodes, i % nodes);
	for (unsigned i = 0; copy_variants[i].name; i++)
		if (copy_may_run(&copy_variants[i]))
			bench_series_add(b, COPY_ROW(copy_by, i), "copy_by_%s",
					 copy_variants[i].name);
	bench_series_add(b, COPY_ROW(zeroing, 0), "zero");
	declare_targets(b);
	bench_series_add(b, ROW(flush_page, 1, 0), "flush_page");
	bench_series_add(b, ROW(flush_context, 1, 0), "flush_context");
	bench_series_add(b, ROW(fault_minor, 1, 0), "fault_minor");
	bench_series_add(b, ROW(fault_refused, 1, 0), "fault_refused");
}

static int get_frames(struct bench *b, struct floor_state *s)
{
	const struct bench_params *p = &b->params;
	u64 pages = MIN(p->pages, (u64)COPY_PAGES);
	int rc = frames_get(&s->from[p->from], (u32)p->from, pages, p->thp);

	if (!rc)
		rc = frames_get(&s->to[p->to], (u32)p->to, pages, p->thp);
	for (u32 n = 0; n < nodes_measured(b) && !rc; n++) {
		if (!pmm_node_has_memory(n))
			continue;
		rc = frames_get(&s->from[n], n, PAIR_PAGES, p->thp);
		if (!rc)
			rc = frames_get(&s->to[n], n, PAIR_PAGES, p->thp);
	}
	return rc;
}

static int floor_setup(struct bench *b)
{
	struct floor_state *s = b->state;
	u64 len = AREA_PAGES << PAGE_SHIFT;
	int err = get_frames(b, s);

	declare(b);
	if (err)
		return bench_fail(b, err, "a node has no memory to copy to");
	s->as = aspace_create("floor", numa_node_of_cpu(cpu_id()));
	s->object = object_create(AREA_PAGES);
	if (!s->as || !s->object)
		return bench_fail(b, -ENOMEM, "no memory");
	s->area = aspace_map(s->as, s->object, 0, 0, len, PROT_READ | PROT_WRITE, false,
			     BOOT_NODE_NONE, &err);
	if (!s->area || aspace_populate(s->as, s->area, len, BOOT_NODE_NONE) != AREA_PAGES)
		return bench_fail(b, -ENOMEM, "no memory for %u pages", AREA_PAGES);
	aspace_load(s->as);
	return 0;
}

static int floor_round(struct bench *b, struct bench_round *round)
{
	int rc = bench_series_measure(b, round);

	return rc ? bench_fail(b, rc, "no memory for a context or an area") : 0;
}

static void floor_teardown(struct bench *b)
{
	struct floor_state *s = b->state;

	aspace_load(NULL);
	if (s->as)
		aspace_destroy(s->as);
	if (s->object)
		object_put(s->object);
	for (u32 i = 0; i < MAX_NODES; i++) {
		frames_put(&s->from[i]);
		frames_put(&s->to[i]);
	}
}

/* The figures that others are compared with, under names that do not change. */
static void floor_record(struct bench *b, unsigned variant, struct json *j)
{
	static const char *const names[] = {"copy", "ipi_busy", "ipi_halted"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		struct summary s;
		char key[24];
		unsigned k = 0;

		while (k < b->series_count && strcmp(b->series[k].name, names[i]))
			k++;
		ksnprintf(key, sizeof(key), "%s_ns", names[i]);
		json_key(j, key);
		if (k < b->series_count && bench_summary(b, variant, k, &s))
			json_u64(j, s.median * MAX(bench_ns_per_instruction(), 1UL));
		else
			json_null(j);
	}
	json_key(j, "cpus_left_out"), json_u64(j, b->params.cpu_count - targets_measured(b));
	json_key(j, "nodes_left_out"), json_u64(j, numa_node_count() - nodes_measured(b));
}

WORKLOAD(workload_floor) = {
	.name = "floor",
	.summary = "the cheapest way: page copies, interrupts, flushes and faults by themselves",
	.unit = "ns/page",
	.min_cpus = 1,
	.min_nodes = 1,
	.separates = "",
	.takes = OPT_NODES | OPT_THP | OPT_CPUS,
	.state_size = sizeof(struct floor_state),
	.setup = floor_setup,
	.round = floor_round,
	.teardown = floor_teardown,
	.record = floor_record,
};
