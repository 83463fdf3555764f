/* kernel/core: remote calls, the one wait, clock, per-CPU data, options, traps. */
#include "core_fixture.h"
#include <kernel/error.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/spinlock.h>
#include <kernel/string.h>
#include <kernel/trap.h>
#include <mm/kmem.h>
#include <arch/platform.h>

/* ---- remote calls ---- */

static u32 calls[MAX_CPUS];
static u32 calls_wrong; /* with interrupts on, or by the wrong CPU */

static void note_call(void *arg)
{
	atomic_fetch_add(&calls[cpu_id()], 1);
	if (irqs_enabled() || arg != calls)
		atomic_fetch_add(&calls_wrong, 1);
}

TEST(call, reaches_each_cpu_of_the_mask_once)
{
	memset(calls, 0, sizeof(calls));
	calls_wrong = 0;
	smp_call(&cpu_online, note_call, calls);
	for_each_online_cpu (cpu)
		EXPECT_EQ(calls[cpu], 1);
	for_each_online_cpu (cpu) {
		smp_call_one(cpu, note_call, calls);
		EXPECT_EQ(calls[cpu], 2);
	}
	EXPECT_EQ(calls_wrong, 0);
}

static void call_everybody(void *arg __unused)
{
	for (unsigned i = core_rounds(80); i; i--)
		smp_call(&cpu_online, note_call, calls);
}

TEST(call, all_cpus_may_call_at_once)
{
	u32 callers = cpumask_weight(&cpu_online);

	memset(calls, 0, sizeof(calls));
	calls_wrong = 0;
	core_run_everywhere(call_everybody);
	for_each_online_cpu (cpu)
		EXPECT_EQ(calls[cpu], core_rounds(80) * callers);
	EXPECT_EQ(calls_wrong, 0);
}

static struct spinlock held_lock;
static u32 about_to_wait, may_go_on;

static void lock_with_irqs_off(void *arg __unused)
{
	irqflags_t flags = irq_save();

	store_release(&about_to_wait, 1);
	spin_lock(&held_lock);
	spin_unlock(&held_lock);
	irq_restore(flags);
}

static void wait_with_irqs_off(void *arg __unused)
{
	irqflags_t flags = irq_save();

	store_release(&about_to_wait, 1);
	wait_until(load_acquire(&may_go_on), "a test to go on");
	irq_restore(flags);
}

/* Call a CPU that waits with interrupts off; it waits for us, so a missing answer hangs. */
static void call_masked_waiter(void (*fn)(void *))
{
	unsigned cpu = core_other_cpu();
	struct context *ctx;

	memset(calls, 0, sizeof(calls));
	about_to_wait = may_go_on = 0;
	spin_lock(&held_lock);
	ctx = context_spawn(cpu, "core-test", fn, NULL, NULL);
	REQUIRE(ctx);
	REQUIRE(POLL_UNTIL(load_acquire(&about_to_wait)));
	smp_call_one(cpu, note_call, calls);
	EXPECT_EQ(calls[cpu], 1);
	spin_unlock(&held_lock);
	store_release(&may_go_on, 1);
	cpu_wake(cpu);
	context_join(ctx);
}

TEST(call, spinlock_waiter_with_interrupts_off_answers)
{
	NEED_CPUS(2);
	call_masked_waiter(lock_with_irqs_off);
}

TEST(call, waiter_with_interrupts_off_answers)
{
	NEED_CPUS(2);
	call_masked_waiter(wait_with_irqs_off);
}

/* ---- the one wait ---- */

enum { ROUNDS = 300 }; /* between two CPUs: many interleavings, a fraction of a second */

static u32 flag;

static void wait_for_flag(void *arg __unused)
{
	wait_until(load_acquire(&flag), "a test flag");
}

/* Interrupts it took to wake a CPU that was seen asleep in wait_until(). */
static u64 wakes_of_a_sleeper(unsigned cpu)
{
	struct context *ctx;
	u64 sent;

	flag = 0;
	ctx = context_spawn(cpu, "core-test", wait_for_flag, NULL, NULL);
	if (!EXPECT(ctx) || !EXPECT(POLL_UNTIL(core_sleeps(ctx))))
		return 0;
	sent = this_cpu_ptr(ipi_counts)->sent_wake;
	store_release(&flag, 1);
	cpu_wake(cpu);
	sent = this_cpu_ptr(ipi_counts)->sent_wake - sent;
	context_join(ctx);
	return sent;
}

/*
 * One interrupt, never more. None is possible: the interrupt that announced the
 * context may come so late that it ends the sleep just before we look; and one
 * may come before the CPU, which says so first, has really halted.
 */
TEST(wait, halts_and_is_woken_by_one_interrupt)
{
	unsigned cpu = core_other_cpu();
	bool seen = false;

	NEED_CPUS(2);
	if (idle_polls)
		SKIP("idle=poll");
	for (unsigned i = 0; i < 50 && !seen; i++) {
		u64 halts = load_relaxed(&cpu_ptr(cpu, ipi_counts)->halts);
		u64 sent = wakes_of_a_sleeper(cpu);

		EXPECT(sent <= 1);
		seen = sent == 1 && load_relaxed(&cpu_ptr(cpu, ipi_counts)->halts) > halts;
	}
	EXPECT(seen);
}

TEST(wait, nobody_is_woken_who_does_not_halt)
{
	u64 sent = this_cpu_ptr(ipi_counts)->sent_wake;

	cpu_wake(cpu_id());
	EXPECT_EQ(this_cpu_ptr(ipi_counts)->sent_wake, sent);
}

static u32 turn; /* whose turn it is: even the boot CPU's, odd the other's */

