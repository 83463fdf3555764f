/* The kernel's root table on x86-64, and what the contract's broadcast calls come to. */
#include <arch/evidence.h>
#include <arch/platform.h>
#include <arch/tlb.h>
#include <asm/features.h>
#include <asm/regs.h>
#include <kernel/panic.h>
#include <kernel/screen.h>

paddr_t x86_kernel_root;

void arch_load_kernel_root(paddr_t root)
{
	x86_kernel_root = root;
	evidence_root(0, root);
	screen_lose(); /* the boot tables mapped it, if it is below 4 GiB */
	cr3_write(root);
	/* The boot tables have no global entries; from here on kernel entries are. */
	if (x86_has(X86_PGE))
		cr4_write(cr4_read() | CR4_PGE);
	x86_flush_all();
	evidence_loaded_slot(0);
}

paddr_t arch_kernel_phys(void)
{
	return KERNEL_PHYS;
}

void tlb_bcast_absent(void)
{
	panic("hardware TLB broadcast used on a CPU without it");
}

/* Of every PCID (SDM vol. 3 4.10.4.1). */
enum { INVPCID_ALL = 2, INVPCID_NONGLOBAL = 3 };

static void invpcid_every(u64 type)
{
	const struct {
		u64 pcid, va;
	} desc = {0, 0};

	asm volatile("invpcid %0, %1" ::"m"(desc), "r"(type) : "memory");
}

void x86_flush_nonglobal(void)
{
	u64 stamp = evidence_begin();

	if (x86_asid_count == 1) {
		cr3_write(cr3_read());
	} else if (x86_invpcid) {
		invpcid_every(INVPCID_NONGLOBAL);
	} else {
		x86_flush_all(); /* the only other instruction that reaches PCIDs that are not loaded */
		return;
	}
	evidence_nonglobal(stamp);
}

void x86_flush_all(void)
{
	u64 stamp = evidence_begin();

	if (x86_invpcid) {
		invpcid_every(INVPCID_ALL);
	} else {
		u64 cr4 = cr4_read();

		/* Any change of PGE does it. An interrupt in between may do the same: still flushed. */
		if (cr4 & CR4_PGE) {
			cr4_write(cr4 & ~CR4_PGE);
			cr4_write(cr4);
		} else {
			cr3_write(cr3_read());
		}
	}
	evidence_all(stamp);
}
