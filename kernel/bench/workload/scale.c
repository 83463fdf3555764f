/*
 * What the tests of will-it-scale share. Each task has a CPU and memory of its
 * own, in one space that all share or, with --procs, in as many. In a round each
 * task does one lap. The sample is the time from the start of all to the end of
 * the last, over the operations that one task did in it.
 */
#include <harness/region.h>
#include <kernel/clock.h>
#include <kernel/context.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <mm/cow.h>
#include <mm/fault.h>
#include <mm/numa.h>
#include "scale.h"

enum {
	DIGITS = 1, /* decimals of a time per operation */
	WORDS_LOOKED_AT = 256, /* behind the first of a page: another one of each page */
};

/* ---- for tests ------------------------------------------------------------------ */

void scale_note_wrong(struct scale_task *t, u64 page, u64 found, u64 expected)
{
	if (!t->wrong++)
		t->first_wrong = (struct scale_wrong){page, found, expected, t->id, t->cpu};
}

struct store *scale_memory_store(const struct scale_task *t)
{
	return memory_store_create(t->pages, numa_node_of_cpu(t->cpu));
}

struct store *scale_pattern_store(const struct scale_task *t)
{
	return pattern_store_create(t->id, t->pages);
}

int scale_map(struct scale_task *t, struct object *obj, prot_t prot)
{
	int err = 0;

	t->base = aspace_map(t->as, obj, 0, 0, t->pages << PAGE_SHIFT, prot, false, BOOT_NODE_NONE,
			     &err);
	return err;
}

int scale_map_anonymous(struct scale_task *t)
{
	return scale_map(t, NULL, PROT_READ | PROT_WRITE);
}

int scale_map_file(struct scale_task *t)
{
	return scale_map(t, t->file, PROT_READ | PROT_WRITE);
}

int scale_map_private(struct scale_task *t)
{
	int err = 0;

	t->base = aspace_map_private(t->as, t->file, 0, 0, t->pages << PAGE_SHIFT,
				     PROT_READ | PROT_WRITE, BOOT_NODE_NONE, &err);
	return err;
}

int scale_write_page(struct scale_task *t, u64 page)
{
	u64 *words = scale_page(t, page);

	store_relaxed(&words[0], scale_stamp(t, page));
	scale_expect(t, page, load_relaxed(&words[1 + page % WORDS_LOOKED_AT]), 0);
	return 0;
}

int scale_write_drop_read_zero(struct scale_task *t, u64 page)
{
	u64 *word = scale_page(t, page);

	store_relaxed(word, scale_stamp(t, page));
	int err = aspace_drop(t->as, (vaddr_t)word, PAGE_SIZE);

	if (!err)
		scale_expect(t, page, load_relaxed(word), 0);
	return err;
}

int scale_unmap(struct scale_task *t)
{
	return aspace_unmap(t->as, t->base, t->pages << PAGE_SHIFT);
}

int scale_verify_and_unmap(struct scale_task *t)
{
	for (u64 i = 0; i < t->pages && t->run->verify; i++)
		scale_expect(t, i, load_relaxed(scale_page(t, i)), scale_stamp(t, i));
	return scale_unmap(t);
}

/* ---- a task ---------------------------------------------------------------------- */

static void do_ops(struct scale_task *t)
{
	const struct scale_test *test = t->run->test;
	u64 ops = test->ops ? test->ops : t->pages;

	for (u64 i = 0; i < ops && !t->err; i++) {
		t->err = test->op(t, i);
		t->ops++;
		if (t->run->relax)
			cpu_relax();
	}
}

static void do_lap(struct scale_task *t)
{
	const struct scale_test *test = t->run->test;
	struct fault_wait *fw = this_cpu_ptr(fault_wait);
	u64 start = cycles_now(), began, looped;

	*fw = (struct fault_wait){0};
	t->lap++;
	t->err = test->begin(t);
	began = cycles_now();
	if (!t->err)
		do_ops(t);
	looped = cycles_now();
	if (!t->err)
		t->err = test->end(t);
	t->ended = cycles_now();
	t->loop = looped - began;
	t->ends = began - start + t->ended - looped;
	t->waits = fw->count;
	t->longest_wait = fw->longest;
}

/* On a CPU of its own. */
static void task_main(void *arg)
{
	struct scale_task *t = arg;
	struct scale *run = t->run;

	store_release(&t->ready, 1);
	/* The starter may have halted: where CPUs are emulated, one can take long to begin. */
	cpu_wake(run->starter);
	/* It is not long, and a halted CPU would have to be woken in the measured part. */
	while (!load_acquire(&run->go))
		cpu_relax();
	do_lap(t);
	/* Full barrier: what the lap left comes before. Pairs with the acquire in run_tasks(). */
	if (atomic_fetch_add(&run->left, -1U) == 1)
		cpu_wake(run->starter);
}

/* On the initiator, which has nothing else to do. */
static void task_alone(void *arg)
{
	struct scale_task *t = arg;

	t->run->start = cycles_now();
	do_lap(t);
}

