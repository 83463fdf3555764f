/* Options of `bench`: the table, what follows from the machine, and the record's "params". */
#include <kernel/command.h>
#include <kernel/error.h>
#include <kernel/string.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "run.h"

static struct {
	struct bench_params p;
	const char *schemes, *vary, *cpus, *eat;
	unsigned mapping;
	struct place_asked place;
} asked;

enum { DURATION_MAX = 86400 }; /* seconds */

static const char *const mapping_names[] = {"rw", "ro", NULL};

/* Rows of the table, without the fields that a kind does not have. */
#define TEXT(opt, to, text)                                                                        \
	{                                                                                          \
		.name = opt, .kind = ARG_STRING, .value = to, .help = text                         \
	}
#define FLAG(opt, to, text)                                                                        \
	{                                                                                          \
		.name = opt, .kind = ARG_FLAG, .value = to, .help = text                           \
	}
#define CHOICE(opt, to, list, default_choice, text)                                                \
	{                                                                                          \
		.name = opt, .kind = ARG_CHOICE, .value = to, .help = text, .choices = list,       \
		.def = default_choice                                                              \
	}
#define NUMBER(opt, to, least, most, default_value, text)                                          \
	{                                                                                          \
		.name = opt, .kind = ARG_U64, .value = to, .help = text, .min = least,             \
		.max = most, .def = default_value                                                  \
	}

const struct arg bench_options[] = {
	TEXT("--schemes", &asked.schemes, "a,b or all: compare these, interleaved"),
	TEXT("--vary", &asked.vary, "KNOB=v1,v2: each scheme once per value"),
	NUMBER("--pages", &asked.p.pages, 1, 1 << 24, 4096, "4 KiB pages"),
	NUMBER("--threads", &asked.p.threads, 0, MAX_CPUS - 1, 3, "threads that use the pages"),
	TEXT("--cpus", &asked.cpus, "INITIATOR:LIST, as 0:1,4-7"),
	NUMBER("--write-pct", &asked.p.write_pct, 0, 100, 20, "percent of accesses that write"),
	CHOICE("--pattern", &asked.p.pattern, pattern_names, PATTERN_UNIFORM, "which page is next"),
	CHOICE("--mapping", &asked.mapping, mapping_names, 0, "ro: the threads only read"),
	FLAG("--thp", &asked.p.thp, "2 MiB pages"),
	NUMBER("--from", &asked.p.from, 0, MAX_NODES - 1, 0, "node where the pages begin"),
	NUMBER("--to", &asked.p.to, 0, MAX_NODES - 1, 1, "node they move to, and back"),
	NUMBER("--procs", &asked.p.procs, 1, BENCH_MAX_PROCS, 1,
	       "address spaces that share out pages and threads"),
	NUMBER("--slice", &asked.p.slice, 0, 1 << 30, 0,
	       "operations between switches of threads that share a CPU"),
	NUMBER("--pin", &asked.p.pin, 0, 1 << 24, 0, "pages pinned, which must not move"),
	NUMBER("--share", &asked.p.share, 1, MAX_CPUS, 1, "threads that use each page"),
	NUMBER("--stripe", &asked.p.stripe, 0, 1 << 24, 0,
	       "pages after which the next thread's follow; 0: each has them in one piece"),
	TEXT("--eat", &asked.eat,
	     "NODE:PERCENT, a program holds NODE so that PERCENT of the pages used there find no "
	     "room when threads touch them first, and leaves; without it all start on the next "
	     "node"),
	CHOICE("--access", &asked.p.access, pmbench_names, PMBENCH_UNIFORM,
	       "pmbench: which page is next"),
	NUMBER("--map-size", &asked.p.map_mib, 1, 1 << 20, 32, "pmbench: MiB mapped"),
	NUMBER("--set-size", &asked.p.set_mib, 1, 1 << 20, 16, "pmbench: MiB of them used"),
	NUMBER("--shape", &asked.p.shape, 0, 1UL << 40, 0,
	       "pmbench: thousandths of its shape: pareto exponent, sigma or stride in pages; "
	       "0: 1161, an eighth of the set, 1000"),
	NUMBER("--read-pct", &asked.p.read_pct, 0, 100, 50, "pmbench: percent that read"),
	NUMBER("--accesses", &asked.p.accesses, 1, 1UL << 32, 20000,
	       "pmbench: by each thread in a round"),
	NUMBER("--duration", &asked.p.duration, 0, DURATION_MAX, 0,
	       "pmbench: seconds that the measured rounds share out, instead of --accesses; "
	       "also as the word behind pmbench"),
	NUMBER("--delay", &asked.p.delay, 0, 1UL << 32, 0, "pmbench: cycles between accesses"),
	NUMBER("--offset", &asked.p.offset, 0, PMBENCH_WORDS, PMBENCH_WORDS,
	       "pmbench: word of the page that is accessed; 1024: any"),
	FLAG("--initialize", &asked.p.initialize, "pmbench: no zeros at first"),
	TEXT("--affinity", &asked.p.affinity,
	     "pmbench: CPUS[:THREADS]/...: a map for each set of CPUs, bound to their nodes"),
	FLAG("--cold", &asked.p.cold, "pmbench: no warm-up accesses"),
	FLAG("--scan", &asked.p.scan, "pmbench: NUMA scans meanwhile"),
	FLAG("--localalloc", &asked.place.localalloc, "pages from the node that touches them"),
	TEXT("--preferred", &asked.place.preferred, "NODE: pages from there while it has some"),
	TEXT("--interleave", &asked.place.interleave, "NODES: pages from these in turn"),
	TEXT("--membind", &asked.place.membind, "NODES: pages from these and no others"),
	FLAG("--keep", &asked.p.keep, "leave the pages in place, for migratepages and look"),
	NUMBER("--seed", &asked.p.seed, 0, UINT64_MAX, 1, "of all random numbers"),
	NUMBER("--warmup", &asked.p.warmup, 0, BENCH_MAX_REPS, 5, "rounds thrown away"),
	NUMBER("--reps", &asked.p.reps, 1, BENCH_MAX_REPS, 30, "rounds measured, one sample each"),
	NUMBER("--rounds", &asked.p.reps, 1, BENCH_MAX_REPS, 30, "the same as --reps"),
	NUMBER("--time", &asked.p.time, 0, DURATION_MAX, 0,
	       "seconds after which no round begins; 0: none"),
	{.name = NULL},
};

