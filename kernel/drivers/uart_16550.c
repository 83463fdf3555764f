/* A 16550 at I/O ports or in memory. Writes go out in bursts of the transmit FIFO. Registers: 16550D data sheet 8.0. */
#include "uart.h"
#include <kernel/error.h>

enum {
	REG_DATA = 0,
	REG_IER = 1,
	REG_FCR = 2, /* write */
	REG_IIR = 2, /* read */
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	LCR_8N1 = 0x03,
	LCR_DIVISOR = 0x80,
	MCR_DTR_RTS = 0x03,
	FCR_ENABLE = 0x01,
	IIR_FIFO = 0xc0, /* both: a working FIFO is on */
	LSR_DATA = 0x01,
	LSR_BROKEN = 0x1c, /* parity, framing, or no stop bit at all: a line that nobody drives */
	LSR_THR_EMPTY = 0x20,
	LSR_ALL_SENT = 0x40,
};

enum {
	FIFO_BYTES = 16,
	CLOCK = 1843200, /* Hz, where nobody says another */
	CLOCKS_PER_BIT = 16,
};

static u8 reg_read(const struct uart *u, unsigned reg)
{
	u64 at = u->base + reg * u->stride;

	if (u->io)
		return port_read8((u16)at);
	return u->width == 4 ? (u8)mmio_read32(at) : mmio_read8(at);
}

static void reg_write(const struct uart *u, unsigned reg, u8 v)
{
	u64 at = u->base + reg * u->stride;

	if (u->io)
		port_write8((u16)at, v);
	else if (u->width == 4)
		mmio_write32(at, v);
	else
		mmio_write8(at, v);
}

/* Nothing drives an absent device's lines; a status of all ones has no meaning. */
static bool is_present(const struct uart *u)
{
	return reg_read(u, REG_LSR) != 0xff || reg_read(u, REG_IIR) != 0xff;
}

/* Leaves a speed that the clock cannot make. */
static void set_baud(const struct uart *u, u32 baud)
{
	u32 base = (u->clock ? u->clock : CLOCK) / CLOCKS_PER_BIT;
	u32 divisor = (base + baud / 2) / baud;

	if (baud > base || divisor > 0xffff)
		return;
	reg_write(u, REG_LCR, LCR_DIVISOR | LCR_8N1);
	reg_write(u, REG_DATA, (u8)divisor);
	reg_write(u, REG_IER, (u8)(divisor >> 8));
	reg_write(u, REG_LCR, LCR_8N1);
}

static bool fifo_on(const struct uart *u)
{
	return (reg_read(u, REG_IIR) & IIR_FIFO) == IIR_FIFO;
}

/*
 * Switching the FIFO on discards what was received. A byte that waits already
 * was sent by a program behind a virtual UART, which sends the next one as soon
 * as this one is read: there is no moment at which nothing would be lost, and
 * such a UART does without FIFO.
 */
static void start_fifo(struct uart *u)
{
	if (!fifo_on(u) && !(reg_read(u, REG_LSR) & LSR_DATA))
		reg_write(u, REG_FCR, FCR_ENABLE);
	u->fifo = fifo_on(u);
}

static bool open_16550(struct uart *u, u32 baud)
{
	if (!is_present(u))
		return false;
	reg_write(u, REG_LCR, LCR_8N1);
	reg_write(u, REG_IER, 0);
	reg_write(u, REG_MCR, MCR_DTR_RTS);
	if (baud)
		set_baud(u, baud);
	start_fifo(u);
	return true;
}

static unsigned room_16550(struct uart *u)
{
	if (!(reg_read(u, REG_LSR) & LSR_THR_EMPTY))
		return 0;
	return u->fifo ? FIFO_BYTES : 1;
}

static void send_16550(struct uart *u, u8 byte)
{
	reg_write(u, REG_DATA, byte);
}

static bool all_sent_16550(struct uart *u)
{
	return reg_read(u, REG_LSR) & LSR_ALL_SENT;
}

static int receive_16550(struct uart *u)
{
	u8 status = reg_read(u, REG_LSR), byte;

	if (status == 0xff || !(status & LSR_DATA))
		return -EAGAIN;
	byte = reg_read(u, REG_DATA);
	return status & LSR_BROKEN ? -EAGAIN : byte;
}

const struct uart_chip uart_16550 = {
	.open = open_16550,
	.room = room_16550,
	.send = send_16550,
	.all_sent = all_sent_16550,
	.receive = receive_16550,
};
