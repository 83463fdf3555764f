/*
 * Of `nested`, what its parts share, and the guest in hardware: a nested fault, from the guest's access through its exit to its re-entry; a call
 * and the way back; and what zaps 1 page and 512 of the tables that the hardware walks, while the guest does not run. The
 * guest's own instructions are in it: five for a page.
 */
#include <harness/workload.h>
#include <kernel/clock.h>
#include <kernel/error.h>
#include <load/touch.h>
#include <mm/numa.h>
#include "nested.h"

struct aspace *nested_space(struct bench *b, vaddr_t *base)
{
	u32 here = numa_node_of_cpu(cpu_id());
	struct aspace *as = aspace_create("nested", here);
	int err = 0;

	*base = as ? aspace_map(as, NULL, 0, 0, NESTED_PAGES << PAGE_SHIFT, PROT_READ | PROT_WRITE,
				false, here, &err)
		   : 0;
	if (*base && aspace_populate(as, *base, NESTED_PAGES << PAGE_SHIFT, here) == NESTED_PAGES)
		return as;
	if (as)
		aspace_destroy(as);
	bench_fail(b, -ENOMEM, "no memory for %d pages", NESTED_PAGES);
	return NULL;
}

int nested_invalidate(struct aspace *as, vaddr_t base, u64 pages)
{
	struct change change;
	int err = 0;

	read_lock(&as->lock);
	for (u64 at = 0; at < NESTED_PAGES && !err; at += pages) {
		vaddr_t va = base + (at << PAGE_SHIFT);

		err = change_begin(&change, as, CHANGE_PROTECT, va, va + (pages << PAGE_SHIFT));
		if (!err)
			change_end(&change);
	}
	read_unlock(&as->lock);
	return err;
}

enum operation { FAULT, CALL, INVALIDATE_1, INVALIDATE_512, OPERATIONS };

static const struct operation_row {
	const char *name;
	u64 calls; /* in one lap */
	bool filled; /* it begins with all pages in the guest's tables; else with none */
} operations[OPERATIONS] = {
	[FAULT] = {"vm_fault", NESTED_PAGES, false},
	[CALL] = {"vm_call", NESTED_PAGES, true},
	[INVALIDATE_1] = {"vm_invalidate_1", NESTED_PAGES, true},
	[INVALIDATE_512] = {"vm_invalidate_512", 1, true},
};

static struct nested_vm *guest; /* of the run: there is one at a time */

static void touch(struct nested_vm *vm, u64 pages)
{
	vm->task->pages = pages;
	machine_run(&vm->machine, vm->vcpu);
}

static __noinline int run(struct nested_vm *vm, enum operation op)
{
	switch (op) {
	case FAULT:
		touch(vm, NESTED_PAGES);
		return 0;
	case CALL:
		for (unsigned i = 0; i < NESTED_PAGES; i++)
			touch(vm, 0);
		return 0;
	case INVALIDATE_1:
		return nested_invalidate(vm->as, vm->base, 1);
	default:
		return nested_invalidate(vm->as, vm->base, NESTED_PAGES);
	}
}

static int measure(struct bench *b __unused, u64 arg, u64 *value)
{
	const struct operation_row *op = &operations[arg];
	struct nested_vm *vm = guest;
	u64 cycles = 0;
	int err = 0;

	for (unsigned lap = 0; lap < NESTED_LAPS && !err; lap++) {
		if (op->filled)
			touch(vm, NESTED_PAGES);
		else
			err = nested_invalidate(vm->as, vm->base, NESTED_PAGES);
		u64 start = cycles_now();

		err = err ? err : run(vm, (enum operation)arg);
		cycles += cycles_now() - start;
	}
	*value = bench_time_per(cycles, NESTED_LAPS * op->calls, 0);
	return err;
}

/* The guest and its only virtual CPU, which begins by a call. */
static int make_guest(struct nested_vm *vm, const struct hypervisor *hv, u32 here)
{
	u64 at;
	int err = machine_create(&vm->machine, hv, vm->as, vm->base, NESTED_PAGES, here);

	vm->has_machine = !err;
	if (err)
		return err;
	vm->task = machine_share(&vm->machine, 2 * PAGE_SIZE, &at, here);
	if (vm->task)
		vm->vcpu = machine_vcpu(&vm->machine, touch_guest, at, at + 2 * PAGE_SIZE, here);
	return vm->vcpu ? 0 : -ENOMEM;
}

int nested_vm_setup(struct bench *b, struct nested_vm *vm, const struct hypervisor *hv)
{
	guest = vm;
	for (unsigned i = 0; i < OPERATIONS; i++)
		bench_series_add(b,
				 &(struct bench_series){.unit = "ns",
							.busy = 1,
							.time = true,
							.measure = measure,
							.arg = i},
				 "%s", operations[i].name);
	vm->as = nested_space(b, &vm->base);
	if (!vm->as)
		return -ENOMEM;
	int err = make_guest(vm, hv, numa_node_of_cpu(cpu_id()));

	return err ? bench_fail(b, err, "no memory for a guest") : 0;
}

void nested_vm_teardown(struct nested_vm *vm)
{
	if (vm->vcpu)
		vm->machine.mmu.hv->destroy(vm->vcpu);
	if (vm->has_machine)
		machine_destroy(&vm->machine);
	if (vm->as)
		aspace_destroy(vm->as);
}
