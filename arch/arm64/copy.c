/* copy_page() and zero_page(): of the ways in copy.S, the ones that are quickest on this machine. */
#include <arch/cpu.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>

enum {
	COPY_RUNS =
		16, /* of which the quickest counts: the others met an interrupt or a busy host */
	COPY_PAGES = 8, /* in one run: a counter of some MHz cannot time one */
	COPY_GAIN =
		16, /* a variant must be quicker by one part in so many, or chance would choose */
};

void copy_page_ldp(void *dst, const void *src);
void copy_page_ldpq(void *dst, const void *src);
void copy_page_stnp(void *dst, const void *src);
void zero_page_stp(void *dst);
void zero_page_zva(void *dst);

static bool usable_always(void)
{
	return true;
}

/* ID_AA64PFR0_EL1.AdvSIMD; 15 = the CPU has no vector registers. */
static bool usable_vector(void)
{
	return id_field(sysreg_read(id_aa64pfr0_el1), 20) != 15;
}

/* DCZID_EL0: DZP forbids the instruction; a block never exceeds 2 KiB. */
static bool usable_zva(void)
{
	return !(sysreg_read(dczid_el0) >> 4 & 1);
}

const struct copy_variant copy_variants[] = {
	{"ldp", copy_page_ldp, usable_always},
	{"ldpq", copy_page_ldpq, usable_vector},
	{"stnp", copy_page_stnp, usable_vector},
	{NULL, NULL, NULL},
};

/* Usable on every CPU at any time. */
void (*copy_page)(void *dst, const void *src) = copy_page_ldp;
void (*zero_page)(void *dst) = zero_page_stp;
static const struct copy_variant *chosen = &copy_variants[0];

/*
 * Arm ARM B2.4.4: stores are cleaned to where instruction fetches see them, then stale
 * instructions go on all CPUs, whatever address they were fetched by: IC IALLUIS, as IVAU by our
 * address reaches no other one in a cache that is indexed by virtual addresses. Each step is
 * waited for. CTR_EL0.IDC and DIC say that the hardware does without one. CIVAC where CVAU would do:
 * see clean_to_memory().
 */
void arm64_code_sync(const void *code, size_t size)
{
	u64 ctr = sysreg_read(ctr_el0), line = 4UL << (ctr >> 16 & 0xf); /* DminLine, words */

	if (!(ctr >> 28 & 1)) /* IDC */
		for (u64 at = ALIGN_DOWN((u64)code, line); at < (u64)code + size; at += line)
			asm volatile("dc civac, %0" ::"r"(at) : "memory");
	dsb(ish);
	if (!(ctr >> 29 & 1)) /* DIC */
		asm volatile("ic ialluis\n\tdsb ish" ::: "memory");
	isb();
}

static u8 test_page[2][PAGE_SIZE] __aligned(PAGE_SIZE);

const char *copy_page_name(void)
{
	return chosen->name;
}

static u64 copy_cycles(void (*copy)(void *dst, const void *src))
{
	u64 best = ~0UL;

	for (unsigned run = 0; run < COPY_RUNS; run++) {
		u64 start = cycles_now();

		for (unsigned i = 0; i < COPY_PAGES; i++)
			copy(test_page[0], test_page[1]);
		best = MIN(best, cycles_now() - start);
	}
	return best;
}

static u64 zero_cycles(void (*zero)(void *dst))
{
	u64 best = ~0UL;

	for (unsigned run = 0; run < COPY_RUNS; run++) {
		u64 start = cycles_now();

		for (unsigned i = 0; i < COPY_PAGES; i++)
			zero(test_page[0]);
		best = MIN(best, cycles_now() - start);
	}
	return best;
}

static const struct copy_variant *copy_named(const char *name)
{
	for (const struct copy_variant *v = copy_variants; v->name; v++)
		if (!strcmp(v->name, name) && v->usable())
			return v;
	printk("copy=%s: no such variant on this CPU, using %s\n", name, chosen->name);
	return chosen;
}

void copy_page_select(void)
{
	const char *name = option_get("copy");
	u64 best = copy_cycles(chosen->copy), zero = zero_cycles(zero_page);

	for (const struct copy_variant *v = &copy_variants[1]; v->name; v++) {
		u64 cycles = v->usable() ? copy_cycles(v->copy) : ~0UL;

		if (cycles < best - best / COPY_GAIN) {
			best = cycles;
			chosen = v;
		}
	}
	/* copy=NAME takes precedence over the stopwatch, for comparisons. */
	if (name)
		chosen = copy_named(name);
	copy_page = chosen->copy;
	if (usable_zva() && zero_cycles(zero_page_zva) < zero - zero / COPY_GAIN)
		zero_page = zero_page_zva;
	printk("copy: %s, zeroing: %s\n", chosen->name, zero_page == zero_page_zva ? "zva" : "stp");
}
