/*
 * ACPI on the PC: the RSDP from the loader, else where a BIOS leaves it; then
 * all tables. Devices that the tables name and the port uses are mapped here,
 * so that arch/ needs no page tables.
 */
#include <arch/platform.h>
#include <asm/regs.h>
#include <boot/acpi.h>
#include <boot/discover.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <kernel/uart.h>
#include <mm/kmap.h>

/* where to look, ACPI 6.5 section 5.2.5.1 */
enum {
	BDA_EBDA_SEGMENT = 0x40e,
	EBDA_SEARCH_LEN = 1024,
	BIOS_AREA = 0xe0000,
	BIOS_AREA_LEN = 0x20000,
	RSDP_V1_LEN = 20,
	RSDP_STEP = 16,
	HPET_LEN = 0x400,
	UART_LEN = 64, /* 8 registers, at most 8 bytes apart */
};

static const void *map_phys(void *ctx __unused, u64 phys, u64 len)
{
	if (phys >= DIRECT_SIZE || len > DIRECT_SIZE - phys)
		return NULL;
	return kmap_phys(phys, len);
}

static bool is_rsdp(const u8 *p)
{
	u8 sum = 0;

	if (memcmp(p, "RSD PTR ", 8))
		return false;
	for (unsigned i = 0; i < RSDP_V1_LEN; i++)
		sum += p[i];
	return !sum;
}

static paddr_t scan_rsdp(paddr_t base, u64 len)
{
	const u8 *p = map_phys(NULL, base, len);

	for (u64 off = 0; p && off + RSDP_V1_LEN <= len; off += RSDP_STEP) {
		if (is_rsdp(p + off))
			return base + off;
	}
	return 0;
}

/* Only where the loader names none: on a UEFI machine these areas hold nothing, or something old. */
static paddr_t find_rsdp(void)
{
	const void *bda = map_phys(NULL, BDA_EBDA_SEGMENT, sizeof(u16));
	paddr_t ebda = bda ? (paddr_t)boot_get16(bda) << 4 : 0;
	paddr_t found = 0;

	if (ebda)
		found = scan_rsdp(ebda, EBDA_SEARCH_LEN);
	return found ? found : scan_rsdp(BIOS_AREA, BIOS_AREA_LEN);
}

static void read_acpi(struct bootinfo *bi)
{
	if (!bi->rsdp)
		bi->rsdp = find_rsdp();
	if (bi->rsdp)
		acpi_parse(bi->rsdp, map_phys, NULL, bi); /* warns about what is wrong */
	else
		boot_note(bi, "ACPI: no RSDP from the loader nor in the BIOS areas");
	acpi_finish(bi);
}

/* The CPU knows best where its local APIC is. */
static void map_apic(struct bootinfo *bi)
{
	paddr_t base = rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDRESS;

	if (bi->x86.lapic_base && bi->x86.lapic_base != base)
		boot_warn(bi, "MADT: local APIC at %#lx, but the CPU has it at %#lx",
			  bi->x86.lapic_base, base);
	bi->x86.lapic_base = base;
	if (!kmap_device(base, PAGE_SIZE))
		panic("local APIC at %#lx: cannot be mapped", base);
}

/* False: it cannot be used, and that was said. */
static bool map_device(struct bootinfo *bi, const char *what, paddr_t pa, u64 len)
{
	if (!pa || kmap_device(pa, len))
		return true;
	boot_warn(bi, "%s at %#lx: cannot be mapped: not used", what, pa);
	return false;
}

static void map_devices(struct bootinfo *bi)
{
	struct boot_x86 *x = &bi->x86;

	map_apic(bi);
	if (!map_device(bi, "HPET", x->hpet_base, HPET_LEN))
		x->hpet_base = 0;
	/* Space 0 is system memory, ACPI 6.5 table 5.1. */
	if (!x->reset_space && !map_device(bi, "reset register", x->reset_addr, 1))
		x->reset_addr = 0;
	if (!x->sleep_space && !map_device(bi, "sleep register", x->sleep_addr, 1))
		x->sleep_addr = 0;
}

static bool reach_console(struct bootinfo *bi, const struct boot_console *c)
{
	if (c->type == BOOT_CONSOLE_SCREEN)
		return kmap_device(bi->screen.base, bi->screen.len);
	return c->type == BOOT_CONSOLE_16550_IO || kmap_device(c->base, UART_LEN);
}

void boot_discover(struct bootinfo *bi)
{
	read_acpi(bi);
	map_devices(bi);
	consoles_open(bi, reach_console);
}
