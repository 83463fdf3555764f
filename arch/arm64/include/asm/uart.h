/* The console UART, beyond the contract. */
#pragma once

struct bootinfo;

/* First use: the entry code has mapped what bi->console names. */
void uart_init(const struct bootinfo *bi);
/* The kernel's tables changed: until the UART is mapped again, output is dropped. */
void uart_remapped(void);
/* Wait, but not for ever, until everything has left. */
void uart_drain(void);
