/*
 * The log: a ring of lines with time stamps. Appending takes ring_lock, interrupts off, for as
 * long as formatting takes; it waits for no device. Comes last of all locks, behind the console's owner.
 */
#include "output.h"
#include <kernel/clock.h>
#include <kernel/printf.h>
#include <kernel/spinlock.h>
#include <kernel/string.h>
#include <arch/irq.h>

enum { RING_SIZE = 64 << 10 }; /* bytes: some 800 lines, the log of a boot with 512 CPUs */

static struct spinlock ring_lock; /* ring, ring_head */
static char ring[RING_SIZE];
static u64 ring_head; /* bytes ever appended, always whole lines; written under ring_lock */
static u64 ring_lines; /* lines ever appended; under ring_lock */

bool output_locks_broken;
bool log_clock_ready;

static irqflags_t ring_acquire(void)
{
	irqflags_t flags = irq_save();

	/* The holder only formats and copies: it waits for nobody, so this wait needs no polling. */
	while (!load_relaxed(&output_locks_broken) && !spin_trylock(&ring_lock))
		cpu_relax();
	return flags;
}

static void ring_release(irqflags_t flags)
{
	/* As spin_unlock(), also where a panic went on without the lock. */
	store_release(&ring_lock.held, 0);
	irq_restore(flags);
}

struct append { /* what is being appended: lines that nobody sees yet */
	u64 head;
	bool fresh; /* at the beginning of a line */
};

static void ring_append(struct append *a, const char *s, size_t len)
{
	while (len--)
		ring[a->head++ % RING_SIZE] = *s++;
}

static void append_stamp(struct append *a)
{
	char stamp[32];
	u64 us = log_clock_ready ? clock_ns() / 1000 : 0;
	int len = ksnprintf(stamp, sizeof(stamp), "[%5lu.%06lu] ", us / 1000000, us % 1000000);

	ring_append(a, stamp, (size_t)len);
}

/* Sink of the formatter. */
static void log_put(void *arg, const char *s, size_t len)
{
	struct append *a = arg;

	while (len) {
		const char *newline = memchr(s, '\n', len);
		size_t n = newline ? (size_t)(newline - s) + 1 : len;

		if (a->fresh)
			append_stamp(a);
		ring_append(a, s, n);
		a->fresh = newline;
		ring_lines += a->fresh;
		s += n;
		len -= n;
	}
}

void log_append(const char *fmt, va_list ap)
{
	irqflags_t flags = ring_acquire();
	struct append a = {.head = ring_head, .fresh = true};

	kvprintf_sink(log_put, &a, fmt, ap);
	if (!a.fresh) {
		ring_append(&a, "\n", 1);
		ring_lines++;
	}
	/* Relaxed: whoever goes by it reads the ring under ring_lock. */
	store_relaxed(&ring_head, a.head);
	ring_release(flags);
}

u64 log_end(void)
{
	return load_relaxed(&ring_head);
}

u64 log_oldest(void)
{
	u64 end = log_end();

	/* One more than there is: the reader then skips to a whole line. */
	return end > RING_SIZE ? end - RING_SIZE - 1 : 0;
}

/* To the oldest whole line, if what was at *pos is gone. By the holder of ring_lock. */
static void skip_lost(u64 *pos)
{
	if (ring_head - *pos <= RING_SIZE)
		return;
	*pos = ring_head - RING_SIZE;
	while (ring[(*pos)++ % RING_SIZE] != '\n')
		;
}

u64 log_line(u64 pos)
{
	irqflags_t flags = ring_acquire();
	u64 line = ring_lines;

	skip_lost(&pos);
	for (; pos < ring_head; pos++)
		line -= ring[pos % RING_SIZE] == '\n';
	ring_release(flags);
	return line;
}

size_t log_read(u64 *pos, char *buf, size_t size)
{
	irqflags_t flags = ring_acquire();
	size_t n;

	skip_lost(pos);
	n = MIN(size, ring_head - *pos);
	for (size_t i = 0; i < n; i++)
		buf[i] = ring[(*pos)++ % RING_SIZE];
	ring_release(flags);
	return n;
}
