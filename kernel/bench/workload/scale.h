/*
 * The tests of will-it-scale: what a task does again and again, on memory of
 * its own. What they share (tasks, spaces, rounds, series, record, table) is in
 * scale.c and scale_report.c; a test is three functions and a line about them.
 */
#pragma once

#include <harness/part.h>
#include <harness/workload.h>
#include <load/memhog.h>
#include <mm/file.h>
#include <mm/aspace.h>

struct scale;

/* What a page held, and what it must. */
struct scale_wrong {
	u64 page, found, expected;
	unsigned task, cpu;
};

/* One task. Only its own CPU writes what changes in a round. */
struct scale_task {
	struct scale *run;
	unsigned id, cpu;
	struct aspace *as; /* loaded while it runs */
	u64 pages; /* of its memory */
	u64 lap; /* how often its memory was mapped: part of what it writes */
	struct store *store; /* NULL: the test has no files */
	struct object *file; /* its own, of this store */
	vaddr_t base; /* its memory, from begin() to end() */
	struct context *ctx; /* NULL: it runs on the initiator */
	u32 ready; /* it waits for the round to begin; release/acquire */
	/* ---- of the round ---- */
	u64 ops, verified, wrong;
	u64 loop, ends; /* cycles: its operations, and begin() and end() */
	u64 ended; /* cycles_now() */
	u64 waits, longest_wait; /* of its faults, for pages under migration */
	int err; /* of the call that failed */
	struct scale_wrong first_wrong;
};

/* A test. Functions return 0 or a code, which fails the run. */
struct scale_test {
	struct workload workload;
	u64 pages; /* of a task, unless --pages says otherwise */
	u64 ops; /* per lap; 0: one for each page */
	const char *operation; /* what one is, for the table */
	/* The store of a task's file. NULL: no memory. Not set: the test has no files. */
	struct store *(*store)(const struct scale_task *t);
	bool fills_store; /* each lap writes its stamps to every page of it; else a memory store stays empty */
	/* It has memory for half of its pages, the rest is in swap. enter(): all tasks are there; leave(): no space is. */
	bool swaps;
	int (*enter)(struct bench *b, struct scale *run);
	void (*leave)(struct bench *b, struct scale *run);
	/* What a lap begins and ends with: mapping memory, unmapping it. */
	int (*begin)(struct scale_task *t);
	int (*op)(struct scale_task *t, u64 number);
	int (*end)(struct scale_task *t);
};

enum scale_series { SCALE_OP, SCALE_LOOP, SCALE_ENDS, SCALE_ALL_CPUS };

struct scale {
	const struct scale_test *test;
	unsigned tasks, spaces;
	struct scale_task *task[MAX_CPUS];
	struct aspace *space[BENCH_MAX_PROCS];
	bool verify; /* contents are looked at: check=full or check=reads */
	bool relax; /* deterministic: CPUs take turns only where they relax */
	unsigned starter; /* CPU that waits for the tasks */
	u32 go; /* release/acquire: tasks run */
	u32 left; /* tasks that have not ended; atomic */
	u64 start; /* cycles_now() as the round began */
	u64 wrong; /* pages, of all rounds */
	struct scale_wrong first_wrong; /* of them */
	struct bench_part part;
	struct store *swap; /* of a test with `swaps` */
	struct memhog hog[MAX_NODES]; /* what it holds */
};

/* ---- for tests ---- */

static inline u64 *scale_page(const struct scale_task *t, u64 page)
{
	return (u64 *)(t->base + (page << PAGE_SHIFT));
}

/* What a task writes to a page in this lap: no other task, page or lap has it, nor is it 0. */
static inline u64 scale_stamp(const struct scale_task *t, u64 page)
{
	return (u64)(t->id + 1) << 48 | (t->lap & 0xffffff) << 24 | page;
}

/* A page held something else than it must: a stale, foreign or lost one. */
void scale_note_wrong(struct scale_task *t, u64 page, u64 found, u64 expected);

/* The assertion of a test: this is what was read, and what must be there. */
static inline void scale_expect(struct scale_task *t, u64 page, u64 found, u64 expected)
{
	if (!t->run->verify)
		return;
	if (likely(found == expected))
		t->verified++;
	else
		scale_note_wrong(t, page, found, expected);
}

/* store() */
struct store *scale_memory_store(const struct scale_task *t);
struct store *scale_pattern_store(const struct scale_task *t);

/* Map all of an object, NULL: anonymous memory, at t->base. 0 or a code. */
int scale_map(struct scale_task *t, struct object *obj, prot_t prot);
/* begin(): anonymous memory; nothing is there yet. */
int scale_map_anonymous(struct scale_task *t);
/* begin(): all of the task's file, shared, writable. */
int scale_map_file(struct scale_task *t);
/* begin(): the same, privately. */
int scale_map_private(struct scale_task *t);
/* op(): write the page first, then look at another word of it, which must be zero. */
int scale_write_page(struct scale_task *t, u64 page);
/* op(): write the page, drop it, and read zero: what was written is gone. */
int scale_write_drop_read_zero(struct scale_task *t, u64 page);
/* end(): unmap what begin() mapped. */
int scale_unmap(struct scale_task *t);
/* end(): the same, after looking for this lap's stamp in each page. */
int scale_verify_and_unmap(struct scale_task *t);

/* ---- workload functions that all tests share ---- */

int scale_check(struct bench *b);
int scale_setup(struct bench *b);
int scale_round(struct bench *b, struct bench_round *round);
void scale_teardown(struct bench *b);
void scale_record(struct bench *b, unsigned variant, struct json *j);
void scale_table(struct bench *b);

/* SCALE_TEST(page_fault1, "map, write each page, unmap", "transport", .pages = 4096, ...); */
#define SCALE_TEST(test_name, text, knobs, ...)                                                    \
	static const struct scale_test scale_##test_name = {                                       \
		.workload =                                                                        \
			{                                                                          \
				.name = #test_name,                                                \
				.summary = text,                                                   \
				.unit = "ns/op",                                                   \
				.min_cpus = 1,                                                     \
				.min_nodes = 1,                                                    \
				.separates = knobs,                                                \
				.takes = OPT_PAGES | OPT_THREADS | OPT_PROCS | OPT_CPUS,           \
				.record_key = "scale",                                             \
				.default_threads = 1,                                              \
				.state_size = sizeof(struct scale),                                \
				.check = scale_check,                                              \
				.setup = scale_setup,                                              \
				.round = scale_round,                                              \
				.teardown = scale_teardown,                                        \
				.record = scale_record,                                            \
				.table = scale_table,                                              \
			},                                                                         \
		__VA_ARGS__};                                                                      \
	static const struct workload *const scale_##test_name##_ptr __section("workloads")         \
		__used_ptr = &scale_##test_name.workload
