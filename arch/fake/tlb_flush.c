/*
 * The contract's flushes on the modelled machine (arch/include/arch/tlb.h), by the sequences of the
 * ports: of this CPU, by broadcast, and by loading a root; and the evidence that they leave.
 */
#include "tlb.h"
#include <kernel/smp.h>

static const vaddr_t EVERYTHING = ~0UL; /* as the end of a flush: global entries, too */

/* Entries that walks stopped finding at or before `when` are gone. */
static void drop(struct cpu_tlb *t, unsigned asid, vaddr_t va, vaddr_t end, u64 when, bool tables)
{
	struct tlb_tag *tag = &t->tag[asid];
	unsigned kept = 0;

	for (unsigned v = 0; v < fake_va_count; v++) {
		struct fake_set *set = &tag->set[v];
		unsigned n = 0;

		if (end && (fake_vas[v] < va || fake_vas[v] >= end))
			continue;
		for (unsigned i = 0; i < set->count; i++)
			if (set->held[i].until > when || (!end && set->held[i].global))
				set->held[n++] = set->held[i];
			else if (fake_hooks.dropped)
				fake_hooks.dropped((unsigned)(t - fake_tlbs), v, &set->held[i]);
		set->count = n;
	}
	for (unsigned i = 0; tables && i < tag->walked_count; i++)
		if (tag->walked[i].until > when)
			tag->walked[kept++] = tag->walked[i];
	if (tables)
		tag->walked_count = kept;
}

static void drop_issued(unsigned cpu, const struct tlbi *op)
{
	for (unsigned a = 0; a < FAKE_ASIDS; a++)
		if (op->asid == ~0U || op->asid == a)
			drop(&fake_tlbs[cpu], a, op->va, op->end, op->issued, op->tables);
}

/*
 * arm64 rules (Arm ARM D8.13.5): a TLBI may take effect before stores to entries
 * that no DSB separates from it. A later DSB on the same CPU, of its reach,
 * completes it, and waits for the accesses that other CPUs made through what it
 * dropped. This CPU itself may have walked ahead, until an ISB.
 */
enum reach { THIS_CPU, EVERYWHERE };

/* DSB ISHST */
static void dsb_stores(void)
{
	fake_drain_all(fake_self);
	fake_races_barrier(false, true);
	fake_tlbs[fake_self->id].synced = fake_write_seq;
}

static void complete(struct tlbi *op)
{
	for (unsigned c = 0; op->everywhere && !op->complete && c < fake_config.cpus; c++)
		if (c != fake_self->id)
			drop_issued(c, op);
	op->complete = true;
}

/* DSB NSH, DSB ISH; nothing, where what comes next serialises (x86 rules) */
static void dsb(enum reach reach)
{
	struct cpu_tlb *t = &fake_tlbs[fake_self->id];
	bool accesses = false;

	dsb_stores();
	fake_races_barrier(true, true);
	fake_view_loads_from_now();
	fake_tlb_touch(true);
	for (unsigned i = 0; reach == EVERYWHERE && i < t->issued_count; i++)
		accesses |= t->issued[i].everywhere && !t->issued[i].complete;
	if (accesses)
		fake_drain_workload();
	for (unsigned i = 0; i < t->issued_count; i++)
		if (reach == EVERYWHERE || !t->issued[i].everywhere)
			complete(&t->issued[i]);
}

void fake_flush_seen(void)
{
	struct cpu_tlb *t = &fake_tlbs[fake_self->id];
	unsigned left = 0;

	if (!t->issued_count)
		return;
	fake_tlb_touch(true);
	for (unsigned i = 0; i < t->issued_count; i++)
		if (t->issued[i].complete)
			drop_issued(fake_self->id, &t->issued[i]);
		else
			t->issued[left++] = t->issued[i];
	t->issued_count = left;
}

void fake_isb(void)
{
	fake_view_walks_from_now();
	fake_flush_seen();
}

static void under_way(const struct tlbi *op)
{
	struct cpu_tlb *t = &fake_tlbs[fake_self->id];

	if (t->issued_count == FAKE_ISSUED)
		fake_fail("model: more than %d TLBIs under way", FAKE_ISSUED);
	else
		t->issued[t->issued_count++] = *op;
}

