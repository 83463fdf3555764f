/* The code of guests in tests: see count_guest.h, and linker.ld. */
#include <arch/cpu.h>
#include <arch/guest.h>
#include <kernel/atomic.h>
#include "count_guest.h"

void count_guest(void *task)
{
	struct count_task *t = task;

	for (;;) {
		for (u64 i = 0; i < t->pages; i++) {
			u64 *at = (u64 *)(i * t->step << PAGE_SHIFT) + t->word;

			t->wrong += load_relaxed(at) != t->laps;
			store_relaxed(at, t->laps + 1);
			cpu_relax();
		}
		t->laps++;
		guest_call();
	}
}

void spin_guest(void *task)
{
	struct count_task *t = task;

	for (;;) {
		while (!load_relaxed(&t->stop)) {
			store_relaxed(&t->laps, t->laps + 1);
			cpu_relax();
		}
		guest_call();
	}
}

void reach_guest(void *task)
{
	struct count_task *t = task;

	for (;;) {
		load_relaxed((u64 *)t->address);
		guest_call();
	}
}

void jump_guest(void *task)
{
	struct count_task *t = task;

	((void (*)(void))t->address)();
	for (;;)
		guest_call();
}
