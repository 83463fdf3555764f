/*
 * Instructions of litmus tests on the modelled machine. They also show what the
 * architectures leave open: a translation that was read before a barrier, TLB
 * maintenance that is not complete, or that takes effect before an older load.
 *
 * What a broadcast has dropped is remembered. An access may still use it if it was
 * performed before the broadcast was complete (Arm ARM D8.17: completion waits for
 * such accesses).
 */
#include "memory.h"
#include <arch/litmus.h>

enum {
	DROPPED = 8
}; /* translations per address and CPU; a test changes each entry twice at most */

static struct dropped {
	unsigned count;
	struct {
		struct fake_held held;
		u64 gone;
	} entry[DROPPED];
} dropped[FAKE_CPUS][FAKE_VAS];

static void note_dropped(unsigned cpu, unsigned va_index, const struct fake_held *held)
{
	struct dropped *d = &dropped[cpu][va_index];

	if (!fake_live || !fake_config.arm64 || cpu == fake_self->id)
		return; /* x86 performs loads in order */
	if (d->count == DROPPED) {
		fake_fail("model: more than %d translations of one address dropped", DROPPED);
		return;
	}
	d->entry[d->count].held = *held;
	d->entry[d->count++].gone = fake_write_seq;
}

void fake_litmus_begin(void)
{
	fake_hooks.dropped = note_dropped;
}

/* ---- accesses through the TLB -------------------------------------------------------- */

struct options {
	unsigned count;
	struct {
		struct fake_held held;
		u64 to; /* when it was performed at the latest */
	} use[FAKE_HELD + DROPPED];
	bool fault;
};

static void add(struct options *o, const struct fake_held *held, u64 to, bool write)
{
	if (write && !held->write) {
		o->fault = true;
	} else {
		o->use[o->count].held = *held;
		o->use[o->count++].to = to;
	}
}

/*
 * Add dropped translations that this access may still use. from: time of what the
 * address depends on; the access is not earlier. A store is performed now, so it
 * cannot use what is gone, but it may have been refused by it before.
 */
static void add_dropped(struct options *o, unsigned index, bool write, u64 from)
{
	const struct fake_view *view = &fake_self->view;
	const struct dropped *d = &dropped[fake_self->id][index];
	u64 performed = MAX(MAX(view->loads, view->va[index]), MAX(from, view->walks));

	for (unsigned i = 0; i < d->count; i++) {
		const struct fake_held *held = &d->entry[i].held;

		if (d->entry[i].gone > performed && !(write && held->write))
			add(o, held, d->entry[i].gone, write);
	}
}

static void fault(struct fake_set *set, enum fake_absence absence)
{
	struct fake_view *view = &fake_self->view;

	fake_fault_drops(set);
	if (!fake_config.arm64)
		fake_drain_all(fake_self); /* IRET serialises */
	view->walks = MAX(view->walks, MAX(view->synced, view->branched));
	if (!fake_config.arm64 || absence == FAKE_ABSENT)
		fake_view_walks_from_now();
	fake_flush_seen();
}

static u64 access(vaddr_t va, bool write, u64 value, u64 from)
{
	struct options o = {0};
	unsigned index, chosen;
	struct fake_set *set;
	enum fake_absence absence;

	fake_point(write ? 32 : 33);
	set = fake_held_here(ALIGN_DOWN(va, PAGE_SIZE), &index);
	if (!set) {
		fake_fail("model: address %#lx is not watched", va);
		return LITMUS_FAULT;
	}
	for (unsigned i = 0; i < set->count; i++)
		add(&o, &set->held[i], ~0UL, write);
	add_dropped(&o, index, write, from);
	absence = fake_walk_may_fail(index, from);
	o.fault |= absence != FAKE_PRESENT;
	chosen = fake_pick(o.count + o.fault);
	const struct fake_held *held = &o.use[chosen].held;

	if (chosen == o.count || (write && !held->dirty && !fake_make_dirty(held, va))) {
		fault(set, absence);
		return LITMUS_FAULT;
	}
	fake_access_word(phys_to_virt(((u64)held->frame << PAGE_SHIFT) + va % PAGE_SIZE),
			 &(struct fake_use){MAX(held->since, from), o.use[chosen].to, index, write},
			 &value);
	fake_self->view.seen = MAX(fake_self->view.seen, held->since);
	return write ? 0 : value;
}

u64 fake_litmus_load(vaddr_t va)
{
	return access(va, false, 0, 0);
}

u64 litmus_load_after(vaddr_t va, u64 read __unused)
{
	return access(va, false, 0, fake_self->view.last);
}

u64 fake_litmus_store(vaddr_t va, u64 value)
{
	return access(va, true, value, 0);
}

/* ---- variables and entries ------------------------------------------------------------- */

u64 fake_litmus_read(const u64 *p)
{
	fake_self->view.last = 0; /* forwarded: no time */
	return fake_load(p, sizeof(*p), FAKE_RELAXED);
}

