/* ACPI table headers, MADT and the platform tables (SPCR, HPET, FADT, GTDT, DSDT). */
#include "check.h"
#include "tables.h"

static struct run r; /* large; every test begins with run_begin() */

/* ---- headers ---- */

TEST(table_without_header)
{
	run_begin(&r);
	CHECK(run_bytes(&r, "SRAT", 4) < 0);
	CHECK(run_bytes(&r, "SR", 2) < 0);
	CHECK(run_bytes(&r, "", 0) < 0);
	CHECK(run_warned(&r, "SRAT: 4 bytes are no table"));
	CHECK(run_warned(&r, "table: 2 bytes are no table"));
	CHECK(run_finish(&r) == NULL);
	CHECK(r.bi.broken);
	CHECK_EQ(r.bi.node_count, 1);
}

TEST(header_length_too_small)
{
	struct table t;

	run_begin(&r);
	madt_begin(&t);
	madt_lapic(&t, 0, 0, 1);
	table_end(&t);
	for (u32 len = 0; len < 36; len++) {
		run_begin(&r);
		table_set(&t, 4, len, 4);
		CHECK(run_table(&r, &t) < 0);
		CHECK(run_warned(&r, "MADT+0x4: length"));
		CHECK_EQ(r.bi.cpu_count, 0);
		CHECK(run_finish(&r) == NULL);
	}
	table_free(&t);
}

TEST(wrong_checksum_is_told_and_table_used)
{
	struct table t;

	run_begin(&r);
	madt_begin(&t);
	madt_lapic(&t, 0, 7, 1);
	table_end(&t);
	t.p[9]++;
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK(run_warned(&r, "MADT+0x9: checksum"));
	CHECK(r.bi.broken);
	CHECK_EQ(r.bi.cpu_count, 1);
	CHECK_EQ(r.bi.cpus[0].hw_id, 7);
	CHECK(run_finish(&r) == NULL);
	table_free(&t);
}

TEST(tables_with_a_header_and_little_else)
{
	static const char *const names[] = {"APIC", "SRAT", "SLIT", "HMAT",
					    "SPCR", "HPET", "FACP", "GTDT"};
	struct table t;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		run_begin(&r);
		table_begin(&t, names[i], 3);
		table_zeros(&t, 3);
		table_end(&t);
		CHECK(run_table(&r, &t) < 0);
		CHECK(run_warned(&r, ": 39 bytes, needs "));
		CHECK(run_finish(&r) == NULL);
		table_free(&t);
	}
}

TEST(unknown_tables_are_checked_and_ignored)
{
	struct table t;

	run_begin(&r);
	table_begin(&t, "WXYZ", 1);
	table_zeros(&t, 20);
	table_end(&t);
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK(!r.bi.broken);
	t.p[40] = 1;
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK(run_warned(&r, "WXYZ+0x9: checksum"));
	/* A signature of any bytes must not end up in the text of a warning as it is. */
	memcpy(t.p, "\"\\\n\xff", 4);
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK(run_warned(&r, "????+0x9"));
	CHECK(run_finish(&r) == NULL);
	table_free(&t);
}

TEST(tables_without_the_common_header)
{
	u8 facs[64] = "FACS";

	run_begin(&r);
	CHECK_EQ(run_bytes(&r, facs, sizeof(facs)), 0);
	memcpy(facs, "RSD PTR ", 8);
	CHECK_EQ(run_bytes(&r, facs, 36), 0);
	CHECK_EQ(run_bytes(&r, facs, 20), 0); /* revision 0 is no longer */
	CHECK(!r.bi.broken);
	CHECK(run_finish(&r) == NULL);
}

TEST(first_of_its_kind_counts)
{
	struct table t;

	run_begin(&r);
	for (unsigned i = 0; i < 3; i++) {
		madt_begin(&t);
		madt_lapic(&t, 0, (u8)(i + 5), 1);
		table_end(&t);
		CHECK_EQ(run_table(&r, &t), 0);
		table_free(&t);
	}
	CHECK_EQ(r.bi.cpu_count, 1);
	CHECK_EQ(r.bi.cpus[0].hw_id, 5);
	CHECK_EQ(r.bi.warning_count, 1);
	CHECK(run_warned(&r, "MADT: more than one table"));
	CHECK(run_finish(&r) == NULL);
}

