/*
 * The screen as a console (kernel/drivers/screen.c): a sink for text, in a framebuffer of any colour
 * mask or in VGA text memory. No result records: what is captured goes by a UART. Boot CPU, start-up.
 */
#pragma once

#include <kernel/types.h>

struct boot_screen;

/*
 * screen_add - use the screen that s describes, whose memory must be mapped at its direct-map addresses;
 * one that was lost is used again. It is cleared and gets the log so far. False: there is none, or it
 * is smaller than a line of a console.
 */
bool screen_add(const struct boot_screen *s);
/* screen_lose - the kernel's tables changed: what is printed is only remembered, until screen_add(). */
void screen_lose(void);
/* Characters a line and lines; 0 and 0 if no screen is in use. */
void screen_size(unsigned *columns, unsigned *rows);
