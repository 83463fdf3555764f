/* The console UART (kernel/drivers/): polled, a sink and a source of the console core. */
#pragma once

#include <kernel/types.h>

struct boot_console;

/*
 * uart_open - use the UART that c names, instead of the one before. Its registers must be mapped.
 * Boot CPU, start-up. False: nothing answers there, or c names none; there is no UART then, and
 * output to it is dropped.
 */
bool uart_open(const struct boot_console *c);
/* Physical address of its registers; 0: there is none, or it is at I/O ports. */
paddr_t uart_registers(void);
/* The kernel's tables changed: without a mapping of the registers there is no UART until the next uart_open(). */
void uart_lose(void);
