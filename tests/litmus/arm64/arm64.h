/* What the litmus tests of arm64 share: flushes of x, and reasons. */
#pragma once

#include "../forms.h"
#include <arch/irq.h>
#include <arch/tlb.h>

/* Why the emulator never shows an outcome that the architecture allows. */
#define IN_ORDER "the emulator's walks see all earlier stores"
#define NO_FETCH_AHEAD "the emulator does not run ahead, so it needs no ISB"
#define TLBI_AT_ONCE "the emulator's TLBI is complete at once, so it needs no DSB"
#define NO_ASID_TAGS "the emulator does not tag entries with ASIDs"
#define LOADS_IN_ORDER "the emulator does not reorder loads"
#define WALKS_AGAIN "the emulator walks again before it raises a fault"

static inline asid_t litmus_asid(void)
{
	return (asid_t)(sysreg_read(ttbr0_el1) >> 48);
}

static inline void tlbi_x_local(const struct litmus_run *r)
{
	tlbi_arg(vaae1, tlbi_operand(r->x, 0));
}

static inline void tlbi_x(const struct litmus_run *r)
{
	tlbi_arg(vaae1is, tlbi_operand(r->x, 0));
}

/* "shoot": behind a write to pte(x). */
static inline void shoot(const struct litmus_run *r)
{
	dsb(ish);
	tlbi_x(r);
	dsb(ish);
}

extern const struct litmus_test litmus_single[], litmus_two[], litmus_more[];
