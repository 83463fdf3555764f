/* The end of a run: by a verdict, or because an invariant is broken. */
#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/kmem.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <arch/platform.h>
#include <arch/trap.h>

enum { BACKTRACE_MAX = 32 };

/*
 * How long the others get to stop: far above an interrupt's way, even to an
 * emulated CPU that waits for a host core, and nothing to a person who waits.
 */
#define STOP_TIMEOUT_NS 100000000UL

static u64 after_panic; /* panic=: seconds until the reboot, plus 1; 1 = never, 0 = end the run */
static bool stays_at_end; /* end=halt */
static u32 panic_cpu; /* first CPU that panicked, plus 1; 0 = none */
static unsigned panic_depth; /* by panic_cpu only: panics while it printed one */
static struct cpumask cpu_stopped; /* atomic */

BOOT_OPTION(after, "panic", "SECONDS",
	    "after a panic: reboot, 0: stay; without it the run ends with rc=70");

BOOT_OPTION(end, "end", "off|halt",
	    "halt: at the end stay, with the verdict on the screen, instead of powering off");

void panic_init(void)
{
	enum { DAY = 86400 };
	static const char *const ends[] = {"off", "halt", NULL};
	const char *given = option_get("panic");
	u64 seconds;

	stays_at_end = option_choice("end", ends, 0) == 1;
	if (given && (parse_u64(given, &seconds) || seconds > DAY))
		printk("boot option panic=%.40s: not seconds from 0 to %d; ignored\n", given, DAY);
	else if (given)
		after_panic = seconds + 1;
}

bool panic_active(void)
{
	return load_relaxed(&panic_cpu);
}

void panic_stop_this_cpu(void)
{
	irq_disable();
	cpumask_set_atomic(&cpu_stopped, cpu_id());
	cpu_halt_forever();
}

static bool others_stopped(const struct cpumask *others)
{
	for (unsigned w = 0; w < cpu_words; w++) {
		if (others->bits[w] & ~load_relaxed(&cpu_stopped.bits[w]))
			return false;
	}
	return true;
}

static void stop_others(void)
{
	u64 end = cycles_now() + ns_to_cycles(STOP_TIMEOUT_NS);
	struct cpumask others = cpu_online;

	cpumask_unset(&others, cpu_id());
	if (cpumask_empty(&others))
		return;
	ipi_send_mask(&others, IPI_STOP);
	while (!others_stopped(&others) && cycles_now() < end)
		cpu_relax();
}

static void report_running(void)
{
	char name[80];
	u64 ip;

	for_each_online_cpu (cpu) {
		if (cpu == cpu_id() || cpumask_test(&cpu_stopped, cpu))
			continue;
		if (cpu_sample_ip(cpu, &ip))
			printk("cpu %u has not stopped, at %s\n", cpu,
			       symbol_of(ip, name, sizeof(name)));
		else
			printk("cpu %u has not stopped\n", cpu);
	}
}

/* On return this CPU alone prints. */
static void panic_begin(void)
{
	u32 first = 0;

	irq_disable();
	if (!atomic_cmpxchg(&panic_cpu, &first, cpu_id() + 1)) {
		if (first != cpu_id() + 1)
			panic_stop_this_cpu();
		if (panic_depth++)
			arch_exit(RC_PANIC);
		printk("panic while a panic was printed\n");
		machine_end(RC_PANIC);
	}
	stop_others();
	/* A CPU may have stopped while it held the console's locks. From now on only this CPU prints. */
	printk_break_lock();
}

static void print_headline(const char *fmt, va_list ap)
{
	console_fresh_line();
	kprintf("panic: cpu %u: ", cpu_id());
	kvprintf(fmt, ap);
	kprintf("\n");
}

/*
 * Both ports keep frame records {caller's record, return address} at the frame
 * pointer. A record is believed if it lies above the one before, within a
 * stack's size of it, in the kernel's half; it is read by a load that may
 * fail. So a broken chain ends the list and nothing else.
 */
static bool next_frame(u64 *fp, u64 *ip)
{
	u64 next, caller;

	if (*fp % sizeof(u64) || (s64)*fp >= 0)
		return false;
	if (probe_load64(*fp, &next) || probe_load64(*fp + sizeof(u64), &caller) || !caller)
		return false;
	if (next && (next <= *fp || next - *fp > KSTACK_SIZE))
		next = 0; /* its return address still counts, nothing above it */
	*fp = next;
	*ip = caller;
	return true;
}

/*
 * Symbolised, from a frame pointer, by kprintf. back: 1 if ip is a return
 * address, 0 if it is where the CPU was. Behind a call that never returns
 * another function may begin, so a return address is looked up by the call.
 */
static void backtrace(u64 ip, u64 fp, unsigned back)
{
	char name[80];
	unsigned depth = 0;

	do {
		printk("  %#018lx %s\n", ip, symbol_of(ip - back, name, sizeof(name)));
		back = 1;
	} while (++depth < BACKTRACE_MAX && next_frame(&fp, &ip));
}

unsigned backtrace_take(u64 *ip, unsigned max)
{
	u64 fp = (u64)__builtin_frame_address(0);
	unsigned n = 0;

	while (n < max && next_frame(&fp, &ip[n]))
		n++;
	return n;
}

/* After the report. An unattended machine comes back by itself, one that is watched stays as it is. */
static void __noreturn panic_end(void)
{
	u64 until = cycles_now() + ns_to_cycles((after_panic - 1) * 1000000000UL);

	if (!after_panic)
		machine_end(RC_PANIC);
	console_fresh_line();
	kprintf("TARRY-END rc=%u\n", RC_PANIC);
	if (after_panic == 1)
		cpu_halt_forever();
	while (cycles_now() < until)
		cpu_relax();
	machine_reboot();
}

void panic(const char *fmt, ...)
{
	const u64 *frame = __builtin_frame_address(0);
	va_list ap;

	panic_begin();
	va_start(ap, fmt);
	print_headline(fmt, ap);
	va_end(ap);
	backtrace(frame[1], frame[0], 1);
	report_running();
	panic_end();
}

void panic_trap(const struct trapframe *tf, const char *fmt, ...)
{
	va_list ap;

	panic_begin();
	va_start(ap, fmt);
	print_headline(fmt, ap);
	va_end(ap);
	trap_dump(tf);
	backtrace(trap_ip(tf), trap_fp(tf), 0);
	report_running();
	panic_end();
}

/* For whoever looks at the screen of a machine that stays. */
static void print_verdict(unsigned rc)
{
	const char *verdict = rc == RC_PASS ? "passed" : rc == RC_SKIP ? "nothing ran" : "FAILED";

	kprintf("verdict: %s; the machine stays as it is: switch it off, or reset it\n", verdict);
}

void machine_end(unsigned rc)
{
	irq_disable();
	console_fresh_line();
	if (stays_at_end)
		print_verdict(rc);
	kprintf("TARRY-END rc=%u\n", rc);
	console_drain(); /* what has not left is lost with the power */
	if (stays_at_end)
		cpu_halt_forever();
	arch_exit(rc);
}

void machine_reboot(void)
{
	irq_disable();
	console_drain();
	arch_reboot();
}
