/* The verb `bench`: its options, a run and the floor beside it, tables, records, exit code. */
#include <harness/keep.h>
#include <harness/run.h>
#include <harness/variant.h>
#include <harness/workload.h>
#include <kernel/bench.h>
#include <kernel/command.h>
#include <kernel/error.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <load/options.h>
#include <mm/numa.h>
#include <report/figures.h>
#include <report/record.h>
#include <report/table.h>
#include "params.h"

static const char *cannot_run(const struct bench *b, char *buf, size_t size)
{
	unsigned cpus = cpumask_weight(&cpu_online);
	u32 nodes = numa_node_count();

	if (nodes < b->workload->min_nodes)
		ksnprintf(buf, size, "%s needs %u nodes, there is %u: " MACHINE_MORE_NODES,
			  b->workload->name, b->workload->min_nodes, nodes);
	else if (b->params.tier && b->params.to == b->params.from)
		ksnprintf(buf, size,
			  "no node has memory only: firmware shows CXL memory, and HBM in flat "
			  "mode, as one; "
			  "QEMU: NODES=2:1G,2:1G,0:1G");
	else if (cpus < b->workload->min_cpus)
		ksnprintf(buf, size, "%s needs %u CPUs, there is %u: " MACHINE_MORE_CPUS,
			  b->workload->name, b->workload->min_cpus, cpus);
	else
		return NULL;
	return buf;
}

enum {
	FLOOR_WARMUP = 5,
	FLOOR_REPS = 30,
	FLOOR_SHARE = 5, /* of --time, one part in so many */
}; /* at most: it stands beside the run, it is not the run */

/* The floor in short, with this run's nodes, page size and seed. NULL: it could not be measured. */
static struct bench *run_floor(const struct bench *b)
{
	const struct workload *w = workload_find("floor");
	struct bench *floor = w && w != b->workload ? bench_alloc(w) : NULL;

	if (!floor)
		return NULL;
	floor->params = b->params;
	floor->params.threads = 0;
	floor->params.warmup = MIN(b->params.warmup, (u64)FLOOR_WARMUP);
	floor->params.reps = MIN(b->params.reps, (u64)FLOOR_REPS);
	floor->params.time = b->params.time / FLOOR_SHARE + !!b->params.time;
	floor->params.keep = floor->params.pmu = false;
	floor->brief = floor->quiet = true;
	variant_add(floor, "as-set", NULL);
	if (variant_try(floor, &floor->variant[0]) || bench_measure(floor)) {
		kprintf("# no floor: %s\n", floor->error);
		bench_free(floor);
		return NULL;
	}
	return floor;
}

static unsigned exit_code(const struct bench *b, int rc)
{
	if (rc == -EINVAL || rc == -ERANGE)
		return command_usage_error("bench", "%s", b->error);
	if (rc)
		return command_failed("bench", "%s", b->error);
	if (b->stale_total)
		return command_failed("bench", "%lu stale reads", b->stale_total);
	if (b->damaged)
		return command_failed("bench", "%lu pages with wrong contents after the last round",
				      b->damaged);
	if (b->leaked)
		return command_failed("bench", "%lu frames or objects were not given back",
				      b->leaked);
	if (b->interrupted)
		return RC_FAIL;
	return b->reps_done ? RC_PASS : RC_SKIP;
}

static void print_all(struct bench *b, struct bench *floor)
{
	table_print(b, floor);
	if (!records_printed()) {
		kprintf("# records=off: `results` prints the records of this run\n");
		return;
	}
	machine_record_once();
	if (!results_print())
		return;
	record_print_values(b);
	if (floor)
		record_print_values(floor);
}

static void sum_up(const struct bench *b, struct bench_outcome *out)
{
	size_t len;

	*out = (struct bench_outcome){0};
	for (unsigned i = 0; i < b->variant_count; i++) {
		const struct bench_variant *v = &b->variant[i];

		out->units += v->totals.units;
		out->failed += bench_failed(&v->totals);
		out->reads_verified += v->felt.reads_verified;
		out->skipped += v->skipped[0] != '\0';
	}
	out->stale_reads = b->stale_total;
	while (results_record(out->records, &len))
		out->records++;
}

/* out: say nothing, sum up instead. */
static void report(struct bench *b, struct bench_outcome *out)
{
	struct bench *floor = b->interrupted ? NULL : run_floor(b);

	record_make(b, floor);
	if (out)
		sum_up(b, out);
	else
		print_all(b, floor);
	if (floor)
		bench_free(floor);
}

static unsigned run(struct bench *b, struct bench_outcome *out)
{
	char why[BENCH_ERROR_LEN];
	unsigned rc = variants_make(b);
	u64 leaked;
	int err = 0;

	if (rc)
		return rc;
	if (cannot_run(b, why, sizeof(why))) {
		kprintf("# SKIP %s\n", why);
		return RC_SKIP;
	}
	/* A mistake costs nothing that is there: neither results nor what an earlier run kept. */
	if (b->workload->check)
		err = b->workload->check(b);
	if (err)
		return exit_code(b, err);
	results_clear();
	leaked = keep_drop();
	err = bench_measure(b);
	b->leaked += leaked;
	/* A run that failed on its way still shows what it has. */
	if (!err || b->reps_done)
		report(b, out);
	if (!out)
		keep_print();
	return exit_code(b, err);
}

static unsigned parse_and_run(int argc, char **argv, struct bench_outcome *out)
{
	struct bench *b;
	unsigned rc = params_parse(argc, argv, &b);

	if (rc)
		return rc;
	b->quiet = out;
	rc = run(b, out);
	bench_free(b);
	return rc;
}

unsigned bench_command(int argc, char **argv)
{
	return parse_and_run(argc, argv, NULL);
}

unsigned bench_quietly(int argc, char **argv, struct bench_outcome *out)
{
	return parse_and_run(argc, argv, out);
}

void bench_init(void)
{
	options_add(options_compare, NULL);
	options_add(options_load, NULL);
	options_add(options_run, NULL);
	for (const struct workload *const *w = __start_workloads; w < __stop_workloads; w++)
		options_add((*w)->options, *w);
	record_init();
}
