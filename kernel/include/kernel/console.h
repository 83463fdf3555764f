/*
 * The console core: output goes to every registered sink, input comes from every registered
 * source. No driver is known here; a UART, a network, a framebuffer or a keyboard registers.
 *
 * Every print is one write under one owner, so lines of different CPUs never mix. Output is safe
 * in any context: nobody waits for the console with interrupts off; what is printed there while
 * another owns it comes out as a log line.
 */
#pragma once

#include <kernel/types.h>

enum { CONSOLE_CTRL_C = 3 };

/* ---- output; kernel/printk.h formats ---- */

/*
 * Where output goes. write() is called on any CPU, by one at a time, with interrupts on or off,
 * also by a panic: it takes no lock, allocates nothing, prints nothing and gives up on a device
 * that does not answer. Lines end with '\n'; what else the device needs is the sink's business.
 */
struct console_sink {
	void (*write)(struct console_sink *sink, const char *s, size_t len);
	/* May be NULL. Wait, but not for ever, until all of it has left; before the power goes. */
	void (*drain)(struct console_sink *sink);
	bool records; /* gets result records too, not only text for people */
	struct console_sink *next; /* the core's; atomic, ends with NULL */
};

/* Task context of the boot CPU, or start-up. The sink gets the log so far, then what is printed. */
void console_add_sink(struct console_sink *sink);
/* The same contexts. On return nobody is in write() and nobody will be. */
void console_remove_sink(struct console_sink *sink);

/* Raw bytes to the console, of any length. */
void console_write(const char *s, size_t len);
/* Whole lines of a result record: only to sinks that ask for records. */
void console_record(const char *s, size_t len);
/* Start a fresh line unless the column is 0 already. */
void console_fresh_line(void);
/* Column at which the next character will stand: 0 if somebody printed lines since a prompt. */
unsigned console_column(void);
/* Until all output has left, or a sink has given up. End of the run: interrupts off, or a panic. */
void console_drain(void);

/* ---- input: polled, by the console's CPU (0) only ---- */

/* Where input comes from. getc(): the next byte, or -EAGAIN; never waits. */
struct console_source {
	int (*getc)(struct console_source *source);
	struct console_source *next; /* the core's */
};

void console_add_source(struct console_source *source);
void console_remove_source(struct console_source *source);

/* Next character typed, CONSOLE_CTRL_C included, or -EAGAIN. */
int console_getc(void);
/*
 * Was Ctrl-C typed since the command began? Long-running commands ask between
 * steps, clean up and return. Other characters typed meanwhile are kept. Any CPU.
 */
bool console_interrupted(void);
/* Forget a Ctrl-C: the shell, before each command. */
void console_clear_interrupt(void);

/* Does somebody type at a prompt, and wait for answers? Else the boot line has a script (tarry.run). */
bool console_attended(void);

/* ---- idle work ---- */

/*
 * What wants a look now and then, a network card for one. Called on CPU 0, interrupts on, in the
 * console's own loop while it waits for input (idle: commands may be run), and twice a second
 * before a command of a line or between the rounds of a benchmark: never in a wait and never in a
 * measured part.
 * True: there was work, look again before napping.
 */
struct console_poll {
	bool (*poll)(struct console_poll *poll, bool idle);
	struct console_poll *next; /* the core's */
};

void console_add_poll(struct console_poll *poll);
void console_remove_poll(struct console_poll *poll);
/* Looks at all of them. idle: no command runs; only the console's loop says so. True: there was work. */
bool console_poll(bool idle);
