/*
 * The modelled machine: simulated CPUs on one host thread, each with a store
 * buffer and a TLB, under a scheduler that decides every step.
 *
 * Everything that one execution changes lies in .data/.bss, the per-CPU areas,
 * the page array and RAM, so that snapshot.c can put it back; what outlives an
 * execution is in the heap behind `fake_plan`.
 */
#pragma once

#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/pgtable.h>
#include <arch/platform.h>
#include <arch/tlb.h>
#include <fake/plan.h>

enum {
	FAKE_CPUS = 4,
	FAKE_STORES = 24, /* entries of a store buffer; real ones have 40 to 70 */
	FAKE_FRAMES_MAX = 16384, /* frame numbers are below this */
	FAKE_VAS = 8, /* watched workload addresses */
	FAKE_ROOTS = 12, /* watched address spaces, those included that are gone */
	FAKE_ASIDS = 8,
	FAKE_HELD = 8, /* translations of one address that one CPU may hold at a time */
	FAKE_PLACES = 1024, /* memory places told apart in histories */
	FAKE_ISSUED = 24, /* broadcasts under way per CPU */
};

/* Mix b into the hash a. */
static inline u64 fake_mix(u64 a, u64 b)
{
	a = (a ^ b) * 0x9e3779b97f4a7c15UL;
	return a ^ a >> 29;
}

/* What a machine is; chosen before fake_boot(). */
struct fake_config {
	unsigned cpus, nodes;
	u64 node_pages;
	bool arm64; /* rule set; false: x86 */
	bool hw_dirty; /* arm64 rules: hardware manages access flag and dirty state */
	unsigned asids; /* tags a CPU has */
	bool repeats; /* arm64 rules: says that its broadcasts must be repeated; they need not */
	const char *options; /* the boot line */
};
extern struct fake_config fake_config;

enum fake_state { FAKE_READY, FAKE_SPIN, FAKE_HALT, FAKE_DONE };

struct fake_clock {
	u32 of[FAKE_CPUS];
};

/* A store on its way to memory. */
struct fake_pending {
	enum fake_store_kind { FAKE_MEMORY, FAKE_ENTRY, FAKE_WORKLOAD, FAKE_FRAME } kind;
	u8 size;
	bool release; /* not before all older ones */
	u32 epoch; /* not before older ones of an earlier epoch (arm64 rules) */
	void *addr;
	u64 value;
	u64 history;
	struct fake_clock clock; /* what it publishes */
	u64 tag; /* FAKE_WORKLOAD: index of the address used */
	u8 *before; /* FAKE_FRAME: what other CPUs may still see there */
};

/* The earliest that what a CPU does next may take effect; in fake_write_seq. */
struct fake_view {
	u64 loads; /* not before */
	u64 walks; /* of translations: not before */
	u64 seen; /* newest value that a load has read so far: a load barrier's time */
	u64 own; /* newest store of its own that reached memory: a store barrier's */
	u64 flushes; /* TLB maintenance: not before */
	u64 synced; /* last DSB: from the next ISB on, walks are not before it */
	u64 branched; /* what branches depended on: from the next ISB on, nothing is before it */
	u64 last; /* that the last load read */
	u64 va[FAKE_VAS]; /* loads of one address are in order, whatever frame they go to */
};

struct fake_cpu {
	unsigned id;
	u64 percpu;
	enum fake_state state;
	bool masked, in_irq;
	bool timer; /* the watchdog's has fired */
	u32 doubled; /* interrupts of which the second is to come; bit per enum ipi */
	unsigned parked_until; /* step; before, it goes on only if nobody else can */
	bool hold; /* interrupts under way are late until this CPU next waits */
	unsigned
		rush; /* calls of cpu_relax() that return at once: the wait goes on to its halt, ... */
	u64 rush_seq; /* ... as long as nothing was written, or it is no wait but a retry */
	u32 ipis; /* bit per enum ipi */
	u64 spin_seq; /* write_seq when it began to spin */
	u64 idle_seq; /* write_seq when it last looked again although nothing had changed, ... */
	unsigned idle_turns; /* ... and how often it did */
	void *sp;
	void (*program)(unsigned cpu);

	struct fake_pending stores[FAKE_STORES];
	unsigned store_count;
	u32 epoch;

	struct fake_view view;
	u64 history; /* hash of what this CPU did and of whose writes it saw */
	u64 drained; /* hash of its stores that reached memory */
};

