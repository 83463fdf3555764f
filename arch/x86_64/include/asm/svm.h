/*
 * AMD SVM under the names of APM vol. 2, chapter 15 and appendix B: the control block of a virtual CPU, as far as it is
 * used here.
 */
#pragma once

#include <arch/hypervisor.h>
#include <kernel/types.h>

#define MSR_VM_CR 0xc0010114
#define VM_CR_SVMDIS 0x10UL /* firmware has switched SVM off */
#define MSR_VM_HSAVE_PA 0xc0010117
#define EFER_LMA 0x400UL
#define EFER_SVME 0x1000UL

struct vmcb_segment {
	u16 selector, attrib; /* attrib: bits 55:52 and 47:40 of the descriptor */
	u32 limit;
	u64 base;
};

struct vmcb {
	/* Control area. What is zero here intercepts nothing. */
	u16 read_cr, write_cr; /* a bit per control register: an access stops the guest */
	u16 read_dr, write_dr;
	u32 exceptions; /* a bit per vector */
	u32 intercept3, intercept4;
	u8 unused_14[0x40 - 0x14];
	u64 iopm_base_pa, msrpm_base_pa;
	u64 tsc_offset;
	u32 asid;
	u8 tlb_control;
	u8 unused_5d[3];
	u64 v_intr; /* and what belongs to it */
	u64 interrupt_shadow;
	u64 exitcode, exitinfo1, exitinfo2, exitintinfo;
	u64 np_enable;
	u8 unused_98[0xb0 - 0x98];
	u64 n_cr3;
	u8 unused_b8[0x400 - 0xb8];

	/* State save area. */
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	u8 unused_4a0[0x4cb - 0x4a0];
	u8 cpl;
	u32 unused_4cc;
	u64 efer;
	u8 unused_4d8[0x548 - 0x4d8];
	u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
	u8 unused_580[0x5d8 - 0x580];
	u64 rsp;
	u8 unused_5e0[0x5f8 - 0x5e0];
	u64 rax;
	u8 unused_600[0x668 - 0x600];
	u64 g_pat;
	u8 unused_670[0x1000 - 0x670];
};
_Static_assert(sizeof(struct vmcb) == 4096 && __builtin_offsetof(struct vmcb, asid) == 0x58 &&
		       __builtin_offsetof(struct vmcb, exitcode) == 0x70 &&
		       __builtin_offsetof(struct vmcb, n_cr3) == 0xb0 &&
		       __builtin_offsetof(struct vmcb, es) == 0x400 &&
		       __builtin_offsetof(struct vmcb, efer) == 0x4d0 &&
		       __builtin_offsetof(struct vmcb, cr4) == 0x548 &&
		       __builtin_offsetof(struct vmcb, rip) == 0x578 &&
		       __builtin_offsetof(struct vmcb, rax) == 0x5f8 &&
		       __builtin_offsetof(struct vmcb, g_pat) == 0x668,
	       "APM vol. 2 appendix B");

enum {
	/* intercept3, intercept4 */
	SVM_INTR = 1 << 0,
	SVM_NMI = 1 << 1,
	SVM_INVD = 1 << 22,
	SVM_HLT = 1 << 24,
	SVM_INVLPGA = 1 << 26,
	SVM_IOIO = 1 << 27, /* by the map at iopm_base_pa */
	SVM_MSR = 1 << 28, /* by the map at msrpm_base_pa */
	SVM_TASK_SWITCH = 1 << 29,
	SVM_SHUTDOWN = 1U << 31,
	SVM_VMRUN = 1 << 0, /* must be set */
	SVM_VMMCALL = 1 << 1,
	SVM_REST = 0x3fff & ~3, /* VMLOAD to XSETBV: all that a guest might do to the CPU */

	V_INTR_MASKING = 1 << 24, /* the guest's RFLAGS.IF is not about the host's interrupts */

	TLB_CONTROL_NOTHING = 0,
	TLB_CONTROL_ALL = 1, /* of every ASID, the host's and global entries too */
	TLB_CONTROL_ASID = 3, /* of this one: with FlushByAsid */

	EXIT_EXCEPTION = 0x40, /* + vector */
	EXIT_INTR = 0x60,
	EXIT_NMI = 0x61,
	EXIT_VMMCALL = 0x81,
	EXIT_NPF = 0x400,

	NPF_WRITE = 1 << 1, /* of exitinfo1 */
};

/* General registers in the order in which svm.S has them. RAX and RSP are in the control block. */
struct svm_registers {
	u64 rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
};

/* VMRUN until #VMEXIT. Interrupts off, and off on return. */
void svm_switch(paddr_t vmcb, struct svm_registers *guest);

extern const struct hypervisor
	svm_hypervisor; /* of a CPU that hypervisor_find() has found to be fit */
