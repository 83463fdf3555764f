/* SRAT, SLIT and HMAT: nodes, memory, distances. */
#include "check.h"
#include "tables.h"

enum { ENABLED = 1, HOTPLUG = 2 };

#define GIB (1ull << 30)

static struct run r; /* large; every test begins with run_begin() */

/* A MADT with n CPUs of ids 0, step, 2 * step... */
static void add_cpus(unsigned n, unsigned step)
{
	struct table t;

	madt_begin(&t);
	for (unsigned i = 0; i < n; i++)
		madt_x2apic(&t, i, i * step, ENABLED);
	table_end(&t);
	run_table(&r, &t);
	table_free(&t);
}

/* Finishes t, parses it with what is there already, and finishes the parse. */
static const char *finish_with(struct table *t)
{
	table_end(t);
	run_table(&r, t);
	table_free(t);
	return run_finish(&r);
}

static bool range_is(unsigned i, u64 base, u64 len, u32 node)
{
	const struct boot_node_range *n = &r.bi.node_ranges[i];

	return i < r.bi.node_range_count && n->base == base && n->len == len && n->node == node;
}

TEST(srat_domains_with_gaps_from_one)
{
	struct table t;

	run_begin(&r);
	add_cpus(4, 1);
	srat_begin(&t, 3);
	srat_memory(&t, 0x01020304, 8 * GIB, GIB, ENABLED);
	srat_apic(&t, 0, 7, ENABLED);
	srat_apic(&t, 1, 1, ENABLED);
	srat_x2apic(&t, 2, 0x01020304, ENABLED);
	srat_x2apic(&t, 3, 1, ENABLED);
	srat_memory(&t, 1, 0, GIB, ENABLED);
	srat_memory(&t, 7, 4 * GIB, GIB, ENABLED);
	CHECK(finish_with(&t) == NULL);
	CHECK(!r.bi.broken);
	CHECK(r.bi.numa_known);
	CHECK_EQ(r.bi.node_count, 3);
	CHECK_EQ(r.bi.nodes[0].domain, 1);
	CHECK_EQ(r.bi.nodes[1].domain, 7);
	CHECK_EQ(r.bi.nodes[2].domain, 0x01020304);
	CHECK_EQ(r.bi.cpus[0].node, 1);
	CHECK_EQ(r.bi.cpus[1].node, 0);
	CHECK_EQ(r.bi.cpus[2].node, 2);
	CHECK_EQ(r.bi.cpus[3].node, 0);
	CHECK(range_is(0, 0, GIB, 0));
	CHECK(range_is(1, 4 * GIB, GIB, 1));
	CHECK(range_is(2, 8 * GIB, GIB, 2));
	CHECK_EQ(r.bi.distance[0][2], 20);
	CHECK(run_warned(&r, "SLIT: missing"));
}

TEST(srat_domain_of_high_byte_in_apic_entry)
{
	struct table t;

	run_begin(&r);
	add_cpus(1, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 0x11223344, ENABLED);
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.nodes[0].domain, 0x11223344);
}

TEST(srat_revision_1_has_one_byte)
{
	struct table t;

	run_begin(&r);
	add_cpus(1, 1);
	srat_begin(&t, 1);
	srat_apic(&t, 0, 0xabcdef05, ENABLED); /* the other bytes are reserved, may be anything */
	srat_memory(&t, 0xffffff05, 0, GIB, ENABLED);
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.node_count, 1);
	CHECK_EQ(r.bi.nodes[0].domain, 5);
	CHECK(!r.bi.broken);
}

TEST(srat_what_does_not_count)
{
	struct table t;

	run_begin(&r);
	add_cpus(2, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 0, ENABLED);
	srat_apic(&t, 1, 0, ENABLED);
	srat_apic(&t, 1, 3, 0); /* disabled */
	srat_x2apic(&t, 1, 8, 0); /* disabled */
	srat_apic(&t, 77, 4, ENABLED); /* no such CPU */
	srat_memory(&t, 0, 0, GIB, ENABLED);
	srat_memory(&t, 5, 4 * GIB, GIB, 0); /* disabled */
	srat_memory(&t, 6, 8 * GIB, 0, ENABLED); /* empty */
	srat_memory(&t, 7, 0, 0, 0); /* padding */
	table_8(&t, 4); /* ITS */
	table_8(&t, 12);
	table_zeros(&t, 10);
	table_8(&t, 5); /* generic initiator */
	table_8(&t, 32);
	table_zeros(&t, 30);
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.node_count, 1);
	CHECK_EQ(r.bi.node_range_count, 1);
	CHECK_EQ(r.bi.warning_count, 0);
}

