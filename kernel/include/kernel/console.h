/* Console input. Polled, by the console's CPU (0) only; output is kernel/printk.h. */
#pragma once

#include <kernel/types.h>

enum { CONSOLE_CTRL_C = 3 };

/* Next character typed, CONSOLE_CTRL_C included, or -EAGAIN. */
int console_getc(void);
/*
 * Was Ctrl-C typed since the command began? Long-running commands ask between
 * steps, clean up and return. Other characters typed meanwhile are kept. Any CPU.
 */
bool console_interrupted(void);
/* Forget a Ctrl-C: the shell, before each command. */
void console_clear_interrupt(void);
