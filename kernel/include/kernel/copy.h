/* Which of a port's ways to copy and to zero a page are used (arch/cpu.h). */
#pragma once

#include <kernel/types.h>

struct copy_variant;

/*
 * copy_page_select - measure the variants that may run here and take the quickest. copy=NAME on the
 * boot line takes one instead: neither this nor copy_may_run() then lets any other run, as a
 * hypervisor may not emulate what its CPUID promises. Boot CPU, interrupts on.
 */
void copy_page_select(void);
/* The name of the variant behind copy_page(). */
const char *copy_page_name(void);
/* May a benchmark run it beside the one in use? */
bool copy_may_run(const struct copy_variant *v);