/* ACPI 6.5, table 5.65 and 5.66. */
static void srat_initiator(struct table *t, u8 kind, u32 domain, u16 segment, u16 function,
			   u32 flags)
{
	table_8(t, 5);
	table_8(t, 32);
	table_8(t, 0);
	table_8(t, kind);
	table_32(t, domain);
	table_16(t, segment);
	table_16(t, function);
	table_zeros(t, 12);
	table_32(t, flags);
	table_32(t, 0);
}

TEST(srat_devices_of_pci)
{
	struct table t;

	run_begin(&r);
	add_cpus(2, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 3, ENABLED);
	srat_apic(&t, 1, 7, ENABLED);
	srat_memory(&t, 3, 0, GIB, ENABLED);
	srat_memory(&t, 7, 4 * GIB, GIB, ENABLED);
	srat_initiator(&t, 0, 7, 0, 0x10, ENABLED); /* a handle of ACPI's */
	srat_initiator(&t, 1, 7, 1, 0x11, ENABLED); /* another segment */
	srat_initiator(&t, 1, 7, 0, 0x12, 0); /* disabled */
	srat_initiator(&t, 1, 9, 0, 0x13, ENABLED); /* a domain that nothing else is in */
	srat_initiator(&t, 1, 7, 0, 0x1a08, ENABLED);
	for (unsigned i = 0; i < BOOT_PCI_DEVICES; i++)
		srat_initiator(&t, 1, 3, 0, (u16)(0x20 + i), ENABLED);
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.pci.device_count, BOOT_PCI_DEVICES);
	CHECK_EQ(r.bi.pci.device[0].function, 0x1a08);
	CHECK(r.bi.pci.device[0].near.known && r.bi.pci.device[0].near.node == 1);
	CHECK(r.bi.pci.device[1].near.node == 0 && r.bi.pci.device[1].function == 0x20);
	CHECK(!r.bi.pci.near.known);
}

TEST(srat_hotplug_memory_is_marked)
{
	struct table t;

	run_begin(&r);
	add_cpus(1, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 0, ENABLED);
	srat_memory(&t, 0, 0, GIB, ENABLED);
	srat_memory(&t, 0, 4 * GIB, 64 * GIB, ENABLED | HOTPLUG);
	srat_memory(&t, 0, 99 * GIB, GIB, HOTPLUG);
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.node_range_count, 2);
	CHECK(!r.bi.node_ranges[0].hotplug);
	CHECK(r.bi.node_ranges[1].hotplug);
}

TEST(srat_nodes_without_cpus_or_memory)
{
	struct table t;

	run_begin(&r);
	add_cpus(2, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 2, ENABLED);
	srat_apic(&t, 1, 4, ENABLED); /* CPU, no memory */
	srat_memory(&t, 2, 0, GIB, ENABLED);
	srat_memory(&t, 9, 4 * GIB, GIB, ENABLED); /* memory, no CPU */
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.node_count, 3);
	CHECK_EQ(r.bi.cpus[1].node, 1);
	CHECK(range_is(1, 4 * GIB, GIB, 2));
	CHECK(!r.bi.broken);
}

TEST(srat_far_more_entries_than_cpus)
{
	struct table t;

	run_begin(&r);
	add_cpus(4, 1000); /* ids 0, 1000, 2000, 3000 */
	srat_begin(&t, 3);
	for (u32 i = 0; i < 4096; i++)
		srat_x2apic(&t, i, i / 1024, ENABLED);
	for (u32 i = 0; i < 4; i++)
		srat_memory(&t, i, i * GIB, GIB, ENABLED);
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.node_count, 4);
	CHECK_EQ(r.bi.cpu_count, 4);
	CHECK_EQ(r.bi.cpus[1].node, 0);
	CHECK_EQ(r.bi.cpus[3].node, 2);
	CHECK(!r.bi.broken);
}

