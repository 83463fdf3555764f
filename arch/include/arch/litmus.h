/*
 * CONTRACT: what litmus tests are written with (tests/litmus).
 *
 * Each access is one instruction and orders nothing; the compiler keeps the
 * order in which they are written. <asm/litmus.h> adds the port's own
 * barriers and flush instructions, for tests of that architecture alone.
 *
 * Entries are written here as plain words, past mm/pgwalk.c: a litmus test is
 * about what happens when the rules are not kept, and owns a piece of page
 * table that nobody else looks at.
 */
#pragma once

#include <kernel/types.h>

/* Result of an access that faulted; no test stores such a value. */
#define LITMUS_FAULT (~0UL)

/* Load from an address under test. LITMUS_FAULT: not mapped. */
static inline u64 litmus_load(vaddr_t va);
/* Store to an address under test: 0, or LITMUS_FAULT. */
static inline u64 litmus_store(vaddr_t va, u64 value);
/* Variables and entries, by addresses that do not fault. */
static inline u64 litmus_read(const u64 *p);
static inline void litmus_write(u64 *p, u64 value);
/* Earlier accesses are complete, and accesses behind it translate afresh or from what a TLB still holds. */
static inline void litmus_sync(void);
/*
 * Everything this CPU's TLB may hold is dropped, without telling the oracle:
 * the next run of a test starts from nothing.
 */
static inline void litmus_forget(void);

/* A way to flush one page, for the flush tester. */
struct litmus_flush {
	const char *name;
	/* Where the entry of va, of this level, was just taken down. */
	void (*flush)(vaddr_t va, unsigned level);
	bool reaches_all; /* complete on every CPU when it returns; else this CPU only */
	const char *(*unusable)(
		void); /* NULL, or returns why this CPU has no such thing, or NULL */
};
extern const struct litmus_flush litmus_flushes[]; /* ends with name NULL */

#include <asm/litmus.h>
