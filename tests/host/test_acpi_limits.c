/* ACPI tables at the limits of what is taken: each from both sides. */
#include "check.h"
#include "tables.h"

static struct run r; /* large; every test begins with run_begin() */

static void parse(struct table *t)
{
	table_end(t);
	run_begin(&r);
	run_table(&r, t);
	table_free(t);
}

/* ---- console ---- */

static void spcr(u8 interface, u8 space, u8 width, u8 access, u64 addr, u8 baud)
{
	struct table t;

	spcr_make(&t, interface, space, width, access, addr, baud);
	parse(&t);
}

TEST(limits_spcr_types)
{
	static const struct {
		u8 interface, io, mmio;
	} cases[] = {
		{0x00, BOOT_CONSOLE_16550_IO, BOOT_CONSOLE_16550_MMIO},
		{0x01, BOOT_CONSOLE_16550_IO, BOOT_CONSOLE_16550_MMIO},
		{0x02, BOOT_CONSOLE_UNKNOWN, BOOT_CONSOLE_UNKNOWN},
		{0x03, BOOT_CONSOLE_UNKNOWN, BOOT_CONSOLE_PL011},
		{0x04, BOOT_CONSOLE_UNKNOWN, BOOT_CONSOLE_UNKNOWN},
		{0x05, BOOT_CONSOLE_16550_IO, BOOT_CONSOLE_16550_MMIO},
		{0x06, BOOT_CONSOLE_UNKNOWN, BOOT_CONSOLE_UNKNOWN},
		{0x0c, BOOT_CONSOLE_UNKNOWN, BOOT_CONSOLE_UNKNOWN},
		{0x0d, BOOT_CONSOLE_UNKNOWN, BOOT_CONSOLE_SBSA},
		{0x0e, BOOT_CONSOLE_UNKNOWN, BOOT_CONSOLE_SBSA},
		{0x0f, BOOT_CONSOLE_UNKNOWN, BOOT_CONSOLE_UNKNOWN},
		{0x11, BOOT_CONSOLE_UNKNOWN, BOOT_CONSOLE_UNKNOWN},
		{0x12, BOOT_CONSOLE_16550_IO, BOOT_CONSOLE_16550_MMIO},
		{0x13, BOOT_CONSOLE_UNKNOWN, BOOT_CONSOLE_UNKNOWN},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		spcr(cases[i].interface, 1, 8, 1, 0x3f8, 7);
		CHECK_EQ(r.bi.console.type, cases[i].io);
		spcr(cases[i].interface, 0, 32, 3, 0x1000, 7);
		CHECK_EQ(r.bi.console.type, cases[i].mmio);
		spcr(cases[i].interface, 2, 8, 1, 0x3f8, 7); /* PCI configuration space */
		CHECK_EQ(r.bi.console.type, BOOT_CONSOLE_UNKNOWN);
		CHECK(run_warned(&r, "in address space 2: no driver"));
	}
}

/* Eight ports, the last of them 0xffff. */
TEST(limits_spcr_io_port)
{
	spcr(0, 1, 8, 1, 0xfff8, 7);
	CHECK_EQ(r.bi.console.base, 0xfff8);
	CHECK_EQ(r.bi.console.type, BOOT_CONSOLE_16550_IO);
	spcr(0, 1, 8, 1, 0xfff9, 7);
	CHECK_EQ(r.bi.console.type, BOOT_CONSOLE_UNKNOWN);
	CHECK_EQ(r.bi.console.base, 0);
	spcr(0, 0, 8, 1, 0xfff9, 7); /* in memory it is an address like others */
	CHECK_EQ(r.bi.console.base, 0xfff9);
}

TEST(limits_spcr_baud_codes)
{
	static const u32 rates[] = {0, 0, 0, 9600, 19200, 0, 57600, 115200, 0};
	struct table t;

	for (u8 code = 0; code < ARRAY_SIZE(rates); code++) {
		spcr(0, 1, 8, 1, 0x3f8, code);
		CHECK_EQ(r.bi.console.baud, rates[code]);
		CHECK_EQ(run_warned(&r, "SPCR+0x3a: baud rate code"), code && !rates[code]);
	}
	/* Revision 3 has other things where 4 has the rate; 0 there is no rate. */
	for (u8 revision = 3; revision <= 4; revision++) {
		for (u32 rate = 0; rate <= 921600; rate += 921600) {
			spcr_make(&t, 0, 1, 8, 1, 0x3f8, 7);
			table_zeros(&t, 8);
			table_set(&t, 80, rate, 4);
			t.p[8] = revision;
			parse(&t);
			CHECK_EQ(r.bi.console.baud, revision == 4 && rate ? rate : 115200);
		}
	}
}

