/* Inside the modelled memory: what its sources share and nobody else needs. */
#pragma once

#include <fake/machine.h>
#include <kernel/atomic.h>

/* By place: hash of the writes that it saw. */
extern u64 fake_seen[FAKE_PLACES];

static inline u64 *fake_seen_of(const void *addr)
{
	return &fake_seen[fake_place_of(addr)];
}

static inline u64 fake_raw_load(const void *p, unsigned size)
{
	switch (size) {
	case 1:
		return *(const u8 *)p;
	case 2:
		return *(const u16 *)p;
	case 4:
		return *(const u32 *)p;
	default:
		return *(const u64 *)p;
	}
}

static inline void fake_raw_store(void *p, u64 value, unsigned size)
{
	switch (size) {
	case 1:
		*(u8 *)p = (u8)value;
		break;
	case 2:
		*(u16 *)p = (u16)value;
		break;
	case 4:
		*(u32 *)p = (u32)value;
		break;
	default:
		*(u64 *)p = value;
	}
}

/* ---- store.c ---- */
/* This CPU stores: into its buffer, or memory if nothing may be late. */
void fake_store_enter(struct fake_pending s);
/* Its own newest store there that is still under way. */
bool fake_store_forwarded(const void *p, unsigned size, u64 *value);
/* What that CPU stored there reaches memory, and what must before. */
void fake_drain_place(struct fake_cpu *cpu, const void *addr);
/* The kernel's store reached memory. */
void fake_kernel_stored(const void *addr, u64 old, u64 value, bool atomic);
