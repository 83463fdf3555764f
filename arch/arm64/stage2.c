/* Second stages on arm64: their entries, which machines can have them, and why a guest stops. No register is read here. */
#include <arch/pgtable.h>
#include <arch/trap.h>
#include <asm/hyp.h>
#include <asm/stage2.h>

enum {
	PARANGE_40 = 2, /* ID_AA64MMFR0_EL1.PARange: 40 bits */
	TGRAN4_2_SHIFT = 40, /* 0: as stage 1, which this kernel runs on */
	TGRAN4_2_NONE = 1,
};

enum { EC_HVC = 0x16 };
#define ESR_HVC_IMM 0xffff
#define ESR_S1PTW (1 << 7) /* in a walk of stage 1 */

pte_t stage2_leaf(paddr_t pa, prot_t prot, unsigned level)
{
	return (pte_t){pa | S2_NORMAL | S2_READ | (prot & PROT_WRITE ? S2_WRITE : 0) |
		       PTE_SH_INNER | PTE_AF | PTE_VALID | (level ? 0 : PTE_TYPE)};
}

/* Each CPU has 8 bits of VMID at least, which is more than GUEST_TAGS. */
const char *stage2_refusal(unsigned entry_el, u64 hcr, u64 mmfr0)
{
	if (entry_el != 2)
		return "the firmware started this kernel at EL1, and guests need EL2";
	if (hcr >> HCR_E2H_BIT & 1)
		return "HCR_EL2.E2H of this CPU cannot be cleared, and guests need EL2 without it";
	if (id_field(mmfr0, 0) < PARANGE_40)
		return "this CPU's physical addresses have less than 40 bits";
	if (id_field(mmfr0, TGRAN4_2_SHIFT) == TGRAN4_2_NONE)
		return "this CPU's stage 2 has no pages of 4 KiB (TGran4_2)";
	return NULL;
}

/* Translation, access flag or permission: DFSC and IFSC 4 to 15 (Arm ARM D17.2.37). */
static bool is_translation(u64 esr)
{
	unsigned status = esr & 0x3f;

	return status >= 4 && status <= 15;
}

/*
 * The guest's own translation is the identity, so FAR_EL2 is the guest-physical address. HPFAR_EL2 is not: permission
 * faults leave it unknown, and Cortex-A57 may report another fault in its place (834220). A walk of the guest's own
 * tables (S1PTW) always finds memory that is there.
 */
static bool read_fault(u64 esr, u64 far, bool write, struct guest_stop *stop)
{
	if (!is_translation(esr) || esr & ESR_S1PTW)
		return false;
	stop->why = GUEST_FAULT;
	stop->address = far;
	stop->write = write;
	return true;
}

static bool read_sync(u64 esr, u64 far, struct guest_stop *stop)
{
	switch (esr >> ESR_EC_SHIFT & 0x3f) {
	case EC_HVC:
		stop->why = GUEST_CALL;
		return (esr & ESR_HVC_IMM) == GUEST_HVC_CALL;
	case EC_FETCH_LOWER:
		return read_fault(esr, far, false, stop);
	case EC_DATA_LOWER:
		return read_fault(esr, far, (esr & (ESR_WNR | ESR_CM)) == ESR_WNR, stop);
	default:
		return false;
	}
}

bool stage2_exit_is_own(u64 vector, u64 esr)
{
	return vector == GUEST_VECTOR_SYNC && (esr >> ESR_EC_SHIFT & 0x3f) == EC_HVC &&
	       (esr & ESR_HVC_IMM) == GUEST_HVC_VECTOR;
}

void stage2_read_exit(u64 vector, u64 esr, u64 far, struct guest_stop *stop)
{
	if (vector == GUEST_VECTOR_IRQ) {
		stop->why = GUEST_INTERRUPT;
		return;
	}
	if (vector == GUEST_VECTOR_SYNC && read_sync(esr, far, stop))
		return;
	stop->why = GUEST_BROKEN;
	stop->code = vector == GUEST_VECTOR_SYNC ? esr : vector;
}
