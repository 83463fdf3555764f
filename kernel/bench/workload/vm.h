/* What a run of `vm` knows, for the rounds and for the report. */
#pragma once

#include <harness/part.h>
#include <kernel/json.h>
#include <load/account.h>
#include <load/vcpu.h>
#include <mm/hint.h>
#include <mm/softmmu.h>
#include "vm_dma.h"

/* Of a variant's measured rounds. */
struct vm_sums {
	u64 passes, elapsed; /* of the scan; cycles */
	struct dma_counts dma;
};

struct vm_state {
	struct region region; /* the guest's memory */
	const struct hypervisor *hv; /* NULL: the software MMU, ... */
	const char *why; /* ... and why there is nothing else */
	struct softmmu mmu;
	struct vcpus vcpus; /* with a hypervisor */
	bool has_mmu; /* either */
	struct aspace *snapshot; /* --snapshot: a duplicate of the host's space; else NULL */
	struct page **pin; /* [pinned] */
	u64 pinned, pinned_pages; /* pages pinned, of 4 KiB or 2 MiB; of 4 KiB */
	u64 pages, share_pages; /* of the guest, and of a virtual CPU */
	struct vm_dma dma;
	struct victims guest;
	struct bench_part part;
	struct victim_account account;
	struct hint_scan scan;
	u64 passes, elapsed; /* of this round */
	struct vm_sums sums[BENCH_MAX_VARIANTS];
};

enum vm_mmu { MMU_AUTO, MMU_SOFTWARE, MMU_HARDWARE };
extern struct vm_options {
	u64 pinned, scans; /* percent; passes of the scan in a round */
	unsigned mmu, device; /* enum vm_mmu, enum vm_device */
	bool no_scan, spread, snapshot;
} vm_options;

/* Into the object "vm" of a variant's record. */
void vm_record(struct bench *b, unsigned variant, struct json *j);
void vm_table(struct bench *b);