static const struct {
	const char *name;
	unsigned option;
} needs[] = {
	{"--pages", OPT_PAGES},	      {"--threads", OPT_THREADS},    {"--cpus", OPT_CPUS},
	{"--write-pct", OPT_WRITES},  {"--pattern", OPT_PATTERN},    {"--mapping", OPT_MAPPING},
	{"--thp", OPT_THP},	      {"--from", OPT_NODES},	     {"--to", OPT_NODES},
	{"--procs", OPT_PROCS},	      {"--slice", OPT_SLICE},	     {"--pin", OPT_PIN},
	{"--share", OPT_SHARE},	      {"--stripe", OPT_SHARE},	     {"--access", OPT_PMBENCH},
	{"--map-size", OPT_PMBENCH},  {"--set-size", OPT_PMBENCH},   {"--shape", OPT_PMBENCH},
	{"--read-pct", OPT_PMBENCH},  {"--accesses", OPT_PMBENCH},   {"--cold", OPT_PMBENCH},
	{"--scan", OPT_PMBENCH},      {"--duration", OPT_PMBENCH},   {"--delay", OPT_PMBENCH},
	{"--offset", OPT_PMBENCH},    {"--initialize", OPT_PMBENCH}, {"--affinity", OPT_PMBENCH},
	{"--keep", OPT_KEEP},	      {"--localalloc", OPT_POLICY},  {"--preferred", OPT_POLICY},
	{"--interleave", OPT_POLICY}, {"--membind", OPT_POLICY},     {"--eat", OPT_EAT},
};

bool params_apply(const struct arg *option, const char *workload)
{
	const struct workload *w = workload_find(workload);

	for (unsigned i = 0; w && i < ARRAY_SIZE(needs); i++)
		if (!strcmp(needs[i].name, option->name))
			return w->options & needs[i].option;
	return true;
}

/* Was the option written, in either form? */
static bool given(int argc, char **argv, const char *name)
{
	size_t len = strlen(name);

	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], name, len) && (!argv[i][len] || argv[i][len] == '='))
			return true;
	}
	return false;
}

int params_range(const char *s, size_t len, u64 *first, u64 *last)
{
	char word[24], *dash;

	if (len >= sizeof(word))
		return -EINVAL;
	memcpy(word, s, len);
	word[len] = '\0';
	dash = strchr(word, '-');
	if (dash)
		*dash = '\0';
	if (parse_u64(word, first))
		return -EINVAL;
	*last = *first;
	return dash ? parse_u64(dash + 1, last) : 0;
}

