/* copy_page() and zero_page(): the ways in copy.S, of which kernel/core/copy.c chooses. Code that is made at run time. */
#include <arch/cpu.h>

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

const struct zero_variant zero_variants[] = {
	{"stp", zero_page_stp, usable_always},
	{"zva", zero_page_zva, usable_zva},
	{NULL, NULL, NULL},
};

/* Usable on every CPU at any time. */
void (*copy_page)(void *dst, const void *src) = copy_page_ldp;
void (*zero_page)(void *dst) = zero_page_stp;

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
