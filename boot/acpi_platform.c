/* ACPI SPCR, HPET, FADT, GTDT, MCFG and the one thing we want of the AML: console, clocks, power, PCI. */
#include <boot/acpi_table.h>
#include <kernel/string.h>

/* SPCR interface types; the same numbers as DBG2 serial subtypes. */
enum {
	SPCR_16550 = 0x00,
	SPCR_16450 = 0x01,
	SPCR_PL011 = 0x03,
	SPCR_16550_NVIDIA = 0x05,
	SPCR_SBSA_32BIT = 0x0d,
	SPCR_SBSA = 0x0e,
	SPCR_16550_GAS = 0x12, /* as 0, and the register description is to be believed */
};

/* Without a name in the table the port is left as the firmware set it. */
static u32 spcr_baud(const struct acpi_table *t)
{
	static const u32 rates[] = {[3] = 9600, [4] = 19200, [6] = 57600, [7] = 115200};
	u8 code = acpi_u8(t, 58);
	u32 precise = acpi_revision(t) >= 4 ? acpi_u32(t, 80) : 0;

	if (precise)
		return precise;
	if (code >= ARRAY_SIZE(rates) || (code && !rates[code])) {
		boot_warn(t->bi, "SPCR+0x3a: baud rate code %u is unknown", code);
		return 0;
	}
	return rates[code];
}

/*
 * APM X-Gene and HPE's machines with it (Linux: xgene_8250_erratum_present()): the UART takes 32-bit
 * accesses only, although the table says 8, and runs on a clock that nobody knows.
 */
static bool spcr_xgene(const struct acpi_table *t)
{
	static const struct {
		const char *oem, *table; /* 6 and 8 bytes */
		u32 revision;
	} wrong[] = {{"APMC0D", "XGENESPC", 0}, {"HPE   ", "ProLiant", 1}};

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		if (t->len >= ACPI_HEADER_LEN && !memcmp(t->bytes + 10, wrong[i].oem, 6) &&
		    !memcmp(t->bytes + 16, wrong[i].table, 8) &&
		    acpi_u32(t, 24) == wrong[i].revision)
			return true;
	return false;
}

/* Bytes per access and between registers of a 16550 in memory. */
static void spcr_registers(const struct acpi_table *t, const struct acpi_gas *gas,
			   struct boot_console *c)
{
	c->reg_width = 1;
	c->reg_stride = 1;
	if (gas->space == ACPI_SPACE_IO)
		return;
	if (gas->access > 3 || gas->bit_width > 32 || gas->bit_width % 8) {
		boot_warn(t->bi, "SPCR+0x29: registers of %u bits, access size %u: bytes assumed",
			  gas->bit_width, gas->access);
		return;
	}
	if (gas->access)
		c->reg_width = 1u << (gas->access - 1);
	c->reg_stride = MAX(c->reg_width, gas->bit_width / 8);
}

static enum boot_console_type spcr_type(u8 interface, u8 space)
{
	bool mmio = space == ACPI_SPACE_MEMORY;

	switch (interface) {
	case SPCR_16550:
	case SPCR_16450:
	case SPCR_16550_NVIDIA:
	case SPCR_16550_GAS:
		if (space == ACPI_SPACE_IO)
			return BOOT_CONSOLE_16550_IO;
		return mmio ? BOOT_CONSOLE_16550_MMIO : BOOT_CONSOLE_UNKNOWN;
	case SPCR_PL011:
		return mmio ? BOOT_CONSOLE_PL011 : BOOT_CONSOLE_UNKNOWN;
	case SPCR_SBSA:
	case SPCR_SBSA_32BIT:
		return mmio ? BOOT_CONSOLE_SBSA : BOOT_CONSOLE_UNKNOWN;
	default:
		return BOOT_CONSOLE_UNKNOWN;
	}
}

