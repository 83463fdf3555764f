/*
 * The litmus tests of tests/litmus on the modelled machine: the same
 * declarations and bodies, in every ordering that there is, or by chance where
 * there are too many.
 *
 *   litmus_ARCH [GLOB] [--seed N] [--jobs N] [--executions N]
 *   litmus_ARCH --replay 'NAME SCHEDULE'
 *
 * One KTAP test for each litmus test. A forbidden outcome must not be seen; an
 * allowed one, and that of a test broken on purpose, must be.
 */
#include "search.h"

#include <kernel/string.h>
#include <mm/aspace.h>

#include <stdio.h>
#include <stdlib.h>

/* Declared by hand: the headers' constants have the names of mm's. */
int fork(void);
int wait(int *status);
void _exit(int status);
void *mmap(void *addr, size_t len, int prot, int flags, int fd, long offset);
long sysconf(int name);
long clock(void);
enum {
	HOST_READ_WRITE = 3,
	HOST_SHARED_ANONYMOUS = 0x1 | 0x20,
	HOST_SC_NPROCESSORS_ONLN = 84,
	HOST_CLOCK_NS = 1000
};

#ifdef MODEL_ARM64
static const bool arm64 = true;
#else
static const bool arm64;
#endif

enum { MAX_TESTS = 256 };

static struct {
	const char *glob, *replay;
	u64 seed, jobs, executions;
} options = {.glob = "*", .seed = 1, .executions = 20000};

static struct litmus_found *found; /* by test; shared with the children */

/* No ways to flush but the kernel's own: the others are the hardware's, and are its to show. */
const struct litmus_flush litmus_flushes[] = {{.name = NULL}};

const char *cpu_accel(void)
{
	return "model";
}

/* The other thread comes: it waits for nothing but this. */
void litmus_await(const u64 *flag)
{
	while (!litmus_read(flag))
		cpu_relax();
}

/* ---- one test, in its own process --------------------------------------------------------- */

static void load_space(void *as)
{
	aspace_load(as);
}

static struct litmus_run *set_up(const struct litmus_test *test)
{
	static unsigned cpus[LITMUS_THREADS] = {0, 1, 2, 3};
	struct fake_config config = {.nodes = 1,
				     .node_pages = 2048,
				     .cpus = litmus_threads(test),
				     .asids = 6,
				     .arm64 = arm64,
				     .hw_dirty = true,
				     .options = "check=off"};
	struct litmus_space *space;
	struct litmus_run *r;

	fake_boot(&config);
	space = litmus_space_create();
	if (!space || !litmus_space_has(space, test))
		return NULL;
	litmus_space_prepare(space, test, options.seed * 0x9e3779b97f4a7c15UL);
	r = litmus_space_runs(space);
	r->cpu = cpus;
	r->how = test->how;
	fake_watch(r->root, ALIGN_DOWN(r->x, PAGE_SIZE));
	fake_watch(r->root, ALIGN_DOWN(r->y, PAGE_SIZE));
	fake_watch(r->other_root, ALIGN_DOWN(r->x, PAGE_SIZE));
	for (unsigned c = 0; c < config.cpus; c++)
		fake_on_cpu(c, load_space, r->as);
	return r;
}

static void run_test(const struct litmus_test *test, struct litmus_found *f)
{
	struct litmus_search search = {
		.test = test, .seed = options.seed, .executions = options.executions};

	search.run = set_up(test);
	if (!search.run) {
		snprintf(f->failure, sizeof(f->failure), "no memory for the pages of the test");
		return;
	}
	litmus_search(&search, f);
	f->result.ns = (u64)clock() * HOST_CLOCK_NS;
}

