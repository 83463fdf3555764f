/*
 * The console's output: one owner at a time writes to all sinks. Log lines reach them from the
 * ring: whoever owns the console sends what the ring holds before it lets go, so printk() never
 * waits for a slow device. Everything else waits for the console with interrupts on, or turns
 * into a log line.
 *
 * Lock chain: console_owner -> the log's lock. Both come last of all locks.
 */
#include "output.h"
#include <kernel/atomic.h>
#include <kernel/console.h>
#include <kernel/det.h>
#include <kernel/panic.h>
#include <arch/cpu.h>
#include <arch/irq.h>

enum { CHUNK = 128 }; /* bytes copied from the ring at a time, on the stack */

static u32 console_owner; /* CPU that writes to the console, plus 1; guards the three below */
static u64 console_sent; /* of the log's bytes */
static unsigned column;
static struct console_sink
	*sinks; /* changed by the owner; a panic walks it whatever the owner did */

/* The list's acquires pair with the release in console_add_sink(): what a sink holds is there. */
static void write_to(struct console_sink *sink, const char *s, size_t len, bool record)
{
	for (; sink; sink = load_acquire(&sink->next)) {
		if (!record || sink->records)
			sink->write(sink, s, len);
	}
}

void console_emit(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\n' || s[i] == '\r')
			column = 0;
		else if (s[i] >= ' ')
			column++;
	}
	write_to(load_acquire(&sinks), s, len, false);
}

static void emit_fresh_line(void)
{
	if (column)
		console_emit("\n", 1);
}

void console_emit_log(void)
{
	char chunk[CHUNK];
	bool first = true;
	size_t n;

	while ((n = log_read(&console_sent, chunk, sizeof(chunk)))) {
		if (first)
			emit_fresh_line();
		first = false;
		console_emit(chunk, n);
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
bool console_lock(void)
{
	while (!load_relaxed(&output_locks_broken) && !console_trylock()) {
		if (!irqs_enabled() || load_relaxed(&console_owner) == cpu_id() + 1)
			return false;
		cpu_relax();
	}
	return true;
}

void console_unlock(void)
{
	for (;;) {
		console_emit_log();
		if (load_relaxed(&output_locks_broken))
			return;
		store_release(&console_owner, 0);
		/*
		 * Orders the store before the look at the ring; partner: the cmpxchg in
		 * console_send_log(), between the append and the look at the owner. So a line
		 * appended meanwhile is seen here, or its CPU finds the console free.
		 */
		smp_mb();
		if (load_relaxed(&console_sent) == log_end() || !console_trylock())
			return;
	}
}

void console_send_log(void)
{
	if (load_relaxed(&output_locks_broken) || console_trylock())
		console_unlock();
}

/* What could not be written becomes log lines. */
static void __printf(1, 2) log_instead(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_append(fmt, ap);
	va_end(ap);
	console_send_log();
}

void console_write(const char *s, size_t len)
{
	if (!console_lock()) {
		log_instead("%.*s", (int)len, s);
		return;
	}
	console_emit(s, len);
	console_unlock();
	det_yield_point();
}

void console_record(const char *s, size_t len)
{
	ASSERT(len && s[len - 1] == '\n');
	if (!console_lock()) {
		log_instead("%.*s", (int)len, s);
		return;
	}
	emit_fresh_line();
	write_to(load_acquire(&sinks), s, len, true);
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

void console_drain(void)
{
	for (struct console_sink *sink = load_acquire(&sinks); sink;
	     sink = load_acquire(&sink->next)) {
		if (sink->drain)
			sink->drain(sink);
	}
}

/* ---- who listens ---- */

/* What it missed, from the oldest line that is left to the last one that others were sent. */
static void replay(struct console_sink *sink)
{
	char chunk[CHUNK];
	u64 pos = log_oldest();

	while (pos < console_sent) {
		size_t n = log_read(&pos, chunk, MIN(sizeof(chunk), console_sent - pos));

		sink->write(sink, chunk, n);
	}
}

void console_add_sink(struct console_sink *sink)
{
	bool owner = console_lock();

	ASSERT(owner && sink->write);
	replay(sink);
	sink->next = sinks;
	/* Release; pairs with the acquires of those who walk the list, in a panic without owning it. */
	store_release(&sinks, sink);
	console_unlock();
}

void console_remove_sink(struct console_sink *sink)
{
	struct console_sink **at = &sinks;
	bool owner = console_lock();

	ASSERT(owner);
	while (*at && *at != sink)
		at = &(*at)->next;
	ASSERT(*at);
	/* Release, for who walks on from here: the sinks behind it were added by one. */
	store_release(at, sink->next);
	console_unlock();
}