TEST(limits_spcr_registers)
{
	static const struct {
		u8 width, access, reg_width, stride;
		bool told;
	} cases[] = {
		{8, 0, 1, 1, false},  {8, 1, 1, 1, false}, {16, 2, 2, 2, false},
		{32, 3, 4, 4, false}, {8, 4, 1, 1, true},  {24, 1, 1, 3, false},
		{32, 1, 1, 4, false}, {33, 1, 1, 1, true}, {40, 1, 1, 1, true},
		{7, 1, 1, 1, true},   {0, 3, 4, 4, false}, {8, 3, 4, 4, false},
		{31, 1, 1, 1, true},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		spcr(0, 0, cases[i].width, cases[i].access, 0x1000, 7);
		CHECK_EQ(r.bi.console.reg_width, cases[i].reg_width);
		CHECK_EQ(r.bi.console.reg_stride, cases[i].stride);
		CHECK_EQ(run_warned(&r, "SPCR+0x29"), cases[i].told);
		spcr(3, 0, cases[i].width, cases[i].access, 0x1000, 7);
		CHECK_EQ(r.bi.console.reg_width, 4);
		CHECK_EQ(r.bi.console.reg_stride, 4);
	}
}

/* ---- clocks and power ---- */

TEST(limits_hpet)
{
	struct table t;

	hpet_make(&t, 0);
	parse(&t);
	CHECK(run_warned(&r, "HPET+0x28: address 0x0 in space 0: not used"));
	hpet_make(&t, 1);
	parse(&t);
	CHECK_EQ(r.bi.x86.hpet_base, 1);
}

static void fadt(size_t len, u64 off, u64 value, size_t size, u64 off2, u64 value2, size_t size2)
{
	struct table t;

	fadt_make(&t, len);
	table_set(&t, off, value, size);
	table_set(&t, off2, value2, size2);
	parse(&t);
}

TEST(limits_fadt_ports)
{
	const struct boot_x86 *x = &r.bi.x86;

	for (u64 port = 0xfffe; port <= 0x10001; port++) {
		u64 taken = port <= 0xffff ? port : 0;

		fadt(244, 64, port, 4, 68, port, 4);
		CHECK_EQ(x->pm1a_cnt_port, taken);
		CHECK_EQ(x->pm1b_cnt_port, taken);
		CHECK_EQ(run_warned(&r, "PM1a control at I/O port"), port > 0xffff);
		fadt(244, 76, port, 4, 48, port, 4);
		CHECK_EQ(x->pm_timer_port, taken);
		CHECK_EQ(x->smi_cmd_port, taken);
		CHECK_EQ(x->acpi_enable, taken ? 2 : 0);
		fadt(244, 172, 1, 1, 176, port, 8); /* the 64-bit description wins */
		CHECK_EQ(x->pm1a_cnt_port, taken);
		fadt(244, 172, 0, 1, 176, port, 8); /* in memory: the old one is left */
		CHECK_EQ(x->pm1a_cnt_port, 0x604);
		CHECK(!run_warned(&r, "PM1a control in address space"));
	}
	fadt(244, 52, 0, 1, 91, 3, 1); /* cannot be switched on; a timer of 3 bytes */
	CHECK_EQ(x->smi_cmd_port, 0);
	CHECK_EQ(x->pm_timer_port, 0);
	fadt(244, 91, 5, 1, 112, 0, 4);
	CHECK_EQ(x->pm_timer_port, 0);
}

