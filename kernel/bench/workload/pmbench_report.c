/*
 * pmbench's histogram and its report. The lines, their order and their labels
 * are what its parsers go by (LKP's, and others that look for the headings).
 */
#include <harness/sums.h>
#include <kernel/clock.h>
#include <kernel/fixed.h>
#include <kernel/printk.h>
#include <kernel/version.h>
#include "pmbench_report.h"

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

/* ---- times -------------------------------------------------------------------------- */

static u64 per(u64 cycles, u64 n)
{
	return cycles / MAX(n, 1UL);
}

/* Nanoseconds with one decimal, which are ten-thousandths of a microsecond, per each of n. */
static s64 tenths_of_ns(u64 cycles, u64 n)
{
	return (s64)mul_div_u64(cycles_to_ns(cycles), 10, MAX(n, 1UL));
}

/* "NAME: 0.1234 us (123 clks)" */
static void print_time(const char *name, s64 tenths, s64 clocks)
{
	char us[24];

	fixed_format(us, sizeof(us), tenths, 4);
	kprintf("%s: %s us (%ld clks)\n", name, us, clocks);
}

static void print_mean(const char *name, u64 cycles, u64 n)
{
	print_time(name, tenths_of_ns(cycles, n), (s64)per(cycles, n));
	kprintf("    Total samples count: %lu\n", n);
}

/* ---- sections -------------------------------------------------------------------------- */

static void print_progress(const struct pmbench_report *r)
{
	char seconds[24], mean[24];

	for (u64 i = 0; i < r->threads; i++) {
		const struct pmbench_thread *t = &r->thread[i];
		u64 ns = cycles_to_ns(t->cycles);

		fixed_format(seconds, sizeof(seconds), (s64)(ns / 1000), 6);
		fixed_format(mean, sizeof(mean), (s64)(ns / MAX(t->accesses, 1UL)), 3);
		kprintf("[%lu] Benchmark done - took %s sec for %lu page access\n"
			"  (Average %s usec per page access)\n",
			i + 1, seconds, t->accesses, mean);
	}
}

static void print_signature(const struct pmbench_report *r)
{
	const struct pmbench_options *p = r->options;
	char shape[24];

	fixed_format(shape, sizeof(shape), (s64)p->shape, 3);
	kprintf("\n------------- Benchmark signature -------------\n"
		"OS/kernel type : Tarry %s %s\nParameters used:\n  duration_sec = %lu\n"
		"  mapsize_mib  = %lu\n  setsize_mib  = %lu\n  initialize   = %u\n"
		"  shape        = %s\n  delay        = %lu\n  cold         = %u\n"
		"  jobs         = %lu\n",
		tarry_version, tarry_arch, p->duration, p->map_mib, p->set_mib, p->initialize,
		shape, p->delay, p->cold, r->threads);
	if (p->offset < PMBENCH_WORDS)
		kprintf("  offset       = %lu\n", p->offset);
	else
		kprintf("  offset       = random\n");
	kprintf("  ratio        = %lu%%\n  pattern      = %s\n  access       = histo\n",
		p->read_pct, pmbench_names[p->access]);
	if (r->interrupted)
		kprintf("\nNote: interrupted before its end\n");
}

/* A thread's net latency: an access with choosing it, less choosing alone. */
static void print_thread(const struct pmbench_report *r, u64 i)
{
	const struct pmbench_thread *t = &r->thread[i];

	kprintf("Thread %lu/%lu:\n", i + 1, r->threads);
	print_time("Net average page latency (Arith. mean)",
		   tenths_of_ns(t->cycles, t->accesses) - tenths_of_ns(t->draw_cycles, t->draws),
		   (s64)(per(t->cycles, t->accesses) - per(t->draw_cycles, t->draws)));
	kprintf("--- Measurement details ---\n");
	print_mean("  Page latency during benchmark (inc. gen)", t->cycles, t->accesses);
	print_mean("  Pattern generation overhead per drawing ", t->draw_cycles, t->draws);
	if (t->warm)
		print_mean("  Page latency during warmup              ", t->warm_cycles, t->warm);
}

static void print_band(unsigned power, const u64 bins[PMBENCH_BINS])
{
	kprintf("2^(%02u,%02u) ns: %lu  [", power, power + 1,
		words_total(bins, PMBENCH_BINS * sizeof(u64)));
	for (unsigned i = 0; i < PMBENCH_BINS; i++)
		kprintf("%s%lu", i ? ", " : "", bins[i]);
	kprintf("]\n");
}

static void print_histogram(const char *name, const struct pmbench_histogram *h)
{
	kprintf("%s:\n2^(00,%02d) ns: %lu\n", name, PMBENCH_FIRST, h->below);
	for (unsigned i = 0; i < PMBENCH_BANDS; i++)
		print_band(PMBENCH_FIRST + i, h->fine[i]);
	for (unsigned i = 0; i < PMBENCH_END - PMBENCH_FINE_END; i++)
		kprintf("2^(%u,%u) ns: %lu\n", PMBENCH_FINE_END + i, PMBENCH_FINE_END + i + 1,
			h->coarse[i]);
	kprintf("2^(%d,%d) ns: %lu\nTotal samples: %lu\n\n", PMBENCH_END, PMBENCH_LABEL_END,
		h->rest, sums_total(h));
}

/* ---- memory ---------------------------------------------------------------------------- */

/* Free memory, and nine zeros: here are no buffers, page cache, LRU lists, paging or swap. */
static void print_memory(const char *moment, s64 free_kib)
{
	kprintf("%s:%8ld %8d %8d %8d %8d %9d %9d %9d %9d %9d\n", moment, free_kib, 0, 0, 0, 0, 0, 0,
		0, 0, 0);
}

static void print_system_memory(const struct pmbench_report *r)
{
	static const char *const moments[] = {"pre-warmup", "pre-run   ", "mid-run   ",
					      "post-run  ", "post unmap"};

	kprintf("---------- System memory information ----------\n"
		"            free(K) buffer(K) cache(K) active(K) inactv(K)"
		" pgpgin   pgpgout    pswpin   pswpout pgmajfaut\n");
	unsigned first = r->options->cold ? PMBENCH_PRE_RUN : PMBENCH_PRE_WARMUP;

	for (unsigned i = first; i < PMBENCH_MOMENTS; i++) {
		if (i > first)
			print_memory("  (delta) ", (s64)(r->free_kib[i] - r->free_kib[i - 1]));
		print_memory(moments[i], (s64)r->free_kib[i]);
	}
}

void pmbench_print(const struct pmbench_report *r)
{
	print_progress(r);
	print_signature(r);
	kprintf("\n----------- Average access latency ------------\n");
	for (u64 i = 0; i < r->threads; i++)
		print_thread(r, i);
	kprintf("\n----------------- Statistics ------------------\n# Access latency histogram\n");
	if (r->options->read_pct > 0)
		print_histogram("Read", &r->totals->read);
	if (r->options->read_pct < 100)
		print_histogram("Write", &r->totals->write);
	print_system_memory(r);
}