TEST(srat_cpu_without_entry)
{
	struct table t;

	run_begin(&r);
	add_cpus(4, 1);
	srat_begin(&t, 3);
	srat_memory(&t, 0, 0, GIB, ENABLED);
	srat_memory(&t, 1, GIB, GIB, ENABLED);
	srat_apic(&t, 2, 1, ENABLED);
	CHECK(finish_with(&t) == NULL);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(r.bi.cpus[i].node, 1); /* where the CPUs are, not the memory-only node */
	CHECK(run_warned(&r, "SRAT: no node for CPU 0x0 (3 in all): put on node 1"));
}

TEST(srat_cpu_in_two_domains)
{
	struct table t;

	run_begin(&r);
	add_cpus(2, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 1, ENABLED);
	srat_x2apic(&t, 0, 1, ENABLED); /* the same again: fine */
	srat_apic(&t, 1, 1, ENABLED);
	srat_x2apic(&t, 1, 2, ENABLED);
	srat_memory(&t, 2, 0, GIB, ENABLED);
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.cpus[1].node, 0);
	CHECK_EQ(r.bi.warning_count, 2);
	CHECK(run_warned(&r, "SRAT+0x68: CPU 0x1 in domain 2, was in 1 before"));
}

TEST(srat_memory_unsorted_with_holes)
{
	struct table t;

	run_begin(&r);
	add_cpus(1, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 0, ENABLED);
	srat_memory(&t, 1, 0x100000000, 0x40000000, ENABLED);
	srat_memory(&t, 0, 0x100000, 0x7ff00000, ENABLED);
	srat_memory(&t, 1, 0x1000000000, GIB, ENABLED);
	srat_memory(&t, 0, 0, 0xa0000, ENABLED);
	CHECK(finish_with(&t) == NULL);
	CHECK(range_is(0, 0, 0xa0000, 0));
	CHECK(range_is(1, 0x100000, 0x7ff00000, 0));
	CHECK(range_is(2, 0x100000000, 0x40000000, 1));
	CHECK(range_is(3, 0x1000000000, GIB, 1));
	CHECK(!r.bi.broken);
}

TEST(srat_memory_overlaps)
{
	struct table t;

	run_begin(&r);
	add_cpus(1, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 0, ENABLED);
	srat_memory(&t, 1, 2 * GIB, 4 * GIB, ENABLED); /* 2..6 */
	srat_memory(&t, 0, 0, 3 * GIB, ENABLED); /* 0..3 */
	srat_memory(&t, 0, 4 * GIB, GIB, ENABLED); /* 4..5: all of it claimed already */
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.node_range_count, 2);
	CHECK(range_is(0, 0, 3 * GIB, 0));
	CHECK(range_is(1, 3 * GIB, 3 * GIB, 1));
	CHECK(run_warned(&r, "SRAT+0x68: memory 0x0+0xc0000000 overlaps 0x80000000+0x100000000"));
	CHECK(r.bi.broken);
}

/* Of two that begin at the same address, the one that came first keeps it. */
TEST(srat_memory_that_begins_alike)
{
	struct table t;

	run_begin(&r);
	add_cpus(1, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 0, ENABLED);
	srat_memory(&t, 1, GIB, GIB, ENABLED);
	srat_memory(&t, 0, GIB, 3 * GIB, ENABLED);
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.node_range_count, 2);
	CHECK(range_is(0, GIB, GIB, 1));
	CHECK(range_is(1, 2 * GIB, 2 * GIB, 0));
}

