/* The main program of every host test: runs what TEST() registered. */
#include "check.h"

#include <fnmatch.h>

/* What is under test allocates nothing; a test that fails half-way may leave its buffers. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static struct check_test *first, **last = &first;
static unsigned checks;
static bool failed;

void check_register(struct check_test *t)
{
	*last = t;
	last = &t->next;
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

static bool run(const struct check_test *t, unsigned number)
{
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

/* Argument: a pattern, to run only some tests. */
int main(int argc, char **argv)
{
	const char *pattern = argc > 1 ? argv[1] : "*";
	unsigned number = 0, passed = 0;

	for (struct check_test *t = first; t; t = t->next)
		number += !fnmatch(pattern, t->name, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%u\n", number);
	number = 0;
	for (struct check_test *t = first; t; t = t->next) {
		if (!fnmatch(pattern, t->name, 0))
			passed += run(t, ++number);
	}
	printf("%u passed, %u failed\n", passed, number - passed);
	return passed == number && number ? 0 : 1;
}
