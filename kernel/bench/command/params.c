/* What the options of `bench` mean on this machine. */
#include <harness/bench.h>
#include <harness/policy.h>
#include <harness/workload.h>
#include <kernel/command.h>
#include <kernel/console.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/string.h>
#include <mm/demote.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "params.h"

/* Append the CPUs to the list: online ones, each once, not the initiator, not the console's. */
static int add_cpus(struct bench_params *p, u64 first, u64 last)
{
	if (first > last)
		return -EINVAL;
	for (; first <= last; first++) {
		if (first >= cpu_count || first == p->initiator || first == cpu_id() ||
		    !cpumask_test(&cpu_online, (unsigned)first))
			return -EINVAL;
		for (unsigned i = 0; i < p->cpu_count; i++)
			if (p->cpu[i] == first)
				return -EINVAL;
		p->cpu[p->cpu_count++] = (u16)first;
	}
	return 0;
}

/* "0:1,4-7", or "2" for the initiator alone. */
static int parse_cpus_option(const char *s, struct bench_params *p)
{
	const char *end = strchr(s, ':');
	u64 first, last;

	if (parse_range(s, end ? (size_t)(end - s) : strlen(s), &first, &last) || first != last ||
	    first >= cpu_count || !cpumask_test(&cpu_online, (unsigned)first))
		return -EINVAL;
	p->initiator = (unsigned)first;
	while (end) {
		s = end + 1;
		end = strchr(s, ',');
		if (parse_range(s, end ? (size_t)(end - s) : strlen(s), &first, &last) ||
		    add_cpus(p, first, last))
			return -EINVAL;
	}
	return 0;
}

/* How many threads there are where nobody says: at least one for each space that was asked for. */
static u64 threads_unasked(const struct bench_params *p, const struct workload *w)
{
	u64 threads =
		option_given("--procs") ? MAX(w->default_threads, p->procs) : w->default_threads;

	return MIN(threads, (u64)p->cpu_count);
}

/* Thread i runs on the i-th other CPU unless --cpus, or the workload, says otherwise. */
static unsigned assign_cpus(struct bench *b)
{
	const struct workload *w = b->workload;
	struct bench_params *p = &b->params;

	if (p->cpu_count) /* the workload did */
		return RC_PASS;
	if (p->cpus && parse_cpus_option(p->cpus, p))
		return command_usage_error(
			"bench",
			"--cpus %s: not INITIATOR:LIST of online CPUs, each once, "
			"the console's (%u) not in the list",
			p->cpus, cpu_id());
	if (!p->cpu_count)
		for_each_online_cpu (cpu)
			if (cpu != p->initiator && cpu != cpu_id())
				p->cpu[p->cpu_count++] = (u16)cpu;
	if (!(w->takes & OPT_THREADS))
		p->threads = 0;
	else if (!option_given("--threads"))
		p->threads = threads_unasked(p, w);
	if (p->threads > p->cpu_count && (!p->slice || !p->cpu_count))
		return command_usage_error(
			"bench", "--threads %lu: only %u CPUs beside initiator and console%s",
			p->threads, p->cpu_count,
			p->cpu_count && w->takes & OPT_SLICE
				? " (--slice N lets threads share them)"
				: "");
	return RC_PASS;
}

static unsigned check_nodes(struct bench_params *p, const struct workload *w)
{
	bool to_given = option_given("--to");
	u32 nodes = numa_node_count();

	if (!to_given)
		p->to = p->from == 1 || nodes == 1 ? 0 : 1;
	if (!(w->takes & OPT_NODES))
		return RC_PASS;
	if (p->from >= nodes || (to_given && p->to >= nodes))
		return command_usage_error("bench", "--%s %lu: there are nodes 0 to %u",
					   p->from >= nodes ? "from" : "to",
					   p->from >= nodes ? p->from : p->to, nodes - 1);
	if (p->tier && to_given)
		return command_usage_error("bench", "--tier chooses a node, and --to as well");
	if (p->tier)
		p->to = demote_target((u32)p->from);
	else if (p->from == p->to && nodes > 1)
		return command_usage_error("bench", "--from and --to are both node %lu", p->from);
	return RC_PASS;
}

/* The default number of pages shrinks to what both nodes have room for. */
static void fit_pages(struct bench_params *p)
{
	struct pmm_node_stats from, to;
	u64 room;

	pmm_node_stats((u32)p->from, &from);
	pmm_node_stats((u32)p->to, &to);
	room = MIN(from.free, to.free) / 2;
	while (p->pages > room && p->pages > 1)
		p->pages /= 2;
}

enum {
	PATIENCE = 10
}; /* seconds that somebody at the prompt is kept waiting, unless asked for more */

/* Rounds of a workload whose rounds are long. */
static void fewer_rounds(struct bench_params *p, const struct workload *w)
{
	if (!w->default_reps)
		return;
	if (!option_given("--rounds") && !option_given("--reps"))
		p->reps = w->default_reps;
	if (!option_given("--warmup"))
		p->warmup = w->default_warmup;
}

static unsigned settle(struct bench *b)
{
	const struct workload *w = b->workload;
	struct bench_params *p = &b->params;
	unsigned rc;

	p->read_only = p->mapping == MAPPING_RO;
	fewer_rounds(p, w);
	p->initiator = cpu_id();
	p->cpu_count = 0;
	rc = policy_parse(p);
	if (!rc && w->settle)
		rc = w->settle(b);
	if (!rc)
		rc = assign_cpus(b);
	if (!rc)
		rc = check_nodes(p, w);
	if (!rc && !option_given("--pages") && w->takes & OPT_NODES)
		fit_pages(p);
	return rc;
}

/* The words that are no options: "bench", the workload, and what that makes of a further one. */
static unsigned read_words(int argc, char **argv, const struct workload **w)
{
	*w = workload_find(argv[1]);
	if (!*w)
		return command_usage_error("bench", "no workload %.40s (see: list workloads)",
					   argv[1]);
	if (argc <= 2)
		return RC_PASS;
	if (!(*w)->word)
		return command_usage_error("bench", "%.40s: %s takes no second word", argv[2],
					   (*w)->name);
	return (*w)->word(argv[2]);
}

unsigned params_parse(int argc, char **argv, struct bench **out)
{
	const struct workload *w;
	unsigned rc = options_parse(&argc, argv);

	if (!rc)
		rc = read_words(argc, argv, &w);
	if (!rc)
		rc = options_refuse(w);
	if (rc)
		return rc;
	*out = bench_alloc(w);
	if (!*out)
		return command_failed("bench", "no memory");
	(*out)->params = options_asked;
	/* A second word is how long, too. */
	if (console_attended() && !det_mode && argc <= 2 && !options_length_given())
		(*out)->params.time = PATIENCE;
	rc = settle(*out);
	if (rc)
		bench_free(*out);
	return rc;
}