/* Ranges that touch do not overlap; the last byte of the address space has no end address. */
TEST(srat_memory_at_its_limits)
{
	struct table t;

	run_begin(&r);
	add_cpus(1, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 0, ENABLED);
	srat_memory(&t, 1, GIB, GIB, ENABLED);
	srat_memory(&t, 0, 0, GIB, ENABLED);
	srat_memory(&t, 2, 2 * GIB, 1, ENABLED);
	srat_memory(&t, 2, ~0ull - 0xffe, 0xfff, ENABLED); /* ends at 2^64 */
	CHECK(finish_with(&t) == NULL);
	CHECK(range_is(0, 0, GIB, 0));
	CHECK(range_is(1, GIB, GIB, 1));
	CHECK(range_is(2, 2 * GIB, 1, 2));
	CHECK(range_is(3, ~0ull - 0xffe, 0xffe, 2));
	CHECK(!r.bi.broken);
	for (u32 more = 0; more < 2; more++) {
		run_begin(&r);
		srat_begin(&t, 3);
		for (u32 i = 0; i < MAX_NODES + more; i++)
			srat_memory(&t, i, i * GIB, GIB, ENABLED);
		CHECK(finish_with(&t) == NULL);
		CHECK_EQ(r.bi.node_count, MAX_NODES);
		CHECK_EQ(run_warned(&r, "more than 64 domains"), more);
	}
}

TEST(srat_memory_wraps_around)
{
	struct table t;

	run_begin(&r);
	add_cpus(1, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 0, ENABLED);
	srat_memory(&t, 0, ~0ull - 0xfff, 0x2000, ENABLED);
	CHECK(finish_with(&t) == NULL);
	CHECK(range_is(0, ~0ull - 0xfff, 0xfff, 0));
	CHECK(run_warned(&r, "longer than the address space"));
}

TEST(srat_more_domains_than_nodes)
{
	struct table t;

	run_begin(&r);
	add_cpus(1, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 199, ENABLED);
	for (u32 i = 100; i-- > 0;) /* descending, so that early ones are pushed out */
		srat_memory(&t, 100 + i, i * GIB, GIB, ENABLED);
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.node_count, MAX_NODES);
	CHECK_EQ(r.bi.nodes[0].domain, 100);
	CHECK_EQ(r.bi.nodes[63].domain, 163);
	CHECK_EQ(r.bi.node_range_count, 64);
	CHECK(run_warned(&r, "SRAT: more than 64 domains: those above 163"));
	CHECK(run_warned(&r, "SRAT: no node for CPU 0x0"));
}

TEST(srat_more_ranges_than_we_take)
{
	struct table t;

	run_begin(&r);
	add_cpus(1, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 0, ENABLED);
	for (u32 i = 0; i < 260; i++)
		srat_memory(&t, 0, i * GIB, 4096, ENABLED);
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.node_range_count, BOOT_MAX_RANGES);
	CHECK(run_warned(&r, "more than 256 memory ranges"));
}

TEST(srat_empty)
{
	struct table t;

	run_begin(&r);
	add_cpus(2, 1);
	srat_begin(&t, 3);
	CHECK(finish_with(&t) == NULL);
	CHECK(!r.bi.numa_known);
	CHECK_EQ(r.bi.node_count, 1);
	CHECK_EQ(r.bi.cpus[1].node, 0);
	CHECK(run_warned(&r, "SRAT: no enabled CPU and no memory"));
}

TEST(srat_without_madt)
{
	struct table t;

	run_begin(&r);
	srat_begin(&t, 3);
	srat_apic(&t, 4, 1, ENABLED);
	srat_x2apic(&t, 4, 1, ENABLED); /* the same again */
	srat_x2apic(&t, 5, 2, ENABLED);
	srat_apic(&t, 6, 2, 0);
	srat_x2apic(&t, 7, 2, 0);
	srat_gicc(&t, 9, 2, ENABLED); /* by UID: not the id that starts a CPU */
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.cpu_count, 2);
	CHECK_EQ(r.bi.node_count, 2);
	CHECK_EQ(r.bi.cpus[1].node, 1);
	CHECK(!r.bi.broken);
	CHECK(run_warned(&r, "MADT: missing: CPUs taken from the SRAT"));
}

