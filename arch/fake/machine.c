/* Building the modelled machine and starting the real memory manager on it. */
#include <fake/machine.h>
#include <fake/start.h>
#include <kernel/bootinfo.h>
#include <kernel/option.h>
#include <kernel/percpu.h>
#include <kernel/smp.h>
#include <arch/evidence.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_config fake_config;
struct fake_current fake_current;
struct fake_hooks fake_hooks;

extern char __start_percpu[], __stop_percpu[];

void fake_become(struct fake_cpu *cpu)
{
	fake_self = cpu;
	fake_current.id = cpu->id;
	fake_current.percpu = cpu->percpu;
}

void fake_on_cpu(unsigned cpu, void (*fn)(void *arg), void *arg)
{
	struct fake_cpu *before = fake_self;

	fake_become(&fake_cpus[cpu]);
	fn(arg);
	fake_become(before);
}

static u64 percpu_stride(void)
{
	return ALIGN_UP((u64)(__stop_percpu - __start_percpu), (u64)CACHE_LINE);
}

static void make_cpus(void)
{
	char *area = (char *)FAKE_PERCPU_VA;

	fake_place(area, fake_config.cpus * percpu_stride());
	for (unsigned i = 0; i < fake_config.cpus; i++, area += percpu_stride()) {
		memcpy(area, __start_percpu, (size_t)(__stop_percpu - __start_percpu));
		percpu_offset[i] = (u64)area - (u64)__start_percpu;
		fake_cpus[i].id = i;
		fake_cpus[i].percpu = percpu_offset[i];
		*cpu_ptr(i, cpu_self) = (struct cpu){
			.id = i, .node = i % fake_config.nodes, .core = i, .package = i / 2};
		cpumask_set(&cpu_online, i);
	}
	cpu_count = fake_config.cpus;
	cpu_words = 1;
	fake_become(&fake_cpus[0]);
}

static struct bootinfo *describe(void)
{
	struct bootinfo *bi = calloc(1, sizeof(*bi));
	u64 node_bytes = fake_config.node_pages << PAGE_SHIFT;

	bi->node_count = fake_config.nodes;
	bi->distance_known = bi->numa_known = true;
	for (u32 n = 0; n < fake_config.nodes; n++) {
		paddr_t base = FAKE_RAM_PHYS + n * node_bytes;

		bi->ranges[bi->range_count++] = (struct boot_range){base, node_bytes, BOOT_MEM_RAM};
		bi->node_ranges[bi->node_range_count++] =
			(struct boot_node_range){.base = base, .len = node_bytes, .node = n};
		for (u32 m = 0; m < fake_config.nodes; m++)
			bi->distance[n][m] = n == m ? 10 : 20;
	}
	return bi;
}

/* What tables of the model and of mm/ have room for. */
static void check_config(const struct fake_config *config)
{
	unsigned tags =
		config->arm64 ? FAKE_ASIDS : MIN((unsigned)FAKE_ASIDS, (unsigned)EVIDENCE_SLOTS);
	const char *wrong = NULL;

	if (!config->cpus || config->cpus > FAKE_CPUS)
		wrong = "CPUs";
	else if (!config->nodes || config->nodes > MAX_NODES)
		wrong = "nodes";
	else if (!config->asids || config->asids > tags)
		wrong = "tags";
	else if (fake_last_frame() > FAKE_FRAMES_MAX)
		wrong = "frames";
	if (!wrong)
		return;
	printf("Bail out! model: a machine of so many %s has no room\n", wrong);
	exit(1);
}

void fake_boot(const struct fake_config *config)
{
	fake_config = *config;
	check_config(config);
	fake_plan = calloc(1, sizeof(*fake_plan));
	fake_plan->limit = 100000;
	fake_sched_init();
	fake_frames_init();
	fake_view_init();
	fake_locks_init(NULL);
	fake_place((void *)FAKE_RAM_VA, fake_config.nodes * fake_config.node_pages << PAGE_SHIFT);
	/* Whole 2 MiB blocks of RAM below and above: buddies are looked up there. */
	fake_place((void *)VMEMMAP_BASE,
		   ALIGN_UP(fake_last_frame(), HUGE_PAGES) * FAKE_PAGE_STRUCT);
	make_cpus();
	fake_watch_reset();
	evidence_slots = fake_config.arm64 ? EVIDENCE_SLOTS : fake_config.asids;
	option_init(fake_config.options ? fake_config.options : "");
	fake_start_mm(describe());
	for (unsigned i = 0; i < fake_config.cpus; i++)
		fake_cpus[i].masked = false;
}
