/*
 * The second MMU that is hardware: a guest runs on a CPU of the machine, which translates its guest-physical addresses
 * by tables of ours. They follow the shadow of the software MMU, which keeps the protocol (mm/softmmu.c): what the guest may reach
 * is decided there, and here it is written in the hardware's format.
 */
#pragma once

#include <arch/hypervisor.h>
#include <mm/pgwalk.h>
#include <mm/softmmu.h>

/* 2 MiB of the guest's memory. Under the shadow's lock. */
struct nested_block {
	pte_t *table; /* of its small pages, linked while one of them is valid */
	u32 used; /* valid entries in it */
};

struct nested_mmu {
	struct softmmu shadow;
	const struct hypervisor *hv;
	struct pt_format format;
	pte_t *root;
	struct nested_block *block; /* [blocks] */
	u64 blocks;
};

/*
 * As softmmu_create(), of tables that hv walks. Besides -ENOMEM and -EBUSY -ERANGE: the guest's memory does not end
 * below NESTED_SYSTEM. Task context, no locks.
 */
int nested_create(struct nested_mmu *n, const struct hypervisor *hv, struct aspace *as,
		  vaddr_t base, u64 pages, u32 node);
/* As softmmu_destroy(). No virtual CPU exists any more. */
void nested_destroy(struct nested_mmu *n);

/* Guest-physical: from here on there is memory that is not of the space and never moves. */
#define NESTED_SYSTEM (1UL << 38)
/* Memory of the kernel's becomes the guest's at `at`, both multiples of 4 KiB. 0 or -ENOMEM. No guest runs yet. */
int nested_map(struct nested_mmu *n, u64 at, const void *memory, u64 bytes);

enum nested_result {
	NESTED_CALL, /* guest_call() */
	NESTED_FAULT, /* an access that the space does not allow, or outside of the guest's memory: stop->address */
	NESTED_BROKEN, /* stop->code, stop->pc */
};

/*
 * Run a virtual CPU here until it calls. Interrupts of the host and faults that the space can satisfy are dealt with.
 * Task context, interrupts on, no locks; may wait and migrate. No other second stage is entered here.
 */
enum nested_result nested_run(struct nested_mmu *n, struct vcpu *v, struct guest_stop *stop);
