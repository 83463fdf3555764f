/*
 * CONTRACT: guests. A CPU runs code whose guest-physical addresses go through a second stage of ours, until it stops.
 * mm/nested.c keeps the second stage and decides when a guest may run; a port enters it and says why it stopped.
 */
#pragma once

#include <arch/pgtable.h>

struct vcpu; /* what a port keeps of a virtual CPU while it does not run */

enum guest_why {
	GUEST_INTERRUPT, /* of the host: it is taken when interrupts are on again */
	GUEST_CALL, /* guest_call() of <arch/guest.h> */
	GUEST_FAULT, /* the second stage has nothing for an access, or does not allow it */
	GUEST_BROKEN, /* anything that no guest of ours does */
};

struct guest_stop {
	enum guest_why why;
	bool write; /* GUEST_FAULT: the access was a store */
	bool dropped_all; /* before it ran, what the CPU held of the host was dropped, too */
	u64 address; /* GUEST_FAULT: guest-physical */
	u64 code, pc; /* GUEST_BROKEN: what the hardware says, in its vendor's numbers, and where */
};

/* How a virtual CPU begins: in kernel mode, interrupts masked, linear addresses the guest-physical ones. */
struct vcpu_start {
	paddr_t root; /* of the second stage */
	u64 own; /* guest-physical: what fill_own() filled */
	u64 pc, sp; /* sp: a multiple of 16 */
	u64 arg; /* of the C function at pc, which does not return */
};

struct hypervisor {
	const char *name;
	/*
	 * Tables of second stages: as the members of struct pt_format (<mm/pgwalk.h>). Leaves may be executed, by guests in
	 * kernel mode. prot: PROT_READ, with PROT_WRITE or not.
	 */
	unsigned start_level, root_entries;
	pte_t (*mk_leaf)(paddr_t pa, prot_t prot, unsigned level);
	pte_t (*mk_table)(paddr_t pa);
	bool (*is_table)(pte_t pte, unsigned level);
	paddr_t (*pa)(pte_t pte, unsigned level);
	bool (*block_ok)(unsigned level);
	/*
	 * Pages in the guest that the port needs for the guest's own translation, and what goes into them. at: where
	 * the guest has them. Linear addresses below GUEST_ADDRESS_END are then the guest-physical ones.
	 */
	unsigned own_pages;
	void (*fill_own)(void *pages, u64 at);
	/*
	 * Every CPU that is online becomes able to run guests, until disable(). 0 or -ENOMEM. Task context, by one at a
	 * time. disable(): no virtual CPU exists any more.
	 */
	int (*enable)(void);
	void (*disable)(void);
	/* A virtual CPU; NULL: no memory. Task context, by one at a time. */
	struct vcpu *(*create)(const struct vcpu_start *start, u32 node);
	void (*destroy)(struct vcpu *v);
	/*
	 * Run it on this CPU until it stops. Interrupts are off, and off again on return; one that is pending or arrives
	 * stops it, before its first instruction if need be. Entering orders the guest's walks after earlier loads, and
	 * its accesses are complete on return. What it uses of this CPU's TLB has the tag, which is below GUEST_TAGS.
	 */
	void (*run)(struct vcpu *v, unsigned tag, struct guest_stop *stop);
	/*
	 * What this CPU holds under the tag is not used any more. The rules of <arch/tlb.h> for local flushes; it may be
	 * carried out by the next run(). May drop more. Interrupts off.
	 */
	void (*flush)(unsigned tag);
};

enum { GUEST_TAGS = 4 }; /* on each CPU, beside the host's */
#define GUEST_ADDRESS_END (1UL << 39)

/* What runs guests on this machine. NULL: nothing does, and *why says so for people. After start-up. */
const struct hypervisor *hypervisor_find(const char **why);