TEST(limits_fadt_flags)
{
	for (unsigned bit = 0; bit < 32; bit++) {
		struct table t;

		fadt_make(&t, 276);
		table_set(&t, 112, 1u << bit, 4);
		table_set(&t, 116, 1, 1);
		table_set(&t, 120, 0xcf9, 8);
		parse(&t);
		CHECK_EQ(r.bi.x86.pm_timer_32bit, bit == 8);
		CHECK_EQ(r.bi.x86.reset_addr, bit == 10 ? 0xcf9 : 0);
		CHECK_EQ(r.bi.x86.hw_reduced, bit == 20);
	}
	for (unsigned bit = 0; bit < 16; bit++) {
		fadt(276, 129, 1u << bit, 2, 112, 0, 4);
		CHECK_EQ(r.bi.arm64.psci, bit ? BOOT_PSCI_NONE : BOOT_PSCI_SMC);
		fadt(276, 129, 1u << bit | 1, 2, 112, 0, 4);
		CHECK_EQ(r.bi.arm64.psci, bit == 1 ? BOOT_PSCI_HVC : BOOT_PSCI_SMC);
	}
}

/* space, address; 0: not used */
static u64 reset_at(u8 space, u64 addr)
{
	struct table t;

	fadt_make(&t, 276);
	table_set(&t, 112, 1 << 10, 4);
	table_set(&t, 116, space, 1);
	table_set(&t, 120, addr, 8);
	table_set(&t, 128, 6, 1);
	parse(&t);
	return r.bi.x86.reset_addr;
}

TEST(limits_fadt_reset)
{
	CHECK_EQ(reset_at(1, 0xffff), 0xffff);
	CHECK_EQ(r.bi.x86.reset_space, 1);
	CHECK_EQ(r.bi.x86.reset_value, 6);
	CHECK_EQ(reset_at(1, 0x10000), 0);
	CHECK(run_warned(&r, "FADT+0x74"));
	CHECK_EQ(reset_at(0, 0x10000), 0x10000);
	CHECK_EQ(r.bi.x86.reset_space, 0);
	CHECK_EQ(reset_at(2, 0x100), 0);
	CHECK(run_warned(&r, "FADT+0x74"));
	CHECK_EQ(reset_at(2, 0), 0);
	CHECK(!run_warned(&r, "FADT+0x74"));
	for (u8 space = 0; space <= 2; space++) { /* sleep control */
		fadt(276, 244, space, 1, 248, 0x404, 8);
		CHECK_EQ(r.bi.x86.sleep_addr, space < 2 ? 0x404 : 0);
		CHECK_EQ(r.bi.x86.sleep_space, space < 2 ? space : 0);
	}
}

/* A table that ends inside a field does not have it; behind it, it does. */
TEST(limits_fadt_lengths)
{
	static const struct {
		size_t end;
		u64 value;
	} fields[] = {{44, 0x1234}, {148, 0x1122334455667788}};

	for (size_t len = 44; len <= 150; len++) {
		struct table t;

		table_begin(&t, "FACP", 6);
		table_zeros(&t, len - t.len);
		table_set(&t, 40, fields[0].value, 4);
		if (len >= 148)
			table_set(&t, 140, fields[1].value, 8);
		else
			for (u64 at = 140; at < len; at++)
				table_set(&t, at, 0x55, 1);
		parse(&t);
		CHECK_EQ(r.bi.acpi.dsdt, fields[len >= fields[1].end].value);
	}
}

TEST(limits_gtdt)
{
	static const struct {
		u32 intid;
		bool taken;
	} cases[] = {{15, false},   {16, true},	  {31, true},	{32, false},  {27, true},
		     {1055, false}, {1056, true}, {1119, true}, {1120, false}};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct table t;

		gtdt_make(&t, cases[i].intid);
		parse(&t);
		CHECK_EQ(r.bi.arm64.timer_ppi, cases[i].taken ? cases[i].intid : 0);
		CHECK_EQ(run_warned(&r, "GTDT+0x40"), !cases[i].taken);
	}
}

TEST(limits_sleep_types)
{
	for (u8 type = 6; type <= 8; type++) {
		struct table t;

		dsdt_make(&t, type, 0);
		parse(&t);
		CHECK_EQ(r.bi.x86.s5_known, type <= 7);
		dsdt_make(&t, 0, type);
		parse(&t);
		CHECK_EQ(r.bi.x86.s5_known, type <= 7);
		CHECK_EQ(run_warned(&r, "_S5_ of 0, 8: not used"), type > 7);
	}
}

/* ---- tables as such ---- */

