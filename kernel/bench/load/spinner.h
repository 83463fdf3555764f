/* A CPU kept busy while something is asked of it: by a bare loop, or one that loads from memory. */
#pragma once

#include <mm/aspace.h>

enum spin_kind {
	SPIN_RELAX, /* PAUSE or YIELD in every turn */
	SPIN_LOAD, /* walks over pages of its space, as a workload thread does */
};

struct spinner {
	enum spin_kind kind;
	unsigned cpu, starter;
	struct aspace *as;
	vaddr_t base;
	u64 pages;
	struct context *ctx;
	u32 running __aligned(CACHE_LINE); /* release, by the spinner */
	u32 stop; /* release, by the starter */
};

/* Runs when it returns. 0 or -ENOMEM. as: loaded there, may be NULL; base, pages: SPIN_LOAD. */
int spinner_start(struct spinner *s, unsigned cpu, enum spin_kind kind, struct aspace *as,
		  vaddr_t base, u64 pages);
/* Does nothing for one that was not started. */
void spinner_stop(struct spinner *s);
