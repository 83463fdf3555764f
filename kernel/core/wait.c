/*
 * The one way to wait, and the one way to end a wait.
 *
 * No wakeup is lost, by this pair:
 *   waiter (wait_turn)		halted = 1;  smp_mb();  look at the condition
 *   waker (cpu_wake)		make it true; smp_mb();  look at halted
 * One of the two sees the other. The waiter looks with interrupts off, and
 * cpu_idle() lets them in only while it halts. So an IPI that is sent after the
 * look ends the halt.
 */
#include <kernel/alarm.h>
#include <kernel/clock.h>
#include <kernel/det.h>
#include <kernel/context.h>
#include <kernel/smp.h>
#include <arch/platform.h>

enum {
	/*
	 * Spins before a wait halts: 200 us on the emulator, where one takes about
	 * 0.1 us and the acknowledgement of a busy CPU takes 1 to 3 us; 50 us on
	 * hardware. To halt earlier costs the waker an interrupt, to halt later
	 * keeps an emulated CPU from the one that it waits for. In deterministic
	 * runs each spin lets another CPU run, so the count means the same.
	 */
	SPINS_MAX = 2000,
	WATCH_SPINS = 256, /* spins between looks at the clock, which costs more than a spin */
};

bool idle_polls;
PERCPU(struct cpu, cpu_self);
PERCPU(struct ipi_counts, ipi_counts);

static void wait_begin(struct wait_state *ws)
{
	u64 limit = ns_to_cycles(WATCHDOG_NS);

	ws->polls = !irqs_enabled();
	/* No limit: the clock is not calibrated yet, so this is the only CPU. */
	ws->deadline = ws->patient || !limit ? 0 : cycles_now() + limit;
}

static void wait_watch(const struct wait_state *ws)
{
	if (ws->deadline && cycles_now() >= ws->deadline)
		watchdog_bark(ws->what, ws->blame, ws->arg);
}

bool wait_turn(struct wait_state *ws)
{
	struct cpu *self = this_cpu_ptr(cpu_self);

	store_relaxed(&self->progress, self->progress + 1);
	if (!ws->spins)
		wait_begin(ws);
	if (ws->spins >= SPINS_MAX && !ws->polls && !idle_polls) {
		irq_disable();
		store_relaxed(&self->halted, 1);
		smp_mb(); /* partner: cpu_wake() */
		return true;
	}
	ws->spins++;
	cpu_relax();
	if (ws->polls)
		smp_poll();
	if (ws->spins % WATCH_SPINS == 0)
		wait_watch(ws);
	return false;
}

/*
 * The wait's own timer is for the watchdog alone: armed for what is left until
 * the deadline and cancelled on return, it only fires in a wait that has failed.
 */
static void halt_until(u64 deadline)
{
	u64 now = deadline ? cycles_now() : 0;

	if (deadline && now >= deadline)
		return;
	if (deadline)
		alarm_wait_begin(cycles_to_ns(deadline - now));
	this_cpu_ptr(ipi_counts)->halts++;
	cpu_idle();
	if (deadline)
		alarm_wait_end();
}

void wait_halt(struct wait_state *ws, bool still_false)
{
	if (still_false)
		halt_until(ws->deadline);
	store_relaxed(&this_cpu_ptr(cpu_self)->halted, 0);
	irq_enable();
	det_yield_point();
	if (still_false)
		wait_watch(ws);
}

void wait_nap(u64 ns)
{
	u32 *halted = &this_cpu_ptr(cpu_self)->halted;

	if (idle_polls) {
		cpu_relax();
		return;
	}
	irq_disable();
	store_relaxed(halted, 1);
	smp_mb(); /* partner: cpu_wake() in context_spawn() */
	if (context_alone()) {
		alarm_wait_begin(ns);
		cpu_idle();
		alarm_wait_end();
	}
	store_relaxed(halted, 0);
	irq_enable();
}

void cpu_wake(unsigned cpu)
{
	u32 *halted = &cpu_ptr(cpu, cpu_self)->halted;

	/* Orders the caller's store before the look; partner: wait_turn(), wait_nap(). */
	smp_mb();
	/*
	 * A CPU that runs this in an interrupt is not asleep. Of several wakers one
	 * sends: a waiter that goes back to sleep publishes `halted` anew, and then
	 * looks, so it sees what the wakers stored that found it taken.
	 */
	if (!load_relaxed(halted) || cpu == cpu_id() || !atomic_xchg(halted, 0))
		return;
	this_cpu_ptr(ipi_counts)->sent_wake++;
	ipi_send(cpu, IPI_WAKE);
}
