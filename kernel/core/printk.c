/* printk(), kprintf() and what else is formatted: into the log, or to whoever listens on the console. */
#include "output.h"
#include <kernel/atomic.h>
#include <kernel/console.h>
#include <kernel/det.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <arch/irq.h>

enum { CHUNK = 128 }; /* bytes copied from the log at a time, on the stack */

static void vprintk(const char *fmt, va_list ap)
{
	log_append(fmt, ap);
	console_send_log();
}

void printk(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
}

static void emit(void *arg __unused, const char *s, size_t len)
{
	console_emit(s, len);
}

void kvprintf(const char *fmt, va_list ap)
{
	if (!console_lock()) {
		vprintk(fmt, ap);
		return;
	}
	kvprintf_sink(emit, NULL, fmt, ap);
	console_unlock();
	det_yield_point();
}

void kprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	kvprintf(fmt, ap);
	va_end(ap);
}

void printk_dump(void)
{
	u64 pos = log_oldest(), end = log_end();
	char chunk[CHUNK];

	if (!console_lock())
		return; /* not called with interrupts off */
	/* What is appended from now on stands behind `end` and is sent by the unlock. */
	console_emit_log();
	while (pos < end) {
		size_t n = log_read(&pos, chunk, MIN(sizeof(chunk), end - pos));

		console_emit(chunk, n);
	}
	console_unlock();
}

void printk_break_lock(void)
{
	store_relaxed(&output_locks_broken, true);
}

void printk_clock_ready(void)
{
	log_clock_ready = true;
}