extern struct fake_cpu fake_cpus[FAKE_CPUS];
extern struct fake_cpu *fake_self;
extern bool fake_live; /* coroutines run; else everything is immediate */
extern u64 fake_write_seq; /* stores that reached memory so far */
extern unsigned fake_steps; /* switching points passed in this execution */
extern u64 fake_order; /* hash of (cpu, point, choice) so far */

/* Faults of interrupts, for tests that ask for them. Late ones are part of every plan. */
enum fake_fault {
	FAKE_SOUND,
	FAKE_LOST, /* one may be lost: a choice, at each */
	FAKE_DOUBLED, /* each comes twice */
	FAKE_DEAF, /* CPU 1 takes none */
};
extern enum fake_fault fake_fault;
extern unsigned fake_lost; /* FAKE_LOST: CPU that one to was lost, plus 1; 0 = none yet */

/* ---- machine.c ---- */
/* Build the machine and start the real mm on it. Once per process. */
void fake_boot(const struct fake_config *config);
/* Run fn as if on that CPU; not while live. */
void fake_on_cpu(unsigned cpu, void (*fn)(void *arg), void *arg);
void fake_become(struct fake_cpu *cpu);
/* The stretch of the host's memory that is RAM, and which frame an address is in. */
static inline bool fake_is_ram(const void *p)
{
	return (u64)p - FAKE_RAM_VA < fake_config.nodes * fake_config.node_pages << PAGE_SHIFT;
}

static inline u64 fake_frame_of(const void *p)
{
	return ((u64)p - DIRECT_BASE) >> PAGE_SHIFT;
}

static inline u64 fake_first_frame(void)
{
	return FAKE_RAM_PHYS >> PAGE_SHIFT;
}

static inline u64 fake_last_frame(void)
{
	return fake_first_frame() + fake_config.nodes * fake_config.node_pages;
}

/* ---- snapshot.c ---- */
void fake_snapshot(void);
void fake_restore(void);
/*
 * Of all that an execution may have changed. of_program: with the host program's
 * data, which holds host addresses, so that two processes differ in it.
 */
u64 fake_state_hash(bool of_program);

/* ---- sched.c ---- */
void fake_sched_init(void);
/* One execution of program[cpu] on each CPU from the state at hand. False: fake_failure says why. */
bool fake_run(void (*const program[])(unsigned cpu));
extern char fake_failure[512];
extern bool fake_ignore_invariants, fake_ignore_contents;
extern bool fake_trace; /* print each step */
extern bool fake_abandoned; /* the execution was given up as a duplicate */
/*
 * End the execution with this failure; returns only if that kind is ignored or
 * nothing is live. Texts that begin with an invariant's number ("I2: ...") are
 * of one kind, what workloads read ("CPU 1 reads ...", "lost ...") of another.
 */
void fake_fail(const char *fmt, ...) __printf(1, 2);
/* A switching point; what tells kinds apart in the order's hash. */
void fake_point(unsigned what);
/* The same before an access: chance prefers CPUs that were always later at this place. */
void fake_point_at(unsigned what, unsigned place);
/* A choice among n; 0 is the default. */
unsigned fake_pick(unsigned n);
void fake_ipi(unsigned cpu, unsigned kind);

/* ---- frames.c ---- */
void fake_frames_init(void);
/* Loads and stores of workloads by physical place. */
/* from: time of the translation that led there; to: until which it could be used. */
u64 fake_work_load(const u64 *word, u64 from, u64 to);
void fake_work_store(u64 *word, u64 value, unsigned tag);

/* ---- store.c ---- */
/* All of this CPU's stores reach memory. */
void fake_drain_all(struct fake_cpu *cpu);
/* One more store of anybody reaches memory; false: none was left. */
bool fake_drain_some(void);
bool fake_drain_nth(struct fake_cpu *cpu, unsigned n);
unsigned fake_drainable(struct fake_cpu *cpu);
/* Is a workload's store into this frame on its way from another CPU? */
bool fake_store_under_way(u64 frame);
/* Has this CPU written an entry that walkers may not see yet? (x86 rules: stores leave in order, soon.) */
bool fake_entry_under_way(void);
/* The same of one that is present. */
bool fake_installed_under_way(void);
/* Stores through these translations have been performed: what a completed broadcast waits for. */
void fake_drain_workload(void);

