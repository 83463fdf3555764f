/*
 * The console UART, polled: waiting with an end, lines that end in CR LF, and registration with
 * the console core. A UART that is absent or does not send is given up, so that a machine
 * without one still runs.
 */
#include "uart.h"
#include <arch/cpu.h>
#include <kernel/console.h>
#include <kernel/error.h>
#include <kernel/uart.h>

/*
 * Without room for so long it is given up. 32 bytes take 33 ms at 9600 baud, but the program
 * behind a virtual UART may be kept from reading by a busy host.
 */
enum { SEND_TIMEOUT_S = 10 };

static struct uart uart;

/* Until ready. The UART needs nothing from us to go on sending. */
static bool uart_wait(bool (*ready)(struct uart *u))
{
	u64 end = 0;

	while (!ready(&uart)) {
		if (!end)
			end = cycles_now() + SEND_TIMEOUT_S * cycles_hz();
		if (uart.stuck || cycles_now() > end) {
			uart.stuck = true;
			return false;
		}
		cpu_relax();
	}
	uart.stuck = false;
	return true;
}

static bool has_room(struct uart *u)
{
	if (!u->room)
		u->room = u->chip->room(u);
	return u->room;
}

static void uart_put(char c)
{
	if (!uart_wait(has_room))
		return;
	uart.room--;
	uart.chip->send(&uart, (u8)c);
}

static void uart_write(struct console_sink *sink __unused, const char *s, size_t len)
{
	for (; uart.chip && len; s++, len--) {
		if (*s == '\n')
			uart_put('\r');
		uart_put(*s);
	}
}

static void uart_drain(struct console_sink *sink __unused)
{
	if (uart.chip)
		uart_wait(uart.chip->all_sent);
}

static int uart_getc(struct console_source *source __unused)
{
	return uart.chip ? uart.chip->receive(&uart) : -EAGAIN;
}

static const struct uart_chip *chip_of(enum boot_console_type type)
{
	switch (type) {
	case BOOT_CONSOLE_16550_IO:
	case BOOT_CONSOLE_16550_MMIO:
		return &uart_16550;
	case BOOT_CONSOLE_PL011:
	case BOOT_CONSOLE_SBSA:
		return &uart_pl011;
	default:
		return NULL;
	}
}

static void uart_register(void)
{
	static struct console_sink sink = {
		.write = uart_write, .drain = uart_drain, .records = true};
	static struct console_source source = {.getc = uart_getc};
	static bool registered;

	if (registered)
		return;
	registered = true;
	console_add_sink(&sink);
	console_add_source(&source);
}

bool uart_open(const struct boot_console *c)
{
	const struct uart_chip *chip = chip_of(c->type);

	uart = (struct uart){
		.base = c->base,
		.io = c->type == BOOT_CONSOLE_16550_IO,
		.stride = c->reg_stride ? c->reg_stride : 1,
		.width = c->reg_width,
		.sbsa = c->type == BOOT_CONSOLE_SBSA,
	};
	if (chip && chip->open(&uart, c->baud))
		uart.chip = chip;
	uart_register();
	return uart.chip;
}

paddr_t uart_registers(void)
{
	return uart.chip && !uart.io ? uart.base : 0;
}

void uart_lose(void)
{
	uart.chip = NULL;
}
