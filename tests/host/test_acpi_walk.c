/* From the RSDP to the tables: root tables that are broken, missing, looping or far away. */
#include "check.h"
#include "tables.h"

static struct run r; /* large; every test begins with begin() */
static struct phys m;

enum {
	RSDP = 0xf0000,
	RSDT = 0x7fe0000,
	MADT = 0x7fe1000,
	SRAT = 0x7fe2000,
	FADT = 0x7fe3000,
	DSDT = 0x7fe4000,
	MADT2 = 0x7fe5000,
};

#define XSDT 0x123456789000ull /* above 4 GiB: only 64-bit pointers reach it */

static void add_rsdp(u8 revision, u32 rsdt, u64 xsdt)
{
	u8 p[36] = "RSD PTR ";
	u32 len = sizeof(p);
	u8 sum = 0;

	p[15] = revision;
	memcpy(p + 16, &rsdt, 4);
	for (unsigned i = 0; i < 20; i++)
		sum += p[i];
	p[8] = (u8)-sum;
	memcpy(p + 20, &len, 4);
	memcpy(p + 24, &xsdt, 8);
	sum = 0;
	for (unsigned i = 0; i < 36; i++)
		sum += p[i];
	p[32] = (u8)-sum;
	phys_add(&m, RSDP, p, revision < 2 ? 20 : 36);
}

static void add_table(u64 base, struct table *t)
{
	phys_add(&m, base, t->p, t->len);
	table_free(t);
}

/* One CPU of this id. */
static void add_madt(u64 base, u8 id)
{
	struct table t;

	madt_begin(&t);
	madt_lapic(&t, 0, id, 1);
	table_end(&t);
	add_table(base, &t);
}

static void make_root(struct table *t, const char *signature, const u64 *entries, unsigned n)
{
	table_begin(t, signature, 1);
	for (unsigned i = 0; i < n; i++) {
		if (signature[0] == 'X')
			table_64(t, entries[i]);
		else
			table_32(t, (u32)entries[i]);
	}
	table_end(t);
}

static void begin(void)
{
	phys_free(&m);
	run_begin(&r);
}

static int walk(void)
{
	int err = acpi_parse(RSDP, phys_map, &m, &r.bi);
	const char *wrong = run_finish(&r);

	if (wrong) {
		printf("# %s\n", wrong);
		return 1;
	}
	return err;
}

/* RSDP 2 with XSDT -> MADT of CPU 1, and RSDT -> MADT of CPU 2. */
static void add_both_roots(struct table *xsdt, struct table *rsdt)
{
	const u64 to_madt[] = {0, MADT}, to_madt2[] = {MADT2};

	begin();
	add_rsdp(2, RSDT, XSDT);
	add_madt(MADT, 1);
	add_madt(MADT2, 2);
	make_root(xsdt, "XSDT", to_madt, 2);
	make_root(rsdt, "RSDT", to_madt2, 1);
}

TEST(xsdt_is_preferred)
{
	struct table xsdt, rsdt;

	add_both_roots(&xsdt, &rsdt);
	add_table(XSDT, &xsdt);
	add_table(RSDT, &rsdt);
	CHECK_EQ(walk(), 0);
	CHECK_EQ(r.bi.cpu_count, 1);
	CHECK_EQ(r.bi.cpus[0].hw_id, 1);
	CHECK(!r.bi.broken);
	phys_free(&m);
}

TEST(revision_0_has_an_rsdt)
{
	struct table t;
	const u64 entries[] = {MADT};

	begin();
	add_rsdp(0, RSDT, 0);
	add_madt(MADT, 3);
	make_root(&t, "RSDT", entries, 1);
	add_table(RSDT, &t);
	CHECK_EQ(walk(), 0);
	CHECK_EQ(r.bi.cpus[0].hw_id, 3);
	CHECK(!r.bi.broken);
	phys_free(&m);
}