/* ---- a round ----------------------------------------------------------------------- */

/* All are there and wait to begin. 0 or -ENOMEM: some may be there. */
static int spawn_tasks(struct scale *run)
{
	store_relaxed(&run->go, 0);
	store_relaxed(&run->left, run->tasks);
	run->starter = cpu_id();
	for (unsigned i = 0; i < run->tasks; i++) {
		struct scale_task *t = run->task[i];

		store_relaxed(&t->ready, 0);
		t->ctx = context_spawn(t->cpu, run->test->workload.name, task_main, t, t->as);
		if (!t->ctx)
			return -ENOMEM;
		wait_until(load_acquire(&t->ready), "a task to be there");
	}
	return 0;
}

static void run_tasks(struct scale *run)
{
	run->start = cycles_now();
	store_release(&run->go, 1); /* pairs with the acquire in task_main() */
	wait_until_patient(!load_acquire(&run->left), "the tasks of a round");
}

/* They end; those that never began find nothing to do but a lap that nobody looks at. */
static void join_tasks(struct scale *run)
{
	store_release(&run->go, 1);
	for (unsigned i = 0; i < run->tasks; i++)
		if (run->task[i]->ctx) {
			context_join(run->task[i]->ctx);
			run->task[i]->ctx = NULL;
		}
}

/* A lap of each task. *elapsed, *settle: cycles. */
static int do_round(struct bench *b, struct bench_round *round, u64 *elapsed, u64 *settle)
{
	struct scale *run = b->state;
	int rc = b->params.threads ? spawn_tasks(run) : 0;

	*elapsed = 0;
	if (!rc) {
		part_begin(&run->part);
		if (b->params.threads)
			run_tasks(run);
		else
			rc = bench_run_on(b->params.initiator, run->space[0], task_alone,
					  run->task[0]);
		for (unsigned i = 0; i < run->tasks; i++)
			*elapsed = MAX(*elapsed, run->task[i]->ended - run->start);
		*settle = part_end(&run->part, *elapsed, &round->totals);
	}
	join_tasks(run);
	return rc ? bench_fail(b, rc, "no memory for %u tasks", run->tasks) : 0;
}

/* What a task saw and did, to the round's sums. 0, or a code with bench_fail(): its lap failed. */
static int add_task(struct bench *b, struct bench_round *round, struct scale_task *t)
{
	struct bench_felt *felt = &round->felt;
	struct scale *run = b->state;

	felt->ops += t->ops;
	felt->reads_verified += t->verified;
	felt->stale_reads += t->wrong;
	felt->wait_count += t->waits;
	round->wait = MAX(round->wait, t->longest_wait);
	round->totals.units += t->ops;
	b->stale_total += t->wrong;
	if (t->wrong && !run->wrong)
		run->first_wrong = t->first_wrong;
	run->wrong += t->wrong;
	return t->err ? bench_fail(b, t->err, "task %u on CPU %u failed after %lu operations (%d)",
				   t->id, t->cpu, t->ops, t->err)
		      : 0;
}

static void put_values(const struct scale *run, u64 ops, u64 elapsed, u64 *value)
{
	u64 loop = 0, ends = 0;

	for (unsigned i = 0; i < run->tasks; i++) {
		loop += run->task[i]->loop;
		ends += run->task[i]->ends;
	}
	value[SCALE_OP] = bench_time_per(elapsed * run->tasks, ops, DIGITS);
	value[SCALE_LOOP] = bench_time_per(loop, ops, DIGITS);
	value[SCALE_ENDS] = bench_time_per(ends, ops, DIGITS);
	if (det_mode)
		value[SCALE_ALL_CPUS] = bench_time_per(elapsed, ops, DIGITS);
}

int scale_round(struct bench *b, struct bench_round *round)
{
	struct scale *run = b->state;
	u64 elapsed, settle = 0;

	for (unsigned i = 0; i < run->tasks; i++) {
		struct scale_task *t = run->task[i];

		t->ops = t->verified = t->wrong = 0;
		t->err = 0;
	}
	int rc = do_round(b, round, &elapsed, &settle);

	for (unsigned i = 0; i < run->tasks && !rc; i++)
		rc = add_task(b, round, run->task[i]);
	if (!rc)
		put_values(run, round->totals.units, elapsed + settle, round->value);
	return rc;
}

/* ---- set-up ------------------------------------------------------------------------- */

static unsigned tasks_of(const struct bench *b)
{
	return MAX((unsigned)b->params.threads, 1U);
}

int scale_check(struct bench *b)
{
	const struct bench_params *p = &b->params;

	if (p->procs > tasks_of(b))
		return bench_fail(b, -EINVAL, "--procs %lu: there %s only %u task%s", p->procs,
				  tasks_of(b) == 1 ? "is" : "are", tasks_of(b),
				  tasks_of(b) == 1 ? "" : "s");
	return 0;
}

