/*
 * The console UART: a 16550 at I/O ports or in memory, polled. Writes go out
 * in bursts of the transmit FIFO; a UART that is absent or does not send is
 * given up, so that a machine without one still runs.
 */
#include <arch/cpu.h>
#include <arch/platform.h>
#include <asm/io.h>
#include <asm/port.h>
#include <asm/regs.h>
#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <kernel/printk.h>
#include <kernel/string.h>

/* registers, 16550D data sheet 8.0 */
enum {
	UART_DATA = 0,
	UART_IER = 1,
	UART_FCR = 2, /* write */
	UART_IIR = 2, /* read */
	UART_LCR = 3,
	UART_MCR = 4,
	UART_LSR = 5,
	LCR_8N1 = 0x03,
	LCR_DIVISOR = 0x80,
	MCR_DTR_RTS = 0x03,
	FCR_ENABLE = 0x01,
	IIR_FIFO = 0xc0, /* both: a working FIFO is on */
	LSR_DATA = 0x01,
	LSR_THR_EMPTY = 0x20,
	LSR_ALL_SENT = 0x40,
};

enum {
	COM1 = 0x3f8,
	FIFO_BYTES = 16,
	/*
	 * Without room for so long it is given up. 16 bytes take 17 ms at 9600 baud, but the
	 * program behind a virtual UART may be kept from reading by a busy host.
	 */
	SEND_TIMEOUT_S = 10,
	UART_CLOCK = 115200, /* divided by the baud rate is the divisor */
};

static struct {
	bool ok; /* a UART answered */
	bool stuck; /* did not send for SEND_TIMEOUT_S: only looked at once per byte from then on */
	bool fifo;
	unsigned room; /* bytes the FIFO takes before the status must be read again */
	u16 port; /* 0: memory-mapped */
	char *base;
	u8 stride, width;
} uart;

static u8 uart_read(unsigned reg)
{
	char *p = uart.base + reg * uart.stride;

	if (uart.port)
		return inb((u16)(uart.port + reg * uart.stride));
	return uart.width == 4 ? (u8)mmio_read32(p) : mmio_read8(p);
}

static void uart_write(unsigned reg, u8 v)
{
	char *p = uart.base + reg * uart.stride;

	if (uart.port)
		outb((u16)(uart.port + reg * uart.stride), v);
	else if (uart.width == 4)
		mmio_write32(p, v);
	else
		mmio_write8(p, v);
}

/* Nothing drives an absent device's lines; a status of all ones has no meaning. */
static bool uart_present(void)
{
	return uart_read(UART_LSR) != 0xff || uart_read(UART_IIR) != 0xff;
}

static void uart_set_baud(u32 baud)
{
	u32 divisor = UART_CLOCK / baud;

	uart_write(UART_LCR, LCR_DIVISOR | LCR_8N1);
	uart_write(UART_DATA, (u8)divisor);
	uart_write(UART_IER, (u8)(divisor >> 8));
	uart_write(UART_LCR, LCR_8N1);
}

static bool uart_fifo_on(void)
{
	return (uart_read(UART_IIR) & IIR_FIFO) == IIR_FIFO;
}

/*
 * Switching the FIFO on discards what was received. A byte that waits already
 * was sent by a program behind a virtual UART, which sends the next one as soon
 * as this one is read: there is no moment at which nothing would be lost, and
 * such a UART does without FIFO.
 */
static void uart_start_fifo(void)
{
	if (!uart_fifo_on() && !(uart_read(UART_LSR) & LSR_DATA))
		uart_write(UART_FCR, FCR_ENABLE);
	uart.fifo = uart_fifo_on();
}

static void uart_open(const struct boot_console *c)
{
	bool io = c->type == BOOT_CONSOLE_16550_IO;

	memset(&uart, 0, sizeof(uart));
	if (c->type != BOOT_CONSOLE_16550_IO && c->type != BOOT_CONSOLE_16550_MMIO)
		return;
	uart.port = io ? (u16)c->base : 0;
	uart.base = io ? NULL : phys_to_virt(c->base);
	uart.stride = c->reg_stride ? c->reg_stride : 1;
	uart.width = c->reg_width;
	if (!uart_present())
		return;
	uart_write(UART_LCR, LCR_8N1);
	uart_write(UART_IER, 0);
	uart_write(UART_MCR, MCR_DTR_RTS);
	if (c->baud && c->baud <= UART_CLOCK)
		uart_set_baud(c->baud);
	uart_start_fifo();
	uart.ok = true;
}

static const struct boot_console default_console = {
	.type = BOOT_CONSOLE_16550_IO,
	.base = COM1,
	.baud = 115200,
};
static struct boot_console console; /* the one in use */

/* The boot line may name a port already (boot/x86_64/console.c); memory is not mapped yet. */
void uart_init_early(const struct bootinfo *bi)
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
void uart_init(const struct bootinfo *bi)
{
	const struct boot_console *c = &bi->console;

	if (c->type == BOOT_CONSOLE_UNKNOWN || !console_is_new(c))
		return;
	if (c->type == BOOT_CONSOLE_NONE)
		printk("console: SPCR says there is none; console= would take precedence\n");
	else
		printk("console: SPCR says UART at %#lx; console= would take precedence\n",
		       c->base);
	uart_open(c);
	if (!uart.ok && c->type != BOOT_CONSOLE_NONE) {
		uart_open(&console);
		printk("console: no 16550 there: staying here\n");
		return;
	}
	console = *c;
	printk_dump();
}

/* Until a bit of the line status is set. The UART needs nothing from us to go on sending. */
static bool uart_wait(u8 bit)
{
	u64 end = uart.stuck ? 0 : rdtsc() + SEND_TIMEOUT_S * cycles_hz();

	while (!(uart_read(UART_LSR) & bit)) {
		if (rdtsc() > end) {
			uart.stuck = true;
			return false;
		}
		cpu_relax();
	}
	uart.stuck = false;
	return true;
}

static bool uart_wait_room(void)
{
	if (!uart_wait(LSR_THR_EMPTY))
		return false;
	uart.room = uart.fifo ? FIFO_BYTES : 1;
	return true;
}

/* What is still in the UART would be lost with the power. */
void uart_drain(void)
{
	if (uart.ok)
		uart_wait(LSR_ALL_SENT);
}

void uart_putc(char c)
{
	if (!uart.ok || (!uart.room && !uart_wait_room()))
		return;
	uart.room--;
	uart_write(UART_DATA, (u8)c);
}

int uart_getc(void)
{
	u8 status;

	if (!uart.ok)
		return -EAGAIN;
	status = uart_read(UART_LSR);
	if (status == 0xff || !(status & LSR_DATA))
		return -EAGAIN;
	return uart_read(UART_DATA);
}
