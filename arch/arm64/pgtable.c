/* The kernel's root on arm64: TTBR1 alone, never part of a workload's tables. */
#include <arch/pgtable.h>
#include <arch/platform.h>
#include <arch/tlb.h>
#include <asm/mmu.h>
#include <asm/sysreg.h>
#include <kernel/screen.h>
#include <kernel/uart.h>

paddr_t arm64_kernel_phys;
paddr_t arm64_kernel_root;
unsigned arm64_entry_el;

/* Walked by a CPU that runs nobody: no entry is valid, so nothing is ever cached from it. */
static pte_t empty_table[PT_ENTRIES] __aligned(PAGE_SIZE);
paddr_t arm64_empty_root;

paddr_t arch_kernel_phys(void)
{
	return arm64_kernel_phys;
}

/* Arm ARM D19.2.64, ID_AA64MMFR0_EL1.PARange; 52 bits take a format of entries that we do not use. */
u64 arch_phys_limit(void)
{
	static const u8 bits[] = {32, 36, 40, 42, 44, 48};
	unsigned range = id_field(sysreg_read(id_aa64mmfr0_el1), 0);

	return MIN(1UL << (range < ARRAY_SIZE(bits) ? bits[range] : 48), DIRECT_SIZE);
}

/* Roots share nothing: the lower half is a register of its own. */
void pt_root_init(pte_t *root __unused, const pte_t *kernel_root __unused)
{
}

/*
 * The MMU is asked (Arm ARM C5.4, AT S1E1W; bit 0 of PAR_EL1: no). Barriers keep loads of devices
 * away from the read: Cortex-A77 may hang else (1508412).
 */
bool mmu_maps(paddr_t pa)
{
	u64 par;

	if (pa >= DIRECT_SIZE)
		return false;
	asm volatile("at s1e1w, %1\n\tisb\n\tdmb sy\n\tmrs %0, par_el1\n\tdmb sy"
		     : "=r"(par)
		     : "r"(phys_to_virt(pa))
		     : "memory");
	return !(par & 1);
}

/* Boot CPU, interrupts masked: TTBR0 still holds the identity map. Others start with this root. */
void arch_load_kernel_root(paddr_t root)
{
	void (*replace)(paddr_t, paddr_t) =
		(void (*)(paddr_t, paddr_t))image_to_phys(mmu_replace_ttbr1);

	arm64_kernel_root = root;
	arm64_empty_root = image_to_phys(empty_table);
	pt_publish(); /* the new tables, before anybody walks them */
	replace(root, arm64_empty_root);
	mmu_switch(arm64_empty_root, 0, false);
	/* The entry code's tables had it; in these boot_discover() maps it, as nobody else here knows where it is. */
	uart_lose(mmu_maps);
	screen_lose();
}
