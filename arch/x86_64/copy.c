/* copy_page() and zero_page(): of the ways in copy.S, the ones that are quickest here. */
#include <arch/cpu.h>
#include <arch/platform.h>
#include <asm/features.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>

/* Runs per variant, of which the quickest counts: the others met an interrupt or a busy host. */
enum { COPY_RUNS = 16 };

void copy_page_movsb(void *dst, const void *src);
void copy_page_movsq(void *dst, const void *src);
void copy_page_mov8(void *dst, const void *src);
void copy_page_sse(void *dst, const void *src);
void copy_page_avx(void *dst, const void *src);
void copy_page_avx512(void *dst, const void *src);
void zero_page_stosb(void *dst);
void zero_page_stosq(void *dst);
void zero_page_sse(void *dst);
void zero_page_avx(void *dst);
void zero_page_avx512(void *dst);

static bool usable_always(void)
{
	return true;
}

static bool usable_avx(void)
{
	return x86_has(X86_AVX);
}

static bool usable_avx512(void)
{
	return x86_has(X86_AVX512);
}

const struct copy_variant copy_variants[] = {
	{"movsq", copy_page_movsq, usable_always},
	{"movsb", copy_page_movsb, usable_always},
	{"mov8", copy_page_mov8, usable_always},
	{"sse", copy_page_sse, usable_always},
	{"avx", copy_page_avx, usable_avx},
	{"avx512", copy_page_avx512, usable_avx512},
	{NULL, NULL, NULL},
};

/* Zeroing beside the copy of the same kind; mov8 has none of its own. */
static void (*const zero_variants[])(void *dst) = {
	zero_page_stosq, zero_page_stosb, zero_page_stosq,
	zero_page_sse,	 zero_page_avx,	  zero_page_avx512,
};

_Static_assert(ARRAY_SIZE(zero_variants) + 1 == ARRAY_SIZE(copy_variants), "one per copy variant");

/* Usable on every CPU, and before any control register is set up. */
void (*copy_page)(void *dst, const void *src) = copy_page_movsq;
void (*zero_page)(void *dst) = zero_page_stosq;
static const char *chosen_name = "movsq";

static u8 test_page[2][PAGE_SIZE] __aligned(PAGE_SIZE);

const char *copy_page_name(void)
{
	return chosen_name;
}

static u64 copy_cycles(void (*copy)(void *dst, const void *src))
{
	u64 start = cycles_now();

	copy(test_page[0], test_page[1]);
	return cycles_now() - start;
}

static u64 zero_cycles(void (*zero)(void *dst))
{
	u64 start = cycles_now();

	zero(test_page[0]);
	return cycles_now() - start;
}

static void copy_measure(unsigned variant, u64 *copy, u64 *zero)
{
	*copy = *zero = ~0UL;
	for (unsigned run = 0; run < COPY_RUNS; run++) {
		*copy = MIN(*copy, copy_cycles(copy_variants[variant].copy));
		*zero = MIN(*zero, zero_cycles(zero_variants[variant]));
	}
}

static void copy_choose(unsigned variant)
{
	copy_page = copy_variants[variant].copy;
	chosen_name = copy_variants[variant].name;
}

/* copy=NAME takes precedence over the stopwatch, for comparisons. */
static void copy_choose_named(const char *name)
{
	for (unsigned i = 0; copy_variants[i].name; i++) {
		if (strcmp(copy_variants[i].name, name))
			continue;
		if (copy_variants[i].usable())
			copy_choose(i);
		else
			printk("copy=%s: this CPU cannot, using %s\n", name, chosen_name);
		return;
	}
	printk("copy=%s: no such variant, using %s\n", name, chosen_name);
}

void copy_page_select(void)
{
	const char *name = option_get("copy");
	u64 best_copy = ~0UL, best_zero = ~0UL;

	for (unsigned i = 0; copy_variants[i].name; i++) {
		u64 copy, zero;

		if (!copy_variants[i].usable())
			continue;
		copy_measure(i, &copy, &zero);
		if (copy < best_copy) {
			best_copy = copy;
			copy_choose(i);
		}
		if (zero < best_zero) {
			best_zero = zero;
			zero_page = zero_variants[i];
		}
	}
	if (name)
		copy_choose_named(name);
	printk("copy: %s, %lu cycles a page; zeroing %lu\n", chosen_name, best_copy, best_zero);
}