/* ---- memory.c ---- */
void fake_touch(const void *addr, bool write);
void fake_order_by(const void *addr);

/* ---- view.c ---- */
void fake_view_init(void);
void fake_view_begin(void); /* an execution */
/* A CPU's store has just reached memory. */
void fake_view_stored(unsigned cpu, const void *addr, u64 old, u64 value);
/* What a load reads where `newest` is there now: a choice. */
u64 fake_view_load(const void *addr, u64 newest, bool acquire);
/* The same for what was there not before `from` and not after `to`. */
u64 fake_view_load_between(const void *addr, u64 newest, u64 from, u64 to, bool acquire);
void fake_view_atomic(const void *addr, bool acquire);
/* Later loads come after all that happened so far; after what earlier loads read; later walks. */
void fake_view_loads_from_now(void);
void fake_view_rmb(void);
void fake_view_walks_from_now(void);
u64 fake_view_key(const struct fake_cpu *cpu);

/* ---- races.c ---- */
void fake_races_begin(void); /* an execution */
void fake_races_load(unsigned place, bool acquire);
/* What a store made now publishes. */
struct fake_clock fake_races_publish(bool release);
/* It reached memory. */
void fake_races_stored(unsigned place, const struct fake_clock *clock);
void fake_races_barrier(bool loads, bool stores);
bool fake_on_stack(const void *addr);
void fake_races_uses(const void *addr); /* by an accessor, on its way to load */
void *fake_memset(void *to, int byte, size_t size);
/* A plain access of a scenario: the compiler tells only about the kernel's. */
void fake_plain(const void *addr, bool write);

/* ---- locks.c ---- */
/* Memory for what all executions saw; NULL: this process's own. Once for the processes that share it. */
void fake_locks_init(void *shared);
size_t fake_locks_size(void);
void fake_locks_begin(void); /* an execution */
void fake_locks_wait(void); /* this CPU waits, or tries again */
void fake_locks_forget(const void *start, u64 bytes); /* memory was freed */
/* Kinds of locks seen; *orders: pairs of places; text: two that can deadlock, or nothing. */
unsigned fake_locks_check(char *text, size_t size, unsigned *orders);

/* ---- pairs.c ---- */
/* Two accesses that nothing ordered, in an execution. */
struct fake_race {
	u16 place;
	u8 first, second; /* CPUs */
	u32 step; /* of the first */
	bool by_itself; /* the first was executing then: not a store of its that left the buffer later */
};

/* The same over all executions. */
struct fake_pair {
	const void *address;
	unsigned first, second; /* CPUs */
	bool both; /* orders were seen */
};

void fake_pairs_init(void);
/* Places are numbered as they come. */
unsigned fake_place_of(const void *at);
void fake_pairs_begin(void); /* an execution */
/* counted: false for what is no access, but an order. */
void fake_pairs_note(unsigned place, unsigned cpu, bool write, bool counted);
/* A CPU that was always later than this one at the place, though nothing says so; -1: none. */
int fake_pairs_wanted(unsigned place, unsigned cpu);
/* Races of the last execution whose other order no execution has shown. */
const struct fake_race *fake_pairs_noted(unsigned *count);
/* The other order was seen. */
bool fake_pairs_reversed(const struct fake_race *race);
/* Is it worth an execution to reverse this one? At most so many tries; counts one. */
bool fake_pairs_try(const struct fake_race *race, unsigned at_most);
void fake_pairs_each(void (*fn)(const struct fake_pair *pair, void *arg), void *arg);

/* ---- tlb.c ---- */
struct fake_held {
	u32 frame, root; /* root: index in the watched roots */
	u8 level;
	bool write, exec, dirty, global;
	bool dead; /* its frame was given away while the tag was not loaded */
	u64 since; /* fake_write_seq when walks began to find it */
	u64 until; /* fake_write_seq when walks stopped finding it; ~0 = they still do */
};

struct fake_set {
	unsigned count;
	struct fake_held held[FAKE_HELD];
};

