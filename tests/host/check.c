/* The main program of every host test: runs what TEST() registered. */
#include "check.h"

#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

/* Of CPU time, for one test: a hundred times what the longest takes. CHECK_SECONDS in the environment sets fewer. */
enum { SECONDS = 300 };

/* What is under test allocates nothing; a test that fails half-way may leave its buffers. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static struct check_test *first, **last = &first;
static unsigned checks;
static bool failed;
static const struct check_test *running;
static unsigned running_number;

void check_register(struct check_test *t)
{
	*last = t;
	last = &t->next;
}

unsigned long check_inputs(unsigned long quick)
{
	const char *more = getenv("FUZZ_INPUTS");

	return more ? strtoul(more, NULL, 10) : quick;
}

bool check_that(bool ok, const char *file, int line, const char *what)
{
	checks++;
	if (ok)
		return true;
	failed = true;
	printf("# %s:%d: %s\n", file, line, what);
	return false;
}

bool check_equal(unsigned long long a, unsigned long long b, const char *file, int line,
		 const char *what)
{
	if (check_that(a == b, file, line, what))
		return true;
	printf("#   left %#llx, right %#llx\n", a, b);
	return false;
}

bool check_string(const char *a, const char *b, const char *file, int line, const char *what)
{
	if (check_that(!strcmp(a, b), file, line, what))
		return true;
	printf("#   left  \"%s\"\n#   right \"%s\"\n", a, b);
	return false;
}

/* A test without an end fails, and with it those that would come after: the plan says how many. */
static void no_end(int signal_number)
{
	(void)signal_number;
	printf("# %s has no end\nnot ok %u %s\n", running->name, running_number, running->name);
	fflush(stdout);
	_exit(1);
}

static void begin(const struct check_test *t, unsigned number)
{
	const char *seconds = getenv("CHECK_SECONDS");
	struct itimerval limit = {.it_value.tv_sec = seconds ? atol(seconds) : SECONDS};

	running = t;
	running_number = number;
	signal(SIGPROF, no_end);
	setitimer(ITIMER_PROF, &limit, NULL);
}

static bool run(const struct check_test *t, unsigned number)
{
	begin(t, number);
	checks = 0;
	failed = false;
	t->run();
	if (!checks) {
		printf("# %s checks nothing\n", t->name);
		failed = true;
	}
	printf("%s %u %s\n", failed ? "not ok" : "ok", number, t->name);
	return !failed;
}

/* Arguments: --stop, to end with the first failure; a pattern, to run only some tests. */
int main(int argc, char **argv)
{
	bool stop = argc > 1 && !strcmp(argv[1], "--stop");
	const char *pattern = argc > 1 + stop ? argv[1 + stop] : "*";
	unsigned number = 0, passed = 0;

	for (struct check_test *t = first; t; t = t->next)
		number += !fnmatch(pattern, t->name, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%u\n", number);
	number = 0;
	for (struct check_test *t = first; t; t = t->next) {
		if (!fnmatch(pattern, t->name, 0))
			passed += run(t, ++number);
		if (stop && passed != number)
			return 1;
	}
	printf("%u passed, %u failed\n", passed, number - passed);
	return passed == number && number ? 0 : 1;
}