/* Ways in which an XSDT is of no use; each falls back and says so. */
TEST(broken_xsdt_falls_back_to_rsdt)
{
	struct table xsdt, rsdt;

	for (unsigned how = 0; how < 7; how++) {
		add_both_roots(&xsdt, &rsdt);
		add_table(RSDT, &rsdt);
		switch (how) {
		case 0: /* not there */
			table_free(&xsdt);
			break;
		case 1:
			xsdt.p[9]++;
			break;
		case 2:
			memcpy(xsdt.p, "XSDU", 4);
			break;
		case 3:
			table_set(&xsdt, 4, 43, 4); /* not one entry */
			break;
		case 4:
			table_set(&xsdt, 4, 0, 4);
			break;
		case 5:
			table_set(&xsdt, 4, 0xfffffff0, 4);
			break;
		case 6: /* cut off */
			xsdt.len -= 4;
			break;
		}
		if (how)
			add_table(XSDT, &xsdt);
		CHECK_EQ(walk(), 0);
		CHECK_EQ(r.bi.cpu_count, 1);
		CHECK_EQ(r.bi.cpus[0].hw_id, 2);
		CHECK(run_warned(&r, "XSDT"));
		CHECK(run_warned(&r, "RSDT used instead"));
		CHECK(r.bi.broken);
	}
	phys_free(&m);
}

TEST(xsdt_with_wrong_sum_is_better_than_nothing)
{
	struct table xsdt, rsdt;

	add_both_roots(&xsdt, &rsdt);
	xsdt.p[9]++;
	rsdt.p[9]++;
	add_table(XSDT, &xsdt);
	add_table(RSDT, &rsdt);
	CHECK_EQ(walk(), 0);
	CHECK_EQ(r.bi.cpus[0].hw_id, 1);
	CHECK(run_warned(&r, "XSDT+0x9"));
	CHECK(run_warned(&r, "RSDT+0x9"));
	phys_free(&m);
}

TEST(no_usable_root)
{
	begin();
	add_rsdp(2, RSDT, XSDT);
	CHECK(walk() < 0);
	CHECK(run_warned(&r, "neither XSDT nor RSDT"));
	begin();
	add_rsdp(2, 0, 0);
	CHECK(walk() < 0);
	CHECK_EQ(r.bi.node_count, 1);
	phys_free(&m);
}

TEST(rsdp_missing_or_no_rsdp)
{
	begin();
	CHECK(walk() < 0);
	CHECK(run_warned(&r, "RSDP: nothing readable at 0xf0000"));
	begin();
	phys_add(&m, RSDP, "RSD PTX and some more bytes of it", 34);
	CHECK(walk() < 0);
	CHECK(run_warned(&r, "RSDP: no such signature"));
	phys_free(&m);
}

TEST(rsdp_with_wrong_sums)
{
	struct table xsdt, rsdt;

	add_both_roots(&xsdt, &rsdt);
	add_table(XSDT, &xsdt);
	add_table(RSDT, &rsdt);
	m.area[0].p[10]++;
	CHECK_EQ(walk(), 0);
	CHECK(run_warned(&r, "RSDP+0x8: checksum"));
	CHECK(run_warned(&r, "RSDP+0x20: extended checksum"));
	CHECK_EQ(r.bi.cpus[0].hw_id, 1);
	phys_free(&m);
}

TEST(rsdp_too_short_for_revision_2)
{
	struct table xsdt, rsdt;

	add_both_roots(&xsdt, &rsdt);
	add_table(XSDT, &xsdt);
	add_table(RSDT, &rsdt);
	m.area[0].len = 30;
	CHECK_EQ(walk(), 0);
	CHECK(run_warned(&r, "RSDP+0x14: too short"));
	CHECK_EQ(r.bi.cpus[0].hw_id, 2);
	phys_free(&m);
}

TEST(root_that_points_to_itself)
{
	const u64 entries[] = {XSDT, MADT, RSDT, XSDT, 0x10, XSDT};
	struct table t;

	begin();
	add_rsdp(2, RSDT, XSDT);
	add_madt(MADT, 1);
	make_root(&t, "XSDT", entries, ARRAY_SIZE(entries));
	add_table(XSDT, &t);
	make_root(&t, "RSDT", entries + 1, 2);
	add_table(RSDT, &t);
	CHECK_EQ(walk(), 0);
	CHECK_EQ(r.bi.cpu_count, 1);
	CHECK(run_warned(&r, "XSDT+0x24: points to a root table"));
	CHECK(run_warned(&r, "XSDT+0x44: nothing readable at 0x10"));
	CHECK(m.calls < 100);
	phys_free(&m);
}

