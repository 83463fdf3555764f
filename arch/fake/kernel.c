/*
 * Stand-ins for the parts of the kernel that the modelled machine has no use
 * for: console, panic, boot of other CPUs, the kernel's own page tables.
 */
#include <fake/machine.h>
#include <kernel/bootinfo.h>
#include <kernel/clock.h>
#include <kernel/context.h>
#include <kernel/kmem.h>
#include <kernel/ktest.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/trap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool fake_verbose;

/* ---- kernel/core/percpu.c: made by machine.c ---- */
u64 percpu_offset[MAX_CPUS];
struct kmem_ops kmem;

/* ---- console and panic ---- */
static char said[256]; /* last */

void printk(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	kvsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	if (fake_verbose)
		printf("# %s", said);
}

void kprintf(const char *fmt, ...)
{
	static bool within;
	va_list ap;

	va_start(ap, fmt);
	kvsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	if (!fake_verbose)
		return;
	/* A line may come in parts. */
	printf("%s%s", within || said[0] == '#' ? "" : "# ", said);
	within = !strchr(said, '\n');
}

void panic(const char *fmt, ...)
{
	va_list ap;
	char line[400];

	va_start(ap, fmt);
	kvsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* Who was silent is what the watchdog says last before its panic. */
	if (fake_fault != FAKE_SOUND && !strncmp(line, "watchdog", 8))
		fake_fail("panic: %s; %.*s; lost to CPU %d", line, (int)strcspn(said, "\n"), said,
			  (int)fake_lost - 1);
	fake_fail("panic: %s", line);
	printf("# panic outside an execution: %s\n", line);
	exit(1);
}

bool panic_active(void)
{
	return false;
}

void panic_stop_this_cpu(void)
{
	panic("a CPU was told to stop");
}

unsigned backtrace_take(u64 *ip, unsigned max)
{
	(void)ip, (void)max;
	return 0; /* the schedule that a failure prints replays it: a debugger shows the stack */
}

const char *symbol_of(u64 ip, char *buf, size_t size)
{
	ksnprintf(buf, size, "%#lx", ip);
	return buf;
}

/* ---- time: a step is a microsecond, far from any watchdog ---- */
u64 clock_ns(void)
{
	return cycles_now() * 1000;
}

u64 cycles_to_ns(u64 cycles)
{
	return cycles * 1000;
}

u64 ns_to_cycles(u64 ns)
{
	return ns / 1000;
}

u64 cycles_hz(void)
{
	return 1000000;
}

void timer_oneshot(u64 ns __unused)
{
}

/* ---- CPUs: all there from the start ---- */
u64 cpu_hw_id(void)
{
	return cpu_id();
}

void arch_init_cpu(unsigned cpu __unused)
{
}

void cpu_topology(unsigned cpu, u32 *core, u32 *package)
{
	*core = cpu;
	*package = cpu / 2;
}

void cpu_halt_forever(void)
{
	abort(); /* of CPUs that come too late: none does here */
}

int cpu_start(unsigned cpu __unused, u64 hw_id __unused, void *stack_top __unused,
	      u64 percpu_off __unused)
{
	return 0;
}

bool cpu_sample_ip(unsigned cpu __unused, u64 *ip)
{
	*ip = 0;
	return false;
}

void ipi_send(unsigned cpu, enum ipi ipi)
{
	fake_ipi(cpu, ipi);
}

void ipi_send_mask(const struct cpumask *mask, enum ipi ipi)
{
	cpumask_for_each (cpu, mask)
		fake_ipi(cpu, ipi);
}

bool context_alone(void)
{
	return true;
}

void cpu_idle_loop(void)
{
	panic("the idle loop is not modelled");
}

void (*context_load_aspace)(struct aspace *as);
void (*context_due_handler)(void);

/* No time passes here that an alarm would wait for; scenarios call the handler. */
void context_set_due(void)
{
}
bool (*ktest_leak_check)(char *reason, size_t size);
bool (*trap_page_fault_handler)(struct trapframe *tf);

/* ---- the kernel's own mappings are the host's ---- */
paddr_t arch_kernel_phys(void)
{
	return 0;
}

/* An image of no size. */
char __image_start[1];
extern char __image_end[1] __attribute__((alias("__image_start")));
extern char __data_end[1] __attribute__((alias("__image_start")));

void pt_root_init(pte_t *root __unused, const pte_t *kernel_root __unused)
{
}