/* Append the CPUs to the list: online ones, each once, not the initiator, not the console's. */
static int add_cpus(struct bench_params *p, u64 first, u64 last)
{
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

	if (params_range(s, end ? (size_t)(end - s) : strlen(s), &first, &last) || first != last ||
	    first >= cpu_count || !cpumask_test(&cpu_online, (unsigned)first))
		return -EINVAL;
	p->initiator = (unsigned)first;
	while (end) {
		s = end + 1;
		end = strchr(s, ',');
		if (params_range(s, end ? (size_t)(end - s) : strlen(s), &first, &last) ||
		    add_cpus(p, first, last))
			return -EINVAL;
	}
	return 0;
}

/* Thread i runs on the i-th other CPU unless --cpus says otherwise. */
static unsigned place_threads(struct bench_params *p, const struct workload *w, bool count_given)
{
	p->initiator = cpu_id();
	p->cpu_count = 0;
	if (p->affinity && (asked.cpus || count_given))
		return command_usage_error("bench", "--affinity and --%s exclude each other",
					   asked.cpus ? "cpus" : "threads");
	if (p->affinity)
		return affinity_parse(p);
	if (asked.cpus && parse_cpus_option(asked.cpus, p))
		return command_usage_error(
			"bench",
			"--cpus %s: not INITIATOR:LIST of online CPUs, each once, "
			"the console's (%u) not in the list",
			asked.cpus, cpu_id());
	if (!p->cpu_count)
		for_each_online_cpu (cpu)
			if (cpu != p->initiator && cpu != cpu_id())
				p->cpu[p->cpu_count++] = (u16)cpu;
	if (!(w->options & OPT_THREADS))
		p->threads = 0;
	else if (!count_given)
		p->threads = MIN(w->default_threads, p->cpu_count);
	if (p->threads > p->cpu_count && (!p->slice || !p->cpu_count))
		return command_usage_error(
			"bench", "--threads %lu: only %u CPUs beside initiator and console%s",
			p->threads, p->cpu_count,
			p->cpu_count && w->options & OPT_SLICE
				? " (--slice N lets threads share them)"
				: "");
	return RC_PASS;
}

static unsigned check_nodes(struct bench_params *p, const struct workload *w, bool to_given)
{
	u32 nodes = numa_node_count();

	if (!to_given)
		p->to = p->from == 1 || nodes == 1 ? 0 : 1;
	if (!(w->options & OPT_NODES))
		return RC_PASS;
	if (p->from >= nodes || (to_given && p->to >= nodes))
		return command_usage_error("bench", "--%s %lu: there are nodes 0 to %u",
					   p->from >= nodes ? "from" : "to",
					   p->from >= nodes ? p->from : p->to, nodes - 1);
	if (p->from == p->to && nodes > 1)
		return command_usage_error("bench", "--from and --to are both node %lu", p->from);
	return RC_PASS;
}

