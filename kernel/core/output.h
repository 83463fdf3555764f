/* Between the files of the console core: the log's ring (log.c), who owns the console (console.c), formatting (printk.c). */
#pragma once

#include <kernel/log.h>
#include <stdarg.h>

/* ---- log.c ---- */

/* Panic: nobody takes a lock of the console core any more. */
extern bool output_locks_broken;
/* Time stamps may use the clock. */
extern bool log_clock_ready;

/* One or more whole lines, each with a time stamp. Any context. */
void log_append(const char *fmt, va_list ap) __printf(1, 0);
/* Bytes ever appended: the position behind the last line. */
u64 log_end(void);

/* ---- console.c ---- */

/* False: another owns the console and this CPU must not wait; it may only append to the log. */
bool console_lock(void);
/* Sends the log's new lines first. */
void console_unlock(void);
/* After an append: send the log unless somebody owns the console and will do it. */
void console_send_log(void);
/* By the owner. */
void console_emit(const char *s, size_t len);
void console_emit_log(void);
