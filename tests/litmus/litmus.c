/* Outcomes of litmus tests: keys, which one was asked, and how they are printed. */
#include "litmus.h"
#include <arch/cpu.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>

enum { KEY_MASK = (1 << LITMUS_KEY_BITS) - 1 };

u64 litmus_default_runs(void)
{
	return strcmp(cpu_accel(), "tcg") ? 1000000 : 100000;
}

unsigned litmus_threads(const struct litmus_test *test)
{
	unsigned n = 0;

	while (n < LITMUS_THREADS && test->thread[n])
		n++;
	return n;
}

static u32 key_of(u64 value)
{
	if (value == LITMUS_FAULT)
		return LITMUS_KEY_FAULT;
	return (u32)MIN(value, (u64)LITMUS_KEY_OTHER);
}

u32 litmus_key(const struct litmus_test *test, const u64 *out)
{
	u32 key = 0;

	for (unsigned i = 0; i < LITMUS_REGS && test->regs[i]; i++)
		key |= key_of(out[i]) << i * LITMUS_KEY_BITS;
	return key;
}

bool litmus_key_is_asked(const struct litmus_test *test, u32 key)
{
	for (unsigned i = 0; i < LITMUS_ASKED && test->asked[i].reg; i++) {
		unsigned shift = (test->asked[i].reg - 1U) * LITMUS_KEY_BITS;

		if ((key >> shift & KEY_MASK) != key_of(test->asked[i].value))
			return false;
	}
	return true;
}

bool litmus_is_asked(const struct litmus_test *test, const u64 *out)
{
	return litmus_key_is_asked(test, litmus_key(test, out));
}

/* The i-th of a set that ends with name NULL; *left = what remains of i behind it. */
static const struct litmus_test *in_set(const struct litmus_test *set, unsigned *left)
{
	for (; set->name; set++, --*left)
		if (!*left)
			return set;
	return NULL;
}

const struct litmus_test *litmus_test_at(unsigned i)
{
	const struct litmus_test *test = in_set(litmus_common, &i);

	for (const struct litmus_test *const *set = litmus_sets; !test && *set; set++)
		test = in_set(*set, &i);
	return test ? test : litmus_flush_test(i);
}

const struct litmus_test *litmus_test_named(const char *name)
{
	const struct litmus_test *test;

	for (unsigned i = 0; (test = litmus_test_at(i)); i++)
		if (!strcmp(test->name, name))
			return test;
	return NULL;
}

static void print_state(const struct litmus_test *test, u32 key, u64 count)
{
	char line[128];
	int at = 0;

	for (unsigned i = 0; i < LITMUS_REGS && test->regs[i]; i++) {
		u32 value = key >> i * LITMUS_KEY_BITS & KEY_MASK;
		char text[12];

		ksnprintf(text, sizeof(text), "%u", value);
		at += ksnprintf(line + at, sizeof(line) - (size_t)at, " %s=%s", test->regs[i],
				value == LITMUS_KEY_FAULT   ? "fault"
				: value == LITMUS_KEY_OTHER ? "other"
							    : text);
	}
	kprintf("%8lu %s>%s\n", count, litmus_key_is_asked(test, key) ? "*" : ":", line);
}

/* Where the asked outcome was seen first, so that it can be run again. */
static void print_odd(const struct litmus_test *test, const struct litmus_result *res)
{
	const struct litmus_odd *odd = &res->odd;

	kprintf("# first seen in run %lu of seed %#lx, x=%#lx,%s planted, cpu:delay", odd->run,
		odd->seed, odd->x, odd->planted ? "" : " not");
	for (unsigned t = 0; t < litmus_threads(test); t++)
		kprintf(" %u:%lu", odd->cpu[t], odd->skew[t]);
	kprintf("\n");
}

static void print_verdict(const struct litmus_test *test, const struct litmus_result *res)
{
	static const char *const verdicts[] = {"forbidden", "allowed", "broken on purpose"};

	kprintf("# %s: %s", verdicts[test->verdict], test->program);
	if (res->placements < res->placements_all)
		kprintf("; %u of %lu choices of CPUs", res->placements, res->placements_all);
	kprintf("\n");
	if (test->twin)
		kprintf("# twin: %s\n", test->twin);
	if (!res->asked && test->verdict != LITMUS_FORBIDDEN)
		kprintf("# not seen: %s\n",
			test->hidden ? test->hidden : "it takes more runs, or another machine");
	if (res->asked && test->verdict == LITMUS_FORBIDDEN)
		kprintf("# FAILED: forbidden and seen\n");
	if (res->asked && test->verdict == LITMUS_FORBIDDEN && res->odd.x)
		print_odd(test, res);
}

void litmus_print(const struct litmus_test *test, const struct litmus_result *res)
{
	kprintf("Test %s\n", test->name);
	if (res->skipped) {
		kprintf("# skipped: %s\n", res->skipped);
		return;
	}
	kprintf("Histogram (%u states)\n", res->states);
	for (unsigned i = 0; i < res->states; i++)
		print_state(test, res->state[i].key, res->state[i].count);
	kprintf("Observation %s %s %lu %lu\n", test->name,
		!res->asked		  ? "Never"
		: res->asked == res->runs ? "Always"
					  : "Sometimes",
		res->asked, res->runs - res->asked);
	kprintf("Time %s %lu.%03lu\n", test->name, res->ns / 1000000000, res->ns / 1000000 % 1000);
	print_verdict(test, res);
}