TEST(no_tables_at_all)
{
	run_begin(&r);
	CHECK(run_finish(&r) == NULL);
	CHECK_EQ(r.bi.node_count, 1);
	CHECK_EQ(r.bi.distance[0][0], 10);
	CHECK(!r.bi.numa_known);
	CHECK(!r.bi.broken);
	CHECK(run_warned(&r, "SRAT: missing: one node"));
	CHECK(run_warned(&r, "MADT: missing"));
}

TEST(warnings_beyond_the_table_are_counted)
{
	run_begin(&r);
	for (unsigned i = 0; i < BOOT_MAX_WARNINGS + 5; i++)
		boot_warn(&r.bi, "number %u", i);
	CHECK_EQ(r.bi.warning_count, BOOT_MAX_WARNINGS);
	CHECK_EQ(r.bi.warning_dropped, 5);
	CHECK_STR(r.bi.warnings[BOOT_MAX_WARNINGS - 1], "number 47");
	run_begin(&r);
	boot_warn(&r.bi, "%0200u", 7u);
	CHECK_EQ(strlen(r.bi.warnings[0]), BOOT_WARNING_LEN - 1);
}

/* ---- MADT ---- */

TEST(madt_cpus_of_both_kinds)
{
	struct table t;

	run_begin(&r);
	madt_begin(&t);
	madt_lapic(&t, 0, 0, 1);
	madt_lapic(&t, 1, 4, 1);
	madt_lapic(&t, 2, 0xff, 0); /* empty socket */
	madt_lapic(&t, 3, 9, 0);
	madt_x2apic(&t, 0, 0, 1); /* the same CPUs again */
	madt_x2apic(&t, 1, 4, 1);
	madt_x2apic(&t, 300, 0x12345, 1);
	madt_x2apic(&t, 301, 0x12346, 2); /* only online-capable */
	madt_x2apic(&t, 302, 0x12347, 0);
	table_end(&t);
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK_EQ(r.bi.cpu_count, 3);
	CHECK_EQ(r.bi.cpu_disabled_count, 4);
	CHECK_EQ(r.bi.cpus[1].hw_id, 4);
	CHECK_EQ(r.bi.cpus[2].hw_id, 0x12345);
	CHECK_EQ(r.bi.cpus[2].acpi_uid, 300);
	CHECK_EQ(r.bi.x86.lapic_base, 0xfee00000);
	CHECK(r.bi.x86.has_8259);
	CHECK(!r.bi.broken);
	CHECK(run_finish(&r) == NULL);
	CHECK(!r.bi.broken);
	table_free(&t);
}

TEST(madt_same_cpu_twice)
{
	struct table t;

	run_begin(&r);
	madt_begin(&t);
	madt_lapic(&t, 0, 3, 1);
	madt_lapic(&t, 1, 3, 1);
	table_end(&t);
	run_table(&r, &t);
	CHECK_EQ(r.bi.cpu_count, 1);
	CHECK(run_warned(&r, "MADT+0x34: CPU 0x3 is listed twice"));
	CHECK(run_finish(&r) == NULL);
	table_free(&t);
}

TEST(madt_broadcast_ids_are_no_cpus)
{
	struct table t;

	run_begin(&r);
	madt_begin(&t);
	madt_lapic(&t, 0, 0xff, 1);
	madt_x2apic(&t, 1, 0xffffffff, 1);
	madt_x2apic(&t, 2, 0xff, 1); /* a good x2APIC id */
	table_end(&t);
	run_table(&r, &t);
	CHECK_EQ(r.bi.cpu_count, 1);
	CHECK_EQ(r.bi.cpus[0].hw_id, 0xff);
	CHECK(run_warned(&r, "MADT+0x2c: enabled CPU with the broadcast id"));
	CHECK(run_finish(&r) == NULL);
	table_free(&t);
}

