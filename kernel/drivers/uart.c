/*
 * The console UARTs, polled: waiting with an end, lines that end in CR LF, and registration with
 * the console core. A UART that is absent or does not send is given up, so that a machine
 * without one still runs.
 */
#include "uart.h"
#include <arch/cpu.h>
#include <kernel/error.h>
#include <kernel/printf.h>
#include <kernel/string.h>
#include <kernel/uart.h>

/*
 * Without room for so long it is given up. 32 bytes take 33 ms at 9600 baud, but the program
 * behind a virtual UART may be kept from reading by a busy host.
 */
enum { SEND_TIMEOUT_S = 10 };

static struct uart uarts[BOOT_MAX_CONSOLES]; /* those that are registered as sinks are in use */

/* Poll until ready; false: it is not, and is given up. The UART needs nothing from us to go on sending. */
static bool uart_wait(struct uart *u, bool (*ready)(struct uart *u))
{
	u64 end = 0;

	while (!ready(u)) {
		if (!end)
			end = cycles_now() + SEND_TIMEOUT_S * cycles_hz();
		if (u->stuck || cycles_now() > end) {
			u->stuck = true;
			return false;
		}
		cpu_relax();
	}
	u->stuck = false;
	return true;
}

static bool has_room(struct uart *u)
{
	if (!u->room)
		u->room = u->chip->room(u);
	return u->room;
}

static void uart_put(struct uart *u, char c)
{
	if (!uart_wait(u, has_room))
		return;
	u->room--;
	u->chip->send(u, (u8)c);
}

static void uart_write(struct console_sink *sink, const char *s, size_t len)
{
	struct uart *u = container_of(sink, struct uart, sink);

	for (; u->chip && len; s++, len--) {
		if (*s == '\n')
			uart_put(u, '\r');
		uart_put(u, *s);
	}
}

static void uart_drain(struct console_sink *sink)
{
	struct uart *u = container_of(sink, struct uart, sink);

	if (u->chip)
		uart_wait(u, u->chip->all_sent);
}

static int uart_getc(struct console_source *source __unused)
{
	for (unsigned i = 0; i < ARRAY_SIZE(uarts); i++) {
		struct uart *u = &uarts[i];
		int c = u->input && u->chip ? u->chip->receive(u) : -EAGAIN;

		if (c != -EAGAIN)
			return c;
	}
	return -EAGAIN;
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

static bool is_used(const struct uart *u)
{
	return u->sink.write;
}

/* The UART at the place that c names, else one that is free, else NULL. */
static struct uart *find(const struct boot_console *c)
{
	struct uart *unused = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(uarts); i++) {
		struct uart *u = &uarts[i];

		if (!is_used(u))
			unused = unused ? unused : u;
		else if (u->base == c->base && u->io == (c->type == BOOT_CONSOLE_16550_IO))
			return u;
	}
	return unused;
}

static bool uart_start(struct uart *u, const struct uart_chip *chip, const struct boot_console *c)
{
	u->base = c->base;
	u->clock = c->clock;
	u->io = c->type == BOOT_CONSOLE_16550_IO;
	u->stride = c->reg_stride ? c->reg_stride : 1;
	u->width = c->reg_width;
	u->sbsa = c->type == BOOT_CONSOLE_SBSA;
	u->stuck = false;
	u->room = 0;
	if (!chip->open(u, c->baud))
		return false;
	u->chip = chip;
	return true;
}

static void uart_register(struct uart *u)
{
	static struct console_source source;

	u->sink = (struct console_sink){.write = uart_write, .drain = uart_drain, .records = true};
	console_add_sink(&u->sink);
	if (source.getc)
		return;
	source.getc = uart_getc;
	console_add_source(&source);
}

bool uart_add(const struct boot_console *c, bool sole_input)
{
	const struct uart_chip *chip = chip_of(c->type);
	struct uart *u = find(c);

	if (!chip || !u || (!u->chip && !uart_start(u, chip, c)))
		return false;
	if (!is_used(u))
		uart_register(u);
	for (unsigned i = 0; sole_input && i < ARRAY_SIZE(uarts); i++)
		uarts[i].input = false;
	u->input = true;
	return true;
}

void uart_remove(const struct boot_console *c)
{
	struct uart *u = find(c);

	if (!u || !is_used(u))
		return;
	console_remove_sink(&u->sink);
	*u = (struct uart){0};
}

void uart_lose(bool (*is_mapped)(paddr_t registers))
{
	for (unsigned i = 0; i < ARRAY_SIZE(uarts); i++)
		if (uarts[i].chip && !uarts[i].io && !is_mapped(uarts[i].base))
			uarts[i].chip = NULL;
}

unsigned uart_describe(char *text, size_t size)
{
	unsigned n = 0;

	*text = '\0';
	for (unsigned i = 0; i < ARRAY_SIZE(uarts); i++) {
		const struct uart *u = &uarts[i];
		size_t len = strlen(text);

		if (is_used(u))
			ksnprintf(text + len, size - len, "%sUART at %s%#lx", n++ ? ", " : "",
				  u->io ? "port " : "", u->base);
	}
	return n;
}
