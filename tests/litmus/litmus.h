/*
 * Litmus tests: tiny programs of one to four threads about page-table entries
 * and TLBs, run a great many times; which outcomes were seen is the result.
 * A test is a declaration; the runner owns loops, pages, histogram and verdict.
 */
#pragma once

#include <arch/litmus.h>
#include <arch/pgtable.h>
#include <kernel/types.h>

struct aspace;

enum {
	LITMUS_THREADS = 4,
	LITMUS_REGS = 6,
	LITMUS_ASKED = 4,
/*
	 * Runs between two barriers, each with its own pages. x and y of all of
	 * them must fit an emulated TLB of 256 slots beside the kernel's own pages,
	 * or nothing stale would survive until it is looked for.
	 */
#ifndef LITMUS_ONE_RUN
	LITMUS_BATCH = 64,
#else
	LITMUS_BATCH = 1, /* the modelled machine starts anew for each */
#endif
};

/*
 * One run: its addresses, the words its entries may hold, its variables. x and
 * y are the addresses under test. Frames a, b back x, frames c, d back y; a and
 * c hold 0, b and d hold 1, so that a register shows which one was read.
 */
struct litmus_run {
	vaddr_t x, y;
	unsigned level; /* of x's entry */
	u64 *px, *py; /* their entries: level 0, or the test's x_level for px */
	u64 A, B, C,
		D; /* entries: writable, dirty, accessed, on frames a to d (tables at level 1) */
	u64 A_ro, A_clean, A_global, B_global; /* forms of A and B */
	u64 block; /* x_level 1: a 2 MiB leaf that shows 2 at x */
	u64 *leaf_a, *leaf_b; /* x_level 1: x's entries in the tables that A and B name */
	u64 leaf_A, leaf_B; /* what those hold: frames a and b */
	u64 *a, *b, *c, *d; /* the words at x and y, by the direct map */
	u64 *other_px; /* x's entry in a second root; D there shows 1 */
	paddr_t root, other_root;
	struct aspace *as;
	const unsigned *cpu; /* of each thread */
	const struct litmus_flush *how; /* flush tester: what is tried */

	u64 flag __aligned(CACHE_LINE);
	u64 flag2 __aligned(CACHE_LINE);
	u64 z __aligned(CACHE_LINE);
	u64 out[LITMUS_REGS] __aligned(CACHE_LINE); /* results, numbered as in test.regs */
	u64 got[LITMUS_THREADS] __aligned(CACHE_LINE); /* scratch from a thread to finish() */
} __aligned(CACHE_LINE);

enum litmus_verdict {
	LITMUS_FORBIDDEN, /* the asked outcome seen once is a failure */
	LITMUS_ALLOWED, /* seen or not, both are fine; often the twin of a forbidden test */
	LITMUS_BROKEN, /* no program of the list: a forbidden test made wrong on purpose */
};

enum litmus_state {
	LITMUS_VALID, /* A or C */
	LITMUS_INVALID,
	LITMUS_READONLY,
	LITMUS_CLEAN, /* writable, dirty not set */
	LITMUS_GLOBAL, /* A, in every address space */
	LITMUS_BLOCK, /* x_level 1: the 2 MiB leaf */
	LITMUS_SAME, /* y only: y is another address of frame a */
};

struct litmus_want {
	u8 reg; /* index into regs, from 1; 0 ends the list */
	u64 value;
};

