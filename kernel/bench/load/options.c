/* Options of the load, in the order in which records have them. */
#include <harness/bench.h>
#include <harness/policy.h>
#include <mm/numa.h>
#include "options.h"
#include "pattern.h"

static const char *const mapping_names[] = {"rw", "ro", "private", "shared", NULL};

static void put_cpus(const struct bench_params *p, struct json *j)
{
	json_key(j, "initiator"), json_u64(j, p->initiator);
	json_key(j, "cpus"), json_array(j);
	for (unsigned i = 0; i < MIN(p->threads, p->cpu_count); i++)
		json_u64(j, p->cpu[i]);
	json_array_end(j);
}

#define ASKED(field) &options_asked.field

const struct bench_option options_load[] = {
	{OPTION_NUMBER(
		 "--pages", ASKED(pages), 1, 1 << 24, 4096,
		 "4 KiB pages; will-it-scale's tests: of each task, by default as the test says"),
	 .group = OPT_PAGES, .key = "pages"},
	{OPTION_NUMBER("--threads", ASKED(threads), 0, MAX_CPUS - 1, 3,
		       "threads that use the pages"),
	 .group = OPT_THREADS, .key = "threads"},
	{OPTION_TEXT("--cpus", ASKED(cpus), "INITIATOR:LIST, as 0:1,4-7"), .group = OPT_CPUS,
	 .put = put_cpus},
	{OPTION_NUMBER("--write-pct", ASKED(write_pct), 0, 100, 20,
		       "percent of accesses that write"),
	 .group = OPT_WRITES, .key = "write_pct"},
	{OPTION_CHOICE("--pattern", ASKED(pattern), pattern_names, PATTERN_UNIFORM,
		       "which page is next"),
	 .group = OPT_PATTERN, .key = "pattern"},
	{OPTION_CHOICE("--mapping", ASKED(mapping), mapping_names, MAPPING_RW,
		       "ro: the threads only read; shared: memory that others might map, too, else "
		       "private"),
	 .group = OPT_MAPPING, .key = "mapping"},
	{OPTION_FLAG("--thp", ASKED(thp), "2 MiB pages"), .group = OPT_THP, .key = "thp"},
	{OPTION_NUMBER("--from", ASKED(from), 0, MAX_NODES - 1, 0, "node where the pages begin"),
	 .group = OPT_NODES, .key = "from"},
	{OPTION_NUMBER("--to", ASKED(to), 0, MAX_NODES - 1, 1, "node they move to, and back"),
	 .group = OPT_NODES, .key = "to"},
	{OPTION_FLAG("--tier", ASKED(tier),
		     "move to the nearest node with memory only and back, instead of --to"),
	 .group = OPT_NODES},
	{OPTION_NUMBER("--procs", ASKED(procs), 1, BENCH_MAX_PROCS, 1,
		       "address spaces that share out pages and threads"),
	 .group = OPT_PROCS, .key = "procs"},
	{OPTION_NUMBER("--slice", ASKED(slice), 0, 1 << 30, 0,
		       "operations between switches of threads that share a CPU"),
	 .group = OPT_SLICE, .key = "slice"},
	{OPTION_NUMBER("--pin", ASKED(pin), 0, 1 << 24, 0, "pages pinned, which must not move"),
	 .group = OPT_PIN, .key = "pin"},
	{OPTION_NUMBER("--share", ASKED(share), 1, MAX_CPUS, 1, "threads that use each page"),
	 .group = OPT_SHARE, .key = "share"},
	{OPTION_NUMBER("--stripe", ASKED(stripe), 0, 1 << 24, 0,
		       "pages after which the next thread's follow; 0: each has them in one piece"),
	 .group = OPT_SHARE, .key = "stripe"},
	{OPTION_TEXT("--eat", ASKED(eat),
		     "NODE:PERCENT, a program holds NODE so that PERCENT of the pages used there "
		     "find no room when threads touch them first, and leaves; without it all start "
		     "on the next node"),
	 .group = OPT_EAT, .key = "eat"},
	{OPTION_FLAG("--localalloc", ASKED(localalloc), "pages from the node that touches them"),
	 .group = OPT_POLICY, .put = policy_put},
	{OPTION_TEXT("--preferred", ASKED(preferred), "NODE: pages from there while it has some"),
	 .group = OPT_POLICY},
	{OPTION_TEXT("--interleave", ASKED(interleave), "NODES: pages from these in turn"),
	 .group = OPT_POLICY},
	{OPTION_TEXT("--membind", ASKED(membind), "NODES: pages from these and no others"),
	 .group = OPT_POLICY},
	{OPTION_FLAG("--keep", ASKED(keep), "leave the pages in place, for migratepages and look"),
	 .group = OPT_KEEP, .key = "keep"},
	{.arg = {NULL}},
};
