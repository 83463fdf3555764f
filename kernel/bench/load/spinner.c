/* CPUs kept busy. */
#include <kernel/context.h>
#include <kernel/det.h>
#include <kernel/error.h>
#include "spinner.h"

static void spin_main(void *arg)
{
	struct spinner *s = arg;
	u64 page = 0;

	/* Release; pairs with the acquire in spinner_start(). */
	store_release(&s->running, 1);
	cpu_wake(s->starter);
	while (!load_relaxed(&s->stop)) {
		if (s->kind == SPIN_LOAD) {
			load_relaxed((const u64 *)(s->base + (page << PAGE_SHIFT)));
			if (++page == s->pages)
				page = 0;
		}
		/* Instruction counting switches CPUs only where they relax. */
		if (s->kind == SPIN_RELAX || det_mode)
			cpu_relax();
	}
}

int spinner_start(struct spinner *s, unsigned cpu, enum spin_kind kind, struct aspace *as,
		  vaddr_t base, u64 pages)
{
	*s = (struct spinner){
		.kind = kind,
		.cpu = cpu,
		.starter = cpu_id(),
		.as = as,
		.base = base,
		.pages = pages,
	};
	s->ctx = context_spawn(cpu, "spinner", spin_main, s, as);
	if (!s->ctx)
		return -ENOMEM;
	/* The CPU has nothing else to run, so it will take it. */
	wait_until(load_acquire(&s->running), "a busy loop to begin");
	return 0;
}

void spinner_stop(struct spinner *s)
{
	if (!s->ctx)
		return;
	store_relaxed(&s->stop, 1);
	context_join(s->ctx);
	s->ctx = NULL;
}