void acpi_spcr_parse(const struct acpi_table *t)
{
	struct boot_console *c = &t->bi->console;
	struct acpi_gas gas = acpi_gas(t, 40);
	u8 interface = acpi_u8(t, 36);

	if (!gas.addr) { /* how firmware says that redirection is switched off */
		c->type = BOOT_CONSOLE_NONE;
		return;
	}
	c->type = spcr_type(interface, gas.space);
	if (c->type == BOOT_CONSOLE_UNKNOWN) {
		boot_note(t->bi, "SPCR+0x24: interface type 0x%x in address space %u: no driver",
			  interface, gas.space);
		return;
	}
	if (c->type == BOOT_CONSOLE_16550_IO && gas.addr > 0xffff - 7) {
		boot_warn(t->bi, "SPCR+0x2c: I/O port 0x%lx is out of range", gas.addr);
		c->type = BOOT_CONSOLE_UNKNOWN;
		return;
	}
	c->base = gas.addr;
	c->baud = spcr_baud(t);
	if (interface == SPCR_16550 && c->type == BOOT_CONSOLE_16550_MMIO && spcr_xgene(t)) {
		boot_note(t->bi,
			  "SPCR: this machine's UART takes 32-bit accesses, whatever is said here");
		c->reg_width = 4;
		c->reg_stride = 4;
		c->baud = 0;
	} else if (c->type == BOOT_CONSOLE_16550_IO || c->type == BOOT_CONSOLE_16550_MMIO) {
		spcr_registers(t, &gas, c);
	} else { /* both have their registers every 4 bytes and take 32-bit accesses */
		c->reg_width = 4;
		c->reg_stride = 4;
	}
}

void acpi_hpet_parse(const struct acpi_table *t)
{
	struct acpi_gas gas = acpi_gas(t, 40);

	if (t->bi->x86.hpet_base) /* one block is enough */
		return;
	if (gas.space != ACPI_SPACE_MEMORY || !gas.addr) {
		boot_warn(t->bi, "HPET+0x28: address 0x%lx in space %u: not used", gas.addr,
			  gas.space);
		return;
	}
	t->bi->x86.hpet_base = gas.addr;
}

/* PCI Firmware Specification 3.3, section 4.1.2: header, 8 reserved bytes, 16 for each range of buses. */
void acpi_mcfg_parse(const struct acpi_table *t)
{
	for (u64 off = 44; off + 16 <= t->len; off += 16) {
		struct boot_pci *pci = &t->bi->pci;

		if (acpi_u16(t,
			     off + 8)) /* another segment: where network cards are is the first */
			continue;
		if (acpi_u8(t, off + 11) < acpi_u8(t, off + 10) || !acpi_u64(t, off)) {
			boot_warn(t->bi, "MCFG+0x%lx: buses %u to %u at 0x%lx: not used", off,
				  acpi_u8(t, off + 10), acpi_u8(t, off + 11), acpi_u64(t, off));
			continue;
		}
		pci->ecam.base = acpi_u64(t, off);
		pci->ecam.bus_first = acpi_u8(t, off + 10);
		pci->ecam.bus_last = acpi_u8(t, off + 11);
		pci->ecam.known = true;
		return;
	}
}

/* FADT offsets and bits, ACPI 6.5 table 5.9. */
enum {
	FADT_DSDT = 40,
	FADT_SMI_CMD = 48,
	FADT_ACPI_ENABLE = 52,
	FADT_PM1A_CNT = 64,
	FADT_PM1B_CNT = 68,
	FADT_PM_TMR = 76,
	FADT_PM_TMR_LEN = 91,
	FADT_FLAGS = 112,
	FADT_RESET = 116,
	FADT_RESET_VALUE = 128,
	FADT_ARM_FLAGS = 129,
	FADT_X_DSDT = 140,
	FADT_X_PM1A_CNT = 172,
	FADT_X_PM1B_CNT = 184,
	FADT_X_PM_TMR = 208,
	FADT_SLEEP_CONTROL = 244,
	FADT_HYPERVISOR = 268,
	FADT_HYPERVISOR_BYTES = 8,
	FADT_PM_TMR_BYTES = 4,

	FADT_TMR_VAL_EXT = 1 << 8,
	FADT_RESET_SUPPORTED = 1 << 10,
	FADT_HW_REDUCED = 1 << 20,
	FADT_ARM_PSCI = 1 << 0,
	FADT_ARM_PSCI_HVC = 1 << 1,
};

/*
 * A register block that we use by I/O port: the 64-bit description if there is
 * one, else the old 32-bit field. 0 = none that we can use.
 */
