/*
 * Which ASID a context runs under. Ports with per-CPU tags (x86 PCID) use the
 * slot number; ports with one ASID per space on all CPUs (arm64, where a
 * broadcast must name it) get it from the allocator in mm/asid.c.
 */
#pragma once

#include <mm/tlb.h>

/*
 * Token of the context's current ASID, 0 where slots are used. Interrupts off.
 * *flush: numbers were given out anew since this CPU flushed; it must flush
 * everything before it loads the ASID.
 */
u64 asid_assign(struct tlb_context *ctx, bool *flush);
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
