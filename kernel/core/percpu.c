/* Per-CPU areas on their nodes, and the memory hooks that kernel/core lives from. */
#include <kernel/bootinfo.h>
#include <kernel/context.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/string.h>

u64 percpu_offset[MAX_CPUS];
struct kmem_ops kmem;

extern char __start_percpu[], __stop_percpu[];

/*
 * The template as it was linked. The boot CPU lives in the template until
 * memory for copies exists; by then it holds page caches and counts that no
 * other CPU may inherit.
 */
/* Bytes; the kernel has 113 KiB, most of it the log of page flushes. */
enum { TEMPLATE_MAX = 192 << 10 };
static char pristine[TEMPLATE_MAX] __aligned(CACHE_LINE);

static size_t template_size(void)
{
	return (size_t)(__stop_percpu - __start_percpu);
}

void percpu_save_template(void)
{
	memcpy(pristine, __start_percpu, MIN(template_size(), sizeof(pristine)));
}

static u32 node_of(const struct boot_cpu *entry)
{
	return entry->node == BOOT_NODE_NONE ? 0 : entry->node;
}

/* Until an area is filled, percpu_offset[] leads to the template, which holds what belongs there. */
static char *areas[MAX_CPUS];

/*
 * Memory may be too short for all. The last quarter of those that had room gives it back then: what comes after this
 * needs memory, too, and CPUs are worth nothing without any.
 */
static void alloc_areas(void)
{
	unsigned fit = 0;

	while (fit < cpu_count &&
	       (areas[fit] = kmem.alloc(template_size(), node_of(smp_boot_cpu(fit)))))
		fit++;
	if (fit == cpu_count)
		return;
	if (!fit)
		panic("no memory for per-CPU data");
	unsigned rest = fit - fit / 4;

	for (unsigned cpu = rest; cpu < fit; cpu++)
		kmem.free(areas[cpu], template_size());
	cpu_count = rest;
	printk("cpu %u and up: not started, no memory for per-CPU data\n", cpu_count);
}

static void fill_area(unsigned cpu, const char *template)
{
	const struct boot_cpu *entry = smp_boot_cpu(cpu);

	memcpy(areas[cpu], template, template_size());
	percpu_offset[cpu] = (u64)areas[cpu] - (u64)__start_percpu;
	*cpu_ptr(cpu, cpu_self) =
		(struct cpu){.id = cpu, .node = node_of(entry), .hw_id = entry->hw_id};
	context_init_cpu(cpu);
}

void percpu_init(void)
{
	ASSERT(template_size() <= sizeof(pristine));
	alloc_areas();
	cpu_words = (cpu_count + 63) / 64;
	for (unsigned cpu = 1; cpu < cpu_count; cpu++)
		fill_area(cpu, pristine);
	irqflags_t flags = irq_save(); /* no handler may count in an area that has been copied */

	/* The boot CPU's copy is taken last, just before it moves there. */
	fill_area(0, __start_percpu);
	cpu_set_percpu(0, percpu_offset[0]);
	irq_restore(flags);
}