struct litmus_test {
	const char *name;
	const char *program; /* the threads, separated by ||, for a reader */
	enum litmus_verdict verdict;
	const char *twin; /* of a forbidden test: the one that must show its outcome */
	/* The same without a step, where only the modelled machine shows what that does; or NULL. */
	const char *weaker;
	const char *hidden; /* of the others: why an emulator never shows the outcome, if so */
	const char *(*unusable)(void); /* returns why it cannot run here, or NULL */
	void (*thread[LITMUS_THREADS])(struct litmus_run *r);
	enum litmus_state x, y;
	u8 x_level;
	u8 plant; /* threads (bits) that load x before most runs, so that their TLBs hold it */
	u8 plant_y; /* the same for y */
	u8 plant_store; /* the same by a store to x, so that they hold it writable and dirty */
	bool slow_flag; /* thread 0 raises it after an interrupt and its answer */
	bool every_pair; /* on every pair of CPUs, not on a few */
	const struct litmus_flush *how; /* flush tester: what is tried */
	const char *regs[LITMUS_REGS]; /* "p1:f": thread and name, as printed */
	struct litmus_want asked[LITMUS_ASKED]; /* the outcome: all of these */
	void (*prepare)(struct litmus_run *r); /* what x and y do not say of the initial state */
	void (*finish)(struct litmus_run *r); /* after the run: results that lie in memory */
};

/* Every test of this architecture; sets end with name NULL, the list with NULL. */
extern const struct litmus_test *const litmus_sets[];
extern const struct litmus_test litmus_common[];
const struct litmus_test *litmus_flush_test(unsigned i); /* made of what this CPU offers */

/* i-th test, the flush tester's included; NULL behind the last. */
const struct litmus_test *litmus_test_at(unsigned i);
const struct litmus_test *litmus_test_named(const char *name);

/*
 * Wait until *flag is set, or a while. Only for tests that are broken on
 * purpose, which must show what would otherwise take luck. The other thread
 * may be away, so it gives up.
 */
void litmus_await(const u64 *flag);

enum { LITMUS_STATES = 48 }; /* outcomes told apart; more are counted as the last */

struct litmus_odd { /* the first run that ended as asked: enough to run it again */
	u64 run, seed;
	unsigned cpu[LITMUS_THREADS];
	u64 x;
	bool planted;
	u64 skew[LITMUS_THREADS];
};

struct litmus_result {
	const char *skipped; /* why, or NULL */
	u64 runs, asked;
	u64 ns; /* whole test, preparation included */
	unsigned states;
	unsigned placements; /* choices of CPUs that were tried */
	u64 placements_all; /* that there are, where every pair was wanted */
	struct {
		u32 key;
		u64 count;
	} state[LITMUS_STATES];
	struct litmus_odd odd;
};

struct litmus_space; /* the pages that tests play with (space.c) */

/*
 * Run a test. 0, or -ENOMEM. Task context, console's CPU; threads run on other
 * CPUs where there are enough.
 */
int litmus_run_test(struct litmus_space *space, const struct litmus_test *test, u64 runs, u64 seed,
		    struct litmus_result *res);
unsigned litmus_threads(const struct litmus_test *test);

/* Outcome words, 4 bits per register. */
enum { LITMUS_KEY_BITS = 4, LITMUS_KEY_OTHER = 14, LITMUS_KEY_FAULT = 15 };
bool litmus_is_asked(const struct litmus_test *test, const u64 *out);
bool litmus_key_is_asked(const struct litmus_test *test, u32 key);
u32 litmus_key(const struct litmus_test *test, const u64 *out);
void litmus_print(const struct litmus_test *test, const struct litmus_result *res);
/* Runs for a thorough answer on this machine. */
u64 litmus_default_runs(void);

/* ---- pages (space.c) ---- */
struct litmus_space *litmus_space_create(void); /* NULL: no memory */
void litmus_space_destroy(struct litmus_space *space);
struct aspace *litmus_space_aspace(struct litmus_space *space);
struct litmus_run *litmus_space_runs(struct litmus_space *space);
/* Addresses, frames and entries of a batch as the test wants them; all TLBs must forget afterwards. */
void litmus_space_prepare(struct litmus_space *space, const struct litmus_test *test, u64 random);
/* No memory for tables at level 1 or for a second root: false. */
bool litmus_space_has(struct litmus_space *space, const struct litmus_test *test);