static void run_all(void)
{
	const struct litmus_test *test;
	unsigned running = 0;

	for (unsigned i = 0; (test = litmus_test_at(i)); i++) {
		if (!glob_match(options.glob, test->name))
			continue;
		if (running == options.jobs) {
			wait(NULL);
			running--;
		}
		fflush(stdout);
		snprintf(found[i].failure, sizeof(found[i].failure), "did not end by itself");
		if (!fork()) {
			found[i].failure[0] = '\0';
			run_test(test, &found[i]);
			_exit(0);
		}
		running++;
	}
	while (running--)
		wait(NULL);
}

/* ---- reporting ------------------------------------------------------------------------------ */

static bool seen(const char *name)
{
	const struct litmus_test *test;

	for (unsigned i = 0; (test = litmus_test_at(i)); i++)
		if (!strcmp(test->name, name))
			return found[i].result.asked;
	return false;
}

/* Why the result is wrong, or NULL. */
static const char *fault_of(const struct litmus_test *test, const struct litmus_found *f)
{
	bool all = !strcmp(options.glob, "*");

	if (f->failure[0])
		return f->failure;
	if (test->verdict != LITMUS_FORBIDDEN)
		return f->result.asked ? NULL : "the outcome is never seen";
	if (f->result.asked)
		return "forbidden and seen";
	if (all && !seen(test->twin))
		return "its twin does not fail";
	return all && test->weaker && !seen(test->weaker) ? "the weaker test does not fail" : NULL;
}

static bool report(const struct litmus_test *test, const struct litmus_found *f, unsigned number)
{
	const char *why = fault_of(test, f);

	if (!f->failure[0])
		litmus_print(test, &f->result);
	if (!f->all && !f->failure[0])
		printf("# not every ordering: %lu executions, half of them by chance\n",
		       f->result.runs);
	if (why)
		printf("# %s\n# replay: --replay '%s %s'\n", why, test->name, f->schedule);
	printf("%s %u %s\n", why ? "not ok" : "ok", number, test->name);
	return !why;
}

static int report_all(void)
{
	const struct litmus_test *test;
	unsigned number = 0, failed = 0;

	for (unsigned i = 0; (test = litmus_test_at(i)); i++)
		number += glob_match(options.glob, test->name);
	printf("KTAP version 1\n1..%u\n", number);
	number = 0;
	for (unsigned i = 0; (test = litmus_test_at(i)); i++)
		if (glob_match(options.glob, test->name))
			failed += !report(test, &found[i], ++number);
	printf("%u passed, %u failed\n", number - failed, failed);
	return failed || !number;
}

static int replay(void)
{
	char name[48];
	int at = 0;
	u32 key = 0;
	struct litmus_search search = {0};

	if (sscanf(options.replay, "%47s %n", name, &at) != 1 ||
	    !(search.test = litmus_test_named(name)) || !(search.run = set_up(search.test))) {
		printf("error: --replay: not 'NAME SCHEDULE'\n");
		return 2;
	}
	fake_trace = true;
	if (!litmus_replay(&search, options.replay + at, &key)) {
		printf("# %s\n", fake_failure[0] ? fake_failure : "not a schedule");
		return 1;
	}
	for (unsigned i = 0; i < LITMUS_REGS && search.test->regs[i]; i++)
		printf("%s=%u ", search.test->regs[i], key >> i * LITMUS_KEY_BITS & 0xf);
	printf("%s\n", litmus_key_is_asked(search.test, key) ? "as asked" : "not as asked");
	return 0;
}

int main(int argc, char **argv)
{
	options.jobs = (u64)sysconf(HOST_SC_NPROCESSORS_ONLN);
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;

		if (!strcmp(argv[i], "--seed") && more)
			options.seed = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--jobs") && more)
			options.jobs = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--executions") && more)
			options.executions = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--replay") && more)
			options.replay = argv[++i];
		else
			options.glob = argv[i];
	}
	if (options.replay)
		return replay();
	found = mmap(NULL, MAX_TESTS * sizeof(*found), HOST_READ_WRITE, HOST_SHARED_ANONYMOUS, -1,
		     0);
	run_all();
	fake_verbose = true;
	return report_all();
}
