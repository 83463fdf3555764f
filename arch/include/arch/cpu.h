/*
 * CONTRACT: the executing CPU: who it is, waiting, time, probing memory.
 */
#pragma once

#include <kernel/types.h>

/* "x86_64", "arm64": whose rules hold here. */
static inline const char *cpu_isa(void);
static inline unsigned cpu_id(void); /* our dense id, 0 = boot CPU */
u64 cpu_hw_id(void); /* what firmware tables call this CPU: boot_cpu.hw_id; any time */
static inline u64 percpu_base(void); /* offset from the per-CPU template to this CPU's copy */
void cpu_set_percpu(unsigned cpu,
		    u64 offset); /* once per CPU, by itself, before cpu_id() is used */

/* In every spin loop: PAUSE / YIELD. Lets an emulator or SMT sibling run. */
static inline void cpu_relax(void);
/* Interrupts off on entry: enable them and halt with no window in between; off again on return. */
static inline void cpu_idle(void);
void cpu_halt_forever(void) __noreturn;

/* Cycle counter (TSC, CNTVCT), ordered against earlier and later loads and stores. */
static inline u64 cycles_now(void);
/* Ticks of cycles_now() per second, calibrated at boot; source is a name for the log and records. */
u64 cycles_hz(void);
const char *cycles_source(void);
/* False: for an erratum of some CPU here a read may be far off now and then, so no time is a result. */
bool cycles_trusted(void);

/* One line about this CPU for the log: vendor, model, features that matter here. */
void cpu_describe(char *buf, size_t size);
/*
 * The caches of this CPU, the smallest first, as "L1d 32K, L1i 32K, L2 512K, L3 16M"; and its TLBs, entries by the size of
 * page. As far as it tells, else a remark why not.
 */
void cpu_caches(char *buf, size_t size);
void cpu_tlbs(char *buf, size_t size);
/* SMT sibling and package of a CPU as the hardware says; ids only comparable for equality. */
void cpu_topology(unsigned cpu, u32 *core, u32 *package);

/*
 * What executes our instructions: "tcg" (an emulator), "kvm" (any other hypervisor, known or not) or
 * "metal", which takes evidence where the architecture can give any.
 */
const char *cpu_accel(void);
/* Why it is taken for that, for the log. */
const char *cpu_accel_evidence(void);

/* Space-separated list of features used / absent, honouring hw=-pcid,-invlpgb,... */
const char *cpu_features(void);

/*
 * Load or store that may fault: 0, or -EFAULT if the fault handler could not
 * satisfy it. For tests and for asking whether an address is readable.
 */
int probe_load64(vaddr_t va, u64 *value);
int probe_store64(vaddr_t va, u64 value);

/*
 * Call code at va, which takes no arguments: 0 and *value = what it returned, or
 * -EFAULT if it may not be executed. Faults that its own instructions take are its own affair.
 */
int probe_execute(vaddr_t va, u64 *value);

/*
 * What was stored at this kernel address so far is what every CPU fetches as
 * instructions, wherever the frame is mapped, once it may execute it and has
 * synchronised its context: an exception's return does, and so does this call
 * for the calling CPU. Any context.
 */
static inline void code_sync(const void *code, size_t size);

/* Copy / zero one 4 KiB page by kernel addresses; the variant chosen at boot by measurement. */
extern void (*copy_page)(void *dst, const void *src);
extern void (*zero_page)(void *dst);
/* What kernel/core/copy.c chooses from. The first runs on every CPU and is in use until then; name NULL at the end. */
struct copy_variant {
	const char *name;
	void (*copy)(void *dst, const void *src);
	bool (*usable)(void); /* the CPU has what it takes, and hw= did not take it away */
};
struct zero_variant {
	const char *name;
	void (*zero)(void *dst);
	bool (*usable)(void);
};
extern const struct copy_variant copy_variants[];
extern const struct zero_variant zero_variants[];

/* Stack switch between contexts of one CPU: saves callee-saved state in *save, continues *next. */
void context_switch(void **save_sp, void *next_sp);
/* Prepare a fresh stack so that switching to the returned sp calls entry() with interrupts on. */
void *context_prepare(void *stack_top, void (*entry)(void));

#include <asm/cpu.h>