/* "1:65". */
static unsigned check_eat(struct bench_params *p)
{
	const char *colon = asked.eat ? strchr(asked.eat, ':') : NULL;
	u64 last;

	p->eat_percent = 0;
	if (!asked.eat)
		return RC_PASS;
	if (!colon || params_range(asked.eat, (size_t)(colon - asked.eat), &p->eat_node, &last) ||
	    last != p->eat_node || parse_u64(colon + 1, &p->eat_percent) || !p->eat_percent ||
	    p->eat_percent > 100 || p->eat_node >= numa_node_count())
		return command_usage_error(
			"bench", "--eat %.40s: not NODE:PERCENT, of nodes 0 to %u and 1 to 100",
			asked.eat, numa_node_count() - 1);
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

static unsigned check_vary(struct bench *b)
{
	const char *equals = asked.vary ? strchr(asked.vary, '=') : NULL;

	if (!asked.vary)
		return RC_PASS;
	if (!equals || !equals[1] || (size_t)(equals - asked.vary) >= sizeof(b->vary))
		return command_usage_error("bench", "--vary %.40s: not KNOB=v1,v2", asked.vary);
	memcpy(b->vary, asked.vary, (size_t)(equals - asked.vary));
	b->vary_values = equals + 1;
	return RC_PASS;
}

static unsigned check_all(struct bench *b, bool threads_given, bool to_given, bool pages_given)
{
	unsigned rc = place_parse(&asked.place, &b->params);

	if (!rc)
		rc = place_threads(&b->params, b->workload, threads_given);
	if (!rc)
		rc = check_nodes(&b->params, b->workload, to_given);
	if (!rc)
		rc = check_eat(&b->params);
	if (!rc && !pages_given && b->workload->options & OPT_NODES)
		fit_pages(&b->params);
	return rc ? rc : check_vary(b);
}

/* "bench pmbench 60", as that program is called. */
static unsigned set_duration(const struct workload *w, const char *word)
{
	if (!(w->options & OPT_PMBENCH))
		return command_usage_error("bench", "%.40s: %s takes no second word", word,
					   w->name);
	if (parse_u64(word, &asked.p.duration) || !asked.p.duration ||
	    asked.p.duration > DURATION_MAX)
		return command_usage_error("bench", "%.40s: not a duration of 1 to %d seconds",
					   word, DURATION_MAX);
	return RC_PASS;
}

unsigned params_parse(int argc, char **argv, struct bench **out)
{
	bool threads_given = given(argc, argv, "--threads"), to_given = given(argc, argv, "--to");
	bool pages_given = given(argc, argv, "--pages");
	bool wrong[ARRAY_SIZE(needs)], accesses_given;
	const struct workload *w;
	unsigned rc;

	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
		wrong[i] = given(argc, argv, needs[i].name);
	accesses_given = given(argc, argv, "--accesses");
	rc = command_args("bench", bench_options, &argc, argv, 1, 2);
	if (rc)
		return rc;
	w = workload_find(argv[1]);
	if (!w)
		return command_usage_error("bench", "no workload %.40s (see: list workloads)",
					   argv[1]);
	if (argc > 2)
		rc = set_duration(w, argv[2]);
	if (!rc && asked.p.duration && accesses_given)
		rc = command_usage_error("bench", "--duration and --accesses exclude each other");
	if (rc)
		return rc;
	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++)
		if (wrong[i] && !(w->options & needs[i].option))
			return command_usage_error("bench", "%s does not apply to %s",
						   needs[i].name, w->name);
	*out = bench_alloc(w);
	if (!*out)
		return command_failed("bench", "no memory");
	asked.p.read_only = asked.mapping == 1;
	(*out)->params = asked.p;
	(*out)->schemes = asked.schemes;
	rc = check_all(*out, threads_given, to_given, pages_given);
	if (rc)
		bench_free(*out);
	return rc;
}

static void cpus_json(const struct bench_params *p, struct json *j)
{
	json_key(j, "initiator"), json_u64(j, p->initiator);
	json_key(j, "cpus"), json_array(j);
	for (unsigned i = 0; i < MIN(p->threads, p->cpu_count); i++)
		json_u64(j, p->cpu[i]);
	json_array_end(j);
}

void params_json(const struct bench *b, struct json *j)
{
	const struct bench_params *p = &b->params;

	json_object(j);
	json_key(j, "pages"), json_u64(j, p->pages);
	json_key(j, "threads"), json_u64(j, p->threads);
	cpus_json(p, j);
	json_key(j, "write_pct"), json_u64(j, p->write_pct);
	json_key(j, "pattern"), json_string(j, pattern_names[p->pattern]);
	json_key(j, "mapping"), json_string(j, mapping_names[p->read_only]);
	json_key(j, "thp"), json_bool(j, p->thp);
	json_key(j, "from"), json_u64(j, p->from);
	json_key(j, "to"), json_u64(j, p->to);
	json_key(j, "procs"), json_u64(j, p->procs);
	json_key(j, "slice"), json_u64(j, p->slice);
	json_key(j, "pin"), json_u64(j, p->pin);
	json_key(j, "share"), json_u64(j, p->share);
	json_key(j, "stripe"), json_u64(j, p->stripe);
	json_key(j, "eat"), json_string(j, p->eat_percent ? asked.eat : NULL);
	place_json(p, j);
	json_key(j, "keep"), json_bool(j, p->keep);
	json_key(j, "rounds"), json_u64(j, p->reps);
	json_key(j, "reps"), json_u64(j, p->reps);
	json_key(j, "time"), json_u64(j, p->time);
	json_key(j, "vary"), json_string(j, b->vary[0] ? b->vary : NULL);
	json_object_end(j);
}
