/* Threads of victims.c that are virtual CPUs of a guest in hardware (machine.h). */
#pragma once

#include "machine.h"
#include "victims.h"

enum {
	GUEST_REPORT_OPS = 64, /* operations between two calls: exits of their own stay rare */
	GUEST_STACK = PAGE_SIZE,
};

/* What a virtual CPU shares with its host: a copy of the thread, with pointers that are the guest's. */
struct guest_task {
	struct victim victim;
	struct victims all;
	struct region region;
};

/* A guest's memory is the region, its virtual CPUs are threads. */
struct vcpus {
	struct machine machine;
	struct vcpu **vcpu; /* [threads]; threads of a later round go on with them */
	u64 threads;
	char *task; /* of each thread: a struct guest_task, and its stack behind it */
	u32 *published; /* [pages of the region]; the region's, while the guest exists */
	u32 *region_published; /* and its own */
	u32 *draws; /* NULL: the pattern needs none */
	u64 task_at, published_at, draws_at; /* guest-physical */
};

/*
 * A guest for so many threads over the region, with this kind of pattern. 0 or an error of machine_create(). Task
 * context. vcpus_destroy() comes before the region is finished.
 */
int vcpus_create(struct vcpus *v, const struct hypervisor *hv, struct region *region, u64 threads,
		 enum pattern_kind pattern, u32 node);
void vcpus_destroy(struct vcpus *v, struct region *region);

/* The pattern of the threads that are about to start is the guest's, too. */
void vcpus_take_pattern(const struct vcpus *v, const struct pattern *pattern);
/* A context's function, of a thread (struct victim) with victims.vcpus: runs until they stop. */
void vcpu_main(void *victim);

/* In the guest: victim_guest.c. task: guest-physical address of a struct guest_task. Does not return. */
void victim_guest(void *task);
