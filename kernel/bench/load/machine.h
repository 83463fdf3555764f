/* A guest that the hardware runs: its second MMU, and memory that it shares with the host. */
#pragma once

#include <mm/nested.h>

enum { MACHINE_MEMORIES = 4 };

struct machine {
	struct nested_mmu mmu;
	struct machine_memory {
		void *host;
		u64 at, bytes; /* guest-physical; a multiple of 4 KiB */
	} memory[MACHINE_MEMORIES]; /* the first has the port's tables and the guest's code */
	unsigned memories;
};

/*
 * A guest with this memory of the space, as nested_create(), on every CPU that is online. 0 or its errors. One at a time.
 * Task context, no locks.
 */
int machine_create(struct machine *m, const struct hypervisor *hv, struct aspace *as, vaddr_t base,
		   u64 pages, u32 node);
/* No virtual CPU exists any more. */
void machine_destroy(struct machine *m);
/* Memory of the host's, zeroed, which is the guest's at *at; until machine_destroy(). NULL: none. No guest runs. */
void *machine_share(struct machine *m, u64 bytes, u64 *at, u32 node);

/*
 * A virtual CPU that calls entry(arg), a function of a file *_guest.c, which does not return. stack: of the guest's
 * memory, its end. NULL: no memory.
 */
struct vcpu *machine_vcpu(const struct machine *m, void (*entry)(void *arg), u64 arg, u64 stack,
			  u32 node);
/* Run it until it calls. Panics if it does something else. Task context, interrupts on, no locks. */
void machine_run(struct machine *m, struct vcpu *v);
