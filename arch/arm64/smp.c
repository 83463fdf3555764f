/* Starting secondary CPUs by PSCI CPU_ON (Arm DEN 0022, 5.1.4), and where a CPU sits. */
#include <arch/cpu.h>
#include <arch/smp.h>
#include <arch/tlb.h>
#include <asm/entry.h>
#include <asm/mmu.h>
#include <kernel/atomic.h>
#include <kernel/error.h>
#include <kernel/smp.h>

#define MPIDR_MT (1UL << 24) /* Aff0 numbers the threads of a core */

/* One for each CPU: one that comes too late still finds its own. */
static struct secondary_args secondary_args[MAX_CPUS];

/*
 * The CPU reads its arguments with caches off: they must be in memory. CIVAC where CVAC would do:
 * early Cortex-A53 may lose stores to a line that is only cleaned (819472 and its siblings).
 */
static void clean_to_memory(const void *p, size_t size)
{
	u64 line = 4UL << (sysreg_read(ctr_el0) >> 16 & 0xf); /* CTR_EL0.DminLine, words */

	for (u64 at = ALIGN_DOWN((u64)p, line); at < (u64)p + size; at += line)
		asm volatile("dc civac, %0" ::"r"(at) : "memory");
	dsb(sy); /* the cleaning is complete before CPU_ON is called */
}

/* The awaited CPU needs nothing from us but that we leave its arguments alone. */
static bool wait_arrived(const struct secondary_args *args)
{
	u64 end = cycles_now() + cycles_hz() / 1000 * CPU_START_TIMEOUT_MS;

	while (!load_acquire(&args->arrived)) {
		if (cycles_now() > end)
			return false;
		cpu_relax();
	}
	return true;
}

int cpu_start(unsigned cpu, u64 hw_id, void *stack_top, u64 percpu)
{
	struct secondary_args *args = &secondary_args[cpu];

	*args = (struct secondary_args){
		.idmap = image_to_phys(boot_idmap),
		.root = arm64_kernel_root,
		.stack_top = (u64)stack_top,
		.percpu_offset = percpu,
		.cpu = cpu,
	};
	clean_to_memory(args, sizeof(*args));
	switch (psci_call(PSCI_CPU_ON, hw_id, image_to_phys(secondary_entry),
			  image_to_phys(args))) {
	case PSCI_SUCCESS:
		return wait_arrived(args) ? 0 : -ETIMEDOUT;
	case PSCI_NOT_SUPPORTED:
		return -ENOTSUP;
	case PSCI_ALREADY_ON:
		return -EBUSY;
	default:
		return -EIO;
	}
}

/* On the kernel's tables and its own stack, the identity map still in TTBR0. */
void secondary_start(unsigned cpu)
{
	struct secondary_args *args = &secondary_args[cpu];

	cpu_set_percpu(cpu, args->percpu_offset);
	mmu_switch(mmu_empty_root(), 0, false);
	/* Pairs with the acquire in wait_arrived(). */
	store_release(&args->arrived, 1);
	secondary_main(cpu);
}

/* The fields have no fixed meaning beyond "threads of a core"; the highest two name the package. */
void cpu_topology(unsigned cpu, u32 *core, u32 *package)
{
	u64 id = cpu_ptr(cpu, cpu_self)->hw_id;

	*package = (u32)(id >> 32 << 8 | (id >> 16 & 0xff));
	*core = (u32)(id >> 32 << 24 | (id & 0xffffff));
	if (sysreg_read(mpidr_el1) & MPIDR_MT)
		*core >>= 8;
}