static void tlbi(struct tlbi op)
{
	if (!fake_config.arm64) { /* INVLPG, MOV to CR3, INVPCID serialise */
		op.issued = fake_write_seq;
		drop_issued(fake_self->id, &op);
		return;
	}
	op.issued = fake_tlbs[fake_self->id].synced;
	under_way(&op);
}

void fake_flush_issue(bool local, vaddr_t va, u32 asid, u64 when)
{
	fake_point(24);
	under_way(&(struct tlbi){.issued = when,
				 .va = va,
				 .end = va ? va + PAGE_SIZE : 0,
				 .asid = asid,
				 .tables = true,
				 .everywhere = !local});
}

void fake_flush_complete(void)
{
	struct cpu_tlb *t = &fake_tlbs[fake_self->id];

	fake_tlb_touch(true);
	if (t->issued_count)
		fake_drain_workload();
	for (unsigned i = 0; i < t->issued_count; i++)
		complete(&t->issued[i]);
}

static void evidence_pages(u64 stamp, vaddr_t va, asid_t asid);
static void evidence_of_asid(u64 stamp, asid_t asid);

void fake_flush_page(vaddr_t va, asid_t asid, unsigned level)
{
	fake_point(20);
	u64 stamp = evidence_begin();

	va = ALIGN_DOWN(va, PT_LEVEL_SIZE(level));
	dsb(THIS_CPU);
	/* x86: INVLPG drops all of the PCID's walk caches; arm64: VAE1 those of the address. */
	if (asid != ASID_KERNEL)
		tlbi((struct tlbi){
			.va = va, .end = va + PT_LEVEL_SIZE(level), .asid = asid, .tables = true});
	dsb(THIS_CPU);
	fake_isb();
	evidence_pages(stamp, va, asid);
}

void fake_flush_asid(asid_t asid)
{
	if (asid == ASID_KERNEL) {
		fake_flush_all();
		return;
	}
	fake_point(21);
	u64 stamp = evidence_begin();

	dsb(THIS_CPU);
	tlbi((struct tlbi){.asid = asid, .tables = true});
	dsb(THIS_CPU);
	fake_isb();
	evidence_of_asid(stamp, asid);
}

void fake_flush_all(void)
{
	fake_point(22);
	u64 stamp = evidence_begin();

	dsb(THIS_CPU);
	tlbi((struct tlbi){.end = EVERYTHING, .asid = ~0U, .tables = true});
	dsb(THIS_CPU);
	fake_isb();
	evidence_all(stamp);
}

/* ---- broadcast: in force everywhere when the issuer has waited, somewhere earlier maybe ---- */

void fake_bcast_prepare(void)
{
	fake_point(23);
	evidence_bcast_begin();
	dsb_stores();
}

static void issue(vaddr_t va, vaddr_t end, u32 asid, bool tables)
{
	fake_point(24);
	tlbi((struct tlbi){
		.va = va, .end = end, .asid = asid, .tables = tables, .everywhere = true});
}

void fake_bcast_page(vaddr_t va, asid_t asid, unsigned level)
{
	/* Level 0 is VALE1IS: the leaf only. */
	va = ALIGN_DOWN(va, PT_LEVEL_SIZE(level));
	if (asid != ASID_KERNEL)
		issue(va, va + PT_LEVEL_SIZE(level), asid, level > 0);
	evidence_bcast_page(va, asid);
}

void fake_bcast_range(vaddr_t va, u64 pages, asid_t asid)
{
	if (asid != ASID_KERNEL)
		issue(va, va + (pages << PAGE_SHIFT), asid, false);
	evidence_bcast_range(va, pages, asid);
}

void fake_bcast_asid(asid_t asid)
{
	issue(0, 0, asid, true);
	evidence_bcast_asid(asid);
}

void fake_bcast_all(void)
{
	issue(0, EVERYTHING, ~0U, true);
	evidence_bcast_all();
}

void fake_bcast_sync(void)
{
	fake_point(25);
	dsb(EVERYWHERE);
	fake_isb();
	evidence_bcast_complete();
}

/* ---- loading roots ------------------------------------------------------------------------ */

static void evidence_load(paddr_t root, asid_t asid);

