/*
 * Memory as the modelled CPUs see it.
 *
 * Each CPU has a store buffer. x86 rules: stores leave it in order, each
 * locked operation and MFENCE empties it. arm64 rules: stores to different
 * places leave in any order that release and barriers allow. A CPU sees its
 * own stores early. Loads are satisfied in program order; what that leaves out
 * is said in docs/verification.md.
 *
 * Accesses without an accessor take effect at once. Copying and zeroing of
 * frames (arm64 rules) do too, but other CPUs may see what was there before
 * until the buffer has let them go.
 *
 * The oracle's evidence is transparent: no switching point, no barrier, so that
 * it cannot hide a barrier missing in what it checks.
 */
#include <fake/machine.h>
#include <fake/start.h>
#include <kernel/atomic.h>
#include <arch/evidence.h>
#include <kernel/smp.h>
#include <stdlib.h>
#include <string.h>

enum { BEFORES = FAKE_CPUS * FAKE_STORES + 1 };

u64 fake_write_seq;
static u64 seen[FAKE_PLACES];
static u8 *befores; /* heap: frames as they were, for those who cannot see the change yet */
static unsigned befores_used;

void fake_store_init(void)
{
	befores = malloc((size_t)BEFORES * PAGE_SIZE);
}

u64 fake_mix(u64 a, u64 b)
{
	a = (a ^ b) * 0x9e3779b97f4a7c15UL;
	return a ^ a >> 29;
}

static u64 *seen_of(const void *addr)
{
	return &seen[((u64)addr >> 2) * 0x9e3779b97f4a7c15UL >> (64 - FAKE_PLACE_BITS)];
}

static unsigned place_of(const void *addr)
{
	return (unsigned)(seen_of(addr) - seen);
}

static void touch(const void *addr, bool write, bool counted)
{
	u64 *place = seen_of(addr);

	fake_pairs_note((unsigned)(place - seen), fake_self->id, write, counted);

	fake_self->history = fake_mix(fake_self->history ^ *place, (u64)addr);
	if (write)
		*place = fake_self->history;
}

void fake_touch(const void *addr, bool write)
{
	touch(addr, write, true);
}

/* Something happens after something else: no race, but an order. */
void fake_order_by(const void *addr)
{
	struct fake_clock clock = fake_races_publish(true);

	touch(addr, true, false);
	fake_races_load(place_of(addr), true);
	fake_races_stored(place_of(addr), &clock);
}

/* Evidence, and the count of turns that only the watchdog's report shows. */
static bool is_transparent(const void *p)
{
	if (p == &evidence_clock || p == &cpu_ptr(fake_self->id, cpu_self)->progress)
		return true;
	for (unsigned i = 0; i < fake_config.cpus; i++)
		if ((u64)p - (u64)cpu_ptr(i, tlb_evidence) < sizeof(struct tlb_evidence))
			return true;
	return false;
}

static u64 raw_load(const void *p, unsigned size)
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

static void raw_store(void *p, u64 value, unsigned size)
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

/* The page array changed: the frame may be somebody's now. */
static void kernel_stored(const void *addr, u64 old, u64 value, bool atomic)
{
	u64 frame = ((u64)addr - VMEMMAP_BASE) / FAKE_PAGE_STRUCT;

	if (frame < fake_last_frame())
		fake_frame_touched(frame);
	if (fake_hooks.stored)
		fake_hooks.stored(addr, old, value, atomic);
}

/* ---- leaving the buffer ------------------------------------------------------------- */

static void reach_memory(const struct fake_pending *s)
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
	old = raw_load(s->addr, s->size);
	raw_store(s->addr, s->value, s->size);
	if (s->kind == FAKE_ENTRY)
		fake_entry_changed();
	else if (s->kind == FAKE_MEMORY)
		kernel_stored(s->addr, old, s->value, false);
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
	u64 *place = seen_of(s.addr);

	fake_pairs_note((unsigned)(place - seen), cpu->id, true, true);
	cpu->store_count--;
	memmove(&cpu->stores[n], &cpu->stores[n + 1], (cpu->store_count - n) * sizeof(s));
	*place = fake_mix(*place, s.history);
	cpu->drained = fake_mix(cpu->drained, *place);
	fake_races_stored((unsigned)(place - seen), &s.clock);
	reach_memory(&s);
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