/* Many entries to one large table must not cost minutes. */
TEST(root_that_repeats_a_large_table)
{
	struct table t;
	u64 entries[1000];

	begin();
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = SRAT;
	add_rsdp(2, 0, XSDT);
	make_root(&t, "XSDT", entries, ARRAY_SIZE(entries));
	add_table(XSDT, &t);
	table_begin(&t, "OEMX", 1);
	table_zeros(&t, 1 << 20);
	table_end(&t);
	add_table(SRAT, &t);
	CHECK_EQ(walk(), 0);
	CHECK(run_warned(&r, "not believed"));
	CHECK(r.bi.warning_dropped > 0);
	phys_free(&m);
}

TEST(table_whose_length_leaves_memory)
{
	const u64 entries[] = {SRAT, MADT};
	struct table t;

	begin();
	add_rsdp(2, 0, XSDT);
	add_madt(MADT, 1);
	make_root(&t, "XSDT", entries, 2);
	add_table(XSDT, &t);
	srat_begin(&t, 3);
	table_end(&t);
	table_set(&t, 4, t.len + 1, 4);
	add_table(SRAT, &t);
	CHECK_EQ(walk(), 0);
	CHECK(run_warned(&r, "XSDT+0x24: table of 49 bytes at 0x7fe2000: not all readable"));
	CHECK_EQ(r.bi.cpu_count, 1);
	phys_free(&m);
}

TEST(dsdt_is_found_through_the_fadt)
{
	const u64 entries[] = {FADT};
	struct table t;

	begin();
	add_rsdp(2, 0, XSDT);
	make_root(&t, "XSDT", entries, 1);
	add_table(XSDT, &t);
	fadt_make(&t, 276);
	table_set(&t, 140, DSDT, 8);
	table_end(&t);
	add_table(FADT, &t);
	dsdt_make(&t, 5, 5);
	add_table(DSDT, &t);
	CHECK_EQ(walk(), 0);
	CHECK(r.bi.x86.s5_known);
	CHECK_EQ(r.bi.x86.s5_typ_a, 5);
	CHECK(!r.bi.broken);
	phys_free(&m);
}

/* ---- limits, from both sides ---- */

/* An XSDT of so many entries, all empty but the last. */
static void add_long_root(unsigned entries)
{
	u64 *to = calloc(entries, sizeof(*to));
	struct table t;

	begin();
	to[entries - 1] = MADT;
	add_rsdp(2, 0, XSDT);
	add_madt(MADT, 1);
	make_root(&t, "XSDT", to, entries);
	add_table(XSDT, &t);
	free(to);
}

TEST(root_with_as_many_entries_as_are_read)
{
	add_long_root(1024);
	CHECK_EQ(walk(), 0);
	CHECK_EQ(r.bi.cpu_count, 1);
	CHECK(!r.bi.broken);
	add_long_root(1025);
	CHECK(walk() < 0);
	CHECK(run_warned(&r, "XSDT+0x4: length 8236, more than 1024 entries"));
	phys_free(&m);
}

/* What lies behind a root is not read, though it is there and looks like an entry. */
TEST(root_ends_where_it_says)
{
	const u64 entries[] = {MADT, FADT};
	struct table t;

	begin();
	add_rsdp(2, 0, XSDT);
	add_madt(MADT, 1);
	fadt_make(&t, 276);
	add_table(FADT, &t);
	make_root(&t, "XSDT", entries, 2);
	t.len -= 8;
	table_end(&t);
	t.len += 8;
	add_table(XSDT, &t);
	CHECK_EQ(walk(), 0);
	CHECK_EQ(r.bi.cpu_count, 1);
	CHECK_EQ(r.bi.x86.pm1a_cnt_port, 0);
	CHECK(!r.bi.broken);
	phys_free(&m);
}