/* The test's own number of pages unless one was asked for, and as many as there is room for. */
static int fit_pages(struct bench *b, const struct scale_test *test)
{
	struct bench_params *p = &b->params;
	u64 room = 0, tasks = tasks_of(b);

	/* What is computed takes no room, and its pages give way to each other. */
	if (test->store == scale_pattern_store) {
		if (!option_given("--pages"))
			p->pages = test->pages;
		return 0;
	}
	for (u32 node = 0; node < numa_node_count(); node++)
		room += region_room(node);
	if (test->store)
		room /= 2; /* the store keeps as much as the file has */
	if (test->swaps)
		room = room * 2 / 3; /* swap keeps all, and half of it is in memory */
	if (option_given("--pages"))
		return p->pages * tasks <= room
			       ? 0
			       : bench_fail(b, -ERANGE,
					    "--pages %lu: of each of %lu tasks, and only %lu "
					    "frames are free",
					    p->pages, tasks, room);
	for (p->pages = test->pages; p->pages * tasks > room && p->pages > 1;)
		p->pages /= 2;
	return 0;
}

static void declare(struct bench *b, const struct scale *run)
{
	const struct bench_series row = {
		.unit = "ns/op", .digits = DIGITS, .busy = run->tasks, .time = true};
	const struct bench_series all = {.unit = "instructions/op", .digits = DIGITS, .busy = 1};

	bench_series_add(b, &row, "op"); /* SCALE_OP and so on */
	bench_series_add(b, &row, "loop");
	bench_series_add(b, &row, "ends");
	if (det_mode)
		bench_series_add(b, &all, "all_cpus");
}

/* Task i runs there. */
static unsigned cpu_of(const struct bench *b, unsigned i)
{
	return b->params.threads ? b->params.cpu[i] : b->params.initiator;
}

static int add_space(struct bench *b, unsigned i)
{
	struct scale *run = b->state;

	run->space[i] = aspace_create(run->test->workload.name, numa_node_of_cpu(cpu_of(b, i)));
	return run->space[i] ? 0 : -ENOMEM;
}

/* It stays as long as the task: the published tests unlink theirs, so nobody else has it. */
static int add_file(struct scale_task *t)
{
	t->store = t->run->test->store(t);
	if (!t->store)
		return -ENOMEM;
	t->file = file_create(t->store);
	if (!t->file)
		t->store->ops->close(t->store);
	return t->file ? 0 : -ENOMEM;
}

static int add_task_of(struct bench *b, unsigned i)
{
	struct scale *run = b->state;
	unsigned cpu = cpu_of(b, i);
	struct scale_task *t = kmem.alloc(sizeof(*t), numa_node_of_cpu(cpu));

	if (!t)
		return -ENOMEM;
	*t = (struct scale_task){
		.run = run,
		.id = i,
		.cpu = cpu,
		.as = run->space[i % run->spaces],
		.pages = b->params.pages,
	};
	run->task[i] = t;
	return run->test->store ? add_file(t) : 0;
}

int scale_setup(struct bench *b)
{
	struct scale *run = b->state;
	unsigned tasks = tasks_of(b);
	int rc;

	run->test = container_of(b->workload, struct scale_test, workload);
	rc = fit_pages(b, run->test);
	run->verify = region_readers_verify();
	run->relax = det_mode && tasks > 1;
	run->tasks = tasks;
	run->spaces = (unsigned)b->params.procs;
	for (unsigned i = 0; i < run->spaces && !rc; i++)
		rc = add_space(b, i);
	for (unsigned i = 0; i < tasks && !rc; i++)
		rc = add_task_of(b, i);
	if (!rc && run->test->enter)
		rc = run->test->enter(b, run);
	declare(b, run);
	return !rc || b->error[0] ? rc : bench_fail(b, rc, "no memory for %u tasks", tasks);
}

/*
 * Write back what is dirty: the store must have what the last lap wrote, nothing if it wrote copies, and have
 * found nothing wrong before.
 */
static u64 wrong_in_store(const struct scale_task *t)
{
	u64 wrong = file_sync(t->file) ? t->pages : 0;

	for (u64 i = 0; i < t->pages && !wrong; i++)
		wrong += memory_store_word(t->store, i, 0) !=
			 (t->run->test->fills_store ? scale_stamp(t, i) : 0);
	return wrong + memory_store_wrong(t->store);
}

static void remove_file(struct bench *b, const struct scale_task *t)
{
	if (t->file && t->run->test->store == scale_memory_store && t->run->verify &&
	    b->reps_done && !t->err)
		b->damaged += wrong_in_store(t);
	if (t->file)
		object_put(t->file);
}

void scale_teardown(struct bench *b)
{
	struct scale *run = b->state;

	aspace_load(NULL);
	for (unsigned i = 0; i < run->spaces; i++)
		if (run->space[i])
			aspace_destroy(run->space[i]);
	for (unsigned i = 0; i < run->tasks; i++)
		if (run->task[i]) {
			remove_file(b, run->task[i]);
			kmem.free(run->task[i], sizeof(*run->task[i]));
		}
	if (run->test && run->test->leave)
		run->test->leave(b, run);
}
