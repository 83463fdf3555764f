/* The choice of copy_page() and zero_page() (kernel/core/copy.c): the quickest, and nothing but what is named. */
#include "check.h"

#include <arch/cpu.h>
#include <kernel/copy.h>
#include <kernel/option.h>
#include <kernel/printk.h>

#include <stdarg.h>

enum { FIRST, QUICK, MASKED, QUICKEST, VARIANTS };

static struct {
	unsigned copies, zeroes; /* how often it ran */
	unsigned cost; /* cycles */
} variant[VARIANTS];

static bool masked_is_usable;
static const char *option; /* copy= */
static u64 now, hz;
static char printed[256];

static void run(unsigned *count, unsigned v)
{
	++*count;
	now += variant[v].cost;
}

#define VARIANT(v)                                                                                 \
	static void copy_##v(void *dst __attribute__((unused)),                                    \
			     const void *src __attribute__((unused)))                              \
	{                                                                                          \
		run(&variant[v].copies, v);                                                        \
	}                                                                                          \
	static __attribute__((unused)) void zero_##v(void *dst __attribute__((unused)))            \
	{                                                                                          \
		run(&variant[v].zeroes, v);                                                        \
	}

VARIANT(FIRST)
VARIANT(QUICK)
VARIANT(MASKED)
VARIANT(QUICKEST)

static bool always(void)
{
	return true;
}

static bool unless_masked(void)
{
	return masked_is_usable;
}

const struct copy_variant copy_variants[] = {
	{"first", copy_FIRST, always},
	{"quick", copy_QUICK, always},
	{"masked", copy_MASKED, unless_masked},
	{"quickest", copy_QUICKEST, always},
	{NULL, NULL, NULL},
};
/* As on x86-64, one copy has no zeroing of its name. */
const struct zero_variant zero_variants[] = {
	{"zero", zero_FIRST, always},
	{"masked", zero_MASKED, unless_masked},
	{"quickest", zero_QUICKEST, always},
	{NULL, NULL, NULL},
};
void (*copy_page)(void *dst, const void *src) = copy_FIRST;
void (*zero_page)(void *dst) = zero_FIRST;
struct fake_current fake_current;

u64 fake_cycles(void)
{
	return now;
}

u64 cycles_hz(void)
{
	return hz;
}

const char *option_get(const char *name)
{
	return strcmp(name, "copy") ? NULL : option;
}

void printk(const char *fmt, ...)
{
	size_t len = strlen(printed);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(printed + len, sizeof(printed) - len, fmt, ap);
	va_end(ap);
}

static void select_with(const char *name, bool masked, unsigned quickest)
{
	static const unsigned costs[] = {1000, 500, 100, 300};

	for (unsigned i = 0; i < VARIANTS; i++)
		variant[i].copies = variant[i].zeroes = 0, variant[i].cost = costs[i];
	variant[QUICKEST].cost = quickest;
	masked_is_usable = !masked;
	option = name;
	hz = 2000000000;
	printed[0] = '\0';
	copy_page_select();
}

static bool ran_alone(unsigned v)
{
	for (unsigned i = 0; i < VARIANTS; i++)
		if ((variant[i].copies > 0) != (i == v))
			return false;
	return true;
}

TEST(the_quickest_of_those_that_may_run)
{
	select_with(NULL, true, 300);
	CHECK(variant[FIRST].copies && variant[QUICK].copies && variant[QUICKEST].copies);
	CHECK(!variant[MASKED].copies && !variant[MASKED].zeroes);
	CHECK(copy_page == copy_QUICKEST && zero_page == zero_QUICKEST);
	CHECK(copy_may_run(&copy_variants[QUICK]) && !copy_may_run(&copy_variants[MASKED]));
	CHECK_STR(printed, "copy: quickest, 300 cycles a page; zeroing: quickest\n");
	select_with(NULL, false, 300);
	CHECK(copy_page == copy_MASKED && zero_page == zero_MASKED);
}

TEST(a_named_one_is_the_only_one_that_runs)
{
	select_with("quick", false, 300);
	CHECK(ran_alone(QUICK));
	CHECK(!variant[FIRST].zeroes && !variant[MASKED].zeroes && !variant[QUICKEST].zeroes);
	CHECK(copy_page == copy_QUICK && zero_page == zero_FIRST);
	CHECK(copy_may_run(&copy_variants[QUICK]) && !copy_may_run(&copy_variants[QUICKEST]));
	CHECK_STR(printed, "copy: quick, 500 cycles a page; zeroing: zero\n");
	select_with("quickest", false, 300);
	CHECK(ran_alone(QUICKEST));
	CHECK(!variant[FIRST].zeroes && !variant[MASKED].zeroes);
	CHECK(zero_page == zero_QUICKEST);
}

/* Nothing is tried that was not asked for. */
TEST(a_name_that_cannot_be_used_is_told)
{
	select_with("masked", true, 300);
	CHECK(ran_alone(FIRST));
	CHECK(!variant[MASKED].zeroes && !variant[QUICKEST].zeroes);
	CHECK(copy_page == copy_FIRST && zero_page == zero_FIRST);
	CHECK(strstr(printed, "copy=masked: no such variant on this CPU, using first\n"));
	select_with("", false, 300);
	CHECK(ran_alone(FIRST));
	CHECK(strstr(printed, "copy=: no such variant"));
}

/* A counter of some MHz: several pages a run, and a little quicker is chance. */
TEST(a_coarse_counter_does_not_choose_by_chance)
{
	select_with(NULL, true, 480);
	CHECK(copy_page == copy_QUICKEST);
	hz = 62500000;
	copy_page_select();
	CHECK(copy_page == copy_QUICK);
	select_with(NULL, true, 460);
	hz = 62500000;
	copy_page_select();
	CHECK(copy_page == copy_QUICKEST);
}
