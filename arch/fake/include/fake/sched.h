/* Between the scheduler (sched.c) and what makes it deviate from the default (deviate.c). */
#pragma once

#include <fake/machine.h>

enum { RUSH_TURNS = 4096 }; /* more than any spin phase of kernel/core/wait.c */

/* ---- sched.c ---- */
bool fake_runnable(const struct fake_cpu *cpu);
/* Bit per CPU that could go on. */
unsigned fake_runnable_mask(void);
/* Returns when somebody switches back. */
void fake_switch_to(struct fake_cpu *to);
/* This CPU waits until nobody else can go on; the first to do so is this one, if it can. */
void fake_park(unsigned first);
/* End the execution. */
void fake_leave(void);

/* ---- deviate.c ---- */
/* Back to the plan's first deviation. */
void fake_deviations_begin(void);
/* All that is planned for this step; chance, when the plan is through. waiting: in cpu_relax(). */
void fake_deviate(bool waiting);
/* Chance prefers CPUs that were always later at this place. */
void fake_deviate_at(unsigned place);
/* Chance takes waits more often than other points, or halts would hardly ever happen. */
void fake_deviate_wait(void);
/* Note what could be done otherwise at this step. */
void fake_record_point(bool waiting);
void fake_record_nothing(void);
