/* Arm's PL011 (DDI 0183), or its SBSA subset without line control. Registers are 32 bits wide. */
#include "uart.h"
#include <kernel/error.h>

enum {
	REG_DR = 0x00,
	REG_FR = 0x18,
	REG_IBRD = 0x24, /* the divisor of the clock by 16 bauds */
	REG_FBRD = 0x28, /* its 64ths; both take effect when LCRH is written */
	REG_LCRH = 0x2c,
	REG_CR = 0x30,
	FR_BUSY = 1 << 3,
	FR_RX_EMPTY = 1 << 4,
	FR_TX_FULL = 1 << 5,
	LCRH_8N1_FIFO = 0x70,
	CR_UART = 0x001,
	CR_ENABLE = 0x301, /* UART, transmitter, receiver */
};

/* Looks at BUSY before giving up on the last character that firmware sent: 20 ms at 9600 baud. */
enum { BUSY_LOOKS = 100000 };

/* The line must be idle and off (DDI 0183 3.3.8). */
static void set_baud(const struct uart *u, u32 baud)
{
	u64 divisor =
		((u64)u->clock * 4 + baud / 2) / baud; /* in 64ths: clock * 64 / (16 * baud) */

	for (unsigned i = 0; i < BUSY_LOOKS && mmio_read32(u->base + REG_FR) & FR_BUSY; i++)
		;
	mmio_write32(u->base + REG_CR, 0);
	mmio_write32(u->base + REG_IBRD, (u32)(divisor / 64));
	mmio_write32(u->base + REG_FBRD, divisor % 64);
}

/*
 * Firmware has set the line up; under QEMU's -kernel there was none. The speed stays unless
 * another is asked for and the clock is known.
 */
static bool open_pl011(struct uart *u, u32 baud)
{
	if (u->sbsa)
		return true;
	if (baud && u->clock)
		set_baud(u, baud);
	else if (mmio_read32(u->base + REG_CR) & CR_UART)
		return true;
	mmio_write32(u->base + REG_LCRH, LCRH_8N1_FIFO);
	mmio_write32(u->base + REG_CR, CR_ENABLE);
	return true;
}

static unsigned room_pl011(struct uart *u)
{
	return !(mmio_read32(u->base + REG_FR) & FR_TX_FULL);
}

static void send_pl011(struct uart *u, u8 byte)
{
	mmio_write32(u->base + REG_DR, byte);
}

static bool all_sent_pl011(struct uart *u)
{
	return !(mmio_read32(u->base + REG_FR) & FR_BUSY);
}

static int receive_pl011(struct uart *u)
{
	if (mmio_read32(u->base + REG_FR) & FR_RX_EMPTY)
		return -EAGAIN;
	return (u8)mmio_read32(u->base + REG_DR);
}

const struct uart_chip uart_pl011 = {
	.open = open_pl011,
	.room = room_pl011,
	.send = send_pl011,
	.all_sent = all_sent_pl011,
	.receive = receive_pl011,
};