TEST(madt_more_cpus_than_we_take)
{
	struct table t;

	run_begin(&r);
	madt_begin(&t);
	for (u32 i = 0; i < MAX_CPUS + 88; i++)
		madt_x2apic(&t, i, i * 2, 1);
	table_end(&t);
	run_table(&r, &t);
	CHECK_EQ(r.bi.cpu_count, MAX_CPUS);
	CHECK_EQ(r.bi.cpu_dropped_count, 88);
	CHECK(run_finish(&r) == NULL);
	CHECK(run_warned(&r, "MADT: 600 enabled CPUs, only 512 are used"));
	table_free(&t);
}

TEST(madt_interrupt_routing)
{
	static const u8 entries[] = {
		1,    12, 8,	0,  0x00, 0x00, 0xc0, 0xfe, 0,	  0, 0, 0, /* IOAPIC 8 */
		1,    12, 9,	0,  0x00, 0x10, 0xc0, 0xfe, 24,	  0, 0, 0, /* IOAPIC 9 */
		2,    10, 0,	0,  2,	  0,	0,    0,    0,	  0, /* IRQ 0 -> GSI 2 */
		2,    10, 0,	9,  9,	  0,	0,    0,    0x0d, 0, /* IRQ 9 level, high */
		2,    10, 1,	3,  3,	  0,	0,    0,    0,	  0, /* not ISA */
		2,    10, 0,	16, 3,	  0,	0,    0,    0,	  0, /* no such IRQ */
		3,    8,  0,	0,  5,	  0,	0,    0, /* NMI source: skipped */
		4,    6,  0xff, 5,  0,	  1, /* NMI on LINT1 */
		4,    6,  0,	5,  0,	  9, /* no such input */
		5,    12, 0,	0,  0,	  0,	0xe0, 0xfe, 1,	  0, 0, 0, /* LAPIC at 1fee00000 */
		10,   12, 5,	0,  0xff, 0xff, 0xff, 0xff, 0,	  0, 0, 0, /* x2APIC NMI: agrees or not */
		15,   20, 0,	0,  0,	  0,	0,    0,    0,	  0, 0, 0, 0, 0, 0, 0, 0,
		0,    0,  0, /* ITS: skipped */
		16,   16, 0,	0,  0,	  0,	0,    0,    0,	  0, 0, 0, 0, 0, 0, 0, /* wakeup: skipped */
		0x7f, 2, /* reserved: skipped */
		1,    12, 7,	0,  0,	  0,	0,    0,    0,	  0, 0, 0, /* IOAPIC at 0 */
	};
	struct table t;

	run_begin(&r);
	madt_begin(&t);
	table_bytes(&t, entries, sizeof(entries));
	madt_lapic(&t, 0, 0, 1);
	table_end(&t);
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK_EQ(r.bi.x86.ioapic_count, 2);
	CHECK_EQ(r.bi.x86.ioapics[1].base, 0xfec01000);
	CHECK_EQ(r.bi.x86.ioapics[1].gsi_base, 24);
	CHECK(r.bi.x86.isa_irq[0].moved);
	CHECK_EQ(r.bi.x86.isa_irq[0].gsi, 2);
	CHECK_EQ(r.bi.x86.isa_irq[9].flags, 0x0d);
	CHECK(!r.bi.x86.isa_irq[3].moved);
	CHECK(r.bi.x86.nmi_known);
	CHECK_EQ(r.bi.x86.nmi_lint, 1);
	CHECK_EQ(r.bi.x86.lapic_base, 0x1fee00000);
	CHECK_EQ(r.bi.cpu_count, 1);
	CHECK_EQ(r.bi.warning_count, 4);
	CHECK(run_finish(&r) == NULL);
	table_free(&t);
}