/* Translations that matter: walked at every entry change. Too many roots or addresses fail. */
void fake_watch(paddr_t root, vaddr_t va);
void fake_watch_reset(void);
bool fake_walk(paddr_t root, vaddr_t va, struct fake_held *found, pte_t **entry);
/* An entry in memory changed: what walkers can reach now. */
void fake_entry_changed(void);
/* This frame's contents matter from now on, though no watched address has mapped it. */
void fake_frame_use(u64 frame);
/* Did that happen, or did a watched address ever map it? Nobody can tell what is in any other. */
bool fake_frame_used(u64 frame);
/* May a walk of this CPU find nothing there: now, or one that ran ahead, to not before `from`? */
enum fake_absence { FAKE_PRESENT, FAKE_WAS_ABSENT, FAKE_ABSENT };
enum fake_absence fake_walk_may_fail(unsigned va_index, u64 from);

/* ---- tlb_flush.c ---- */
/* ISB, exception entry: this CPU's next accesses see what its completed TLBIs dropped. */
void fake_isb(void);
/*
 * A flush apart from its completion, as litmus tests need it: of one page, or of an ASID (va 0), on
 * this CPU alone or all. asid ~0: any. It drops what walks had stopped finding at `when`.
 */
void fake_flush_issue(bool local, vaddr_t va, u32 asid, u64 when);
void fake_flush_complete(void); /* all that this CPU has issued, but for itself */
void fake_flush_seen(void); /* what is complete, by this CPU, too */

/* ---- tlb_held.c ---- */
paddr_t fake_loaded_root(void);
asid_t fake_loaded_asid(void);
/* What this CPU may use for va under the root it has loaded; NULL: not watched. */
struct fake_set *fake_held_here(vaddr_t va, unsigned *index);
/* This CPU took a fault at the address (x86 rules: its entries go). */
void fake_fault_drops(struct fake_set *set);
/* Some CPU could use a translation to this frame now (write: one that allows stores). Not loaded tags are marked. */
bool fake_may_hold(u64 frame, bool write, unsigned *cpu);
/* Some CPU's walk cache may point to this frame as a table, or it has that loaded as its root. */
bool fake_may_walk(u64 frame, unsigned *cpu);
/* Does any CPU hold, for this space and address, more than prot allows (0 = anything)? */
bool fake_exceeds(paddr_t root, vaddr_t va, prot_t prot);
/*
 * How what CPUs that have this root loaded may hold of an address differs from its entry: it names
 * another frame or allows more (FAKE_EXCEEDS), it refuses what the entry allows, and a fault will not
 * drop it (FAKE_REFUSES). 0: it does not.
 */
enum { FAKE_EXCEEDS = 1, FAKE_REFUSES = 2 };
unsigned fake_stale(paddr_t root, vaddr_t va);
/* The frame was freed: entries of tags that are not loaded must never be used again. A root is watched no more. */
void fake_frame_freed(u64 frame);
/* Some CPU may use a translation of this watched address to another frame than this. */
bool fake_others_held(unsigned va_index, u64 frame, unsigned *cpu);

/* ---- access.c ---- */
/* A workload's load or store of 8 bytes: through the TLB, faults included. False: no such mapping. */
bool fake_access(vaddr_t va, bool write, u64 *value);
/* The same for the fetch of 8 bytes of instructions. */
bool fake_fetch(vaddr_t va, u64 *value);
/* Its parts: the first store through a clean translation; false: refused. The word itself, in order per address. */
bool fake_make_dirty(const struct fake_held *held, vaddr_t va);
struct fake_use {
	u64 from, to; /* when the translation could be used */
	unsigned va_index;
	bool write;
};
void fake_access_word(u64 *word, const struct fake_use *use, u64 *value);

/* ---- litmus.c ---- */
void fake_litmus_begin(void); /* before the first execution */

/* ---- kernel.c ---- */
extern bool fake_verbose; /* printk and kprintf come out */

/* ---- what the tests look at ---- */
struct fake_hooks {
	void (*copied)(u64 to, u64 from); /* before the bytes move */
	void (*zeroed)(u64 frame); /* before */
	void (*code_synced)(u64 frame); /* fetches see what was stored there */
	/* A store of the kernel reached memory. */
	void (*stored)(const void *addr, u64 old, u64 value, bool atomic);
	/* A workload's store is about to reach this word. */
	void (*work_stored)(const u64 *word, unsigned va_index);
	/* A leaf for a watched address appeared. */
	void (*mapped)(unsigned va_index, const struct fake_held *now);
	/* A CPU's TLB dropped this. */
	void (*dropped)(unsigned cpu, unsigned va_index, const struct fake_held *held);
};
extern struct fake_hooks fake_hooks;