static void check_kept(const struct cpu_tlb *t, const struct tlb_tag *tag)
{
	for (unsigned v = 0; v < fake_va_count; v++)
		for (unsigned i = 0; i < tag->set[v].count; i++) {
			const struct fake_held *h = &tag->set[v].held[i];

			if (h->root != t->root_index)
				fake_fail("I11: tag %u loaded with entries of another space",
					  t->asid);
			else if (h->dead)
				fake_fail("I11: tag %u kept with an entry for frame %#x, freed "
					  "meanwhile",
					  t->asid, h->frame);
		}
}

void fake_switch(paddr_t root, asid_t asid, bool keep)
{
	struct cpu_tlb *t = &fake_tlbs[fake_self->id];
	u64 stamp = 0;

	fake_point(26);
	dsb(EVERYWHERE);
	fake_isb();
	if (fake_config.asids == 1 && !fake_config.arm64) {
		asid = 0;
		keep = false;
	}
	if (asid >= FAKE_ASIDS) {
		fake_fail("model: ASID %u", asid);
		return;
	}
	if (!keep)
		stamp = evidence_begin();
	if (fake_config.arm64)
		evidence_load(root, asid);
	else
		evidence_root(asid, root);
	fake_tlb_stop(t);
	t->root = root;
	t->root_index = fake_root_index(root);
	t->asid = asid;
	if (!keep)
		drop(t, asid, 0, 0, STILL - 1, true);
	else
		check_kept(t, &t->tag[asid]);
	fake_tlb_refill(fake_self->id);
	if (stamp)
		evidence_of_asid(stamp, asid);
}

paddr_t fake_empty_root(void)
{
	return PAGE_SIZE; /* no RAM there: never walked */
}

unsigned fake_asid_count(void)
{
	return fake_config.asids;
}

bool fake_asid_is_global(void)
{
	return fake_config.arm64;
}

bool fake_has_bcast(void)
{
	return fake_config.arm64;
}

bool fake_needs_bbm(pte_t old, pte_t new, unsigned level)
{
	if (!pte_is_present(old) || !pte_is_present(new))
		return false;
	if (FAKE_KIND(old) != FAKE_KIND(new))
		return true;
	return fake_config.arm64 && pte_pa(old, level) != pte_pa(new, level);
}

bool fake_upgrade_needs_flush(pte_t old, pte_t new)
{
	return fake_config.arm64 && pte_is_present(old) && !pte_is_writable(old) &&
	       pte_is_writable(new);
}

/* ---- evidence, as the ports stamp it ------------------------------------------------------- */

static void evidence_pages(u64 stamp, vaddr_t va, asid_t asid)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	if (!fake_config.arm64 || asid == ASID_KERNEL) {
		evidence_page(stamp, va, asid);
		return;
	}
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		if (ev->slot[i].root && ev->slot[i].asid == asid)
			evidence_page(stamp, va, i);
}

static void evidence_of_asid(u64 stamp, asid_t asid)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	if (!fake_config.arm64) {
		evidence_slot(stamp, asid);
		return;
	}
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		if (ev->slot[i].asid == asid)
			evidence_slot(stamp, i);
}

/* arm64: a slot of the evidence is a pair of root and ASID; whoever is thrown out is flushed first. */
static unsigned evidence_take(struct tlb_evidence *ev, paddr_t root, asid_t asid)
{
	unsigned i = 0;

	while (i < EVIDENCE_SLOTS && ev->slot[i].root)
		i++;
	if (i == EVIDENCE_SLOTS) {
		for (i = 0; i == ev->loaded;)
			i++;
		drop(&fake_tlbs[fake_self->id], (unsigned)ev->slot[i].asid, 0, 0, fake_write_seq,
		     true);
		evidence_of_asid(evidence_begin(), (asid_t)ev->slot[i].asid);
	}
	ev->slot[i].root = 0;
	ev->slot[i].flushed = evidence_begin();
	ev->slot[i].asid = asid;
	ev->slot[i].root = root;
	return i;
}

static void evidence_load(paddr_t root, asid_t asid)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);
	unsigned i = 0;

	if (!evidence_enabled)
		return;
	if (root == fake_empty_root()) {
		evidence_loaded(EVIDENCE_SLOTS, ~0UL);
		return;
	}
	while (i < EVIDENCE_SLOTS && (ev->slot[i].root != root || ev->slot[i].asid != asid))
		i++;
	evidence_loaded(i < EVIDENCE_SLOTS ? i : evidence_take(ev, root, asid), asid);
}
