/* Console input: type-ahead, so that Ctrl-C is seen while a command runs and nothing else is lost. */
#include <kernel/atomic.h>
#include <kernel/console.h>
#include <kernel/error.h>
#include <arch/cpu.h>
#include <arch/platform.h>

enum { TYPE_AHEAD = 4096 }; /* bytes; when it is full the UART's flow control holds the sender */

/* Touched by CPU 0 only, but for `interrupted`. */
static char typed[TYPE_AHEAD];
static unsigned typed_head, typed_tail; /* next free, next to read; they run freely */
static bool interrupted;

static void fill(void)
{
	int c;

	while (typed_head - typed_tail < TYPE_AHEAD && (c = uart_getc()) >= 0) {
		if (c == CONSOLE_CTRL_C) {
			typed_tail = typed_head; /* what was typed before it is cancelled too */
			store_relaxed(&interrupted, true);
		} else {
			typed[typed_head++ % TYPE_AHEAD] = (char)c;
		}
	}
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
