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

static bool make_area(unsigned cpu, const char *template)
{
	const struct boot_cpu *entry = smp_boot_cpu(cpu);
	char *area = kmem.alloc(template_size(), node_of(entry));

	if (!area)
		return false;
	memcpy(area, template, template_size());
	percpu_offset[cpu] = (u64)area - (u64)__start_percpu;
	*cpu_ptr(cpu, cpu_self) =
		(struct cpu){.id = cpu, .node = node_of(entry), .hw_id = entry->hw_id};
	context_init_cpu(cpu);
	return true;
}

void percpu_init(void)
{
	ASSERT(template_size() <= sizeof(pristine));
	/* The others first: the boot CPU's copy is taken last, just before it moves there. */
	for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
		if (!make_area(cpu, pristine)) {
			printk("cpu %u and up: not started, no memory for per-CPU data\n", cpu);
			cpu_count = cpu;
		}
	}
	cpu_words = (cpu_count + 63) / 64;
	irqflags_t flags = irq_save(); /* no handler may count in an area that has been copied */

	if (!make_area(0, __start_percpu))
		panic("no memory for per-CPU data");
	cpu_set_percpu(0, percpu_offset[0]);
	irq_restore(flags);
}
