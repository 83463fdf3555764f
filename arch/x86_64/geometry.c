/* Caches and TLBs, as CPUID tells them. */
#include <arch/cpu.h>
#include <asm/features.h>
#include <kernel/printf.h>
#include <kernel/string.h>

enum {
	LEAF_CACHES = 4, /* SDM vol. 2, CPUID */
	LEAF_CACHES_AMD = 0x8000001d, /* APM vol. 3 E.4.15; the same fields */
	LEAF_TLBS = 0x18,
	LEAF_L1_AMD = 0x80000005, /* APM vol. 3 E.4.4, E.4.5 */
	LEAF_L2_AMD = 0x80000006,
	SUBLEAVES = 32, /* more are not read, whatever a CPU says */
};

/* Appends; what does not fit is cut. */
static void __printf(3, 4) append(char *buf, size_t size, const char *fmt, ...)
{
	size_t len = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	kvsnprintf(buf + len, size - len, fmt, ap);
	va_end(ap);
}

static const char *separator(const char *buf)
{
	return *buf ? ", " : "";
}

static void append_cache(char *buf, size_t size, const struct cpuid *r)
{
	static const char *const kinds[] = {"", "d", "i", ""};
	u64 bytes = ((r->ebx & 0xfff) + 1UL) * ((r->ebx >> 12 & 0x3ff) + 1) * ((r->ebx >> 22) + 1) *
		    (r->ecx + 1UL);
	bool mib = bytes >= 1 << 20 && !(bytes & ((1 << 20) - 1));

	append(buf, size, "%sL%u%s %lu%c", separator(buf), r->eax >> 5 & 7, kinds[r->eax & 3],
	       bytes >> (mib ? 20 : 10), mib ? 'M' : 'K');
}

static void caches_of_old_amd(char *buf, size_t size)
{
	struct cpuid l1 = cpuid_or_zero(LEAF_L1_AMD, 0), l2 = cpuid_or_zero(LEAF_L2_AMD, 0);

	if (!l1.ecx)
		return;
	append(buf, size, "L1d %uK, L1i %uK", l1.ecx >> 24, l1.edx >> 24);
	if (l2.ecx >> 16)
		append(buf, size, ", L2 %uK", l2.ecx >> 16);
	if (l2.edx >> 18) /* in units of 512 KiB */
		append(buf, size, ", L3 %uK", (l2.edx >> 18) * 512);
}

void cpu_caches(char *buf, size_t size)
{
	u32 leaf = cpuid_or_zero(LEAF_CACHES, 0).eax & 0x1f ? LEAF_CACHES : LEAF_CACHES_AMD;

	*buf = '\0';
	for (u32 i = 0; i < SUBLEAVES; i++) {
		struct cpuid r = cpuid_or_zero(leaf, i);

		if (!(r.eax & 0x1f))
			break;
		append_cache(buf, size, &r);
	}
	if (!*buf)
		caches_of_old_amd(buf, size);
	if (!*buf)
		strlcpy(buf, "CPUID does not tell", size);
}

/* "L1d 64 (4K 2M)": entries, and of which sizes of page. */
static void append_tlb(char *buf, size_t size, const struct cpuid *r)
{
	static const char *const kinds[] = {"", "d", "i", "", " load", " store"};
	static const char *const pages[] = {"4K", "2M", "4M", "1G"};
	u32 type = r->edx & 0x1f;
	const char *blank = "";

	append(buf, size, "%sL%u%s %lu (", separator(buf), r->edx >> 5 & 7,
	       type < ARRAY_SIZE(kinds) ? kinds[type] : "?", (u64)(r->ebx >> 16) * r->ecx);
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		if (!(r->ebx >> i & 1))
			continue;
		append(buf, size, "%s%s", blank, pages[i]);
		blank = " ";
	}
	append(buf, size, ")");
}

static void tlbs_by_leaf(char *buf, size_t size)
{
	u32 last = MIN(cpuid_or_zero(LEAF_TLBS, 0).eax, SUBLEAVES - 1U);

	for (u32 i = 0; i <= last; i++) {
		struct cpuid r = cpuid_or_zero(LEAF_TLBS, i);

		if (r.edx & 0x1f) /* type 0: nothing here, look on */
			append_tlb(buf, size, &r);
	}
}

static void tlbs_of_amd(char *buf, size_t size)
{
	struct cpuid l1 = cpuid_or_zero(LEAF_L1_AMD, 0), l2 = cpuid_or_zero(LEAF_L2_AMD, 0);

	if (!l1.ebx)
		return;
	append(buf, size, "L1d %u (4K) %u (2M), L1i %u (4K) %u (2M)", l1.ebx >> 16 & 0xff,
	       l1.eax >> 16 & 0xff, l1.ebx & 0xff, l1.eax & 0xff);
	if (l2.ebx)
		append(buf, size, ", L2d %u (4K) %u (2M), L2i %u (4K) %u (2M)",
		       l2.ebx >> 16 & 0xfff, l2.eax >> 16 & 0xfff, l2.ebx & 0xfff, l2.eax & 0xfff);
}

void cpu_tlbs(char *buf, size_t size)
{
	*buf = '\0';
	tlbs_by_leaf(buf, size);
	if (!*buf)
		tlbs_of_amd(buf, size);
	if (!*buf)
		strlcpy(buf, "CPUID does not tell", size);
}
