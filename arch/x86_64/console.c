/* Which UART the console is on: COM1, unless the boot line or the firmware's tables name another. */
#include <asm/port.h>
#include <kernel/bootinfo.h>
#include <kernel/printk.h>
#include <kernel/uart.h>

enum { COM1 = 0x3f8 };

static const struct boot_console default_console = {
	.type = BOOT_CONSOLE_16550_IO,
	.base = COM1,
	.baud = 115200,
};
static struct boot_console console; /* the one in use */

/* The boot line may name a port already (boot/x86_64/console.c); memory is not mapped yet. */
void console_choose_early(const struct bootinfo *bi)
{
	console = bi->console.type == BOOT_CONSOLE_UNKNOWN ? default_console : bi->console;
	if (console.type != BOOT_CONSOLE_16550_MMIO)
		uart_open(&console);
}

static bool console_is_new(const struct boot_console *c)
{
	/* A UART in memory was not opened before: its registers were not mapped. */
	return c->type == BOOT_CONSOLE_16550_MMIO || c->type != console.type ||
	       c->base != console.base;
}

/*
 * Firmware's choice, known late: what was printed before goes out again on the
 * right port, and a port where nothing answers is not taken.
 */
void console_choose(const struct bootinfo *bi)
{
	const struct boot_console *c = &bi->console;

	if (c->type == BOOT_CONSOLE_UNKNOWN || !console_is_new(c))
		return;
	if (c->type == BOOT_CONSOLE_NONE)
		printk("console: SPCR says there is none; console= would take precedence\n");
	else
		printk("console: SPCR says UART at %#lx; console= would take precedence\n",
		       c->base);
	if (!uart_open(c) && c->type != BOOT_CONSOLE_NONE) {
		uart_open(&console);
		printk("console: no 16550 there: staying here\n");
		return;
	}
	console = *c;
	printk_dump();
}
