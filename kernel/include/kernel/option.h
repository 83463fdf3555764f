/*
 * Words of the boot line: "name=value", "name" alone, value in double quotes
 * where it holds spaces. The first word with a name wins, but for console=; unknown
 * names, words without a name and a quote without end are reported in the log once
 * all subsystems have asked for theirs. Each name is declared where it is read.
 */
#pragma once

#include <kernel/register.h>
#include <kernel/types.h>

struct boot_option {
	const char *name, *values, *summary; /* `help boot` prints "name=values  summary" */
};

/* BOOT_OPTION(limit, "nr_cpus", "N", "at most N CPUs"); tools/boot_options.py reads these lines, too. */
#define BOOT_OPTION(ident, option_name, option_values, option_summary)                             \
	REGISTER(boot_option, boot_option_##ident, "boot_options") = {                             \
		.name = (option_name), .values = (option_values), .summary = (option_summary)}

extern const struct boot_option *const __start_boot_options[], *const __stop_boot_options[];

/* Shorter than BOOT_CMDLINE_LEN, as the boot code stores it. */
void option_init(const char *cmdline);
/* Value of a word, "" for a bare word, NULL if absent. Marks the name as known. */
const char *option_get(const char *name);
/* Value of the n-th word with that name, from 0 on; NULL if there are not so many. Marks all of them as known. */
const char *option_nth(const char *name, unsigned n);
/* Number in [min, max]; a bad value is logged with the reason and the default is used. */
u64 option_u64(const char *name, u64 def, u64 min, u64 max);
/* Index of the value in a NULL-terminated list; a bad value is logged and def used. */
unsigned option_choice(const char *name, const char *const *choices, unsigned def);
/* True if a comma-separated list option (hw=-pcid,-invlpgb) has this item. */
bool option_list_has(const char *name, const char *item);
void option_report_unknown(void);
/* Overwrite the value of every word with this name in a boot line, for whoever prints that line. What was split stays. */
void option_hide(char *cmdline, const char *name);
