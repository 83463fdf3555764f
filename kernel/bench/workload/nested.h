/* What `nested` measures of a guest in hardware: nested_vm.c. */
#pragma once

#include <harness/bench.h>
#include <load/machine.h>

enum { NESTED_PAGES = 512, NESTED_LAPS = 4 };

struct nested_vm {
	struct aspace *as;
	vaddr_t base;
	struct machine machine;
	bool has_machine;
	struct vcpu *vcpu;
	struct touch_task *task;
};

/* Memory of a guest, in *base, all of it mapped; NULL with bench_fail(): none. */
struct aspace *nested_space(struct bench *b, vaddr_t *base);
/* As a change of so many pages begins and ends, in steps through all of them. 0, or a refusal. */
int nested_invalidate(struct aspace *as, vaddr_t base, u64 pages);

/* Add the series of a guest in hardware, and make it. vm: in the workload's state, until nested_vm_teardown(). */
int nested_vm_setup(struct bench *b, struct nested_vm *vm, const struct hypervisor *hv);
void nested_vm_teardown(struct nested_vm *vm);
