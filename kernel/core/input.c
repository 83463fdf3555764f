/*
 * The console's input: type-ahead from all sources, so that Ctrl-C is seen while a command runs
 * and nothing else is lost; and what is looked at while nobody types.
 */
#include <kernel/atomic.h>
#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/error.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/smp.h>
#include <arch/cpu.h>
#include <arch/irq.h>

/* Between parts of a command: seldom enough for what is found in the caches, often enough for who asks how far it is. */
#define LOOK_NS 500000000UL

enum { TYPE_AHEAD = 4096 }; /* bytes; when it is full the UART's flow control holds the sender */

/* Touched by CPU 0 only, but for `interrupted`. */
static char typed[TYPE_AHEAD];
static unsigned typed_head, typed_tail; /* next free, next to read; they run freely */
static struct console_source *sources;
static struct console_poll *polls;
static bool interrupted;

static void take(int c)
{
	if (c == CONSOLE_CTRL_C) {
		typed_tail = typed_head; /* what was typed before it is cancelled too */
		store_relaxed(&interrupted, true);
	} else {
		typed[typed_head++ % TYPE_AHEAD] = (char)c;
	}
}

static void fill(void)
{
	int c;

	for (struct console_source *s = sources; s; s = s->next) {
		while (typed_head - typed_tail < TYPE_AHEAD && (c = s->getc(s)) >= 0)
			take(c);
	}
	ASSERT(typed_head - typed_tail <= TYPE_AHEAD);
}

void console_add_source(struct console_source *source)
{
	source->next = sources;
	sources = source;
}

void console_remove_source(struct console_source *source)
{
	struct console_source **at = &sources;

	while (*at && *at != source)
		at = &(*at)->next;
	ASSERT(*at);
	*at = source->next;
}

int console_getc(void)
{
	fill();
	if (load_relaxed(&interrupted)) {
		store_relaxed(&interrupted, false);
		return CONSOLE_CTRL_C;
	}
	return typed_head == typed_tail ? -EAGAIN : (u8)typed[typed_tail++ % TYPE_AHEAD];
}

bool console_interrupted(void)
{
	if (cpu_id() == 0)
		fill();
	return load_relaxed(&interrupted);
}

void console_clear_interrupt(void)
{
	store_relaxed(&interrupted, false);
}

bool console_attended(void)
{
	return !option_get("tarry.run");
}

/* ---- idle work ---- */

void console_add_poll(struct console_poll *poll)
{
	poll->next = polls;
	polls = poll;
}

void console_remove_poll(struct console_poll *poll)
{
	struct console_poll **at = &polls;

	while (*at && *at != poll)
		at = &(*at)->next;
	ASSERT(*at);
	*at = poll->next;
}

bool console_poll(bool idle)
{
	static u64 looked;
	struct console_poll *next;
	bool work = false;

	ASSERT(cpu_id() == 0 && irqs_enabled());
	ASSERT(!this_cpu_ptr(cpu_self)->current); /* no context's wait */
	if (!polls || (!idle && clock_ns() - looked < LOOK_NS))
		return false;
	looked = clock_ns();
	for (struct console_poll *p = polls; p; p = next) {
		next = p->next; /* it may remove itself */
		work |= p->poll(p, idle);
	}
	return work;
}
