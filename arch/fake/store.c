/*
 * The store buffers of the modelled CPUs.
 *
 * x86 rules: stores leave the buffer in order, each locked operation and MFENCE
 * empties it. arm64 rules: stores to different places leave in any order that
 * release and barriers allow. A CPU sees its own stores early.
 */
#include "memory.h"
#include <arch/pgtable.h>
#include <string.h>

u64 fake_write_seq;

void fake_kernel_stored(const void *addr, u64 old, u64 value, bool atomic)
{
	if (fake_hooks.stored)
		fake_hooks.stored(addr, old, value, atomic);
}

/* ---- leaving the buffer ------------------------------------------------------------- */

static void reach_memory(unsigned cpu, const struct fake_pending *s)
{
	u64 old;

	fake_write_seq++;
	switch (s->kind) {
	case FAKE_FRAME: /* there already; now everybody sees it */
		return;
	case FAKE_WORKLOAD:
		if (fake_hooks.work_stored)
			fake_hooks.work_stored(s->addr, (unsigned)s->tag);
		break;
	default:
		break;
	}
	old = fake_raw_load(s->addr, s->size);
	fake_raw_store(s->addr, s->value, s->size);
	fake_view_stored(cpu, s->addr, old, s->value);
	if (s->kind == FAKE_ENTRY)
		fake_entry_changed();
	else if (s->kind == FAKE_MEMORY)
		fake_kernel_stored(s->addr, old, s->value, false);
}

static bool may_leave(const struct fake_cpu *cpu, unsigned n)
{
	const struct fake_pending *s = &cpu->stores[n];

	if (!n)
		return true;
	if (!fake_config.arm64 || s->release)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (cpu->stores[i].addr == s->addr || cpu->stores[i].epoch < s->epoch)
			return false;
	return true;
}

static void leave(struct fake_cpu *cpu, unsigned n)
{
	const struct fake_pending s = cpu->stores[n];
	u64 *place = fake_seen_of(s.addr);

	fake_pairs_note((unsigned)(place - fake_seen), cpu->id, true, true);
	cpu->store_count--;
	memmove(&cpu->stores[n], &cpu->stores[n + 1], (cpu->store_count - n) * sizeof(s));
	*place = fake_mix(*place, s.history);
	cpu->drained = fake_mix(cpu->drained, *place);
	fake_races_stored((unsigned)(place - fake_seen), &s.clock);
	reach_memory(cpu->id, &s);
}

void fake_drain_all(struct fake_cpu *cpu)
{
	while (cpu->store_count)
		leave(cpu, 0);
}

bool fake_drain_some(void)
{
	for (unsigned i = 0; i < fake_config.cpus; i++)
		if (fake_cpus[i].store_count) {
			leave(&fake_cpus[i], 0);
			return true;
		}
	return false;
}

unsigned fake_drainable(struct fake_cpu *cpu)
{
	unsigned n = 0;

	for (unsigned i = 0; i < cpu->store_count; i++)
		n += may_leave(cpu, i);
	return n;
}

bool fake_drain_nth(struct fake_cpu *cpu, unsigned n)
{
	for (unsigned i = 0; i < cpu->store_count; i++)
		if (may_leave(cpu, i) && !n--) {
			leave(cpu, i);
			return true;
		}
	return false;
}

void fake_drain_place(struct fake_cpu *cpu, const void *addr)
{
	for (unsigned i = 0; i < cpu->store_count;) {
		if (cpu->stores[i].addr == addr) {
			/* Stores that must leave before this one go first. */
			while (!may_leave(cpu, i)) {
				leave(cpu, 0);
				i--;
			}
			leave(cpu, i);
			i = 0;
		} else {
			i++;
		}
	}
}

bool fake_store_under_way(u64 frame)
{
	for (unsigned i = 0; i < fake_config.cpus; i++) {
		const struct fake_cpu *c = &fake_cpus[i];

		for (unsigned n = 0; c != fake_self && n < c->store_count; n++)
			if (c->stores[n].kind == FAKE_WORKLOAD &&
			    fake_frame_of(c->stores[n].addr) == frame)
				return true;
	}
	return false;
}

bool fake_entry_under_way(void)
{
	for (unsigned n = 0; n < fake_self->store_count; n++)
		if (fake_self->stores[n].kind == FAKE_ENTRY)
			return fake_config.arm64;
	return false;
}

bool fake_installed_under_way(void)
{
	for (unsigned n = 0; n < fake_self->store_count; n++)
		if (fake_self->stores[n].kind == FAKE_ENTRY &&
		    pte_is_present((pte_t){fake_self->stores[n].value}))
			return fake_config.arm64;
	return false;
}

void fake_drain_workload(void)
{
	for (unsigned i = 0; i < fake_config.cpus; i++) {
		struct fake_cpu *c = &fake_cpus[i];

		for (unsigned n = 0; n < c->store_count; n++)
			if (c->stores[n].kind == FAKE_WORKLOAD) {
				fake_drain_place(c, c->stores[n].addr);
				n = ~0U;
			}
	}
}

/* ---- entering it --------------------------------------------------------------------- */

void fake_store_enter(struct fake_pending s)
{
	struct fake_cpu *me = fake_self;

	if (!fake_live) {
		reach_memory(me->id, &s);
		return;
	}
	fake_self->history = fake_mix(fake_self->history ^ s.value, (u64)s.addr);
	s.clock = fake_races_publish(s.release);
	if (!fake_plan->lazy && !me->store_count) {
		u64 *place = fake_seen_of(s.addr);

		fake_pairs_note((unsigned)(place - fake_seen), fake_self->id, true, true);
		fake_self->history = *place = fake_mix(fake_self->history, *place);
		fake_races_stored((unsigned)(place - fake_seen), &s.clock);
		reach_memory(me->id, &s);
		return;
	}
	if (me->store_count == FAKE_STORES)
		leave(me, 0);
	s.history = me->history;
	s.epoch = me->epoch;
	me->stores[me->store_count++] = s;
}

bool fake_store_forwarded(const void *p, unsigned size, u64 *value)
{
	const struct fake_cpu *me = fake_self;

	for (unsigned i = me->store_count; i-- > 0;)
		if (me->stores[i].addr == p && me->stores[i].kind != FAKE_FRAME &&
		    me->stores[i].size == size) {
			*value = me->stores[i].value;
			return true;
		}
	return false;
}