TEST(madt_entries_that_break_the_chain)
{
	static const struct {
		u8 bytes[4];
		unsigned len;
		const char *warning;
	} cases[] = {
		{{0, 0, 0, 0}, 4, "MADT+0x34: entry length 0 of type 0"},
		{{9, 1, 0, 0}, 4, "MADT+0x34: entry length 1 of type 9"},
		{{0, 8, 0, 0}, 4, "MADT+0x34: entry length 8 of type 0, 4 left"},
		{{0, 255, 0, 0}, 4, "MADT+0x34: entry length 255"},
		{{0}, 1, "MADT+0x34: entry length 0 of type 0, 1 left"},
	};
	struct table t;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		run_begin(&r);
		madt_begin(&t);
		madt_lapic(&t, 0, 1, 1);
		table_bytes(&t, cases[i].bytes, cases[i].len);
		table_end(&t);
		CHECK_EQ(run_table(&r, &t), 0);
		CHECK_EQ(r.bi.cpu_count, 1);
		CHECK_EQ(r.bi.warning_count, 1);
		CHECK(run_warned(&r, cases[i].warning));
		CHECK(run_finish(&r) == NULL);
		table_free(&t);
	}
}

TEST(madt_short_entry_is_stepped_over)
{
	static const u8 entry[] = {9, 12, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};
	struct table t;

	run_begin(&r);
	madt_begin(&t);
	table_bytes(&t, entry, sizeof(entry));
	madt_lapic(&t, 0, 6, 1);
	table_end(&t);
	run_table(&r, &t);
	CHECK_EQ(r.bi.cpu_count, 1);
	CHECK_EQ(r.bi.cpus[0].hw_id, 6);
	CHECK(run_warned(&r, "MADT+0x2c: entry length 12 of type 9, needs 16"));
	CHECK(run_finish(&r) == NULL);
	table_free(&t);
}

TEST(madt_without_cpus)
{
	struct table t;

	run_begin(&r);
	madt_begin(&t);
	madt_lapic(&t, 0, 6, 0);
	table_end(&t);
	run_table(&r, &t);
	CHECK(run_finish(&r) == NULL);
	CHECK_EQ(r.bi.cpu_count, 0);
	CHECK(run_warned(&r, "MADT: no enabled CPU"));
	CHECK(r.bi.broken);
	table_free(&t);
}

TEST(madt_arm64)
{
	struct table t;

	run_begin(&r);
	madt_begin(&t);
	madt_gicd(&t, 0x8000000, 0);
	madt_gicc(&t, 0, 0x80000000, 0, 1); /* bit 31 of MPIDR is no affinity */
	madt_gicc(&t, 1, 0x0000000100030001, 0x80c0000, 1);
	madt_gicc(&t, 2, 0x30000, 0, 0);
	madt_gicc(&t, 3, 0x30001, 0, 8); /* only online-capable */
	table_8(&t, 14);
	table_8(&t, 16);
	table_16(&t, 0);
	table_64(&t, 0x80a0000);
	table_32(&t, 0xf60000);
	table_end(&t);
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK(run_finish(&r) == NULL);
	CHECK_EQ(r.bi.cpu_count, 2);
	CHECK_EQ(r.bi.cpu_disabled_count, 2);
	CHECK_EQ(r.bi.cpus[0].hw_id, 0);
	CHECK_EQ(r.bi.cpus[1].hw_id, 0x100030001);
	CHECK_EQ(r.bi.cpus[1].acpi_uid, 1);
	CHECK_EQ(r.bi.cpus[1].gicr_base, 0x80c0000);
	CHECK_EQ(r.bi.arm64.gicd_base, 0x8000000);
	CHECK_EQ(r.bi.arm64.gicc_base, 0x2c000000);
	CHECK_EQ(r.bi.arm64.gicr_count, 1);
	CHECK_EQ(r.bi.arm64.gicr[0].base, 0x80a0000);
	CHECK_EQ(r.bi.arm64.gicr[0].len, 0xf60000);
	CHECK_EQ(r.bi.arm64.gic_version, 3); /* not said, but there are redistributors */
	table_free(&t);
}

TEST(madt_gic_versions)
{
	static const u8 expected[] = {0, 2, 2, 3, 3, 0};
	struct table t;

	for (u8 version = 0; version < ARRAY_SIZE(expected); version++) {
		run_begin(&r);
		madt_begin(&t);
		madt_gicd(&t, 0x8000000, version);
		madt_gicc(&t, 0, 0, 0, 1);
		table_end(&t);
		run_table(&r, &t);
		CHECK(run_finish(&r) == NULL);
		CHECK_EQ(r.bi.arm64.gic_version, expected[version]);
		CHECK_EQ(r.bi.broken, version > 4);
		table_free(&t);
	}
}

