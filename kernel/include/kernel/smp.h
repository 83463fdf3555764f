/*
 * CPUs, the one wait, and "run this on that CPU".
 */
#pragma once

#include <kernel/cpumask.h>
#include <kernel/percpu.h>
#include <arch/irq.h>
#include <arch/smp.h>

struct bootinfo;
struct boot_cpu;
struct context;

struct cpu {
	unsigned id;
	u32 node;
	u64 hw_id;
	u32 core, package;
	u32 halted; /* 1 from just before the halt until after it: a waker must send IPI_WAKE */
	u64 progress; /* counts rounds of the idle loop and of wait_until(), for the watchdog */
	struct context *current; /* NULL: the CPU's own loop */
	const char *busy_with; /* name of that context, for the watchdog; NULL = none */
};

extern PERCPU_DECLARE(struct cpu, cpu_self);

/* Each CPU's own, written by it alone. */
struct ipi_counts {
	u64 sent_wake, sent_call; /* interrupts: one per target */
	u64 received_tlb, received_wake, received_call;
	u64 timer; /* timer interrupts; 0 in a measured part, or its waits were long ones */
	u64 halts; /* waits that went to sleep */
};

extern PERCPU_DECLARE(struct ipi_counts, ipi_counts);

/* Number the CPUs of the table, boot CPU first; nr_cpus=N leaves off the rest. Before percpu_init(). */
void smp_prepare(const struct bootinfo *bi);
/* The table's entry for one of ours. */
const struct boot_cpu *smp_boot_cpu(unsigned cpu);
/* Start every CPU; names those that do not come up. Returns CPUs online. */
unsigned smp_init(void);
void secondary_main(unsigned cpu) __noreturn; /* up-call from the port */
/*
 * Boot CPU, also from a port whose CPU has not come: true, it will never take part, however late it
 * comes; false, it was quicker and is online now or at once.
 */
bool smp_call_off(unsigned cpu);

/*
 * ---- the one wait ----
 *
 * wait_until(cond, what) returns when cond is true. Until then this CPU
 * answers shootdowns and remote calls (by interrupt, or by polling when it
 * came with interrupts off), spins briefly, then halts. Whoever makes the
 * condition true calls cpu_wake() on the waiter afterwards. `what` is for the
 * watchdog, which panics naming what was waited for after WATCHDOG_NS; blame
 * prints who has not answered.
 *
 * Task context. In an interrupt handler it only polls, since a halt there
 * could hold back the very interrupt that ends it.
 */
struct wait_state {
	const char *what;
	void (*blame)(void *arg);
	void *arg;
	bool patient; /* no watchdog: a person or a workload decides when it ends */
	bool polls; /* interrupts were off on entry */
	unsigned spins;
	u64 deadline; /* cycles_now() at which the watchdog barks; 0 = never */
};

/* One spin of a wait. True: interrupts are off and `halted` is published; look again, then wait_halt(). */
bool wait_turn(struct wait_state *ws);
/* Sleep if the condition is still false; interrupts on again. */
void wait_halt(struct wait_state *ws, bool still_false);

#define wait_until_state(cond, ...)                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			struct wait_state ws_ = {__VA_ARGS__};                                     \
			do {                                                                       \
				if (wait_turn(&ws_))                                               \
					wait_halt(&ws_, !(cond));                                  \
			} while (!(cond));                                                         \
		}                                                                                  \
	} while (0)
#define wait_until_blame(cond, text, blame_fn, blame_arg)                                          \
	wait_until_state(cond, .what = text, .blame = blame_fn, .arg = blame_arg)
#define wait_until(cond, text) wait_until_blame(cond, text, NULL, NULL)
/* The same without watchdog, for what no CPU owes: the next command, the end of a workload. */
#define wait_until_patient(cond, text) wait_until_state(cond, .what = text, .patient = true)

/* Sleep until the next interrupt, at most ns; returns at once when contexts are queued here. */
void wait_nap(u64 ns);

/*
 * After a store that a waiter's condition reads: full barrier, then an IPI,
 * only if it halts and nobody has woken it yet. Any context. Counted.
 */
void cpu_wake(unsigned cpu);

/* Serve pending requests of this CPU with interrupts off: shootdowns and remote calls. */
void smp_poll(void);

/* Print what each CPU of the mask does, with its instruction pointer where the port can tell. */
void smp_report(const struct cpumask *mask);

/* A wait is over its time: report what was waited for, by blame(arg) who is silent, and panic. */
void watchdog_bark(const char *what, void (*blame)(void *arg), void *arg) __noreturn;

/* ---- run this on that CPU ---- */

/*
 * fn(arg) in interrupt context on every online CPU of the mask (self too,
 * directly); returns when all are done. fn takes no locks, waits for nobody
 * and makes no call itself. Task context.
 */
void smp_call(const struct cpumask *mask, void (*fn)(void *arg), void *arg);
void smp_call_one(unsigned cpu, void (*fn)(void *arg), void *arg);
void smp_call_serve(void); /* run what others asked of this CPU; interrupts off */

/* ---- up-calls from the port ---- */
void ipi_handle(enum ipi ipi); /* interrupt context */
void timer_handle(void);

/* The subsystem above registers the shootdown handler (mm/tlb_ipi.c): interrupt context, may find nothing to do. */
extern void (*ipi_tlb_handler)(void);

/* idle=halt|poll */
extern bool idle_polls;
/* 20 s: far above any wait for an emulated CPU that was descheduled. */
#define WATCHDOG_NS 20000000000UL
