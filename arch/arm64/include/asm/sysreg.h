/* System registers: access, and the fields this port uses. Names and fields: Arm ARM D17 (DDI 0487). */
#pragma once

#ifndef __ASSEMBLER__
#include <kernel/types.h>

#define sysreg_read(reg)                                                                           \
	({                                                                                         \
		u64 value_;                                                                        \
		asm volatile("mrs %0, " #reg : "=r"(value_));                                      \
		value_;                                                                            \
	})
#define sysreg_write(reg, value) asm volatile("msr " #reg ", %x0" ::"rZ"((u64)(value)) : "memory")

/* Field of an ID register: four bits from lsb. */
static inline unsigned id_field(u64 reg, unsigned lsb)
{
	return reg >> lsb & 0xf;
}
#endif

/* SCTLR_EL1: bits that are RES1 on ARMv8.0 (11, 20, 22, 23, 28, 29), and the ones we set. */
#define SCTLR_RES1 0x30d00800
#define SCTLR_M (1 << 0) /* translation on */
#define SCTLR_C (1 << 2) /* data caches on */
#define SCTLR_SA (1 << 3) /* SP alignment checked */
#define SCTLR_I (1 << 12) /* instruction caches on */
#define SCTLR_ON (SCTLR_RES1 | SCTLR_M | SCTLR_C | SCTLR_SA | SCTLR_I)

/*
 * TCR_EL1: 48-bit addresses and 4 KiB granule in both halves; table walks cacheable (write-back,
 * allocating) and Inner Shareable, so that they see what other CPUs store; ASID from TTBR0 (A1=0).
 */
#define TCR_T0SZ 16
#define TCR_T1SZ (16 << 16)
#define TCR_WALK0 (1 << 8 | 1 << 10 | 3 << 12)
#define TCR_WALK1 (1 << 24 | 1 << 26 | 3 << 28)
#define TCR_TG1_4K (2 << 30)
#define TCR_EPD0 (1 << 7) /* no walks of the lower half; of the upper one */
#define TCR_EPD1 (1 << 23)
#define TCR_BASE (TCR_T0SZ | TCR_T1SZ | TCR_WALK0 | TCR_WALK1 | TCR_TG1_4K)
#define TCR_IPS_SHIFT 32
#define TCR_AS_SHIFT 36 /* 16-bit ASIDs */
#define TCR_HA_SHIFT 39 /* hardware sets the access flag */
#define TCR_HD_SHIFT 40 /* hardware clears read-only of entries with DBM */

/* MAIR_EL1: index 0 normal memory, write-back, allocating; index 1 device, nGnRE. */
#define MAIR_NORMAL 0
#define MAIR_DEVICE 1
#define MAIR_VALUE 0x04ff

/* CPACR_EL1.FPEN: vector registers usable; only copy_page() touches them, and saves them. */
#define CPACR_FPEN (3 << 20)

/* Exception level and masked D, A, I, F of a SPSR that enters EL1 with SP_EL1. */
#define SPSR_EL1H_MASKED 0x3c5
#define CURRENT_EL2 (2 << 2)

/* HCR_EL2: AArch64 at EL1; EL2 hosts an operating system (FEAT_VHE). ID_AA64MMFR4_EL1.E2H0, its sign: E2H is always set. */
#define HCR_RW (1 << 31)
#define HCR_E2H_BIT 34
#define MMFR4_NO_E2H0_BIT 27
/*
 * HCR_EL2 while a guest runs: stage 2 on; interrupts and SErrors come to EL2, whatever the guest masks; what waits, calls
 * firmware, changes how it is translated or drops from the TLB stops it. An FIQ stays pending, as it does in the host:
 * both have it masked.
 */
#define HCR_VM (1 << 0)
#define HCR_IMO (1 << 4)
#define HCR_AMO (1 << 5)
#define HCR_TWI (1 << 13)
#define HCR_TWE (1 << 14)
#define HCR_TSC (1 << 19)
#define HCR_TIDCP (1 << 20) /* registers of the implementation's own */
#define HCR_TACR (1 << 21)
#define HCR_TSW (1 << 22) /* caches by set and way */
#define HCR_TTLB (1 << 25)
#define HCR_TVM (1 << 26)
#define HCR_GUEST                                                                                  \
	(HCR_RW | HCR_VM | HCR_IMO | HCR_AMO | HCR_TWI | HCR_TWE | HCR_TSC | HCR_TIDCP |           \
	 HCR_TACR | HCR_TSW | HCR_TTLB | HCR_TVM)

/* CPTR_EL2 with E2H clear: SVE and SME trap, FP does not; the rest is RES1. A guest: FP, too, and CPACR_EL1. */
#define CPTR_HOST 0x33ff
#define CPTR_GUEST (CPTR_HOST | 1 << 10 | 1 << 31)

/* SCTLR_EL2: bits that are RES1 while E2H is clear (4, 5, 11, 16, 18, 22, 23, 28, 29). Translation on as at EL1. */
#define SCTLR_EL2_RES1 0x30c50830
#define SCTLR_EL2_ON (SCTLR_EL2_RES1 | SCTLR_M | SCTLR_C | SCTLR_SA | SCTLR_I)

/* TCR_EL2 with E2H clear: as TCR_EL1 of the lower half; bits 23 and 31 are RES1. VTCR_EL2 the same, with bit 31. */
#define TCR_EL2_RES1 (1UL << 23 | 1UL << 31)
#define TCR_EL2_PS_SHIFT 16
#define VTCR_RES1 (1UL << 31)
#define VTCR_SL0_SHIFT 6 /* 1: the walk starts at Arm's level 1 */

#define VTTBR_VMID_SHIFT 48

#define MPIDR_AFFINITY 0xff00ffffff /* Aff3, Aff2..0; the rest are flags */
