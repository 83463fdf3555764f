/* Code of a guest (see linker.ld) that only touches its pages. */
#include <arch/cpu.h>
#include <arch/guest.h>
#include <kernel/atomic.h>
#include "touch.h"

void touch_guest(void *task)
{
	const struct touch_task *t = task;

	for (;;) {
		for (u64 page = 0; page < load_relaxed(&t->pages); page++) {
			store_relaxed((u64 *)(page << PAGE_SHIFT), page);
			cpu_relax();
		}
		guest_call();
	}
}
