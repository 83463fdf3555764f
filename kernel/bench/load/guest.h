/* A guest behind the software MMU on the CPU that runs, and its accesses. */
#pragma once

#include <mm/softmmu.h>

/* The guest runs here from now on, until the next. Task context, interrupts on. */
void guest_enter(struct softmmu *guest);
void guest_leave(struct softmmu *guest);
/*
 * Where a page of the guest is for one access, however many faults that takes. On return interrupts are off; the
 * caller restores *flags after the access. Panics if the space does not allow it. The guest runs here.
 */
u64 *guest_reach(struct softmmu *guest, u64 page, bool write, irqflags_t *flags);

/* A context's function, of a thread of victims.c (struct victim) whose threads are virtual CPUs: runs until they stop. */
void guest_main(void *victim);