TEST(root_of_one_entry_of_none_and_of_a_part)
{
	for (unsigned len = 43; len <= 45; len++) {
		const u64 entries[] = {MADT, 0};
		struct table t;

		begin();
		add_rsdp(2, 0, XSDT);
		add_madt(MADT, 1);
		make_root(&t, "XSDT", entries, 2);
		t.len = len;
		table_end(&t);
		add_table(XSDT, &t);
		CHECK_EQ(walk() == 0, len >= 44);
		CHECK_EQ(r.bi.cpu_count, len >= 44);
		CHECK_EQ(run_warned(&r, "XSDT+0x4: length 43 leaves no entry"), len == 43);
		CHECK_EQ(run_warned(&r, "XSDT+0x4: length 45 is not a whole number of entries"),
			 len == 45);
		phys_free(&m);
	}
}

/* All tables together: 16 MiB are read, a byte more is not believed. */
TEST(tables_of_16_mib_in_all)
{
	for (unsigned more = 0; more < 2; more++) {
		const u64 entries[] = {MADT, SRAT};
		struct table t;

		begin();
		add_rsdp(2, 0, XSDT);
		add_madt(MADT, 1); /* 44 + 8 bytes */
		make_root(&t, "XSDT", entries, 2);
		add_table(XSDT, &t);
		table_begin(&t, "OEMX", 1);
		table_zeros(&t, 20);
		table_end(&t);
		table_set(&t, 4, (16u << 20) - 52 + more, 4);
		add_table(SRAT, &t);
		walk();
		CHECK_EQ(run_warned(&r, "not all readable"), !more);
		CHECK_EQ(run_warned(&r, "not believed"), more);
		phys_free(&m);
	}
}

/* A header that says less than a header has is read as one, and then refused by itself. */
TEST(table_shorter_than_its_header)
{
	const u64 entries[] = {SRAT};
	struct table t;

	begin();
	add_rsdp(2, 0, XSDT);
	make_root(&t, "XSDT", entries, 1);
	add_table(XSDT, &t);
	srat_begin(&t, 3);
	table_end(&t);
	table_set(&t, 4, 35, 4);
	add_table(SRAT, &t);
	CHECK_EQ(walk(), 0);
	CHECK(run_warned(&r, "SRAT+0x4: length 35, the header alone needs 36"));
	phys_free(&m);
}

TEST(revisions_of_the_rsdp)
{
	for (u8 revision = 0; revision <= 3; revision++) {
		struct table xsdt, rsdt;
		u8 sum = 0;

		add_both_roots(&xsdt, &rsdt);
		add_table(XSDT, &xsdt);
		add_table(RSDT, &rsdt);
		m.area[0].p[15] = revision;
		m.area[0].p[8] = m.area[0].p[32] = 0;
		for (unsigned i = 0; i < 20; i++)
			sum += m.area[0].p[i];
		m.area[0].p[8] = (u8)-sum;
		sum = 0;
		for (unsigned i = 0; i < 36; i++)
			sum += m.area[0].p[i];
		m.area[0].p[32] = (u8)-sum;
		CHECK_EQ(walk(), 0);
		CHECK_EQ(r.bi.cpus[0].hw_id, revision < 2 ? 2 : 1);
		CHECK(!r.bi.broken);
		phys_free(&m);
	}
}

TEST(qemus_own_root)
{
	static const struct {
		const char *oem;
		bool qemu;
	} roots[] = {{"BOCHS ", true}, {"BOCHS_", false}, {"BOCHS", false}, {"LENOVO", false}};

	for (unsigned i = 0; i < ARRAY_SIZE(roots); i++) {
		struct table xsdt, rsdt;

		add_both_roots(&xsdt, &rsdt);
		add_table(XSDT, &xsdt);
		add_table(RSDT, &rsdt);
		memcpy(m.area[0].p + 9, roots[i].oem, strlen(roots[i].oem));
		CHECK_EQ(walk(), 0);
		CHECK_EQ(r.bi.arm64.qemu, roots[i].qemu);
		phys_free(&m);
	}
}
