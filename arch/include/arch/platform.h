/* CONTRACT: the board: early start, timer, end of the run. */
#pragma once

#include <kernel/types.h>

struct bootinfo;

/* Boot CPU, first thing in kernel_main(): traps, early console. Nothing else works yet. */
void arch_init_early(struct bootinfo *bi);
/* Boot CPU, after final page tables: interrupt controller, clock calibration, cpu features. */
void arch_init(struct bootinfo *bi);
/* Each secondary CPU, by itself, before it takes interrupts. */
void arch_init_cpu(unsigned cpu);

/* One-shot timer interrupt on this CPU at least ns from now (ends cpu_idle()); 0 cancels. */
void timer_oneshot(u64 ns);

/* End of the run: status to the host where there is a way, power off, halt. Interrupts off. */
void arch_exit(unsigned code) __noreturn;
void arch_reboot(void) __noreturn;

/* Kernel virtual layout of the port, for the page-table builder in mm/kmap.c. */
#include <asm/layout.h> /* KERNEL_BASE, DIRECT_BASE, VMEMMAP_BASE, KVIRT_BASE, KVIRT_END */

/* Load the final kernel root built by mm/kmap.c on this CPU, flushing everything of the boot tables. */
void arch_load_kernel_root(paddr_t root);
/* Physical address of the loaded kernel image's first byte. */
paddr_t arch_kernel_phys(void);
/* The first physical address that this CPU cannot address or the direct map cannot hold. Any time. */
u64 arch_phys_limit(void);

#define phys_to_virt(pa) ((void *)((u64)(pa) + DIRECT_BASE))
#define virt_to_phys(p) ((paddr_t)((u64)(p)-DIRECT_BASE)) /* of a direct-map address only */
