/*
 * Memory as the modelled CPUs see it: what accessors, atomics and barriers do.
 * Accesses without an accessor take effect at once.
 *
 * Accesses to the oracle's evidence are transparent: neither switching points nor
 * barriers. Otherwise they could stand in for a barrier that is missing in the code
 * that the oracle checks.
 */
#include "memory.h"
#include <fake/start.h>
#include <arch/evidence.h>
#include <kernel/smp.h>

u64 fake_seen[FAKE_PLACES];

static void touch(const void *addr, bool write, bool counted)
{
	u64 *place = fake_seen_of(addr);

	fake_pairs_note((unsigned)(place - fake_seen), fake_self->id, write, counted);

	/* Two steps: in one, the CPU's own newest write to the place would cancel its history out. */
	fake_self->history = fake_mix(fake_mix(fake_self->history, (u64)addr), *place);
	if (write)
		*place = fake_self->history;
}

void fake_touch(const void *addr, bool write)
{
	touch(addr, write, true);
}

/* What this CPU does now comes after what others did at this address: an order, not a race. */
void fake_order_by(const void *addr)
{
	struct fake_clock clock = fake_races_publish(true);

	touch(addr, true, false);
	fake_races_load(fake_place_of(addr), true);
	fake_races_stored(fake_place_of(addr), &clock);
}

/* Evidence, and cpu.progress, which only the watchdog's report shows. */
static bool is_transparent(const void *p)
{
	if (p == &evidence_clock || fake_oracle_shares(p))
		return true;
	if ((u64)p - FAKE_PERCPU_VA >= FAKE_STACKS_VA - FAKE_PERCPU_VA) /* nobody's own */
		return false;
	if (p == &cpu_ptr(fake_self->id, cpu_self)->progress)
		return true;
	for (unsigned i = 0; i < fake_config.cpus; i++)
		if ((u64)p - (u64)cpu_ptr(i, tlb_evidence) < sizeof(struct tlb_evidence) ||
		    fake_oracle_keeps(p, i))
			return true;
	return false;
}

u64 fake_load(const void *p, unsigned size, enum fake_order order)
{
	bool orders = order != FAKE_RELAXED && order != FAKE_GUESS;
	u64 value;

	if (!fake_live || is_transparent(p))
		return fake_raw_load(p, size);
	fake_point_at(1, fake_place_of(p));
	if (fake_self->store_count && fake_store_forwarded(p, size, &value)) {
		fake_self->history = fake_mix(fake_self->history, value);
		return value;
	}
	fake_touch(p, false);
	if (order != FAKE_GUESS) {
		fake_races_uses(p);
		fake_races_load(fake_place_of(p), orders);
	}
	return fake_view_load(p, fake_raw_load(p, size), orders);
}

void fake_store(void *p, u64 value, unsigned size, enum fake_order order)
{
	if (is_transparent(p)) {
		fake_raw_store(p, value, size);
		return;
	}
	fake_point_at(2, fake_place_of(p));
	fake_store_enter((struct fake_pending){.kind = FAKE_MEMORY,
					       .size = (u8)size,
					       .release = order == FAKE_RELEASE,
					       .addr = p,
					       .value = value});
}

/* What an atomic operation does to the buffer before it acts on memory. */
static void before_atomic(const void *p, enum fake_order order)
{
	struct fake_cpu *me = fake_self;
	struct fake_clock clock;

	if (order == FAKE_FULL)
		fake_races_barrier(true, true);
	fake_races_load(fake_place_of(p), order == FAKE_FULL || order == FAKE_ACQUIRE);
	clock = fake_races_publish(order == FAKE_FULL || order == FAKE_RELEASE);
	fake_races_stored(fake_place_of(p), &clock);
	if (order == FAKE_FULL)
		fake_races_barrier(true, true);

	if (!me->store_count)
		return;
	if (!fake_config.arm64 || order == FAKE_FULL || order == FAKE_RELEASE)
		fake_drain_all(me);
	else
		fake_drain_place(me, p);
}

