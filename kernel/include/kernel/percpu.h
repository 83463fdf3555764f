/*
 * Per-CPU variables: a template in section "percpu", copied for each CPU into
 * memory of that CPU's node at start-up.
 *
 *   PERCPU(struct foo, foo);            define; starts as zero: no initialiser
 *   extern PERCPU_DECLARE(struct foo, foo);
 *   this_cpu_ptr(foo)                   this CPU's copy; the caller does not move between CPUs
 *   cpu_ptr(cpu, foo)                   another CPU's copy
 *
 * Before percpu_init() the boot CPU uses the template itself, and takes what it
 * wrote there along; the other CPUs get the values that were linked.
 */
#pragma once

#include <kernel/types.h>
#include <arch/cpu.h>

#define PERCPU(type, name) __section("percpu") __typeof__(type) name
#define PERCPU_DECLARE(type, name) __typeof__(type) name

extern u64 percpu_offset[MAX_CPUS]; /* of a CPU's copy from the template */

/* First thing in kernel_main(): keep the linked values, before the boot CPU changes any. */
void percpu_save_template(void);
/* Make the copies on their nodes; the boot CPU moves to its own. After smp_prepare() and mm_init(). */
void percpu_init(void);

#define this_cpu_ptr(name) ((__typeof__(name) *)((u64)(&(name)) + percpu_base()))
#define cpu_ptr(cpu, name) ((__typeof__(name) *)((u64)(&(name)) + percpu_offset[cpu]))
