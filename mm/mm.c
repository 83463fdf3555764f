/* Start-up of the memory manager, and its ties to kernel/core: faults, contexts, leak checks. */
#include <mm/deferral.h>
#include <mm/fault.h>
#include <mm/knobs.h>
#include <mm/mm.h>
#include <mm/aspace.h>
#include <mm/early.h>
#include <mm/kmem.h>
#include <mm/numa.h>
#include <mm/oracle.h>
#include <mm/pmm.h>
#include <mm/migrate_wait.h>
#include <mm/reclaim.h>
#include <mm/tlb_cpu.h>
#include <kernel/context.h>
#include <kernel/ktest.h>
#include <kernel/option.h>
#include <kernel/printf.h>
#include <kernel/trap.h>
#include <arch/trap.h>

void mm_init(const struct bootinfo *bi)
{
	numa_init(bi);
	page_array_init(bi);
	pmm_init();
	kmem_init();
}

/* True: the access may be tried again. */
static bool page_fault(struct trapframe *tf)
{
	struct tlb_context *ctx = tlb_loaded();
	vaddr_t va = trap_fault_va(tf);

	if (!ctx || va >= PT_VA_LOW_END)
		return false;
	return fault_handle(container_of(ctx, struct aspace, ctx), va, trap_fault_is_write(tf),
			    trap_fault_is_exec(tf));
}

/* Frames and small objects in use that somebody must give back. */
static u64 in_use(void)
{
	return pmm_used() - kmem_pages_kept() + kmem_objects_in_use();
}

static u64 in_use_before;

/* Less than before is no leak: a test may drop results that an earlier command kept. */
static bool leak_check(char *reason, size_t size)
{
	u64 now, before = in_use_before;

	deferral_settle();
	now = in_use();
	in_use_before = now;
	if (!size || now <= before)
		return true;
	ksnprintf(reason, size, "%lu pages or objects more in use than before", now - before);
	return false;
}

BOOT_OPTION(check, "check", "full|oracle|reads|off",
	    "who looks for stale reads: the oracle, the readers of pages, both, nobody");

enum { CHECK_FULL, CHECK_ORACLE, CHECK_READS, CHECK_OFF };
static const char *const checks[] = {"full", "oracle", "reads", "off", NULL};

void mm_start(void)
{
	/* full and reads also verify contents, which is the workloads' affair. */
	oracle_on = ORACLE_BUILT && option_choice("check", checks, CHECK_FULL) <= CHECK_ORACLE;
	evidence_enabled = oracle_on;
	pmm_enable_caches();
	tlb_init();
	deferral_init();
	knobs_init();
	trap_page_fault_handler = page_fault;
	pmm_reclaim = reclaim_pages;
	migration_blame_leaving = reclaim_blame;
	context_load_aspace = aspace_load;
	ktest_leak_check = leak_check;
}
