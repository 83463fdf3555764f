/* Pages that a run with --keep leaves in place, for the console to look at and to move about. */
#include <mm/deferral.h>
#include <kernel/command.h>
#include <kernel/printk.h>
#include "kept.h"
#include "run.h"

static struct {
	struct region region[BENCH_MAX_PROCS];
	unsigned count;
	u64 memory; /* frames and objects that dropping them must give back */
} kept;

void kept_add(struct region *r)
{
	kept.region[kept.count++] = *r;
	*r = (struct region){0};
}

bool kept_claim(u64 memory)
{
	kept.memory = memory;
	return kept.count;
}

void kept_print(void)
{
	for (unsigned i = 0; i < kept.count; i++)
		kprintf("# kept: space %u %s, %lu pages at %#lx; until drop or the next bench\n",
			kept.region[i].as->id, kept.region[i].as->name, kept.region[i].pages,
			kept.region[i].base);
}

u64 kept_drop(void)
{
	u64 before, given;

	if (!kept.count)
		return 0;
	deferral_settle(); /* what deferral holds for them is not theirs */
	before = bench_memory_in_use();
	while (kept.count)
		region_destroy(&kept.region[--kept.count]);
	given = before - bench_memory_in_use();
	return kept.memory > given ? kept.memory - given : 0;
}

static unsigned run_drop(int argc, char **argv)
{
	unsigned rc = command_args("drop", NULL, &argc, argv, 0, 0);
	u64 leaked;

	if (rc)
		return rc;
	if (!kept.count)
		return command_usage_error("drop", "nothing was kept (bench --keep does that)");
	leaked = kept_drop();
	return leaked ? command_failed("drop", "%lu frames or objects were not given back", leaked)
		      : RC_PASS;
}

COMMAND(cmd_drop) = {
	.name = "drop",
	.usage = "",
	.summary = "give the pages back that bench --keep left in place",
	.run = run_drop,
};
