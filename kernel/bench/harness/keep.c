/* Pages that a run with --keep leaves in place, for the console to look at and to move about. */
#include <mm/deferral.h>
#include <kernel/command.h>
#include <kernel/printk.h>
#include <kernel/registry.h>
#include "bench.h"
#include "keep.h"

static struct {
	struct region region[BENCH_MAX_PROCS];
	unsigned count;
	u64 memory; /* frames and objects that dropping them must give back */
} retained;

void keep_region(struct region *r)
{
	retained.region[retained.count++] = *r;
	*r = (struct region){0};
}

void keep_or_destroy(struct bench *b, struct region *r)
{
	region_check(b, r);
	if (b->reps_done && b->params.keep && r->filled)
		keep_region(r);
	else
		region_destroy(r);
}

bool keep_claim(u64 memory)
{
	retained.memory = memory;
	return retained.count;
}

void keep_print(void)
{
	for (unsigned i = 0; i < retained.count; i++)
		kprintf("# left in place: space %u %s, %lu pages at %#lx; until drop or the next "
			"bench\n",
			retained.region[i].as->id, retained.region[i].as->name,
			retained.region[i].pages, retained.region[i].base);
}

u64 keep_drop(void)
{
	u64 before, given;

	if (!retained.count)
		return 0;
	deferral_settle(); /* what deferral holds for them is not theirs */
	before = bench_memory_in_use();
	while (retained.count)
		region_destroy(&retained.region[--retained.count]);
	given = before - bench_memory_in_use();
	return retained.memory > given ? retained.memory - given : 0;
}

static unsigned run_drop(int argc, char **argv)
{
	unsigned rc = command_args("drop", NULL, &argc, argv, 0, 0);
	u64 leaked;

	if (rc)
		return rc;
	if (!retained.count)
		return command_usage_error("drop", "nothing was kept (bench --keep does that)");
	leaked = keep_drop();
	return leaked ? command_failed("drop", "%lu frames or objects were not given back", leaked)
		      : RC_PASS;
}

COMMAND(cmd_drop) = {
	.name = "drop",
	.usage = "",
	.summary = "give the pages back that bench --keep left in place",
	.run = run_drop,
};
