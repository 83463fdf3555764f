/* A guest that the hardware runs: see machine.h. */
#include <arch/cpu.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/string.h>
#include "machine.h"

/* All code of guests: linker.ld. It runs wherever it lies, and names nothing outside. */
extern const char __guest_start[], __guest_end[];

static u64 code_bytes(void)
{
	return ALIGN_UP((u64)(__guest_end - __guest_start), PAGE_SIZE);
}

void *machine_share(struct machine *m, u64 bytes, u64 *at, u32 node)
{
	struct machine_memory *mem = &m->memory[m->memories];

	ASSERT(m->memories < MACHINE_MEMORIES);
	bytes = ALIGN_UP(bytes, PAGE_SIZE);
	*at = m->memories ? mem[-1].at + mem[-1].bytes : NESTED_SYSTEM;
	void *host = kmem.alloc(bytes, node);

	if (!host)
		return NULL;
	if (nested_map(&m->mmu, *at, host, bytes)) {
		kmem.free(host, bytes);
		return NULL;
	}
	*mem = (struct machine_memory){host, *at, bytes};
	m->memories++;
	return host;
}

static u64 own_bytes(const struct machine *m)
{
	return m->mmu.hv->own_pages * PAGE_SIZE;
}

/* The port's tables, and behind them a copy of the code. */
static int fill_first(struct machine *m, u32 node)
{
	u64 at;
	char *host = machine_share(m, own_bytes(m) + code_bytes(), &at, node);

	if (!host)
		return -ENOMEM;
	m->mmu.hv->fill_own(host, at);
	memcpy(host + own_bytes(m), __guest_start, (u64)(__guest_end - __guest_start));
	code_sync(host, own_bytes(m) + code_bytes());
	return 0;
}

int machine_create(struct machine *m, const struct hypervisor *hv, struct aspace *as, vaddr_t base,
		   u64 pages, u32 node)
{
	*m = (struct machine){0};
	int err = hv->enable();

	if (err)
		return err;
	err = nested_create(&m->mmu, hv, as, base, pages, node);
	if (err) {
		hv->disable();
		return err;
	}
	err = fill_first(m, node);
	if (err)
		machine_destroy(m);
	return err;
}

void machine_destroy(struct machine *m)
{
	nested_destroy(&m->mmu);
	for (unsigned i = 0; i < m->memories; i++)
		kmem.free(m->memory[i].host, m->memory[i].bytes);
	m->mmu.hv->disable();
}

struct vcpu *machine_vcpu(const struct machine *m, void (*entry)(void *arg), u64 arg, u64 stack,
			  u32 node)
{
	u64 offset = (u64)entry - (u64)__guest_start;

	ASSERT(offset < (u64)(__guest_end - __guest_start));
	return m->mmu.hv->create(
		&(struct vcpu_start){
			.root = m->mmu.shadow.ctx.root,
			.own = m->memory[0].at,
			.pc = m->memory[0].at + own_bytes(m) + offset,
			.sp = stack,
			.arg = arg,
		},
		node);
}

void machine_run(struct machine *m, struct vcpu *v)
{
	struct guest_stop stop;

	switch (nested_run(&m->mmu, v, &stop)) {
	case NESTED_CALL:
		return;
	case NESTED_FAULT:
		panic("the guest cannot access %#lx", stop.address);
	case NESTED_BROKEN:
		panic("the guest stopped at %#lx for %#lx", stop.pc, stop.code);
	}
}