static void drain_place(struct fake_cpu *cpu, const void *addr)
{
	for (unsigned i = 0; i < cpu->store_count;) {
		if (cpu->stores[i].addr == addr) {
			/* What must leave before it does so first. */
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

void fake_drain_workload(void)
{
	for (unsigned i = 0; i < fake_config.cpus; i++) {
		struct fake_cpu *c = &fake_cpus[i];

		for (unsigned n = 0; n < c->store_count; n++)
			if (c->stores[n].kind == FAKE_WORKLOAD) {
				drain_place(c, c->stores[n].addr);
				n = ~0U;
			}
	}
}

/* ---- entering it --------------------------------------------------------------------- */

static void enter(struct fake_pending s)
{
	struct fake_cpu *me = fake_self;

	if (!fake_live) {
		reach_memory(&s);
		return;
	}
	fake_self->history = fake_mix(fake_self->history ^ s.value, (u64)s.addr);
	s.clock = fake_races_publish(s.release);
	if (!fake_plan->lazy && !me->store_count) {
		u64 *place = seen_of(s.addr);

		fake_pairs_note((unsigned)(place - seen), fake_self->id, true, true);
		fake_self->history = *place = fake_mix(fake_self->history, *place);
		fake_races_stored((unsigned)(place - seen), &s.clock);
		reach_memory(&s);
		return;
	}
	if (me->store_count == FAKE_STORES)
		leave(me, 0);
	s.history = me->history;
	s.epoch = me->epoch;
	me->stores[me->store_count++] = s;
}

static bool forwarded(const void *p, unsigned size, u64 *value)
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

u64 fake_load(const void *p, unsigned size, enum fake_order order)
{
	u64 value;

	if (!fake_live || is_transparent(p))
		return raw_load(p, size);
	fake_point_at(1, place_of(p));
	if (fake_self->store_count && forwarded(p, size, &value)) {
		fake_self->history = fake_mix(fake_self->history, value);
		return value;
	}
	fake_touch(p, false);
	fake_races_uses(p);
	fake_races_load(place_of(p), order != FAKE_RELAXED);
	return raw_load(p, size);
}

void fake_store(void *p, u64 value, unsigned size, enum fake_order order)
{
	if (is_transparent(p)) {
		raw_store(p, value, size);
		return;
	}
	fake_point_at(2, place_of(p));
	enter((struct fake_pending){.kind = FAKE_MEMORY,
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
	fake_races_load(place_of(p), order == FAKE_FULL || order == FAKE_ACQUIRE);
	clock = fake_races_publish(order == FAKE_FULL || order == FAKE_RELEASE);
	fake_races_stored(place_of(p), &clock);
	if (order == FAKE_FULL)
		fake_races_barrier(true, true);

	if (!me->store_count)
		return;
	if (!fake_config.arm64 || order == FAKE_FULL || order == FAKE_RELEASE)
		fake_drain_all(me);
	else
		drain_place(me, p);
}

static void atomic_write(void *p, u64 old, u64 value, unsigned size, bool entry)
{
	raw_store(p, value, size);
	fake_write_seq++;
	if (entry)
		fake_entry_changed();
	else
		kernel_stored(p, old, value, true);
}

static u64 do_rmw(void *p, enum fake_rmw op, u64 value, unsigned size, enum fake_order order,
		  bool entry)
{
	if (fake_live) {
		fake_point_at(3, place_of(p));
		before_atomic(p, order);
		fake_touch(p, true);
	}
	u64 old = raw_load(p, size);

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
	atomic_write(p, old, value, size, entry);
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
		fake_point_at(4, place_of(p));
		before_atomic(p, order);
		fake_touch(p, true);
	}
	u64 old = raw_load(p, size);

	if (old != raw_load(expected, size)) {
		raw_store(expected, old, size);
		return false;
	}
	atomic_write(p, old, value, size, entry);
	return true;
}

bool fake_cmpxchg(void *p, void *expected, u64 value, unsigned size, enum fake_order order)
{
	return do_cmpxchg(p, expected, value, size, order, false);
}

/* ---- entries of page tables ------------------------------------------------------------ */

void fake_entry_store(pte_t *ptep, pte_t pte)
{
	fake_point_at(5, place_of(ptep));
	/* x86: in order with what came before, for nothing. arm64: a plain store. */
	enter((struct fake_pending){
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
}

void fake_rmb(void)
{
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
	fake_races_barrier(false, true);
}

/* ---- workloads ------------------------------------------------------------------------------ */

/* Another CPU copied or zeroed the frame, and that is not visible yet. */
static const u8 *still_before(const void *p)
{
	const void *frame = (const void *)ALIGN_DOWN((u64)p, PAGE_SIZE);

	for (unsigned i = 0; i < fake_config.cpus; i++) {
		const struct fake_cpu *c = &fake_cpus[i];

		for (unsigned n = 0; c != fake_self && n < c->store_count; n++)
			if (c->stores[n].addr == frame && c->stores[n].kind == FAKE_FRAME)
				return c->stores[n].before;
	}
	return NULL;
}

u64 fake_work_load(const u64 *word)
{
	const u8 *before;
	u64 value;

	if (fake_self->store_count && forwarded(word, 8, &value))
		return value;
	fake_touch(word, false);
	before = fake_live ? still_before(word) : NULL;
	return before ? raw_load(before + (u64)word % PAGE_SIZE, 8) : *word;
}

void fake_work_store(u64 *word, u64 value, unsigned tag)
{
	enter((struct fake_pending){
		.kind = FAKE_WORKLOAD, .size = 8, .addr = word, .value = value, .tag = tag});
}

/* ---- frames ----------------------------------------------------------------------------------- */

/* Own stores to the frame come before; then the bytes change, for others only later (arm64 rules). */
static void frame_changes(void *frame)
{
	struct fake_cpu *me = fake_self;
	struct fake_pending s = {.kind = FAKE_FRAME, .addr = frame};

	for (unsigned n = 0; n < me->store_count; n++)
		if (ALIGN_DOWN((u64)me->stores[n].addr, PAGE_SIZE) == (u64)frame) {
			fake_drain_all(me);
			break;
		}
	if (!fake_live || !fake_config.arm64 || !fake_plan->lazy)
		return;
	s.before = befores + befores_used++ % BEFORES * PAGE_SIZE;
	memcpy(s.before, frame, PAGE_SIZE);
	enter(s);
}

static void fake_copy_page(void *dst, const void *src)
{
	fake_point(13);
	for (unsigned n = 0; n < fake_self->store_count; n++)
		if (ALIGN_DOWN((u64)fake_self->stores[n].addr, PAGE_SIZE) == (u64)src) {
			fake_drain_all(fake_self);
			break;
		}
	if (fake_hooks.copied)
		fake_hooks.copied(fake_frame_of(dst), fake_frame_of(src));
	frame_changes(dst);
	memcpy(dst, src, PAGE_SIZE);
	fake_touch(src, false);
	fake_touch(dst, true);
}

static void fake_zero_page(void *dst)
{
	fake_point(14);
	if (fake_hooks.zeroed)
		fake_hooks.zeroed(fake_frame_of(dst));
	frame_changes(dst);
	memset(dst, 0, PAGE_SIZE);
	fake_touch(dst, true);
}

void (*copy_page)(void *dst, const void *src) = fake_copy_page;
void (*zero_page)(void *dst) = fake_zero_page;
