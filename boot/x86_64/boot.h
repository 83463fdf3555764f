/* Between the files of boot/x86_64. */
#pragma once

#include <kernel/types.h>

struct bootinfo;
struct boot_console;

/* boot_root, mapped while the boot page tables are loaded: everything below 4 GiB. */
#define BOOT_MAP_END (4UL << 30)

/*
 * console_from_cmdline - what console= on the boot line asks for, before the option
 * parser runs: the first line printed is to go there already. False: nothing, or
 * nothing that makes sense (console_check_option() says so later).
 */
bool console_from_cmdline(const char *cmdline, struct boot_console *console);
/* Complain about a console= that could not be used. Needs the log and the option parser. */
void console_check_option(void);
