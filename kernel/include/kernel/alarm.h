/*
 * The one-shot timer of each CPU, which two share: a wait that halts, and one
 * alarm for whoever asked for it (mm: the tick of a deferral). Nothing is armed
 * unless one of them is set. Each CPU uses its own only.
 */
#pragma once

#include <kernel/types.h>

/* In the timer interrupt, interrupts off: takes no lock, waits for nothing. May set the next alarm. */
extern void (*alarm_handler)(void);

/* Call alarm_handler on this CPU at least ns from now; one that is set already stays. Any context. */
void alarm_set(u64 ns);
void alarm_cancel(void);
bool alarm_is_set(void);

/* ---- for kernel/core ---- */

/* A wait is about to halt: interrupt it after ns, or for the alarm. Interrupts off. */
void alarm_wait_begin(u64 ns);
/* It has ended: only the alarm's interrupt is left, if there is one. Interrupts off. */
void alarm_wait_end(void);
/* The timer interrupt has come. */
void alarm_interrupt(void);