/* ---- console, clocks, power ---- */

static void spcr(u8 interface, u8 space, u8 width, u8 access, u64 addr, u8 baud)
{
	struct table t;

	run_begin(&r);
	spcr_make(&t, interface, space, width, access, addr, baud);
	run_table(&r, &t);
	table_free(&t);
}

TEST(spcr_kinds_of_port)
{
	const struct boot_console *c = &r.bi.console;

	spcr(0, 1, 8, 1, 0x2f8, 7);
	CHECK_EQ(c->type, BOOT_CONSOLE_16550_IO);
	CHECK_EQ(c->base, 0x2f8);
	CHECK_EQ(c->baud, 115200);
	CHECK_EQ(c->reg_width, 1);
	CHECK_EQ(c->reg_stride, 1);
	spcr(0x12, 0, 32, 3, 0xfedc0000000, 4);
	CHECK_EQ(c->type, BOOT_CONSOLE_16550_MMIO);
	CHECK_EQ(c->base, 0xfedc0000000);
	CHECK_EQ(c->reg_width, 4);
	CHECK_EQ(c->reg_stride, 4);
	spcr(1, 0, 32, 1, 0x1000, 3);
	CHECK_EQ(c->baud, 9600);
	CHECK_EQ(c->reg_width, 1);
	CHECK_EQ(c->reg_stride, 4);
	spcr(3, 0, 32, 3, 0x9000000, 0);
	CHECK_EQ(c->type, BOOT_CONSOLE_PL011);
	CHECK_EQ(c->baud, 0);
	CHECK_EQ(c->reg_stride, 4);
	spcr(0x0e, 0, 32, 3, 0x9000000, 6);
	CHECK_EQ(c->type, BOOT_CONSOLE_SBSA);
	CHECK(!r.bi.broken);
}

TEST(spcr_none_and_nonsense)
{
	const struct boot_console *c = &r.bi.console;

	spcr(0, 1, 8, 1, 0, 7);
	CHECK_EQ(c->type, BOOT_CONSOLE_NONE);
	CHECK(!r.bi.broken);
	spcr(0x55, 0, 8, 1, 0x1000, 7);
	CHECK_EQ(c->type, BOOT_CONSOLE_UNKNOWN);
	CHECK(run_warned(&r, "SPCR+0x24: interface type 0x55"));
	spcr(3, 1, 8, 1, 0x3f8, 7); /* a PL011 on an I/O port */
	CHECK_EQ(c->type, BOOT_CONSOLE_UNKNOWN);
	spcr(0, 1, 8, 1, 0x12345, 7);
	CHECK_EQ(c->type, BOOT_CONSOLE_UNKNOWN);
	CHECK(run_warned(&r, "SPCR+0x2c: I/O port 0x12345"));
	spcr(0, 0, 7, 9, 0x1000, 99);
	CHECK_EQ(c->type, BOOT_CONSOLE_16550_MMIO);
	CHECK_EQ(c->reg_width, 1);
	CHECK_EQ(c->reg_stride, 1);
	CHECK_EQ(c->baud, 0);
	CHECK(run_warned(&r, "SPCR+0x29: registers of 7 bits, access size 9"));
	CHECK(run_warned(&r, "SPCR+0x3a: baud rate code 99"));
}

TEST(spcr_of_nvidia)
{
	spcr(5, 0, 32, 3, 0x1000, 7);
	CHECK_EQ(r.bi.console.type, BOOT_CONSOLE_16550_MMIO);
	CHECK_EQ(r.bi.console.reg_stride, 4);
}

