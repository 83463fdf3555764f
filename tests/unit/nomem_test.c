/*
 * Memory that runs out at one request of a benchmark, whichever: the run fails and says why, gives back all that it had,
 * and does nothing else. Requests of kernel/core and kernel/bench are meant, to which a null pointer is an answer.
 */
#include <kernel/bench.h>
#include <kernel/command.h>
#include <kernel/det.h>
#include <kernel/kmem.h>
#include <kernel/ktest.h>
#include <kernel/option.h>
#include <kernel/string.h>
#include <mm/numa.h>
#include "../../kernel/bench/harness/bench.h"
#include "bench_fixture.h"
#include "core_fixture.h"

static struct kmem_ops real;
static u32 left; /* requests until the one that is refused, itself included; atomic */

static bool refused(void)
{
	return atomic_fetch_add(&left, -1U) == 1;
}

static void *alloc(size_t bytes, u32 node)
{
	return refused() ? NULL : real.alloc(bytes, node);
}

static void *stack_alloc(u32 node)
{
	return refused() ? NULL : real.stack_alloc(node);
}

/* A run without its n-th request. */
static unsigned run_without(u32 n, int argc, const char *const *argv, struct bench_outcome *out)
{
	char *words[24];
	unsigned rc;

	memcpy(words, argv, (size_t)argc * sizeof(*words));
	words[argc] = NULL;
	real = kmem;
	left = n;
	kmem.alloc = alloc;
	kmem.stack_alloc = stack_alloc;
	rc = run_calmly(argc, words, out);
	kmem = real;
	return rc;
}

enum {
	REQUESTS_MAX = 200, /* more than any of these runs makes */
	FEW = 20, /* behind these they are of a kind, page after page, and some of them stand for all */
	MORE = 100,
	TRIES = 3,
};

/* Each request in turn, behind `each` of them some, up to the first that the run can do without: a floor's, which is left out then. */
static void run_without_each(u32 each, int argc, const char *const *argv)
{
	static struct capture said;
	struct bench_outcome out;
	unsigned rc = RC_FAIL;

	for (u32 n = 1; rc != RC_PASS; n += n < each ? 1 : n / 2) {
		u64 used = bench_memory_in_use();

		REQUIRE(n < REQUESTS_MAX);
		/* In so few passes it may be that no thread has had its turn: that says nothing of memory. */
		for (unsigned tries = TRIES; tries; tries--) {
			capture_begin(&said, false);
			rc = run_without(n, argc, argv, &out);
			console_remove_sink(&said.sink);
			results_clear();
			EXPECT_EQ(bench_memory_in_use(), used);
			if (rc == RC_PASS || !strstr(said.tail, "no page moved"))
				break;
		}
		if (rc == RC_PASS) {
			EXPECT(n > 2);
			break;
		}
		/* Usage: what was asked for is more than a node has, as far as can be told. */
		EXPECT(rc == RC_FAIL || rc == RC_USAGE);
		EXPECT(strstr(said.tail, "no memory") || strstr(said.tail, "(-12)"));
		EXPECT(!strstr(said.tail, "given back"));
	}
	EXPECT_EQ(out.stale_reads, 0);
}

#define RUN(each, ...)                                                                             \
	do {                                                                                       \
		const char *const argv[] = {"bench", __VA_ARGS__, "--warmup", "0"};                \
		run_without_each(each, ARRAY_SIZE(argv), argv);                                    \
	} while (0)

TEST(bench, fails_cleanly_wherever_memory_runs_out)
{
	NEED_CPUS(2);
	if (!det_mode || option_get("det.seed"))
		SKIP("needs runs that make the same requests, and no more of them: det=1 alone");
	RUN(FEW, "migrate", "--pages", "16", "--threads", "1", "--rounds", "1", "--pattern",
	    "zipf");
	RUN(FEW, "numa_balance", "--pages", "16", "--threads", "1", "--rounds", "1");
	RUN(FEW, "numa_balance", "--pages", "16", "--threads", "1", "--rounds", "1", "--eat",
	    numa_node_of_cpu(1) ? "1:50" : "0:50");
	RUN(FEW, "pmbench", "--threads", "1", "--accesses", "50", "--map-size", "1", "--set-size",
	    "1", "--rounds", "1");
	RUN(FEW, "pmbench", "--threads", "1", "--accesses", "50", "--map-size", "1", "--set-size",
	    "1", "--rounds", "1", "--scan");
	RUN(FEW, "page_fault2", "--pages", "4", "--threads", "1", "--rounds", "1");
	RUN(FEW, "floor", "--rounds", "1");
	RUN(FEW, "tlb", "--rounds", "1");
	RUN(FEW, "mem", "--rounds", "1");
}

/* Threads of two nodes use parts of large pages, so that the first round splits them and the second makes them anew. */
TEST(bench, fails_cleanly_where_memory_runs_out_between_rounds)
{
	NEED_CPUS(3);
	if (!det_mode || option_get("det.seed") || numa_node_of_cpu(1) == numa_node_of_cpu(2))
		SKIP("needs det=1 alone, and a node that begins with CPU 2");
	RUN(MORE, "numa_balance", "--pages", "1024", "--threads", "2", "--stripe", "128", "--thp",
	    "--rounds", "2", "--vary", "numa_split=shared");
}
