/* The console's command interpreter. */
#pragma once

#include <kernel/panic.h>
#include <kernel/registry.h>

/*
 * Run tarry.run="cmd; cmd" and end the machine with the verdict, or read
 * commands from the console for ever. Boot CPU.
 */
void shell_main(void) __noreturn;

/*
 * Show a line as if it had been typed, and run it. Returns the worst code of its commands. The console's idle work
 * (console_add_poll()) may call it, as no command runs then.
 */
unsigned shell_run(const char *line);

/* The verdict so far of tarry.run, for `poweroff` in it; RC_PASS on an interactive console. */
unsigned shell_verdict(void);

const struct command *shell_find_command(const char *name);
/* The i-th command by name, NULL behind the last. */
const struct command *shell_command(unsigned i);
/* The subject of `list` with that name, or NULL. */
const struct list_provider *shell_find_lister(const char *name);
/* Usage, help text and those options of a command that go with a word ("": all). */
void shell_print_help(const struct command *cmd, const char *word);
/* Every option of the boot line, by name. */
void shell_print_boot_options(void);
/* Candidate i for the word at the cursor (cursor: bytes before it), NULL at the end; what it is for in *at. */
const char *shell_complete(const char *line, size_t cursor, unsigned i, struct completion *at);