/* What the table says of these machines' registers and rate is wrong. */
TEST(spcr_of_xgene)
{
	static const struct {
		const char *names; /* OEM, table */
		u32 revision;
		u8 interface, width;
	} machines[] = {
		{"APMC0DXGENESPC", 0, 0, 4}, {"HPE   ProLiant", 1, 0, 4},
		{"APMC0DXGENESPC", 1, 0, 1}, {"APMC0DXGENESPD", 0, 0, 1},
		{"APMC0DXGENESPC", 0, 1, 1},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(machines); i++) {
		struct table t;

		run_begin(&r);
		spcr_make(&t, machines[i].interface, 0, 8, 1, 0x1c020000, 7);
		memcpy(t.p + 10, machines[i].names, 14);
		table_set(&t, 24, machines[i].revision, 4);
		table_end(&t);
		run_table(&r, &t);
		CHECK_EQ(r.bi.console.reg_width, machines[i].width);
		CHECK_EQ(r.bi.console.reg_stride, machines[i].width);
		CHECK_EQ(r.bi.console.baud, machines[i].width == 4 ? 0 : 115200);
		table_free(&t);
	}
}

TEST(spcr_precise_baud_rate)
{
	struct table t;

	run_begin(&r);
	spcr_make(&t, 0, 1, 8, 1, 0x3f8, 7);
	table_zeros(&t, 8);
	table_set(&t, 80, 921600, 4);
	t.p[8] = 4;
	table_end(&t);
	run_table(&r, &t);
	CHECK_EQ(r.bi.console.baud, 921600);
	CHECK(!r.bi.broken);
	table_free(&t);
}

TEST(hpet)
{
	struct table t;

	run_begin(&r);
	hpet_make(&t, 0xfed00000);
	run_table(&r, &t);
	CHECK_EQ(r.bi.x86.hpet_base, 0xfed00000);
	table_free(&t);
	hpet_make(&t, 0xfed01000); /* a second block is normal, and not needed */
	run_table(&r, &t);
	CHECK_EQ(r.bi.x86.hpet_base, 0xfed00000);
	CHECK(!r.bi.broken);
	run_begin(&r);
	t.p[40] = 1; /* in I/O space */
	table_end(&t);
	run_table(&r, &t);
	CHECK_EQ(r.bi.x86.hpet_base, 0);
	CHECK(run_warned(&r, "HPET+0x28"));
	table_free(&t);
}

TEST(mcfg)
{
	struct table t;

	run_begin(&r);
	table_begin(&t, "MCFG", 1);
	table_zeros(&t, 8);
	table_64(&t, 0xc0000000);
	table_16(&t, 1); /* another segment */
	table_zeros(&t, 6);
	table_64(&t, 0xb0000000);
	table_16(&t, 0);
	table_8(&t, 2);
	table_8(&t, 9);
	table_zeros(&t, 4);
	table_end(&t);
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK(r.bi.pci.ecam.known && !r.bi.broken);
	CHECK_EQ(r.bi.pci.ecam.base, 0xb0000000);
	CHECK_EQ(r.bi.pci.ecam.bus_first, 2);
	CHECK_EQ(r.bi.pci.ecam.bus_last, 9);
	run_begin(&r);
	table_set(&t, 71, 1, 1); /* the last bus is before the first */
	table_end(&t);
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK(!r.bi.pci.ecam.known);
	CHECK(run_warned(&r, "MCFG+0x3c: buses 2 to 1"));
	table_free(&t);
}

TEST(fadt_old)
{
	struct table t;

	run_begin(&r);
	fadt_make(&t, 116);
	table_set(&t, 40, 0x7ffe0040, 4);
	table_end(&t);
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK_EQ(r.bi.x86.pm_timer_port, 0x608);
	CHECK(!r.bi.x86.pm_timer_32bit);
	CHECK_EQ(r.bi.x86.pm1a_cnt_port, 0x604);
	CHECK_EQ(r.bi.x86.pm1b_cnt_port, 0);
	CHECK_EQ(r.bi.x86.smi_cmd_port, 0xb2);
	CHECK_EQ(r.bi.x86.acpi_enable, 2);
	CHECK_EQ(r.bi.x86.reset_addr, 0);
	CHECK_EQ(r.bi.acpi.dsdt, 0x7ffe0040);
	CHECK_EQ(r.bi.arm64.psci, BOOT_PSCI_NONE);
	CHECK(!r.bi.broken);
	table_free(&t);
}

