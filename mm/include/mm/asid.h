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
 * *flush: numbers were given out anew since this CPU flushed; it must flush everything before it
 * loads the ASID. Takes the allocator's lock, for asid_end() to release. Interrupts off.
 */
static inline u64 asid_begin(struct tlb_context *ctx, bool *flush)
{
	*flush = false;
	return asid_is_global() ? asid_lock_and_assign(ctx, flush) : 0;
}

/* The context's root is loaded, the one before it no more. Interrupts still off. */
static inline void asid_end(void)
{
	if (asid_is_global())
		asid_unlock();
}

/* The context is no longer loaded anywhere and will not be again. Any context. */
void asid_release(struct tlb_context *ctx);

static inline asid_t asid_of(const struct tlb_context *ctx, unsigned slot)
{
	return asid_is_global() ? (asid_t)load_relaxed(&ctx->asid_token) : (asid_t)slot;
}

/* What the empty root is loaded under. */
static inline asid_t asid_none(void)
{
	return 0;
}
