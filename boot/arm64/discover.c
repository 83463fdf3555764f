/*
 * Devices that firmware names and the port uses are mapped here, so that arch/
 * needs no page tables. The tables themselves were read by boot_main().
 */
#include "boot.h"
#include <boot/discover.h>
#include <kernel/uart.h>
#include <mm/kmap.h>

enum { /* bytes of register frames */
       UART_LEN = 0x1000,
       GICD_LEN = 0x10000,
       GICC_LEN = 0x2000,
       GICR_LEN = 0x20000,
};

static bool map_device(struct bootinfo *bi, const char *what, paddr_t pa, u64 len)
{
	if (!pa || kmap_device(pa, len))
		return true;
	boot_warn(bi, "%s at %#lx: cannot be mapped", what, pa);
	return false;
}

static void map_redistributors(struct bootinfo *bi)
{
	for (unsigned i = 0; i < bi->arm64.gicr_count; i++)
		map_device(bi, "GIC redistributors", bi->arm64.gicr[i].base, bi->arm64.gicr[i].len);
	for (unsigned i = 0; i < bi->cpu_count; i++)
		map_device(bi, "GIC redistributor", bi->cpus[i].gicr_base, GICR_LEN);
}

/* What cannot be mapped must not be used: each print would fault, and so would the report of the fault. */
static bool reach_console(struct bootinfo *bi, const struct boot_console *c)
{
	if (c->type == BOOT_CONSOLE_SCREEN)
		return kmap_device(bi->screen.base, bi->screen.len);
	return c->base && kmap_device(c->base, UART_LEN);
}

void boot_discover(struct bootinfo *bi)
{
	consoles_open(bi, reach_console);
	map_device(bi, "GIC distributor", bi->arm64.gicd_base, GICD_LEN);
	if (bi->arm64.gic_version == 2)
		map_device(bi, "GIC CPU interface", bi->arm64.gicc_base, GICC_LEN);
	else
		map_redistributors(bi);
}