TEST(srat_gicc_goes_by_uid)
{
	struct table t;

	run_begin(&r);
	madt_begin(&t);
	madt_gicc(&t, 10, 0, 0, ENABLED);
	madt_gicc(&t, 11, 0x10000, 0, ENABLED);
	table_end(&t);
	run_table(&r, &t);
	table_free(&t);
	srat_begin(&t, 3);
	srat_gicc(&t, 11, 3, ENABLED);
	srat_gicc(&t, 10, 8, ENABLED);
	srat_gicc(&t, 10, 2, 0); /* disabled */
	srat_gicc(&t, 0x10000, 9, ENABLED); /* an MPIDR, but no UID */
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.node_count, 2);
	CHECK_EQ(r.bi.cpus[0].node, 1);
	CHECK_EQ(r.bi.cpus[1].node, 0);
	CHECK(!r.bi.broken);
}

TEST(srat_entries_that_break_the_chain)
{
	struct table t;

	run_begin(&r);
	add_cpus(2, 1);
	srat_begin(&t, 3);
	srat_apic(&t, 0, 0, ENABLED);
	table_8(&t, 1);
	table_8(&t, 0); /* length 0 */
	srat_apic(&t, 1, 1, ENABLED);
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.node_count, 1);
	CHECK(run_warned(&r, "SRAT+0x40: entry length 0 of type 1"));
	CHECK(run_warned(&r, "SRAT: no node for CPU 0x1"));
	CHECK_EQ(r.bi.warning_count, 2); /* the second walk keeps quiet */
}

/* Every length: all complete entries are used, and what is missing is told. */
TEST(srat_truncated_at_every_length)
{
	struct table t, madt;

	madt_begin(&madt);
	for (u8 i = 0; i < 4; i++)
		madt_lapic(&madt, i, i, ENABLED);
	table_end(&madt);
	srat_begin(&t, 3);
	for (u8 i = 0; i < 4; i++)
		srat_apic(&t, i, i, ENABLED);
	for (u8 i = 0; i < 4; i++)
		srat_memory(&t, i, i * GIB, GIB, ENABLED);
	table_end(&t);
	for (size_t len = 0; len < t.len; len++) {
		size_t cpus = len < 48 ? 0 : MIN((len - 48) / 16, 4ul);
		size_t ranges = len < 48 + 64 ? 0 : (len - 48 - 64) / 40;

		run_begin(&r);
		run_table(&r, &madt);
		run_bytes(&r, t.p, len);
		CHECK(run_finish(&r) == NULL);
		CHECK(r.bi.broken);
		CHECK_EQ(r.bi.node_count, MAX(cpus, 1ul));
		CHECK_EQ(r.bi.node_range_count, ranges);
	}
	table_free(&t);
	table_free(&madt);
}

/* ---- SLIT ---- */

/* Nodes of domains first, first + 1, ... with a CPU and memory each. */
static void add_nodes(unsigned n, u32 first)
{
	struct table t;

	add_cpus(n, 1);
	srat_begin(&t, 3);
	for (unsigned i = 0; i < n; i++) {
		srat_apic(&t, (u8)i, first + i, ENABLED);
		srat_memory(&t, first + i, i * GIB, GIB, ENABLED);
	}
	table_end(&t);
	run_table(&r, &t);
	table_free(&t);
}

static const char *finish_with_slit(u64 count, const u8 *matrix, size_t bytes)
{
	struct table t;

	slit_make(&t, count, matrix, bytes);
	run_table(&r, &t);
	table_free(&t);
	return run_finish(&r);
}

/* Nodes of domains first, first + 1, ..., and a SLIT of `count` domains: what must hold does. */
static void parse_slit(unsigned nodes, u32 first, u64 count, const u8 *matrix, size_t bytes)
{
	run_begin(&r);
	add_nodes(nodes, first);
	CHECK(finish_with_slit(count, matrix, bytes) == NULL);
}

/* All distances of n nodes, row by row. */
static void check_distances(unsigned n, const u8 *expected)
{
	CHECK_EQ(r.bi.node_count, n);
	for (unsigned i = 0; i < n * n; i++)
		CHECK_EQ(r.bi.distance[i / n][i % n], expected[i]);
}

