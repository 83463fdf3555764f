/* pmbench's affinity sets: which threads run where. */
#include <harness/bench.h>
#include <kernel/args.h>
#include <kernel/command.h>
#include <kernel/error.h>
#include <kernel/string.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "affinity.h"

/* Why a thread cannot run there; NULL: it can. */
static const char *cannot_run_on(const struct bench_params *p, u64 cpu)
{
	if (cpu >= cpu_count || !cpumask_test(&cpu_online, (unsigned)cpu))
		return "no such CPU";
	if (cpu == p->initiator)
		return "the console's CPU";
	if (!pmm_node_has_memory(numa_node_of_cpu((unsigned)cpu)))
		return "its node has no memory";
	for (unsigned i = 0; i < p->cpu_count && !p->slice; i++)
		if (p->cpu[i] == cpu)
			return "named twice (--slice N lets threads share a CPU)";
	return p->cpu_count == MAX_CPUS ? "too many threads" : NULL;
}

static unsigned add_cpus(const struct affinity *a, struct bench_params *p, const char *s,
			 size_t len)
{
	u64 first, last;

	if (parse_range(s, len, &first, &last) || first > last)
		return command_usage_error("bench", "--affinity %s: not CPUS[:THREADS]/...",
					   a->text);
	for (; first <= last; first++) {
		const char *why = cannot_run_on(p, first);

		if (why)
			return command_usage_error("bench", "--affinity %s: CPU %lu: %s", a->text,
						   first, why);
		p->cpu[p->cpu_count++] = (u16)first;
	}
	return RC_PASS;
}

/* As many threads as were asked for, on the CPUs from index `first` on in turn. */
static unsigned set_threads(const struct affinity *a, struct bench_params *p, unsigned first,
			    u64 threads)
{
	unsigned cpus = p->cpu_count - first;

	if (!threads || threads > MAX_CPUS - first || (threads > cpus && !p->slice))
		return command_usage_error(
			"bench", "--affinity %s: %lu threads on %u CPUs%s", a->text, threads, cpus,
			threads > cpus ? " (--slice N lets threads share a CPU)" : "");
	while (p->cpu_count < first + threads) {
		p->cpu[p->cpu_count] = p->cpu[p->cpu_count - cpus];
		p->cpu_count++;
	}
	p->cpu_count = first + (unsigned)threads;
	return RC_PASS;
}

/* "1,4-7:8" of len characters. */
static unsigned add_set(struct affinity *a, struct bench_params *p, const char *s, size_t len)
{
	const char *end = s + len, *colon = memchr(s, ':', len), *stop = colon ? colon : end;
	unsigned first = p->cpu_count, rc = RC_PASS;
	u64 threads = 0, last;

	if (a->sets == AFFINITY_SETS)
		return command_usage_error("bench", "--affinity %s: more than %d sets", a->text,
					   AFFINITY_SETS);
	while (!rc && s <= stop) {
		const char *comma = memchr(s, ',', (size_t)(stop - s));
		const char *next = comma ? comma : stop;

		rc = add_cpus(a, p, s, (size_t)(next - s));
		s = next + 1;
	}
	if (!rc && colon &&
	    (parse_range(colon + 1, (size_t)(end - colon - 1), &threads, &last) || threads != last))
		rc = command_usage_error("bench", "--affinity %s: not CPUS[:THREADS]/...", a->text);
	if (!rc)
		rc = set_threads(a, p, first, colon ? threads : p->cpu_count - first);
	a->set_end[a->sets++] = (u16)p->cpu_count;
	return rc;
}

unsigned affinity_parse(struct affinity *a, struct bench_params *p)
{
	const char *s = a->text, *end;
	unsigned rc;

	a->sets = 0;
	if (p->policy)
		return command_usage_error("bench", "--affinity binds its maps: no other policy");
	for (end = strchr(s, '/'); end; end = strchr(s, '/')) {
		rc = add_set(a, p, s, (size_t)(end - s));
		if (rc)
			return rc;
		s = end + 1;
	}
	rc = add_set(a, p, s, strlen(s));
	p->threads = p->cpu_count;
	return rc;
}
