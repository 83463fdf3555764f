/*
 * Reclaim by a context of its own. It runs to its end on a CPU that is idle, and begins anew when a node
 * comes below its low watermark: so that who allocates need not wait. Where no CPU is idle, or
 * it is not quick enough, allocations reclaim by themselves.
 */
#include <mm/knob.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <mm/reclaim.h>
#include <kernel/context.h>
#include <kernel/printk.h>
#include <kernel/smp.h>

#define NAP_NS 100000UL /* a batch takes about as long */

static struct context *background; /* NULL: there is no CPU, or no memory, for it */
static bool away; /* somebody else does its work */

static void balance_all(void *arg __unused)
{
	for (u32 node = 0; node < numa_node_count(); node++)
		reclaim_balance(node);
}

/*
 * A CPU that has nothing to run, of this node if there is one; 0: none. The boot CPU's own loop is the
 * console, or a command that waits for others. Only a guess: a context that comes meanwhile takes turns.
 */
static unsigned idle_cpu(u32 node)
{
	unsigned found = 0;

	for_each_online_cpu (cpu) {
		if (!cpu || load_relaxed(&cpu_ptr(cpu, cpu_self)->busy_with))
			continue;
		if (numa_node_of_cpu(cpu) == node)
			return cpu;
		found = cpu;
	}
	return found;
}

/* The node is below its low watermark. */
static void wake(u32 node)
{
	if (load_relaxed(&away) || !knobs.watermark_gap || !reclaim_may_help() ||
	    !context_has_ended(background))
		return;
	unsigned cpu = idle_cpu(node);

	if (cpu) /* another CPU may have been quicker */
		context_restart(background, cpu);
}

void reclaim_start(void)
{
	unsigned last = 0;

	for_each_online_cpu (cpu)
		last = cpu;
	if (!last)
		return;
	background = context_spawn(last, "reclaim", balance_all, NULL, NULL);
	if (background)
		pmm_low = wake;
	else
		printk("reclaim: by allocations alone, no memory for a context of its own\n");
}

void reclaim_background(bool on)
{
	store_relaxed(&away, !on);
	/* Its end wakes nobody, as hardly ever somebody waits for it: so this looks again and again. */
	while (!on && background && !context_has_ended(background))
		wait_nap(NAP_NS);
}
