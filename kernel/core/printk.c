/*
 * Console output and the log.
 *
 * Log lines are appended to a ring under ring_lock, interrupts off, for as
 * long as formatting takes. They reach the console from there: whoever owns
 * the console sends what the ring holds before it lets go, so printk() never
 * waits for a slow UART. Everything else waits for the console with
 * interrupts on, or turns into a log line.
 *
 * Lock chain: console_owner -> ring_lock. Both come last of all locks.
 */
#include <kernel/clock.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/spinlock.h>
#include <kernel/string.h>
#include <arch/irq.h>
#include <arch/platform.h>

enum {
	RING_SIZE = 64 << 10, /* bytes: some 800 lines, the log of a boot with 512 CPUs */
	CHUNK = 128, /* bytes copied from the ring at a time, on the stack */
};

static struct spinlock ring_lock; /* ring, ring_head */
static char ring[RING_SIZE];
static u64 ring_head; /* bytes ever appended; whole lines whenever ring_lock is free */

static u32 console_owner; /* CPU that writes to the console, plus 1; guards the three below */
static u64 console_sent; /* of the ring's bytes */
static unsigned column;
static void (*tee)(const char *s, size_t len);
static unsigned tee_cpu;

static bool locks_broken;
static bool clock_ready;

/* ---- the ring ---- */

static irqflags_t ring_acquire(void)
{
	irqflags_t flags = irq_save();

	/* The holder only formats and copies: it waits for nobody, so this wait needs no polling. */
	while (!load_relaxed(&locks_broken) && !spin_trylock(&ring_lock))
		cpu_relax();
	return flags;
}

static void ring_release(irqflags_t flags)
{
	store_release(&ring_lock.held, 0);
	irq_restore(flags);
}

static void ring_append(const char *s, size_t len)
{
	while (len--)
		ring[ring_head++ % RING_SIZE] = *s++;
}

static void append_stamp(void)
{
	char stamp[32];
	u64 us = clock_ready ? clock_ns() / 1000 : 0;
	int len = ksnprintf(stamp, sizeof(stamp), "[%5lu.%06lu] ", us / 1000000, us % 1000000);

	ring_append(stamp, (size_t)len);
}

/* Sink of the formatter; arg: is this the beginning of a line? */
static void log_put(void *arg, const char *s, size_t len)
{
	bool *fresh = arg;

	while (len) {
		const char *newline = memchr(s, '\n', len);
		size_t n = newline ? (size_t)(newline - s) + 1 : len;

		if (*fresh)
			append_stamp();
		ring_append(s, n);
		*fresh = newline;
		s += n;
		len -= n;
	}
}

/* Up to size bytes from *pos on, which moves; skips to the oldest whole line if the ring has moved on. */
static size_t ring_read(u64 *pos, char *buf, size_t size)
{
	irqflags_t flags = ring_acquire();
	size_t n;

	if (ring_head - *pos > RING_SIZE) {
		*pos = ring_head - RING_SIZE;
		while (ring[(*pos)++ % RING_SIZE] != '\n')
			;
	}
	n = MIN(size, ring_head - *pos);
	for (size_t i = 0; i < n; i++)
		buf[i] = ring[(*pos)++ % RING_SIZE];
	ring_release(flags);
	return n;
}

/* ---- the console ---- */

static void emit(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\n')
			uart_putc('\r');
		uart_putc(s[i]);
		if (s[i] == '\n' || s[i] == '\r')
			column = 0;
		else if (s[i] >= ' ')
			column++;
	}
	if (tee && cpu_id() == tee_cpu)
		tee(s, len);
}

static void emit_fresh_line(void)
{
	if (column)
		emit("\n", 1);
}

static void emit_log(void)
{
	char chunk[CHUNK];
	bool first = true;
	size_t n;

	while ((n = ring_read(&console_sent, chunk, sizeof(chunk)))) {
		if (first)
			emit_fresh_line();
		first = false;
		emit(chunk, n);
	}
}

static bool console_trylock(void)
{
	u32 nobody = 0;

	return atomic_cmpxchg(&console_owner, &nobody, cpu_id() + 1);
}

/*
 * False: another owns the console and this CPU must not wait, because its
 * interrupts are off or it interrupted the owner. The owner runs with
 * interrupts as it came and waits for nobody, so a wait here ends.
 */
static bool console_lock(void)
{
	while (!load_relaxed(&locks_broken) && !console_trylock()) {
		if (!irqs_enabled() || load_relaxed(&console_owner) == cpu_id() + 1)
			return false;
		cpu_relax();
	}
	return true;
}

static void console_unlock(void)
{
	for (;;) {
		emit_log();
		if (load_relaxed(&locks_broken))
			return;
		store_release(&console_owner, 0);
		/*
		 * Orders the store before the look at the ring; partner: the cmpxchg in
		 * log_flush(), between the append and the look at the owner. So a line
		 * appended meanwhile is seen here, or its CPU finds the console free.
		 */
		smp_mb();
		if (load_relaxed(&console_sent) == load_relaxed(&ring_head) || !console_trylock())
			return;
	}
}

/* After an append: send the log unless somebody owns the console and will do it. */
static void log_flush(void)
{
	if (load_relaxed(&locks_broken) || console_trylock())
		console_unlock();
}

static void vprintk(const char *fmt, va_list ap)
{
	irqflags_t flags = ring_acquire();
	bool fresh = true;

	kvprintf_sink(log_put, &fresh, fmt, ap);
	if (!fresh)
		ring_append("\n", 1);
	ring_release(flags);
	log_flush();
}

void printk(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
}

static void emit_sink(void *arg __unused, const char *s, size_t len)
{
	emit(s, len);
}

void kvprintf(const char *fmt, va_list ap)
{
	if (!console_lock()) {
		vprintk(fmt, ap);
		return;
	}
	kvprintf_sink(emit_sink, NULL, fmt, ap);
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

void console_write(const char *s, size_t len)
{
	if (!console_lock()) {
		printk("%.*s", (int)len, s);
		return;
	}
	emit(s, len);
	console_unlock();
	det_yield_point();
}

void console_fresh_line(void)
{
	if (!console_lock())
		return; /* it comes out as log lines, which are whole */
	emit_fresh_line();
	console_unlock();
}

unsigned console_column(void)
{
	return load_relaxed(&column);
}

void printk_dump(void)
{
	u64 end = load_relaxed(&ring_head), pos = end > RING_SIZE ? end - RING_SIZE - 1 : 0;
	char chunk[CHUNK];

	if (!console_lock())
		return; /* not called with interrupts off */
	/* What is appended from now on stands behind `end` and is sent by the unlock. */
	emit_log();
	while (pos < end) {
		size_t n = ring_read(&pos, chunk, sizeof(chunk));

		emit(chunk, n);
	}
	console_unlock();
}

void printk_break_lock(void)
{
	store_relaxed(&locks_broken, true);
}

void printk_clock_ready(void)
{
	clock_ready = true;
}

void console_set_tee(void (*fn)(const char *s, size_t len))
{
	tee_cpu = cpu_id();
	tee = fn;
}
