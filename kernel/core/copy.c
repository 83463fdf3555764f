/* copy_page() and zero_page(): of the port's variants, the one that the boot line names, else the quickest. */
#include <kernel/copy.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <arch/cpu.h>
#include <arch/platform.h>

enum {
	RUNS = 16, /* of which the quickest counts: the others met an interrupt or a busy host */
	COARSE_HZ = 500000000, /* a slower counter cannot time one page */
	COARSE_PAGES = 8, /* so many then make one run */
	COARSE_GAIN =
		16, /* and a variant must be quicker by one part in so many, or chance would choose */
};

static const struct copy_variant *chosen = &copy_variants[0]; /* behind copy_page() */
static bool named; /* by the boot line: nothing else may run */
static u8 test_page[2][PAGE_SIZE] __aligned(PAGE_SIZE);

const char *copy_page_name(void)
{
	return chosen->name;
}

bool copy_may_run(const struct copy_variant *v)
{
	return named ? v == chosen : v->usable();
}

static bool is_coarse(void)
{
	return cycles_hz() < COARSE_HZ;
}

static u64 copy_cycles(void (*copy)(void *dst, const void *src), unsigned pages)
{
	u64 best = ~0UL;

	for (unsigned run = 0; run < RUNS; run++) {
		u64 start = cycles_now();

		for (unsigned i = 0; i < pages; i++)
			copy(test_page[0], test_page[1]);
		best = MIN(best, cycles_now() - start);
	}
	return best;
}

static u64 zero_cycles(void (*zero)(void *dst), unsigned pages)
{
	u64 best = ~0UL;

	for (unsigned run = 0; run < RUNS; run++) {
		u64 start = cycles_now();

		for (unsigned i = 0; i < pages; i++)
			zero(test_page[0]);
		best = MIN(best, cycles_now() - start);
	}
	return best;
}

static bool is_better(u64 cycles, u64 best)
{
	return cycles < (is_coarse() ? best - best / COARSE_GAIN : best);
}

static u64 choose_copy(unsigned pages)
{
	u64 best = copy_cycles(chosen->copy, pages);

	for (const struct copy_variant *v = &copy_variants[1]; v->name; v++) {
		u64 cycles = copy_may_run(v) && v != chosen ? copy_cycles(v->copy, pages) : ~0UL;

		if (is_better(cycles, best)) {
			best = cycles;
			chosen = v;
		}
	}
	return best;
}

/* Beside a named copy: zeroing of that name, else the first. */
static bool zero_may_run(const struct zero_variant *v)
{
	return named ? !strcmp(v->name, chosen->name) : v->usable();
}

static const struct zero_variant *choose_zero(unsigned pages)
{
	const struct zero_variant *best = &zero_variants[0];
	u64 least = ~0UL;

	for (const struct zero_variant *v = zero_variants; v->name; v++) {
		u64 cycles = zero_may_run(v) ? zero_cycles(v->zero, pages) : ~0UL;

		if (is_better(cycles, least)) {
			least = cycles;
			best = v;
		}
	}
	return best;
}

static void choose_named(const char *name)
{
	named = true;
	for (const struct copy_variant *v = copy_variants; v->name; v++) {
		if (!strcmp(v->name, name) && v->usable()) {
			chosen = v;
			return;
		}
	}
	printk("copy=%.40s: no such variant on this CPU, using %s\n", name, chosen->name);
}

BOOT_OPTION(copy, "copy", "NAME",
	    "the way to copy a page, instead of the fastest; the log names it");

void copy_page_select(void)
{
	const char *name = option_get("copy");
	unsigned pages = is_coarse() ? COARSE_PAGES : 1;
	const struct zero_variant *zero;
	u64 cycles;

	chosen = &copy_variants[0];
	named = false;
	if (name)
		choose_named(name);
	cycles = choose_copy(pages);
	zero = choose_zero(pages);
	copy_page = chosen->copy;
	zero_page = zero->zero;
	printk("copy: %s, %lu cycles a page; zeroing: %s\n", chosen->name, cycles / pages,
	       zero->name);
}