TEST(slit_asymmetric_and_unreachable)
{
	static const u8 m[] = {10, 21, 255, 31, 10, 17, 28, 16, 10};

	parse_slit(3, 0, 3, m, sizeof(m));
	CHECK(r.bi.distance_known);
	CHECK_EQ(r.bi.warning_count, 0);
	check_distances(3, m);
}

TEST(slit_goes_by_domain)
{
	static const u8 m[] = {1, 2, 3, 4, 10, 40, 5, 50, 10}; /* domain 0 does not exist */

	parse_slit(2, 1, 3, m, sizeof(m));
	CHECK_EQ(r.bi.warning_count, 0);
	check_distances(2, (const u8[]){10, 40, 50, 10});
}

TEST(slit_missing)
{
	run_begin(&r);
	add_nodes(2, 0);
	CHECK(run_finish(&r) == NULL);
	CHECK(!r.bi.distance_known);
	check_distances(2, (const u8[]){10, 20, 20, 10});
	CHECK(run_warned(&r, "SLIT: missing"));
	CHECK(!r.bi.broken);
}

TEST(slit_too_small_for_its_matrix)
{
	static const u8 m[] = {10, 30, 31, 10};
	static const u64 counts[] = {3, 1000, 1ull << 32, 1ull << 63, ~0ull};

	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		parse_slit(2, 0, counts[i], m, sizeof(m));
		CHECK(!r.bi.distance_known);
		CHECK_EQ(r.bi.distance[0][1], 20);
		CHECK(run_warned(&r, "SLIT+0x24"));
		CHECK(r.bi.broken);
	}
}

TEST(slit_smaller_than_the_srat)
{
	static const u8 m[] = {10, 30, 31, 10};

	parse_slit(3, 0, 2, m, sizeof(m));
	check_distances(3, (const u8[]){10, 30, 20, 31, 10, 20, 20, 20, 10});
	CHECK(run_warned(&r, "SLIT+0x24: 2 domains, but the SRAT has domain 2"));
	parse_slit(2, 5, 2, m, sizeof(m));
	CHECK(!r.bi.distance_known);
}

TEST(slit_longer_than_its_matrix)
{
	static const u8 m[] = {10, 30, 31, 10, 1, 2, 3};

	parse_slit(2, 0, 2, m, sizeof(m));
	check_distances(2, m);
	CHECK(run_warned(&r, "SLIT: 3 bytes behind its matrix"));
	CHECK(!r.bi.broken);
}

TEST(slit_values_out_of_range)
{
	static const u8 m[] = {11, 9, 30, 0, 10, 31, 32, 33, 255};

	parse_slit(3, 0, 3, m, sizeof(m));
	check_distances(3, (const u8[]){10, 20, 30, 20, 10, 31, 32, 33, 10});
	CHECK_EQ(r.bi.warning_count, 1);
	CHECK(run_warned(&r, "SLIT+0x2c: distance 11 is not valid (4 such)"));
}

/* Firmware that knows no distances fills the table with those to oneself (Linux: slit_valid()). */
TEST(slit_whose_nodes_are_all_local)
{
	static const u8 m[] = {10, 10, 10, 10};

	parse_slit(2, 0, 2, m, sizeof(m));
	check_distances(2, (const u8[]){10, 20, 20, 10});
	CHECK(run_warned(&r, "SLIT+0x2d: distance 10 is not valid (2 such)"));
}

TEST(slit_without_srat)
{
	static const u8 m[] = {10, 30, 31, 10};

	run_begin(&r);
	add_cpus(2, 1);
	CHECK(finish_with_slit(2, m, sizeof(m)) == NULL);
	CHECK_EQ(r.bi.node_count, 1);
	CHECK(!r.bi.distance_known);
}

/* ---- HMAT ---- */

static const u32 hmat_domains[] = {0, 1};

