/* Page faults of workloads. */
#pragma once

#include <mm/aspace.h>

struct fault {
	struct aspace *as;
	vaddr_t va;
	bool write, exec;
	bool strict; /* new pages from the area's node or not at all */
	unsigned attempt; /* 0 first */
	pte_t seen; /* the entry that decided */
	u64 start; /* cycles_now() at entry */
	struct object_fill fill; /* FAULT_WAIT: what for */
	struct page *filled; /* with a reference, so that it is there when the fault starts over */
};
/* FAULT_WAIT: let go of the space's lock, then wait for f->fill and start over. */
enum fault_result { FAULT_DONE, FAULT_ERROR, FAULT_RETRY, FAULT_WAIT };
/* Handle until done: waits, retries. False: no area, or access not allowed. Interrupts on. */
bool fault_handle(struct aspace *as, vaddr_t va, bool write, bool exec);

/* Wait for pages to come back from migration; longest and total, per CPU, reset by workloads. */
struct fault_wait {
	u64 longest, total, count; /* cycles from fault entry to resume, of faults that waited */
};
extern PERCPU_DECLARE(struct fault_wait, fault_wait);