static void answer_turns(void *arg)
{
	for (u32 i = 1; i < 2 * ROUNDS; i += 2) {
		wait_until(load_acquire(&turn) == i, "the other's turn");
		store_release(&turn, i + 1);
		cpu_wake((unsigned)(u64)arg);
	}
}

/* A lost wakeup would end in the watchdog; the timer that feeds it must stay silent. */
TEST(wait, no_wakeup_is_lost)
{
	unsigned cpu = core_other_cpu();
	u64 timer = this_cpu_ptr(ipi_counts)->timer;
	struct context *ctx;

	NEED_CPUS(2);
	turn = 0;
	ctx = context_spawn(cpu, "core-test", answer_turns, (void *)(u64)cpu_id(), NULL);
	REQUIRE(ctx);
	for (u32 i = 0; i < 2 * ROUNDS; i += 2) {
		store_release(&turn, i + 1);
		cpu_wake(cpu);
		wait_until(load_acquire(&turn) == i + 2, "my turn");
		/* Now and then the other one has time to fall asleep. */
		for (u32 n = i % 64 ? 0 : 5000; n; n--)
			cpu_relax();
	}
	context_join(ctx);
	EXPECT_EQ(turn, 2 * ROUNDS);
	EXPECT_EQ(this_cpu_ptr(ipi_counts)->timer, timer);
}

TEST(wait, nap_ends_by_itself)
{
	u64 before = clock_ns();

	for (unsigned i = 0; i < 3; i++)
		wait_nap(1000000);
	EXPECT(clock_ns() > before);
	EXPECT_EQ(this_cpu_ptr(cpu_self)->halted, 0);
}

/* ---- clock, per-CPU data, options, traps, names ---- */

TEST(clock, never_goes_back)
{
	u64 last = clock_ns(), back = 0;

	for (unsigned i = 0; i < 10000; i++) {
		u64 now = clock_ns();

		back += now < last;
		last = now;
	}
	EXPECT_EQ(back, 0);
}

TEST(clock, converts_both_ways)
{
	u64 second = cycles_to_ns(cycles_hz());

	EXPECT(second >= 999999990 && second <= 1000000010);
	for (u64 ns = 1000; ns < 1000000000000; ns *= 10) {
		u64 again = cycles_to_ns(ns_to_cycles(ns));
		u64 off = again > ns ? again - ns : ns - again;

		/* Less than a tick of the slowest counter (62.5 MHz), and the rounding of the factors. */
		EXPECT(off <= 16 + ns / 100000000);
	}
}

/* What it finds is a line in the log; here, that it ends and gives its contexts back. */
TEST(clock, comparing_clocks_leaves_nothing_behind)
{
	u64 used = kmem_objects_in_use();

	NEED_CPUS(2);
	clock_report_skew();
	EXPECT_EQ(kmem_objects_in_use(), used);
}

TEST(percpu, each_cpu_has_its_own)
{
	EXPECT(this_cpu_ptr(cpu_self) == cpu_ptr(cpu_id(), cpu_self));
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		EXPECT_EQ(cpu_ptr(cpu, cpu_self)->id, cpu);
		for (unsigned other = 0; other < cpu; other++)
			EXPECT(cpu_ptr(cpu, cpu_self) != cpu_ptr(other, cpu_self));
	}
}

TEST(option, absent_ones_have_defaults)
{
	static const char *const choices[] = {"one", "two", NULL};

	EXPECT(!option_get("test.no-such-option"));
	EXPECT_EQ(option_u64("test.no-such-option", 7, 0, 10), 7);
	EXPECT_EQ(option_choice("test.no-such-option", choices, 1), 1);
	EXPECT(!option_list_has("test.no-such-option", "item"));
}

TEST(trap, probe_tells_what_is_not_there)
{
	static const char constant[] = "W^X: constants are read-only";
	u64 word = 0x1234, value = 0;

	EXPECT_EQ(probe_load64((vaddr_t)&word, &value), 0);
	EXPECT_EQ(value, 0x1234);
	EXPECT_EQ(probe_store64((vaddr_t)&word, 0x5678), 0);
	EXPECT_EQ(load_relaxed(&word), 0x5678);
	EXPECT_EQ(probe_load64(KVIRT_END - PAGE_SIZE, &value), (u64)-EFAULT);
	EXPECT_EQ(probe_store64((vaddr_t)constant, 1), (u64)-EFAULT);
}

static bool irqs_in_handler;

static bool note_irqs(struct trapframe *tf __unused)
{
	irqs_in_handler = irqs_enabled();
	return false;
}

TEST(trap, page_faults_are_handled_as_interrupts_were)
{
	bool (*handler)(struct trapframe *) = trap_page_fault_handler;
	bool on, off;
	u64 value;

	trap_page_fault_handler = note_irqs;
	probe_load64(KVIRT_END - PAGE_SIZE, &value);
	on = irqs_in_handler;
	irqflags_t flags = irq_save();

	probe_load64(KVIRT_END - PAGE_SIZE, &value);
	off = irqs_in_handler || irqs_enabled();
	irq_restore(flags);
	trap_page_fault_handler = handler;
	EXPECT(on && irqs_enabled());
	EXPECT(!off);
}

TEST(trap, addresses_have_names)
{
	char name[80];

	symbol_of((u64)printk + 1, name, sizeof(name));
	EXPECT(!strcmp(name, "printk+0x1"));
	symbol_of(KERNEL_BASE - 1, name, sizeof(name));
	EXPECT_EQ(name[0], '0');
}

static bool is_legal(const char *name)
{
	for (; *name; name++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_.-", *name))
			return false;
	}
	return true;
}

TEST(ktest, names_are_legal)
{
	for (const struct test *const *t = __start_tests; t < __stop_tests; t++)
		EXPECT(is_legal((*t)->suite) && is_legal((*t)->name));
}
