/* copy_page() and zero_page(): the ways in copy.S, of which kernel/core/copy.c chooses. */
#include <arch/cpu.h>
#include <asm/features.h>

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

const struct zero_variant zero_variants[] = {
	{"stosq", zero_page_stosq, usable_always},   {"stosb", zero_page_stosb, usable_always},
	{"sse", zero_page_sse, usable_always},	     {"avx", zero_page_avx, usable_avx},
	{"avx512", zero_page_avx512, usable_avx512}, {NULL, NULL, NULL},
};

/* Usable on every CPU, and before any control register is set up. */
void (*copy_page)(void *dst, const void *src) = copy_page_movsq;
void (*zero_page)(void *dst) = zero_page_stosq;
