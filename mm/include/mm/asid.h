/*
 * Which ASID a context runs under. Ports with per-CPU tags (x86 PCID) use the
 * slot number; ports with one ASID per space on all CPUs (arm64, where a
 * broadcast must name it) get it from the allocator in mm/asid.c.
 */
#pragma once

#include <mm/tlb.h>

/* For asid_begin() and asid_end(). */
u64 asid_lock_and_assign(struct tlb_context *ctx, bool *flush);
void asid_unlock(void);

/*
 * This CPU is about to load the context. Returns the token of its ASID, 0 where slots are used.
 * *flush: there was a rollover since this CPU flushed last; it must flush everything before it loads
 * the ASID. Takes the allocator's lock, which asid_end() releases. Interrupts off.
 */
static inline u64 asid_begin(struct tlb_context *ctx, bool *flush)
{
	*flush = false;
	return asid_is_global() ? asid_lock_and_assign(ctx, flush) : 0;
}

/* The context's root is loaded, and the former one no longer is. Interrupts still off. */
static inline void asid_end(void)
{
	if (asid_is_global())
		asid_unlock();
}

/*
 * No CPU has the context loaded, and none will load it again: its ASID may be given out after a
 * rollover. Takes the lock.
 */
void asid_release(struct tlb_context *ctx);

/* The ASID that a context is loaded under on this CPU; slot: where ASIDs are per CPU. Any context. */
static inline asid_t asid_of(const struct tlb_context *ctx, unsigned slot)
{
	return asid_is_global() ? (asid_t)load_relaxed(&ctx->asid_token) : (asid_t)slot;
}

/* What the empty root is loaded under. */
static inline asid_t asid_none(void)
{
	return 0;
}
