/* Caches and TLBs of x86-64, from CPUID's leaves as CPUs have them (arch/x86_64/geometry.c). */
#include "check.h"

#include <arch/cpu.h>
#include <asm/features.h>

static const struct leaf {
	u32 leaf, subleaf;
	struct cpuid r;
} * leaves;

struct cpuid cpuid_or_zero(u32 leaf, u32 subleaf)
{
	for (const struct leaf *l = leaves; l->leaf; l++)
		if (l->leaf == leaf && l->subleaf == subleaf)
			return l->r;
	return (struct cpuid){0, 0, 0, 0};
}

static const char *caches(const struct leaf *of)
{
	static char text[256];

	leaves = of;
	cpu_caches(text, sizeof(text));
	return text;
}

static const char *tlbs(const struct leaf *of)
{
	static char text[256];

	leaves = of;
	cpu_tlbs(text, sizeof(text));
	return text;
}

static const struct leaf nothing[] = {{0, 0, {0, 0, 0, 0}}};

/* Leaf 4: type in bits 4:0, level in 7:5; EBX: ways, partitions, line, each less one; ECX: sets less one. */
#define CACHE(type, level, ways, line, sets)                                                       \
	{                                                                                          \
		(type) | (level) << 5, ((u32)(ways)-1) << 22 | ((line)-1), (sets)-1, 0             \
	}

TEST(caches_by_leaf_4_or_amds)
{
	static const struct leaf intel[] = {{4, 0, CACHE(1, 1, 12, 64, 64)},
					    {4, 1, CACHE(2, 1, 8, 64, 64)},
					    {4, 2, CACHE(3, 2, 16, 64, 2048)},
					    {4, 3, CACHE(3, 3, 15, 64, 64 * 1024)},
					    {0, 0, {0, 0, 0, 0}}};
	static const struct leaf amd[] = {{0x8000001d, 0, CACHE(1, 1, 8, 64, 64)},
					  {0x8000001d, 1, CACHE(2, 1, 8, 64, 64)},
					  {0x8000001d, 2, CACHE(3, 2, 8, 64, 1024)},
					  {0x8000001d, 3, CACHE(3, 3, 16, 64, 32768)},
					  {0, 0, {0, 0, 0, 0}}};

	CHECK_STR(caches(intel), "L1d 48K, L1i 32K, L2 2M, L3 60M");
	CHECK_STR(caches(amd), "L1d 32K, L1i 32K, L2 512K, L3 32M");
	CHECK_STR(caches(nothing), "CPUID does not tell");
}

TEST(caches_of_older_amd_cpus)
{
	static const struct leaf old[] = {
		{0x80000005, 0, {0, 0, 64U << 24 | 0x020140, 64U << 24 | 0x020140}},
		{0x80000006, 0, {0, 0, 512U << 16 | 0x8140, 16U << 18}},
		{0, 0, {0, 0, 0, 0}}};

	CHECK_STR(caches(old), "L1d 64K, L1i 64K, L2 512K, L3 8192K");
}

/* EBX: sizes of pages in bits 3:0, ways in 31:16; ECX: sets; EDX: type, level. */
TEST(tlbs_by_leaf_18)
{
	static const struct leaf intel[] = {
		{0x18, 0, {4, 0, 0, 0}}, /* this subleaf has none */
		{0x18, 1, {0, 8U << 16 | 1, 32, 2 | 1 << 5}},
		{0x18, 2, {0, 16U << 16 | 0xf, 1, 5 | 1 << 5}},
		{0x18, 3, {0, 6U << 16 | 1, 16, 4 | 1 << 5}},
		{0x18, 4, {0, 8U << 16 | 7, 256, 3 | 2 << 5}},
		{0x18, 5, {0, 8U << 16 | 7, 256, 3 | 2 << 5}}, /* beyond the last */
		{0, 0, {0, 0, 0, 0}}};

	CHECK_STR(tlbs(intel),
		  "L1i 256 (4K), L1 store 16 (4K 2M 4M 1G), L1 load 96 (4K), L2 2048 (4K 2M 4M)");
	CHECK_STR(tlbs(nothing), "CPUID does not tell");
}

TEST(tlbs_by_amds_leaves)
{
	static const struct leaf amd[] = {{0x80000005, 0, {0xff48ff40, 0xff48ff40, 0, 0}},
					  {0x80000006, 0, {0x5c002200, 0x6c004200, 0, 0}},
					  {0, 0, {0, 0, 0, 0}}};

	CHECK_STR(tlbs(amd), "L1d 72 (4K) 72 (2M), L1i 64 (4K) 64 (2M), "
			     "L2d 3072 (4K) 3072 (2M), L2i 512 (4K) 512 (2M)");
}

/* A CPU that says more than fits, or never ends, overruns nothing. */
TEST(answers_that_do_not_end)
{
	static struct leaf many[64];
	char small[24];

	for (u32 i = 0; i < 40; i++) {
		many[i] = (struct leaf){4, i, CACHE(3, 7, 1, 64, 1024)};
		many[i].r.ebx = 0xffffffff;
	}
	CHECK(strlen(caches(many)) == 255);
	leaves = many;
	cpu_caches(small, sizeof(small));
	CHECK_EQ(strlen(small), 23);
	many[0] = (struct leaf){0x18, 0, {0xffffffff, 1U << 16, 1, 1 | 1 << 5}};
	many[1].leaf = 0;
	CHECK_STR(tlbs(many), "L1d 1 ()");
}
