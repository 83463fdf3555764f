/*
 * A PS/2 keyboard as a source of the console (kernel/drivers/keyboard.c), polled, read as a US one. A USB keyboard
 * is not driven; some firmware passes it on as a PS/2 one. Boot CPU, start-up.
 */
#pragma once

#include <kernel/types.h>

/* keyboard_add - use the keyboard controller, once. False: there is none, or it does not answer. */
bool keyboard_add(void);