static void atomic_write(void *p, u64 old, u64 value, unsigned size, bool entry)
{
	fake_raw_store(p, value, size);
	fake_write_seq++;
	fake_view_stored(fake_self->id, p, old, value);
	if (entry)
		fake_entry_changed();
	else
		fake_kernel_stored(p, old, value, true);
}

static u64 do_rmw(void *p, enum fake_rmw op, u64 value, unsigned size, enum fake_order order,
		  bool entry)
{
	if (fake_live) {
		fake_point_at(3, fake_place_of(p));
		before_atomic(p, order);
		fake_touch(p, true);
	}
	u64 old = fake_raw_load(p, size);

	switch (op) {
	case FAKE_XCHG:
		break;
	case FAKE_ADD:
		value += old;
		break;
	case FAKE_OR:
		value |= old;
		break;
	case FAKE_AND:
		value &= old;
		break;
	}
	fake_view_atomic(p, order == FAKE_ACQUIRE);
	atomic_write(p, old, value, size, entry);
	if (order == FAKE_FULL)
		fake_view_loads_from_now();
	return old;
}

u64 fake_rmw(void *p, enum fake_rmw op, u64 value, unsigned size, enum fake_order order)
{
	if (p == &evidence_clock) {
		evidence_clock += value;
		return evidence_clock - value;
	}
	return do_rmw(p, op, value, size, order, false);
}

static bool do_cmpxchg(void *p, void *expected, u64 value, unsigned size, enum fake_order order,
		       bool entry)
{
	if (fake_live) {
		fake_point_at(4, fake_place_of(p));
		before_atomic(p, order);
		fake_touch(p, true);
	}
	u64 old = fake_raw_load(p, size);
	bool same = old == fake_raw_load(expected, size);

	fake_view_atomic(p, order == FAKE_ACQUIRE && same);
	if (same)
		atomic_write(p, old, value, size, entry);
	else
		fake_raw_store(expected, old, size);
	if (order == FAKE_FULL)
		fake_view_loads_from_now();
	return same;
}

bool fake_cmpxchg(void *p, void *expected, u64 value, unsigned size, enum fake_order order)
{
	return do_cmpxchg(p, expected, value, size, order, false);
}

/* ---- entries of page tables ------------------------------------------------------------ */

void fake_entry_store(pte_t *ptep, pte_t pte)
{
	fake_point_at(5, fake_place_of(ptep));
	/* x86: in order with what came before, for nothing. arm64: a plain store. */
	fake_store_enter((struct fake_pending){
		.kind = FAKE_ENTRY, .size = 8, .addr = &ptep->v, .value = pte.v});
}

pte_t fake_entry_xchg(pte_t *ptep, pte_t pte)
{
	return (pte_t){do_rmw(&ptep->v, FAKE_XCHG, pte.v, 8, FAKE_FULL, true)};
}

bool fake_entry_cmpxchg(pte_t *ptep, pte_t *old, pte_t new)
{
	return do_cmpxchg(&ptep->v, &old->v, new.v, 8, FAKE_FULL, true);
}

/* ---- barriers ----------------------------------------------------------------------------- */

void fake_mb(void)
{
	fake_point(6);
	fake_drain_all(fake_self);
	fake_races_barrier(true, true);
	fake_view_loads_from_now();
}

void fake_rmb(void)
{
	fake_view_rmb();
	fake_races_barrier(true, false);
}

void fake_wmb(void)
{
	fake_point(11);
	fake_self->epoch++;
	fake_races_barrier(false, true);
}

void fake_publish(void)
{
	if (!fake_config.arm64)
		return; /* a compiler barrier there */
	fake_point(12);
	fake_drain_all(fake_self);
	fake_isb();
	fake_races_barrier(false, true);
}