static u16 fadt_port(const struct acpi_table *t, u64 old, u64 extended, const char *what)
{
	struct acpi_gas gas = acpi_gas(t, extended);
	u64 port = acpi_u32(t, old);

	if (gas.addr && gas.space == ACPI_SPACE_IO)
		port = gas.addr;
	else if (gas.addr && !port)
		boot_note(t->bi, "FADT+0x%lx: %s in address space %u: not used", extended, what,
			  gas.space);
	if (port > 0xffff) {
		boot_warn(t->bi, "FADT: %s at I/O port 0x%lx: out of range", what, port);
		return 0;
	}
	return port;
}

static void fadt_pm_registers(const struct acpi_table *t, u32 flags)
{
	struct boot_x86 *x = &t->bi->x86;

	x->pm1a_cnt_port = fadt_port(t, FADT_PM1A_CNT, FADT_X_PM1A_CNT, "PM1a control");
	x->pm1b_cnt_port = fadt_port(t, FADT_PM1B_CNT, FADT_X_PM1B_CNT, "PM1b control");
	if (acpi_u32(t, FADT_SMI_CMD) <= 0xffff && acpi_u8(t, FADT_ACPI_ENABLE)) {
		x->smi_cmd_port = acpi_u32(t, FADT_SMI_CMD);
		x->acpi_enable = acpi_u8(t, FADT_ACPI_ENABLE);
	}
	if (acpi_u8(t, FADT_PM_TMR_LEN) != FADT_PM_TMR_BYTES)
		return;
	x->pm_timer_port = fadt_port(t, FADT_PM_TMR, FADT_X_PM_TMR, "PM timer");
	x->pm_timer_32bit = flags & FADT_TMR_VAL_EXT;
}

static void fadt_reset(const struct acpi_table *t, u32 flags)
{
	struct boot_x86 *x = &t->bi->x86;
	struct acpi_gas gas = acpi_gas(t, FADT_RESET);

	if (!(flags & FADT_RESET_SUPPORTED) || !gas.addr)
		return;
	if (gas.space > ACPI_SPACE_IO || (gas.space == ACPI_SPACE_IO && gas.addr > 0xffff)) {
		boot_note(t->bi, "FADT+0x74: reset register 0x%lx in space %u: not used", gas.addr,
			  gas.space);
		return;
	}
	x->reset_space = gas.space;
	x->reset_addr = gas.addr;
	x->reset_value = acpi_u8(t, FADT_RESET_VALUE);
}

/* The field for a hypervisor, which most of them leave empty; else who made the tables, if that is one. */
static void fadt_hypervisor(const struct acpi_table *t)
{
	enum { OEM_ID = 10, OEM_BYTES = 6 };
	static const char *const makers[] = {
		"BOCHS ", "VBOX  ", "VMWARE", "VRTUAL", "Xen\0\0\0",
		"CLOUDH", "FIRECK", "PRLS  ", "BHYVE ",
	};

	if (acpi_u64(t, FADT_HYPERVISOR)) {
		boot_set_hypervisor(t->bi, t->bytes + FADT_HYPERVISOR, FADT_HYPERVISOR_BYTES);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(makers); i++)
		if (!memcmp(t->bytes + OEM_ID, makers[i], OEM_BYTES))
			boot_set_hypervisor(t->bi, t->bytes + OEM_ID, OEM_BYTES);
}

void acpi_fadt_parse(const struct acpi_table *t)
{
	struct bootinfo *bi = t->bi;
	struct acpi_gas sleep = acpi_gas(t, FADT_SLEEP_CONTROL);
	u32 flags = acpi_u32(t, FADT_FLAGS);
	u16 arm = acpi_u16(t, FADT_ARM_FLAGS);

	fadt_hypervisor(t);
	bi->acpi.dsdt = acpi_u64(t, FADT_X_DSDT);
	if (!bi->acpi.dsdt)
		bi->acpi.dsdt = acpi_u32(t, FADT_DSDT);
	bi->x86.hw_reduced = flags & FADT_HW_REDUCED;
	if (!bi->x86.hw_reduced) /* otherwise the fields mean nothing */
		fadt_pm_registers(t, flags);
	fadt_reset(t, flags);
	if (sleep.space <= ACPI_SPACE_IO) {
		bi->x86.sleep_space = sleep.space;
		bi->x86.sleep_addr = sleep.addr;
	}
	if (arm & FADT_ARM_PSCI)
		bi->arm64.psci = arm & FADT_ARM_PSCI_HVC ? BOOT_PSCI_HVC : BOOT_PSCI_SMC;
}