/* The least that there is something to use in. */
TEST(limits_shortest_tables)
{
	static const struct {
		const char *signature, *name;
		size_t least;
	} kinds[] = {{"APIC", "MADT", 44}, {"SRAT", "SRAT", 48}, {"SLIT", "SLIT", 44},
		     {"HMAT", "HMAT", 40}, {"SPCR", "SPCR", 52}, {"HPET", "HPET", 52},
		     {"FACP", "FADT", 44}, {"GTDT", "GTDT", 72}, {"DSDT", "DSDT", 36},
		     {"SSDT", "SSDT", 36}};

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (size_t len = MAX(kinds[i].least - 1, (size_t)36); len <= kinds[i].least;
		     len++) {
			struct table t;
			char text[64];

			table_begin(&t, kinds[i].signature, 1);
			table_zeros(&t, len - t.len);
			table_end(&t);
			run_begin(&r);
			CHECK_EQ(!run_table(&r, &t), len == kinds[i].least);
			sprintf(text, "%s: %zu bytes, needs %zu", kinds[i].name, len,
				kinds[i].least);
			CHECK_EQ(run_warned(&r, text), len < kinds[i].least);
			CHECK(run_finish(&r) == NULL);
			table_free(&t);
		}
	}
}

/* Which kinds may come several times. */
TEST(limits_tables_that_repeat)
{
	static const struct {
		const char *signature;
		bool many;
	} kinds[] = {{"APIC", false}, {"SRAT", false}, {"SLIT", false}, {"HMAT", false},
		     {"SPCR", false}, {"HPET", true},  {"FACP", false}, {"GTDT", false},
		     {"DSDT", false}, {"SSDT", true}};

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct table t;

		table_begin(&t, kinds[i].signature, 1);
		table_zeros(&t, 60);
		table_end(&t);
		run_begin(&r);
		CHECK_EQ(run_table(&r, &t), 0);
		CHECK(!run_warned(&r, "more than one table"));
		CHECK_EQ(run_table(&r, &t), 0);
		CHECK_EQ(run_warned(&r, "more than one table"), !kinds[i].many);
		table_free(&t);
	}
}

TEST(limits_signatures_that_can_be_shown)
{
	static const struct {
		char bytes[5];
		const char *shown;
	} cases[] = {{"\x20\x21\x7e\x7f", "?!~?"}, {"\"\\az", "??az"}, {"\x80\xff\x01Z", "???Z"}};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[64];

		run_begin(&r);
		run_bytes(&r, cases[i].bytes, 4);
		sprintf(text, "%s: 4 bytes are no table", cases[i].shown);
		CHECK(run_warned(&r, text));
	}
}

/* Neither is a table, and whoever is long enough to say so is let pass. */
TEST(limits_facs)
{
	run_begin(&r);
	CHECK_EQ(run_bytes(&r, "FACS\10\0\0\0", 8), 0);
	CHECK_EQ(run_bytes(&r, "RSD PTR ", 8), 0);
	CHECK(!r.bi.broken);
	CHECK(run_bytes(&r, "FACS\7\0\0", 7) < 0);
	CHECK(run_bytes(&r, "RSD PTR", 7) < 0);
	CHECK(run_bytes(&r, "SSDT\44\0\0\0", 8) < 0);
}

/* ---- MADT ---- */

TEST(limits_madt_isa_and_nmi)
{
	struct table t;

	madt_begin(&t);
	for (u8 bus = 0; bus < 2; bus++) {
		for (u8 irq = 14; irq <= 16; irq++) {
			table_8(&t, 2), table_8(&t, 10), table_8(&t, bus), table_8(&t, irq);
			table_32(&t, 100u + irq), table_16(&t, 0x0d);
		}
	}
	for (u8 lint = 2; lint-- > 0;) { /* the first counts */
		table_8(&t, 4), table_8(&t, 6), table_8(&t, 0xff);
		table_16(&t, (u16)(4 + lint)), table_8(&t, lint);
	}
	parse(&t);
	CHECK_EQ(r.bi.x86.isa_irq[14].gsi, 114);
	CHECK_EQ(r.bi.x86.isa_irq[15].gsi, 115);
	CHECK_EQ(r.bi.x86.isa_irq[15].flags, 0x0d);
	CHECK(r.bi.x86.isa_irq[14].moved && r.bi.x86.isa_irq[15].moved &&
	      !r.bi.x86.isa_irq[13].moved);
	CHECK_EQ(r.bi.warning_count, 4); /* IRQ 16, and three of another bus */
	CHECK_EQ(r.bi.x86.nmi_lint, 1);
	CHECK_EQ(r.bi.x86.nmi_flags, 5);
	madt_begin(&t);
	table_8(&t, 10), table_8(&t, 12), table_16(&t, 7), table_32(&t, 0), table_8(&t, 2),
		table_zeros(&t, 3);
	parse(&t);
	CHECK(!r.bi.x86.nmi_known);
	CHECK(run_warned(&r, "NMI on local input 2"));
	madt_begin(&t);
	table_8(&t, 10), table_8(&t, 12), table_16(&t, 7), table_32(&t, 0), table_8(&t, 1),
		table_zeros(&t, 3);
	parse(&t);
	CHECK_EQ(r.bi.x86.nmi_flags, 7);
	CHECK_EQ(r.bi.x86.nmi_lint, 1);
}