TEST(hmat_revision_2)
{
	static const u16 latency[] = {8, 25, 0xffff, 0};
	static const u16 bandwidth[] = {300, 150, 100, 65534};
	struct table t;

	run_begin(&r);
	add_nodes(2, 0);
	hmat_begin(&t, 2);
	hmat_locality(&t, 0, 10000, 2, hmat_domains, latency);
	hmat_locality(&t, 3, 100, 2, hmat_domains, bandwidth);
	CHECK(finish_with(&t) == NULL);
	CHECK(r.bi.hmat_known);
	CHECK_EQ(r.bi.hmat.read_latency_ps[0][0], 80000);
	CHECK_EQ(r.bi.hmat.read_latency_ps[0][1], 250000);
	CHECK_EQ(r.bi.hmat.read_latency_ps[1][0], 0); /* unreachable */
	CHECK_EQ(r.bi.hmat.read_latency_ps[1][1], 0); /* not given */
	CHECK_EQ(r.bi.hmat.read_bandwidth_mbps[0][0], 30000);
	CHECK_EQ(r.bi.hmat.read_bandwidth_mbps[1][1], 6553400);
	CHECK(!r.bi.broken);
}

TEST(hmat_revision_1)
{
	static const u16 values[] = {800, 1500, 1700, 900};
	struct table t;

	run_begin(&r);
	add_nodes(2, 0);
	hmat_begin(&t, 1);
	hmat_locality(&t, 1, 1, 2, hmat_domains, values);
	hmat_locality(&t, 4, 100, 2, hmat_domains, values);
	CHECK(finish_with(&t) == NULL);
	CHECK_EQ(r.bi.hmat.read_latency_ps[0][0], 80000); /* 800 * 0.1 ns */
	CHECK_EQ(r.bi.hmat.read_latency_ps[0][1], 150000);
	CHECK_EQ(r.bi.hmat.read_latency_ps[1][0], 170000);
	CHECK_EQ(r.bi.hmat.read_bandwidth_mbps[0][1], 15000);
	CHECK_EQ(r.bi.hmat.read_bandwidth_mbps[1][0], 17000);
}

TEST(hmat_reads_before_accesses)
{
	static const u16 access[] = {1, 2, 3, 4};
	static const u16 read[] = {5, 6, 0, 8};
	static const u16 write[] = {50, 60, 70, 80};
	struct table t;

	for (unsigned swap = 0; swap < 2; swap++) {
		run_begin(&r);
		add_nodes(2, 0);
		hmat_begin(&t, 2);
		hmat_locality(&t, 2, 1000, 2, hmat_domains, write);
		hmat_locality(&t, swap ? 1 : 0, 1000, 2, hmat_domains, swap ? read : access);
		hmat_locality(&t, swap ? 0 : 1, 1000, 2, hmat_domains, swap ? access : read);
		CHECK(finish_with(&t) == NULL);
		CHECK_EQ(r.bi.hmat.read_latency_ps[0][0], 5000);
		CHECK_EQ(r.bi.hmat.read_latency_ps[1][0], 3000);
		CHECK_EQ(r.bi.hmat.read_latency_ps[1][1], 8000);
	}
}

TEST(hmat_what_does_not_count)
{
	static const u16 values[] = {1, 2, 3, 4};
	static const u16 large[] = {2, 3, 4, 60000};
	static const u32 others[] = {7, 8};
	struct table t;
	size_t cache;

	run_begin(&r);
	add_nodes(2, 0);
	hmat_begin(&t, 2);
	hmat_locality(&t, 0, 1000, 2, others, values); /* domains without CPU and memory */
	cache = t.len;
	hmat_locality(&t, 0, 1000, 2, hmat_domains, values);
	t.p[cache + 8] = 1; /* of a memory-side cache */
	hmat_locality(&t, 0, 1ull << 40, 2, hmat_domains, values); /* overflow */
	hmat_locality(&t, 0, 0xffffffff, 2, hmat_domains, large);
	table_16(&t, 2); /* another kind of structure */
	table_16(&t, 0);
	table_32(&t, 32);
	table_zeros(&t, 24);
	CHECK(finish_with(&t) == NULL);
	CHECK(!r.bi.hmat_known);
	CHECK(!r.bi.broken);
}