TEST(fadt_new)
{
	struct table t;

	run_begin(&r);
	fadt_make(&t, 276);
	table_set(&t, 112, 1 << 8 | 1 << 10, 4);
	table_set(&t, 116, 1 | 8 << 8, 4); /* reset register: I/O, 8 bits */
	table_set(&t, 120, 0xcf9, 8);
	table_set(&t, 128, 6, 1);
	table_set(&t, 129, 3, 2); /* PSCI by HVC */
	table_set(&t, 140, 0x123456789000, 8);
	table_set(&t, 208, 1 | 32 << 8, 4); /* X_PM_TMR_BLK */
	table_set(&t, 212, 0x408, 8);
	table_set(&t, 184, 1 | 16 << 8, 4); /* X_PM1b_CNT_BLK */
	table_set(&t, 188, 0x504, 8);
	table_end(&t);
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK_EQ(r.bi.x86.pm_timer_port, 0x408);
	CHECK(r.bi.x86.pm_timer_32bit);
	CHECK_EQ(r.bi.x86.pm1a_cnt_port, 0x604);
	CHECK_EQ(r.bi.x86.pm1b_cnt_port, 0x504);
	CHECK_EQ(r.bi.x86.reset_space, 1);
	CHECK_EQ(r.bi.x86.reset_addr, 0xcf9);
	CHECK_EQ(r.bi.x86.reset_value, 6);
	CHECK_EQ(r.bi.arm64.psci, BOOT_PSCI_HVC);
	CHECK_EQ(r.bi.acpi.dsdt, 0x123456789000);
	CHECK(!r.bi.broken);
	table_free(&t);
}

TEST(fadt_names_a_hypervisor)
{
	static const struct {
		const char *field, *maker, *hypervisor;
		size_t len;
	} cases[] = {
		{"KVM\0\0\0\0\0", "TARRY ", "KVM", 276},
		{"QEMUHVF8", "TARRY ", "QEMUHVF8", 276},
		{"\0\0\0\0\0\0\0\0", "TARRY ", "", 276},
		{"\1KVM\0\0\0\0", "TARRY ", "unnamed", 276},
		{"KVM\0\0\0\0\0", "TARRY ", "", 268}, /* older tables end before the field */
		{"\0\0\0\0\0\0\0\0", "BOCHS ", "BOCHS", 276},
		{"", "VRTUAL", "VRTUAL", 116},
		{"\0\0\0\0\0\0\0\0", "BOCHSX", "", 276},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct table t;

		run_begin(&r);
		fadt_make(&t, cases[i].len);
		memcpy(t.p + 10, cases[i].maker, 6);
		if (cases[i].len >= 276)
			memcpy(t.p + 268, cases[i].field, 8);
		table_end(&t);
		CHECK_EQ(run_table(&r, &t), 0);
		CHECK_STR(r.bi.hypervisor, cases[i].hypervisor);
		table_free(&t);
	}
}

TEST(fadt_hardware_reduced)
{
	struct table t;

	run_begin(&r);
	fadt_make(&t, 276);
	table_set(&t, 112, 1 << 20, 4);
	table_set(&t, 129, 1, 2); /* PSCI by SMC */
	table_set(&t, 248, 0xfea00200, 8); /* sleep control, in memory */
	table_end(&t);
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK(r.bi.x86.hw_reduced);
	CHECK_EQ(r.bi.x86.pm_timer_port, 0);
	CHECK_EQ(r.bi.x86.pm1a_cnt_port, 0);
	CHECK_EQ(r.bi.x86.sleep_addr, 0xfea00200);
	CHECK_EQ(r.bi.arm64.psci, BOOT_PSCI_SMC);
	table_free(&t);
}

