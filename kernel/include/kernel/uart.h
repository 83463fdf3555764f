/*
 * The console's UARTs (kernel/drivers/): polled, each a sink of the console core, and one or more of
 * them its source. Boot CPU, start-up.
 */
#pragma once

#include <kernel/types.h>

struct boot_console;
struct bootinfo;

/*
 * uart_add - use the UART that c names, beside those in use; one in use already only becomes a
 * source of input. A new one gets the log so far. Its registers must be mapped. sole_input: from now
 * on nothing is read from others. False: nothing answers there, or c names no UART.
 */
bool uart_add(const struct boot_console *c, bool sole_input);
/* uart_remove - the UART at this place, if it is in use, no longer gets output. */
void uart_remove(const struct boot_console *c);
/*
 * uart_lose - the kernel's tables changed: what goes to a UART in memory without a mapping is
 * dropped until it is added again.
 */
void uart_lose(bool (*is_mapped)(paddr_t registers));

/* uart_describe - those in use, as consoles_describe() has them. Returns how many they are. */
unsigned uart_describe(char *text, size_t size);

/* ---- which UARTs, and the screen: consoles.c ---- */

/*
 * console_words - read every console= of the boot line into bi->console_words, as Linux does.
 * After option_init() and, where a device tree names UARTs, after that was read; touches no device.
 * has_ports: ttyS0 to ttyS3 are at the PC's I/O ports, not those that firmware names.
 */
void console_words(struct bootinfo *bi, bool has_ports);

/* What console_words() does for one word. NULL, or why it cannot be used. *remark: NULL, or what is not done of it. */
const char *console_parse(const struct bootinfo *bi, bool has_ports, const char *word,
			  struct boot_console *c, const char **remark);

/* May the registers of c be touched? May map them. */
typedef bool console_reach_fn(struct bootinfo *bi, const struct boot_console *c);

/*
 * consoles_open_early - what the boot line names, as far as it can be reached by now; otherwise
 * bi->default_consoles and the screen, unless something that it names may still come. Prints nothing.
 */
void consoles_open_early(struct bootinfo *bi, console_reach_fn *reach);
/*
 * consoles_open - all of them, once devices can be mapped; without a usable word every one that is
 * found, so that nobody sees nothing: the one that firmware names, the defaults, the screen. Says what
 * is not used, and why, and what is, if that is more than one.
 */
void consoles_open(struct bootinfo *bi, console_reach_fn *reach);
/*
 * consoles_describe - where output goes, as "UART at port 0x3f8, screen of 128x48 characters". Returns how many
 * they are; text, of size > 0 bytes, is empty without any.
 */
unsigned consoles_describe(char *text, size_t size);
