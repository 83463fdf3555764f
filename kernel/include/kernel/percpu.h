/*
 * Per-CPU variables: a template in section "percpu", copied for each CPU into
 * memory of that CPU's node at start-up.
 *
 *   PERCPU(struct foo, foo);            define
 *   extern PERCPU_DECLARE(struct foo, foo);
 *   this_cpu_ptr(foo)                   this CPU's copy; the caller does not move between CPUs
 *   cpu_ptr(cpu, foo)                   another CPU's copy
 *
 * Before percpu_init() the boot CPU uses the template itself, and the copies
 * are taken from it as it is then. So a variable that the boot CPU writes
 * before percpu_init() must be set on every other CPU when that comes up.
 */
#pragma once

#include <kernel/types.h>
#include <arch/cpu.h>

#define PERCPU(type, name) __section("percpu") __typeof__(type) name __aligned(8)
#define PERCPU_DECLARE(type, name) __typeof__(type) name

extern u64 percpu_offset[MAX_CPUS]; /* of a CPU's copy from the template */

/* Make the copies on their nodes; the boot CPU moves to its own. After smp_prepare() and mm_init(). */
void percpu_init(void);

#define this_cpu_ptr(name) ((__typeof__(name) *)((char *)&(name) + percpu_base()))
#define cpu_ptr(cpu, name) ((__typeof__(name) *)((char *)&(name) + percpu_offset[cpu]))
