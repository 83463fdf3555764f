/*
 * Formatted output: log lines and command output. Both go by the console core
 * (kernel/console.h) and know no device.
 *
 * Log lines (printk) go into a ring that `dmesg` shows, and from there to the
 * console: by the printing CPU, or by the one that owns the console at the
 * moment. In a panic the locks are broken.
 */
#pragma once

#include <kernel/types.h>
#include <stdarg.h>

/* Log line: ring and console; "[    0.012345] " in front. One call = one or more whole lines. */
void printk(const char *fmt, ...) __printf(1, 2);
/* Command output: console only, no prefix; may be part of a line. */
void kprintf(const char *fmt, ...) __printf(1, 2);
void kvprintf(const char *fmt, va_list ap) __printf(1, 0);
/* Replay the ring. */
void printk_dump(void);
/* Panic path: from now on take no lock. */
void printk_break_lock(void);
/* Time stamps need the clock; until this is called they print as zero. */
void printk_clock_ready(void);