TEST(hmat_sizes_that_do_not_fit)
{
	static const u16 values[] = {1, 2, 3, 4};
	static const u32 counts[] = {3, 0x40000000, 0x80000000, 0xffffffff};
	struct table t;

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(counts); i++) {
		run_begin(&r);
		add_nodes(2, 0);
		hmat_begin(&t, 2);
		hmat_locality(&t, 0, 1000, 2, hmat_domains, values);
		table_set(&t, 40 + 12 + 4 * (i % 2), counts[i / 2], 4);
		CHECK(finish_with(&t) == NULL);
		CHECK(!r.bi.hmat_known);
		CHECK(run_warned(&r, "HMAT+0x28"));
	}
}

/* Counts whose matrix has 2^64 + 2 bytes. */
TEST(hmat_size_that_wraps_around)
{
	static const u16 values[] = {1, 2, 3, 4};
	struct table t;

	run_begin(&r);
	add_nodes(2, 0);
	hmat_begin(&t, 2);
	hmat_locality(&t, 0, 1000, 2, hmat_domains, values);
	table_set(&t, 40 + 12, 0xb17953a5, 4);
	table_set(&t, 40 + 16, 0xb8a2b471, 4);
	CHECK(finish_with(&t) == NULL);
	CHECK(run_warned(&r, "do not fit"));
}

TEST(hmat_lengths_that_break_the_chain)
{
	static const u16 values[] = {1, 2, 3, 4};
	static const u32 lengths[] = {0, 7, 57, 0xffffffff};
	struct table t;

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		run_begin(&r);
		add_nodes(2, 0);
		hmat_begin(&t, 2);
		hmat_locality(&t, 0, 1000, 2, hmat_domains, values);
		hmat_locality(&t, 3, 1000, 2, hmat_domains, values);
		table_set(&t, 40 + 56 + 4, lengths[i], 4);
		CHECK(finish_with(&t) == NULL);
		CHECK_EQ(r.bi.hmat.read_latency_ps[0][0], 1000);
		CHECK_EQ(r.bi.hmat.read_bandwidth_mbps[0][0], 0);
		CHECK(run_warned(&r, "HMAT+0x60: structure length"));
	}
}

/* ---- order ---- */

static void build_order_tables(struct table t[5])
{
	static const u8 m[] = {10, 10, 10, 10, 10, 42, 10, 43, 10};
	static const u16 values[] = {1, 2, 3, 4};
	static const u32 domains[] = {2, 1};

	madt_begin(&t[0]);
	madt_lapic(&t[0], 0, 0, ENABLED);
	madt_lapic(&t[0], 1, 1, ENABLED);
	table_end(&t[0]);
	srat_begin(&t[1], 3);
	srat_apic(&t[1], 0, 2, ENABLED);
	srat_apic(&t[1], 1, 1, ENABLED);
	srat_memory(&t[1], 2, 0, GIB, ENABLED);
	table_end(&t[1]);
	slit_make(&t[2], 3, m, sizeof(m));
	hmat_begin(&t[3], 2);
	hmat_locality(&t[3], 0, 1000, 2, domains, values);
	table_end(&t[3]);
	spcr_make(&t[4], 0, 1, 8, 1, 0x3f8, 7);
}

TEST(order_of_tables_does_not_matter)
{
	static struct bootinfo expected;
	struct table t[5];

	build_order_tables(t);
	for (unsigned order = 0; order < 120; order++) {
		unsigned left[5] = {0, 1, 2, 3, 4}, n = order;

		run_begin(&r);
		for (unsigned size = 5; size; size--) { /* digits of a factorial number */
			unsigned pick = n % size;

			run_table(&r, &t[left[pick]]);
			left[pick] = left[size - 1];
			n /= size;
		}
		CHECK(run_finish(&r) == NULL);
		r.bi.acpi.seen = 0;
		if (!order)
			memcpy(&expected, &r.bi, sizeof(expected));
		CHECK(!memcmp(&expected, &r.bi, sizeof(expected)));
	}
	CHECK_EQ(expected.distance[0][1], 42);
	CHECK_EQ(expected.hmat.read_latency_ps[1][0], 2000);
	CHECK_EQ(expected.warning_count, 0);
	for (unsigned i = 0; i < 5; i++)
		table_free(&t[i]);
}
