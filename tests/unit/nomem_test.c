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
	EACH = 16, /* from here on they are of a kind: a space, a page, a space, ... */
};

/* Each request in turn, up to the first that the run can do without: a floor's, which is left out then. */
static void run_without_each(int argc, const char *const *argv)
{
	static struct capture said;
	struct bench_outcome out;
	unsigned rc = RC_FAIL;

	for (u32 n = 1; rc != RC_PASS; n += n < EACH ? 1 : n / 4) {
		u64 used = bench_memory_in_use();

		REQUIRE(n < REQUESTS_MAX);
		capture_begin(&said, false);
		rc = run_without(n, argc, argv, &out);
		console_remove_sink(&said.sink);
		results_clear();
		EXPECT_EQ(bench_memory_in_use(), used);
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

#define RUN(...)                                                                                   \
	do {                                                                                       \
		static const char *const argv[] = {"bench", __VA_ARGS__, "--rounds",               \
						   "1",	    "--warmup",	 "0"};                     \
		run_without_each(ARRAY_SIZE(argv), argv);                                          \
	} while (0)

TEST(bench, fails_cleanly_wherever_memory_runs_out)
{
	NEED_CPUS(2);
	if (!det_mode || option_get("det.seed"))
		SKIP("needs runs that make the same requests, and no more of them: det=1 alone");
	RUN("migrate", "--pages", "16", "--threads", "1");
	RUN("numa_balance", "--pages", "16", "--threads", "1");
	RUN("numa_balance", "--pages", "16", "--threads", "1", "--eat", "1:50");
	RUN("pmbench", "--threads", "1", "--accesses", "50", "--map-size", "1", "--set-size", "1");
	RUN("pmbench", "--threads", "1", "--accesses", "50", "--map-size", "1", "--set-size", "1",
	    "--scan");
	RUN("page_fault2", "--pages", "4", "--threads", "1");
	RUN("floor");
	RUN("tlb");
	RUN("mem");
}