TEST(limits_madt_controllers)
{
	struct table t;

	for (unsigned more = 0; more < 2; more++) {
		madt_begin(&t);
		for (unsigned i = 0; i < BOOT_MAX_IOAPICS + more; i++) {
			table_8(&t, 1), table_8(&t, 12), table_8(&t, (u8)i), table_8(&t, 0);
			table_32(&t, 0xfec00000 + 0x1000 * i), table_32(&t, 24 * i);
		}
		for (unsigned i = 0; i < BOOT_MAX_GICR + more; i++) {
			table_8(&t, 14), table_8(&t, 16), table_16(&t, 0);
			table_64(&t, 0x100000000 + 0x20000 * i), table_32(&t, 0x20000);
		}
		madt_lapic(&t, 0, 0, 1);
		parse(&t);
		CHECK_EQ(r.bi.x86.ioapic_count, BOOT_MAX_IOAPICS);
		CHECK_EQ(r.bi.x86.ioapics[BOOT_MAX_IOAPICS - 1].id, BOOT_MAX_IOAPICS - 1);
		CHECK_EQ(r.bi.arm64.gicr_count, BOOT_MAX_GICR);
		CHECK_EQ(r.bi.arm64.gicr[BOOT_MAX_GICR - 1].base,
			 0x100000000 + 0x20000 * (BOOT_MAX_GICR - 1));
		CHECK_EQ(run_warned(&r, "more than 32 IOAPICs: 32 not used"), more);
		CHECK_EQ(run_warned(&r, "more than 64 redistributor regions"), more);
		CHECK_EQ(r.bi.warning_count, 2 * more);
	}
}

/* One redistributor region is enough to know the version; none, not even with a distributor. */
TEST(limits_madt_version_by_redistributors)
{
	struct table t;

	for (unsigned regions = 0; regions < 2; regions++) {
		madt_begin(&t);
		madt_gicd(&t, 0x8000000, 0);
		madt_gicd(&t, 0x9000000, 2); /* a second one is told, and not taken */
		madt_gicc(&t, 0, 0, 0, 1);
		if (regions) {
			table_8(&t, 14), table_8(&t, 16), table_16(&t, 0);
			table_64(&t, 0x80a0000), table_32(&t, 0x20000);
		}
		parse(&t);
		CHECK(run_finish(&r) == NULL);
		CHECK_EQ(r.bi.arm64.gic_version, regions ? 3 : 0);
		CHECK_EQ(r.bi.arm64.gicd_base, 0x8000000);
		CHECK(run_warned(&r, "more than one GIC distributor"));
	}
}

TEST(limits_madt_flags_and_base)
{
	struct table t;

	for (unsigned bit = 0; bit < 32; bit++) {
		madt_begin(&t);
		table_set(&t, 36, 0xfee00000 + bit, 4);
		table_set(&t, 40, 1u << bit, 4);
		madt_lapic(&t, 1, 2, 1u << bit);
		madt_x2apic(&t, 3, 300, 1u << bit);
		madt_gicc(&t, 4, 0x400, 0, 1u << bit);
		parse(&t);
		CHECK_EQ(r.bi.x86.has_8259, !bit);
		CHECK_EQ(r.bi.x86.lapic_base, 0xfee00000 + bit);
		CHECK_EQ(r.bi.cpu_count, bit ? 0 : 3);
		CHECK_EQ(r.bi.cpu_disabled_count, bit ? 3 : 0);
	}
}
