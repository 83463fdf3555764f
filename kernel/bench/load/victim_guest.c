/*
 * What a virtual CPU runs: the loop of a workload thread, on the guest's own addresses. This is the guest's code (see
 * linker.ld): it reaches nothing but what its task leads to. Times are the CPU's, so they contain what the host does meanwhile.
 */
#include <arch/guest.h>
#include "vcpu.h"
#include "victim_loop.h"

static __always_inline void operate_in_guest(struct victim *v)
{
	bool writes;
	u64 page;

	if (next_access(v, &page, &writes)) {
		u64 *words = region_page(v->region, page);

		if (writes)
			write_page(v, page, words);
		else
			verify_page(v, page, words, region_tag(v->region, page));
	}
	store_relaxed(&v->now.ops, v->now.ops + 1);
}

void victim_guest(void *task)
{
	struct guest_task *t = task;
	struct victim *v = &t->victim;

	v->last = cycles_now();
	for (unsigned until_call = GUEST_REPORT_OPS;;) {
		operate_in_guest(v);
		note_time(v);
		if (!--until_call) {
			until_call = GUEST_REPORT_OPS;
			guest_call();
		}
		cpu_relax();
	}
}
