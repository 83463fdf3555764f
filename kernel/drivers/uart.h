/* Between the UARTs (uart.c) and the chips that they may be. */
#pragma once

#include <arch/mmio.h>
#include <kernel/bootinfo.h>
#include <kernel/console.h>

struct uart;

struct uart_chip {
	bool (*open)(struct uart *u, u32 baud); /* 0: leave the rate. False: nothing answers */
	unsigned (*room)(
		struct uart *u); /* bytes it takes before it must be asked again; 0 = full */
	void (*send)(struct uart *u, u8 byte);
	bool (*all_sent)(struct uart *u);
	int (*receive)(struct uart *u); /* a byte, or -EAGAIN */
};

struct uart {
	struct console_sink sink; /* without a write(): this one is free */
	const struct uart_chip *chip; /* NULL: cannot be reached */
	u64 base; /* physical address, or port number */
	bool io; /* at I/O ports */
	u32 clock; /* Hz, 0 = unknown */
	u8 stride, width; /* bytes between and per register */
	bool sbsa; /* a PL011 without line control */
	bool fifo; /* 16550: a working transmit FIFO */
	bool input; /* what is typed there is read */
	bool stuck; /* gave up waiting: looked at only once per byte until it sends again */
	unsigned room; /* bytes that it takes without being asked */
};

extern const struct uart_chip uart_16550, uart_pl011;