/* As an entry, whatever it is: walks of what is watched are done again. */
void fake_litmus_write(u64 *p, u64 value)
{
	if (fake_live)
		fake_entry_store((pte_t *)p, (pte_t){value});
	else
		*p = value;
}

void litmus_write_after(u64 *p, u64 value, u64 read __unused)
{
	litmus_write(p, value); /* no store passes an older load here */
}

u64 litmus_xchg(u64 *p, u64 value)
{
	return fake_entry_xchg((pte_t *)p, (pte_t){value}).v;
}

u64 litmus_zero(u64 read __unused)
{
	struct fake_view *view = &fake_self->view;

	view->flushes = MAX(view->flushes, view->last);
	return 0;
}

void litmus_branch(u64 read __unused)
{
	struct fake_view *view = &fake_self->view;

	view->branched = MAX(view->branched, view->last);
}

/* ---- barriers of arm64 -------------------------------------------------------------------- */

void fake_dmb(enum fake_barrier what)
{
	switch (what) {
	case FAKE_ishld:
		fake_rmb();
		break;
	case FAKE_ishst:
		fake_wmb();
		break;
	default: {
		u64 flushes = fake_self->view.flushes;

		fake_mb();
		fake_self->view.flushes = flushes; /* orders accesses only */
	}
	}
}

/* What comes after a DSB is done only when the DSB is complete. Its name says which accesses it waits for. */
void fake_dsb(enum fake_barrier what)
{
	struct fake_view *view = &fake_self->view;
	u64 when = fake_write_seq;

	fake_point(25);
	if (what == FAKE_ishld) {
		when = view->seen;
	} else {
		fake_drain_all(fake_self);
		when = what == FAKE_ishst ? view->own : fake_write_seq;
	}
	if (what == FAKE_ish)
		fake_flush_complete();
	view->loads = MAX(view->loads, when);
	view->flushes = MAX(view->flushes, when);
	view->synced = MAX(view->synced, when);
}

void isb(void)
{
	struct fake_view *view = &fake_self->view;

	fake_point(34);
	fake_flush_seen();
	view->walks = MAX(view->walks, MAX(view->synced, view->branched));
	view->loads = MAX(view->loads, view->branched);
	view->flushes = MAX(view->flushes, view->branched);
}

void fake_litmus_sync(void)
{
	if (fake_config.arm64) {
		fake_dsb(FAKE_ish);
		isb();
	}
}

/* ---- TLB maintenance of arm64 ---------------------------------------------------------------- */

/* Takes effect at the earliest moment that it may, which drops least. */
void fake_tlbi(bool local, vaddr_t va, u32 asid)
{
	fake_flush_issue(local, ALIGN_DOWN(va, PAGE_SIZE), asid, fake_self->view.flushes);
}

u64 fake_ttbr0_el1(void)
{
	return (u64)fake_loaded_asid() << FAKE_ASID_SHIFT | fake_loaded_root();
}

void fake_set_ttbr0_el1(u64 value)
{
	u64 asid = value >> FAKE_ASID_SHIFT;

	fake_switch(value ^ asid << FAKE_ASID_SHIFT, (asid_t)asid, true);
}

const char *litmus_no_hw_dirty(void)
{
	return NULL;
}

/* ---- x86 ------------------------------------------------------------------------------------- */

/* PCIDs of tests are 256 and 257; a modelled CPU has eight. */
enum { PCID_BITS = 12, PCID_TEST = 1 << 8, PCID_FIRST = FAKE_ASIDS - 2 };

static asid_t pcid_index(u64 pcid)
{
	return (asid_t)(pcid & PCID_TEST ? PCID_FIRST + pcid % 2 : pcid);
}

u64 cr3_read(void)
{
	asid_t index = fake_loaded_asid();

	return fake_loaded_root() | (index < PCID_FIRST ? index : PCID_TEST + index - PCID_FIRST);
}

void cr3_write(u64 value)
{
	u64 pcid = value & ((1U << PCID_BITS) - 1);

	fake_switch((value & ~CR3_NOFLUSH) - pcid, pcid_index(pcid), value & CR3_NOFLUSH);
}

void litmus_toggle_pge(void)
{
	fake_flush_all();
}

void litmus_invlpg(vaddr_t va)
{
	fake_flush_page(va, fake_loaded_asid(), 0);
}

void litmus_invpcid(u64 type __unused, u64 pcid, vaddr_t va)
{
	fake_flush_page(va, pcid_index(pcid), 0);
}

/* INVLPGB is ordered behind older stores only by what TLBSYNC waits for; complete with that. */
void litmus_invlpgb(vaddr_t va)
{
	fake_drain_all(fake_self);
	fake_flush_issue(false, ALIGN_DOWN(va, PAGE_SIZE), ~0U, fake_write_seq);
}

void litmus_tlbsync(void)
{
	fake_point(25);
	fake_flush_complete();
	fake_flush_seen();
}

const char *litmus_no_pcid(void)
{
	return NULL;
}

const char *litmus_no_invpcid(void)
{
	return NULL;
}

const char *litmus_no_invlpgb(void)
{
	return NULL;
}

const char *litmus_no_pge(void)
{
	return NULL;
}
