/* CPUs: numbering, start-up, interrupts between them, and what each is doing. */
#include <kernel/alarm.h>
#include <kernel/bootinfo.h>
#include <kernel/clock.h>
#include <kernel/context.h>
#include <kernel/kmem.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <arch/platform.h>

/* Written by the boot CPU before any other runs. */
unsigned cpu_words = 1;
unsigned cpu_count = 1;
static const struct boot_cpu *cpu_entry[MAX_CPUS];
static struct boot_cpu boot_cpu_unlisted; /* stands in when the table does not list the boot CPU */

struct cpumask cpu_online;
void (*ipi_tlb_handler)(void);

/*
 * From the start signal to the idle loop. An emulated CPU among 255 on two
 * host cores takes milliseconds; real ones less than one.
 */
#define ONLINE_TIMEOUT_NS 2000000000UL

/* The entry that the firmware's table has for this CPU; NULL: none. */
static const struct boot_cpu *find_boot_cpu(const struct bootinfo *bi)
{
	u64 hw_id = cpu_hw_id();

	for (unsigned i = 0; i < bi->cpu_count; i++) {
		if (bi->cpus[i].hw_id == hw_id)
			return &bi->cpus[i];
	}
	return NULL;
}

BOOT_OPTION(limit, "nr_cpus", "N", "at most N CPUs");
BOOT_OPTION(idle, "idle", "halt|poll", "poll: CPUs without work wait awake");

void smp_prepare(const struct bootinfo *bi)
{
	static const char *const idle[] = {"halt", "poll", NULL};
	const struct boot_cpu *boot = find_boot_cpu(bi);
	u64 limit = option_u64("nr_cpus", MAX_CPUS, 1, MAX_CPUS);

	idle_polls = option_choice("idle", idle, 0) == 1;
	if (!boot) {
		printk("cpu table: the boot CPU, hardware id %#lx, is not listed\n", cpu_hw_id());
		boot_cpu_unlisted = (struct boot_cpu){.hw_id = cpu_hw_id()};
		boot = &boot_cpu_unlisted;
	}
	cpu_entry[0] = boot;
	cpu_count = 1;
	for (unsigned i = 0; i < bi->cpu_count && cpu_count < limit; i++) {
		if (&bi->cpus[i] != boot)
			cpu_entry[cpu_count++] = &bi->cpus[i];
	}
	cpu_words = (cpu_count + 63) / 64;
	cpumask_set(&cpu_online, 0);
	printk("cpus: %u listed, %u disabled, %u beyond the limit of %d; %u used\n",
	       bi->cpu_count + bi->cpu_disabled_count + bi->cpu_dropped_count,
	       bi->cpu_disabled_count, bi->cpu_dropped_count, MAX_CPUS, cpu_count);
}

const struct boot_cpu *smp_boot_cpu(unsigned cpu)
{
	return cpu_entry[cpu];
}

static void read_topology(void)
{
	struct cpu *self = this_cpu_ptr(cpu_self);

	cpu_topology(self->id, &self->core, &self->package);
}

/*
 * Does a CPU take part? It says yes once it is ready, the boot CPU says no once it has waited long
 * enough. Whoever is first decides for good, so that no CPU joins in the middle of a measurement.
 */
enum { CPU_STARTING, CPU_TAKES_PART, CPU_CALLED_OFF };
static u32 cpu_fate[MAX_CPUS];

static bool decide(unsigned cpu, u32 fate)
{
	u32 expected = CPU_STARTING;

	return atomic_cmpxchg(&cpu_fate[cpu], &expected, fate) || expected == fate;
}

bool smp_call_off(unsigned cpu)
{
	return decide(cpu, CPU_CALLED_OFF);
}

void secondary_main(unsigned cpu)
{
	/* Before it changes anything that others read. Acquire; pairs with smp_call_off(). */
	if (load_acquire(&cpu_fate[cpu]) == CPU_CALLED_OFF)
		cpu_halt_forever();
	arch_init_cpu(cpu);
	read_topology();
	if (!decide(cpu, CPU_TAKES_PART))
		cpu_halt_forever();
	/* Full barrier: what was set up above is visible to whoever sees the bit. */
	cpumask_set_atomic(&cpu_online, cpu);
	irq_enable();
	cpu_wake(0);
	cpu_idle_loop();
}

static bool wait_online(unsigned cpu)
{
	u64 end = cycles_now() + ns_to_cycles(ONLINE_TIMEOUT_NS);

	while (!cpumask_test(&cpu_online, cpu) && cycles_now() < end)
		cpu_relax();
	if (smp_call_off(cpu))
		return false;
	while (!cpumask_test(&cpu_online, cpu)) /* it has decided, and comes */
		cpu_relax();
	return true;
}

static void start_cpu(unsigned cpu)
{
	u64 hw_id = cpu_entry[cpu]->hw_id;
	void *stack = kmem.stack_alloc(cpu_ptr(cpu, cpu_self)->node);
	int err;

	if (!stack) {
		printk("cpu %u (hardware id %#lx): not started, no memory for its stack\n", cpu,
		       hw_id);
		return;
	}
	/* The stack is never taken back: a CPU that was called off may still come, and halts on it. */
	err = cpu_start(cpu, hw_id, (char *)stack + KSTACK_SIZE, percpu_offset[cpu]);
	if (err && smp_call_off(cpu))
		printk("cpu %u (hardware id %#lx): did not start (error %d)\n", cpu, hw_id, err);
	else if (!wait_online(cpu))
		printk("cpu %u (hardware id %#lx): started but did not come online: called off\n",
		       cpu, hw_id);
}

unsigned smp_init(void)
{
	unsigned online;

	read_topology();
	for (unsigned cpu = 1; cpu < cpu_count; cpu++)
		start_cpu(cpu);
	online = cpumask_weight(&cpu_online);
	printk("cpus: %u of %u online\n", online, cpu_count);
	return online;
}

void ipi_handle(enum ipi ipi)
{
	struct ipi_counts *counts = this_cpu_ptr(ipi_counts);

	switch (ipi) {
	case IPI_TLB:
		counts->received_tlb++;
		if (ipi_tlb_handler)
			ipi_tlb_handler();
		break;
	case IPI_CALL:
		counts->received_call++;
		smp_call_serve();
		break;
	case IPI_WAKE: /* the interrupt itself has ended the halt: nothing else to do */
		counts->received_wake++;
		break;
	case IPI_STOP:
		panic_stop_this_cpu();
	case IPI_COUNT:
		break;
	}
}

void timer_handle(void)
{
	this_cpu_ptr(ipi_counts)->timer++;
	alarm_interrupt();
}

void smp_poll(void)
{
	if (unlikely(panic_active()))
		panic_stop_this_cpu();
	if (ipi_tlb_handler)
		ipi_tlb_handler();
	smp_call_serve();
}

static void report_cpu(unsigned cpu)
{
	const struct cpu *c = cpu_ptr(cpu, cpu_self);
	const char *busy = load_relaxed(&c->busy_with);
	char name[80] = "unknown";
	u64 ip;

	if (cpu == cpu_id())
		strlcpy(name, "here", sizeof(name));
	else if (cpu_sample_ip(cpu, &ip))
		symbol_of(ip, name, sizeof(name));
	printk("cpu %u: %s, %s, at %s, progress %lu\n", cpu, busy ? busy : "own loop",
	       load_relaxed(&c->halted) ? "halted" : "running", name, load_relaxed(&c->progress));
}

void smp_report(const struct cpumask *mask)
{
	cpumask_for_each (cpu, mask)
		report_cpu(cpu);
}
