/*
 * The contract's flushes on the modelled machine (arch/include/arch/tlb.h), by the sequences of the
 * ports: of this CPU, by broadcast, and by loading a root; and the evidence that they leave.
 */
#include "tlb.h"
#include <kernel/smp.h>

static const vaddr_t EVERYTHING = ~0UL; /* as the end of a flush: global entries, too */

/* Does the flush name any address that an entry of this level at va translates? */
static bool reaches(const struct tlbi *op, vaddr_t va, unsigned level)
{
	vaddr_t start = ALIGN_DOWN(va, PT_LEVEL_SIZE(level));

	return !op->end || (start < op->end && op->va < start + PT_LEVEL_SIZE(level));
}

static bool reaches_leaf(const struct tlbi *op, unsigned va, const struct fake_held *leaf)
{
	if (leaf->until > op->issued || (!op->end && leaf->global) || (op->pages && leaf->level))
		return false;
	return reaches(op, fake_vas[va], leaf->level);
}

/*
 * x86 rules: INVLPG drops all walk caches of the PCID, whatever the address (SDM vol. 3 4.10.4.1).
 * arm64 rules: a TLBI by address, unless it is for leaves only, drops the entries of all levels that
 * translate the address (Arm ARM D8.13, C5.5 "TLBI VAE1"); here, those that lead to the table.
 */
static bool reaches_table(const struct tlbi *op, const struct walked *k)
{
	if (!op->tables || k->until > op->issued)
		return false;
	return !fake_config.arm64 || reaches(op, fake_vas[k->va], k->level + 1U);
}

/* Drop of a tag what the flush reaches and walks no longer found when it was issued. */
static void drop(struct cpu_tlb *t, unsigned asid, const struct tlbi *op)
{
	struct tlb_tag *tag = &t->tag[asid];
	unsigned kept = 0;

	for (unsigned v = 0; v < fake_va_count; v++) {
		struct fake_set *set = &tag->set[v];
		unsigned n = 0;

		for (unsigned i = 0; i < set->count; i++)
			if (!reaches_leaf(op, v, &set->held[i]))
				set->held[n++] = set->held[i];
			else if (fake_hooks.dropped)
				fake_hooks.dropped((unsigned)(t - fake_tlbs), v, &set->held[i]);
		set->count = n;
	}
	for (unsigned i = 0; i < tag->walked_count; i++)
		if (!reaches_table(op, &tag->walked[i]))
			tag->walked[kept++] = tag->walked[i];
	tag->walked_count = kept;
}

/* All of a tag but global entries. */
static void drop_tag(struct cpu_tlb *t, unsigned asid, u64 when)
{
	drop(t, asid, &(struct tlbi){.issued = when, .tables = true});
}

static void drop_issued(unsigned cpu, const struct tlbi *op)
{
	for (unsigned a = 0; a < FAKE_ASIDS; a++)
		if (op->asid == ~0U || op->asid == a)
			drop(&fake_tlbs[cpu], a, op);
}

/*
 * arm64 rules (Arm ARM D8.13.5). A TLBI may take effect before earlier stores to
 * entries, unless a DSB is between. A later DSB on the same CPU completes it, if it
 * reaches as far as the TLBI. The DSB waits for accesses that other CPUs make
 * through what was dropped. This CPU's own walks may be older until an ISB.
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

/* DSB NSH or DSB ISH. Under x86 rules it has nothing to complete, as flushes serialise. */
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

