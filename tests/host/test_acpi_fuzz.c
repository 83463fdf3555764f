/*
 * Whatever the bytes: no crash (the sanitizers watch), no hang, and a bootinfo
 * that the kernel can use. Every table of two machines, cut at every length,
 * with every byte flipped, and mutated at random from a fixed seed.
 */
#include "check.h"
#include "tables.h"

enum { MACHINE_TABLES = 9, MUTATIONS = 200000 };

static struct run r; /* large; every test begins with run_begin() */

/* A machine with two nodes, memory on a third, all tables. */
static void make_x86(struct table t[MACHINE_TABLES])
{
	static const u8 slit[] = {10, 20, 20, 20, 20, 10, 21, 31, 20, 21, 10, 17, 20, 31, 17, 10};
	static const u32 domains[] = {1, 3};
	static const u16 values[] = {80, 140, 140, 80};

	madt_begin(&t[0]);
	for (u8 i = 0; i < 6; i++) {
		madt_lapic(&t[0], i, (u8)(2 * i), i < 4);
		madt_x2apic(&t[0], i, 2 * i, i < 4);
	}
	table_end(&t[0]);
	srat_begin(&t[1], 3);
	for (u8 i = 0; i < 4; i++)
		srat_apic(&t[1], (u8)(2 * i), i < 2 ? 1 : 3, 1);
	srat_x2apic(&t[1], 0x400, 9, 1);
	srat_memory(&t[1], 1, 0, 0xa0000, 1);
	srat_memory(&t[1], 1, 0x100000, 0x7ff00000, 1);
	srat_memory(&t[1], 3, 0x100000000, 0x80000000, 1);
	srat_memory(&t[1], 2, 0x180000000, 0x80000000, 3);
	table_end(&t[1]);
	slit_make(&t[2], 4, slit, sizeof(slit));
	hmat_begin(&t[3], 2);
	hmat_locality(&t[3], 0, 1000, 2, domains, values);
	hmat_locality(&t[3], 3, 100, 2, domains, values);
	table_end(&t[3]);
	spcr_make(&t[4], 0, 1, 8, 1, 0x2f8, 7);
	hpet_make(&t[5], 0xfed00000);
	fadt_make(&t[6], 276);
	dsdt_make(&t[7], 5, 5);
	gtdt_make(&t[8], 27);
}

static void make_arm64(struct table t[MACHINE_TABLES])
{
	make_x86(t);
	table_free(&t[0]);
	table_free(&t[1]);
	table_free(&t[4]);
	madt_begin(&t[0]);
	madt_gicd(&t[0], 0x8000000, 3);
	for (u32 i = 0; i < 4; i++)
		madt_gicc(&t[0], i, 0x10000 * i, 0x80a0000 + 0x20000 * i, 1);
	table_end(&t[0]);
	srat_begin(&t[1], 3);
	for (u32 i = 0; i < 4; i++)
		srat_gicc(&t[1], i, i < 2 ? 1 : 3, 1);
	srat_memory(&t[1], 1, 0x40000000, 0x40000000, 1);
	srat_memory(&t[1], 3, 0x80000000, 0x40000000, 1);
	table_end(&t[1]);
	spcr_make(&t[4], 3, 0, 32, 3, 0x9000000, 7);
}

static void free_machine(struct table t[MACHINE_TABLES])
{
	for (unsigned i = 0; i < MACHINE_TABLES; i++)
		table_free(&t[i]);
}

/* All tables, of table which only len bytes. */
static const char *parse_machine(const struct table t[MACHINE_TABLES], unsigned which, size_t len)
{
	run_begin(&r);
	for (unsigned i = 0; i < MACHINE_TABLES; i++)
		run_bytes(&r, t[i].p, i == which ? len : t[i].len);
	return run_finish(&r);
}

static void (*const machines[])(struct table t[MACHINE_TABLES]) = {make_x86, make_arm64};

TEST(whole_machines_are_fine)
{
	struct table t[MACHINE_TABLES];

	for (unsigned k = 0; k < ARRAY_SIZE(machines); k++) {
		machines[k](t);
		CHECK(parse_machine(t, 0, t[0].len) == NULL);
		CHECK_EQ(r.bi.warning_count, 0);
		CHECK(!r.bi.broken);
		CHECK_EQ(r.bi.cpu_count, 4);
		CHECK_EQ(r.bi.node_count, k == 0 ? 3 : 2);
		free_machine(t);
	}
}

TEST(truncated_at_every_length)
{
	struct table t[MACHINE_TABLES];

	for (unsigned k = 0; k < ARRAY_SIZE(machines); k++) {
		machines[k](t);
		for (unsigned i = 0; i < MACHINE_TABLES; i++) {
			for (size_t len = 0; len < t[i].len; len++) {
				CHECK(parse_machine(t, i, len) == NULL);
				CHECK(r.bi.broken);
			}
		}
		free_machine(t);
	}
}

/* The checksum sees to it that no flip goes unnoticed. */
TEST(every_byte_flipped)
{
	static const u8 masks[] = {0x01, 0x80, 0xff};
	struct table t[MACHINE_TABLES];

	for (unsigned k = 0; k < ARRAY_SIZE(machines); k++) {
		machines[k](t);
		for (unsigned i = 0; i < MACHINE_TABLES; i++) {
			for (size_t at = 0; at < 3 * t[i].len; at++) {
				t[i].p[at / 3] ^= masks[at % 3];
				CHECK(parse_machine(t, i, t[i].len) == NULL);
				CHECK(r.bi.broken);
				t[i].p[at / 3] ^= masks[at % 3];
			}
		}
		free_machine(t);
	}
}

static u64 random_state;

static u64 random_below(u64 n) /* xorshift64* */
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1dull >> 16) % n;
}

static const char *fine(const char *wrong)
{
	return wrong ? wrong : "fine";
}

/* Up to four changes, values that hurt among them; the sum mostly made right again. */
static void mutate(struct table *t)
{
	static const u64 values[] = {0,		 1,	     0x7f,	 0x80,	     0xff,
				     0x7fffffff, 0x80000000, 0xffffffff, 1ull << 63, ~0ull};
	u64 changes = 1 + random_below(4);

	while (changes--) {
		size_t size = 1ul << random_below(4);
		size_t at = random_below(t->len - size);

		if (random_below(2))
			table_set(t, at, values[random_below(ARRAY_SIZE(values))], size);
		else
			t->p[at] = (u8)random_below(256);
	}
	if (random_below(8)) {
		u8 sum = 0;

		table_set(t, 4, t->len, 4);
		for (size_t i = 0; i < t->len; i++)
			sum += t->p[i];
		t->p[9] -= sum;
	}
}

TEST(random_mutations)
{
	struct table t[MACHINE_TABLES];
	unsigned broken = 0;

	random_state = 20240229;
	machines[0](t);
	for (unsigned n = 0; n < MUTATIONS; n++) {
		unsigned which = (unsigned)random_below(MACHINE_TABLES);
		size_t len = t[which].len;
		u8 saved[1024];

		if (n == MUTATIONS / 2) {
			free_machine(t);
			machines[1](t);
			continue;
		}
		CHECK(len <= sizeof(saved));
		memcpy(saved, t[which].p, len);
		mutate(&t[which]);
		CHECK_STR(fine(parse_machine(t, which, random_below(8) ? len : random_below(len))),
			  "fine");
		broken += r.bi.broken;
		memcpy(t[which].p, saved, len);
	}
	CHECK(broken > MUTATIONS / 10); /* the mutations do reach something */
	CHECK(broken < MUTATIONS);
	free_machine(t);
}