/* ACPI 6.5 section 5.2.25: timers of the platform, of which some are watchdogs as Arm's SBSA wants them. */
static void gtdt_watchdogs(const struct acpi_table *t)
{
	enum { TIMERS = 88, FIRST = 92, WATCHDOG = 1 };
	u64 off = acpi_u32(t, FIRST);

	if (acpi_revision(t) < 2)
		return;
	for (u32 n = acpi_u32(t, TIMERS); n && off + 4 <= t->len; n--) {
		if (acpi_u8(t, off) == WATCHDOG)
			t->bi->watchdog = BOOT_WATCHDOG_THERE;
		if (!acpi_u16(t, off + 1))
			return;
		off += acpi_u16(t, off + 1);
	}
}

void acpi_gtdt_parse(const struct acpi_table *t)
{
	u32 intid = acpi_u32(t, 64);
	bool ppi = (intid >= 16 && intid < 32) || (intid >= 1056 && intid < 1120);

	gtdt_watchdogs(t);
	if (!ppi) { /* GIC architecture: PPIs, and the extended range of GICv3.1 */
		boot_warn(t->bi, "GTDT+0x40: virtual timer interrupt %u is not a private one",
			  intid);
		return;
	}
	t->bi->arm64.timer_ppi = intid;
}

/* An AML integer of one byte's worth; *pos steps over it. False: something else. */
static bool aml_byte(const struct acpi_table *t, u64 *pos, u8 *value)
{
	enum { ZERO = 0x00, ONE = 0x01, BYTE = 0x0a, WORD = 0x0b, DWORD = 0x0c };

	switch (acpi_u8(t, *pos)) {
	case ZERO:
	case ONE:
		*value = acpi_u8(t, *pos);
		*pos += 1;
		return *pos <= t->len;
	case BYTE:
	case WORD:
	case DWORD:
		*value = acpi_u8(t, *pos + 1);
		*pos += 1 + (1u << (acpi_u8(t, *pos) - BYTE));
		return *pos <= t->len;
	default:
		return false;
	}
}

/* Name (_S5_, Package () { a, b, ... }) whose name starts at pos; ACPI 6.5 section 20.2. */
static bool aml_sleep_package(const struct acpi_table *t, u64 pos, u8 *a, u8 *b)
{
	enum { NAME_OP = 0x08, ROOT = '\\', PACKAGE_OP = 0x12 };
	u64 op = pos - (acpi_u8(t, pos - 1) == ROOT ? 2 : 1);

	if (acpi_u8(t, op) != NAME_OP || acpi_u8(t, pos + 4) != PACKAGE_OP)
		return false;
	pos += 5;
	pos += 1 + (acpi_u8(t, pos) >> 6); /* PkgLength: top bits count further bytes */
	if (acpi_u8(t, pos++) < 2) /* number of elements */
		return false;
	return aml_byte(t, &pos, a) && aml_byte(t, &pos, b);
}

/*
 * Finds what to write for power-off without an AML interpreter: the sleep
 * packages are constants in every table that compilers make.
 */
void acpi_aml_parse(const struct acpi_table *t)
{
	struct boot_x86 *x = &t->bi->x86;
	u8 a, b;

	for (u64 pos = ACPI_HEADER_LEN + 1; pos + 4 <= t->len && !x->s5_known; pos++) {
		if (memcmp(t->bytes + pos, "_S5_", 4) || !aml_sleep_package(t, pos, &a, &b))
			continue;
		if (a > 7 || b > 7) { /* SLP_TYP has three bits */
			boot_warn(t->bi, "%s+0x%lx: _S5_ of %u, %u: not used", t->name, pos, a, b);
			return;
		}
		x->s5_typ_a = a;
		x->s5_typ_b = b;
		x->s5_known = true;
	}
}