/* INVLPG, VAE1: neither knows of levels. */
void fake_flush_page(vaddr_t va, asid_t asid, unsigned level __unused)
{
	fake_point(20);
	u64 stamp = evidence_now();

	dsb(THIS_CPU);
	if (asid != ASID_KERNEL)
		tlbi((struct tlbi){.va = va, .end = va + PAGE_SIZE, .asid = asid, .tables = true});
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

void fake_flush_nonglobal(void)
{
	if (fake_config.arm64) { /* VMALLE1 */
		fake_flush_all();
		return;
	}
	fake_point(27);
	u64 stamp = evidence_begin();

	dsb(THIS_CPU);
	tlbi((struct tlbi){.asid = ~0U, .tables = true}); /* INVPCID, type 3 */
	evidence_nonglobal(stamp);
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

static void issue(struct tlbi op)
{
	fake_point(24);
	op.everywhere = true;
	tlbi(op);
}

/* Level 0 is VALE1IS, with a hint of the level: the 4 KiB leaf only. Others are VAE1IS. */
void fake_bcast_page(vaddr_t va, asid_t asid, unsigned level)
{
	if (asid != ASID_KERNEL)
		issue((struct tlbi){.va = va,
				    .end = va + PAGE_SIZE,
				    .asid = asid,
				    .tables = level > 0,
				    .pages = !level});
	if (level)
		evidence_bcast_tables(va, asid);
	else
		evidence_bcast_page(va, asid);
}

/* RVALE1IS without a hint: leaves of any size. */
void fake_bcast_range(vaddr_t va, u64 pages, asid_t asid)
{
	if (asid != ASID_KERNEL)
		issue((struct tlbi){.va = va, .end = va + (pages << PAGE_SHIFT), .asid = asid});
	evidence_bcast_range(va, pages, asid);
}

void fake_bcast_asid(asid_t asid)
{
	issue((struct tlbi){.asid = asid, .tables = true});
	evidence_bcast_asid(asid);
}

void fake_bcast_all(void)
{
	issue((struct tlbi){.end = EVERYTHING, .asid = ~0U, .tables = true});
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

static unsigned evidence_load(paddr_t root, asid_t asid);

/* Global ASIDs: a tag that is loaded has entries of this space only. (Tags of one CPU are flushed after the load.) */
static void check_foreign(const struct cpu_tlb *t, const struct tlb_tag *tag)
{
	bool foreign = false;

	for (unsigned v = 0; v < fake_va_count; v++)
		for (unsigned i = 0; i < tag->set[v].count; i++)
			foreign |= tag->set[v].held[i].root != t->root_index;
	for (unsigned i = 0; i < tag->walked_count; i++)
		foreign |= tag->walked[i].root != t->root_index;
	if (foreign)
		fake_fail("I11: tag %u loaded with entries of another space", t->asid);
}

static void check_kept(const struct cpu_tlb *t, const struct tlb_tag *tag)
{
	for (unsigned v = 0; v < fake_va_count; v++)
		for (unsigned i = 0; i < tag->set[v].count; i++)
			if (tag->set[v].held[i].dead)
				fake_fail("I11: tag %u kept with an entry for frame %#x, freed "
					  "meanwhile",
					  t->asid, tag->set[v].held[i].frame);
	for (unsigned i = 0; i < tag->walked_count; i++)
		if (tag->walked[i].dead)
			fake_fail(
				"I11: tag %u kept with a walk cache of table %#x, freed meanwhile",
				t->asid, tag->walked[i].frame);
}

void fake_switch(paddr_t root, asid_t asid, bool keep)
{
	struct cpu_tlb *t = &fake_tlbs[fake_self->id];
	u64 stamp = 0;
	unsigned slot = EVIDENCE_SLOTS;

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
		slot = evidence_load(root, asid);
	else
		evidence_root(asid, root);
	fake_tlb_stop(t);
	t->root = root;
	t->root_index = fake_root_index(root);
	t->asid = asid;
	if (keep || fake_config.arm64)
		check_foreign(t, &t->tag[asid]);
	if (!keep)
		drop_tag(t, asid, STILL - 1);
	else
		check_kept(t, &t->tag[asid]);
	fake_tlb_refill(fake_self->id);
	if (stamp)
		evidence_of_asid(stamp, asid);
	if (fake_config.arm64)
		evidence_loaded(slot, asid);
	else
		evidence_loaded_slot(asid);
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

bool fake_bcast_repeats(void)
{
	return fake_config.repeats;
}

const char *fake_isa(void)
{
	return fake_config.arm64 ? "arm64" : "x86_64";
}

bool fake_needs_bbm(pte_t old, pte_t new, unsigned level)
{
	if (!pte_is_present(old) || !pte_is_present(new))
		return false;
	if (FAKE_KIND(old) != FAKE_KIND(new))
		return true;
	return fake_config.arm64 && pte_pa(old, level) != pte_pa(new, level);
}

bool fake_fault_drops_entry(void)
{
	return !fake_config.arm64;
}

bool fake_hw_dirty(void)
{
	return !fake_config.arm64 || fake_config.hw_dirty;
}

/* ---- evidence, as the ports stamp it ------------------------------------------------------- */

static void evidence_pages(u64 stamp, vaddr_t va, asid_t asid)
{
	const struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	if (!fake_config.arm64) {
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
		drop_tag(&fake_tlbs[fake_self->id], (unsigned)ev->slot[i].asid, fake_write_seq);
		evidence_of_asid(evidence_begin(), (asid_t)ev->slot[i].asid);
	}
	ev->slot[i].root = 0;
	ev->slot[i].flushed = evidence_begin();
	ev->slot[i].asid = asid;
	ev->slot[i].root = root;
	return i;
}

static unsigned evidence_load(paddr_t root, asid_t asid)
{
	struct tlb_evidence *ev = this_cpu_ptr(tlb_evidence);

	if (!evidence_enabled || root == fake_empty_root())
		return EVIDENCE_SLOTS;
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
		if (ev->slot[i].root == root && ev->slot[i].asid == asid)
			return i;
	return evidence_take(ev, root, asid);
}