TEST(fadt_ports_out_of_range)
{
	struct table t;

	run_begin(&r);
	fadt_make(&t, 244);
	table_set(&t, 64, 0x10604, 4);
	table_set(&t, 76, 0, 4);
	table_set(&t, 212, 0xfed80000, 8); /* PM timer in memory only */
	table_set(&t, 112, 1 << 10, 4);
	table_set(&t, 116, 2, 1); /* reset through PCI configuration space */
	table_set(&t, 120, 0xcf9, 8);
	table_end(&t);
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK_EQ(r.bi.x86.pm1a_cnt_port, 0);
	CHECK_EQ(r.bi.x86.pm_timer_port, 0);
	CHECK_EQ(r.bi.x86.reset_addr, 0);
	CHECK(run_warned(&r, "FADT: PM1a control at I/O port 0x10604"));
	CHECK(run_warned(&r, "FADT+0xd0: PM timer in address space 0"));
	CHECK(run_warned(&r, "FADT+0x74: reset register"));
	table_free(&t);
}

TEST(fadt_timer_of_unknown_length)
{
	struct table t;

	run_begin(&r);
	fadt_make(&t, 244);
	table_set(&t, 91, 0, 1); /* how a table says that there is none */
	table_end(&t);
	CHECK_EQ(run_table(&r, &t), 0);
	CHECK_EQ(r.bi.x86.pm_timer_port, 0);
	CHECK_EQ(r.bi.x86.pm1a_cnt_port, 0x604);
	table_free(&t);
}

TEST(gtdt)
{
	struct table t;

	run_begin(&r);
	gtdt_make(&t, 27);
	run_table(&r, &t);
	CHECK_EQ(r.bi.arm64.timer_ppi, 27);
	table_free(&t);
	run_begin(&r);
	gtdt_make(&t, 33); /* a shared interrupt */
	run_table(&r, &t);
	CHECK_EQ(r.bi.arm64.timer_ppi, 0);
	CHECK(run_warned(&r, "GTDT+0x40"));
	table_free(&t);
}

TEST(sleep_package)
{
	struct table t;

	run_begin(&r);
	dsdt_make(&t, 5, 7);
	run_table(&r, &t);
	CHECK(r.bi.x86.s5_known);
	CHECK_EQ(r.bi.x86.s5_typ_a, 5);
	CHECK_EQ(r.bi.x86.s5_typ_b, 7);
	table_free(&t);

	run_begin(&r);
	dsdt_make(&t, 8, 0);
	run_table(&r, &t);
	CHECK(!r.bi.x86.s5_known);
	CHECK(run_warned(&r, "_S5_ of 8, 0"));
	table_free(&t);
}

/* The encodings that compilers use, and near misses. */
TEST(sleep_package_encodings)
{
	static const struct {
		u8 aml[20];
		bool known;
		u8 a, b;
	} cases[] = {
		{{8, '\\', '_', 'S', '5', '_', 0x12, 6, 4, 0, 1, 0, 0}, true, 0, 1},
		{{8, '_', 'S', '5', '_', 0x12, 0x41, 0, 2, 1, 0x0b, 7, 0}, true, 1, 7},
		{{8, '_', 'S', '5', '_', 0x12, 9, 2, 0x0c, 6, 0, 0, 0, 0x0a, 5}, true, 6, 5},
		{{8, '_', 'S', '5', '_', 0x12, 4, 1, 0x0a, 5}, false, 0, 0}, /* one element */
		{{8, '_', 'S', '5', '_', 0x12, 4, 2, 0x0e, 5}, false, 0, 0}, /* a QWord */
		{{8, '_', 'S', '5', '_', 0x13, 6, 4, 0, 1}, false, 0, 0}, /* no package */
		{{9, '_', 'S', '5', '_', 0x12, 6, 4, 0, 1}, false, 0, 0}, /* no name */
	};
	struct table t;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t len = 0; len <= sizeof(cases[i].aml); len++) {
			run_begin(&r);
			table_begin(&t, "SSDT", 2);
			table_bytes(&t, cases[i].aml, len);
			table_end(&t);
			CHECK_EQ(run_table(&r, &t), 0);
			if (r.bi.x86.s5_known) {
				CHECK_EQ(r.bi.x86.s5_typ_a, cases[i].a);
				CHECK_EQ(r.bi.x86.s5_typ_b, cases[i].b);
			}
			CHECK(!r.bi.x86.s5_known || cases[i].known);
			CHECK(run_finish(&r) == NULL);
			table_free(&t);
		}
		CHECK_EQ(r.bi.x86.s5_known, cases[i].known);
	}
}
