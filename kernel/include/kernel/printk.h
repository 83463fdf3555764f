/*
 * The console as one stream of whole lines.
 *
 * Every print is one write under one lock, so lines of different CPUs never
 * mix. Log lines (printk) go into a ring that `dmesg` shows, and from there to
 * the console: by the printing CPU, or by the one that owns the console at the
 * moment. Newline is sent as CR LF. Safe in any context: nobody waits for the
 * console with interrupts off; what is printed there while another owns it
 * comes out as a log line. In a panic the locks are broken.
 */
#pragma once

#include <kernel/types.h>
#include <stdarg.h>

/* Log line: ring and console; "[    0.012345] " in front. One call = one or more whole lines. */
void printk(const char *fmt, ...) __printf(1, 2);
/* Command output: console only, no prefix; may be part of a line. */
void kprintf(const char *fmt, ...) __printf(1, 2);
void kvprintf(const char *fmt, va_list ap) __printf(1, 0);
/* Raw bytes to the console, of any length (JSON records). */
void console_write(const char *s, size_t len);
/* Start a fresh line unless the column is 0 already. */
void console_fresh_line(void);
/* Column at which the next character will stand: 0 if somebody printed lines since a prompt. */
unsigned console_column(void);
/* Replay the ring. */
void printk_dump(void);
/* Panic path: from now on take no lock. */
void printk_break_lock(void);
/* Time stamps need the clock; until this is called they print as zero. */
void printk_clock_ready(void);
/* Tee: every console byte is also given to fn (results capture); NULL = none. Console CPU only. */
void console_set_tee(void (*fn)(const char *s, size_t len));
