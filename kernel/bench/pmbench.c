/* pmbench's histogram and its report, line by line as that program prints them. */
#include <kernel/clock.h>
#include <kernel/fixed.h>
#include <kernel/printk.h>
#include "pmbench.h"

void pmbench_add(struct pmbench_histogram *h, u64 ns)
{
	unsigned top = ns >> PMBENCH_FIRST ? 63 - (unsigned)__builtin_clzl(ns) : 0;

	if (!top)
		h->below++;
	else if (top < PMBENCH_FINE_END)
		h->fine[top - PMBENCH_FIRST][ns >> (top - 4) & (PMBENCH_BINS - 1)]++;
	else if (top < PMBENCH_END)
		h->coarse[top - PMBENCH_FINE_END]++;
	else
		h->rest++;
}

/* All of these structures are u64 words. */
static u64 sum_words(const void *words, size_t size)
{
	const u64 *w = words;
	u64 sum = 0;

	for (size_t i = 0; i < size / sizeof(u64); i++)
		sum += w[i];
	return sum;
}

u64 pmbench_count(const struct pmbench_histogram *h)
{
	return sum_words(h, sizeof(*h));
}

void pmbench_merge(struct pmbench_totals *to, const struct pmbench_totals *from)
{
	u64 *t = (u64 *)to;
	const u64 *f = (const u64 *)from;

	for (size_t i = 0; i < sizeof(*to) / sizeof(u64); i++)
		t[i] += f[i];
}

static void print_band(unsigned power, const u64 bins[PMBENCH_BINS])
{
	kprintf("2^(%u,%u) ns: %lu  [", power, power + 1,
		sum_words(bins, PMBENCH_BINS * sizeof(u64)));
	for (unsigned i = 0; i < PMBENCH_BINS; i++)
		kprintf("%s%lu", i ? ", " : "", bins[i]);
	kprintf("]\n");
}

static void print_histogram(const char *name, const struct pmbench_histogram *h)
{
	kprintf("%s:\n2^(0,%d) ns: %lu\n", name, PMBENCH_FIRST, h->below);
	for (unsigned i = 0; i < PMBENCH_BANDS; i++)
		print_band(PMBENCH_FIRST + i, h->fine[i]);
	for (unsigned i = 0; i < PMBENCH_END - PMBENCH_FINE_END; i++)
		kprintf("2^(%u,%u) ns: %lu\n", PMBENCH_FINE_END + i, PMBENCH_FINE_END + i + 1,
			h->coarse[i]);
	kprintf("2^(%d,inf) ns: %lu\n", PMBENCH_END, h->rest);
}

/* "NAME: 0.1234 us (123 clks)": the mean of n. */
static void print_mean(const char *name, u64 cycles, u64 n)
{
	char us[24];

	/* nanoseconds with one decimal are ten-thousandths of a microsecond */
	fixed_format(us, sizeof(us), (s64)mul_div_u64(cycles_to_ns(cycles), 10, MAX(n, 1UL)), 4);
	kprintf("%s: %s us (%lu clks)\n", name, us, cycles / MAX(n, 1UL));
}

void pmbench_print(const struct pmbench_totals *t, u64 took)
{
	char seconds[24];

	fixed_format(seconds, sizeof(seconds), (s64)(cycles_to_ns(took) / 1000), 6);
	kprintf(" Benchmark done - took %s sec for %lu page access\n", seconds, t->accesses);
	print_mean("Net average page latency (Arith. mean)", t->access_cycles, t->accesses);
	print_mean("Page latency during benchmark (inc. gen)", t->cycles, t->accesses);
	print_histogram("Read", &t->read);
	print_histogram("Write", &t->write);
}
