/*
 * The modelled TLBs.
 *
 * Real TLBs refill any reachable translation at any moment and drop entries
 * when they like. Instead of choosing when, each CPU keeps, per tag and
 * watched address, the set of translations that it may hold: every one that a
 * walk could have found at some moment since the flush that last covered it,
 * while the root was loaded. An access chooses from the set; an assertion looks
 * at all of it. So one execution stands for all moments of refilling.
 *
 * A flush drops what walks had stopped finding before it was issued. What they
 * still find, or found between issue and completion, may be back at once.
 *
 * Walk caches: the set of tables that a walk of a watched address could have
 * gone through, with the same rule.
 */
#include <fake/machine.h>
#include <kernel/atomic.h>
#include <kernel/smp.h>
#include <stdlib.h>
#include <string.h>

enum { WALKED = 24 }; /* tables one CPU may remember per tag */

struct walked {
	u32 frame, root;
	u8 level; /* of the table */
	u8 va;
	u64 until;
};

struct tlb_tag {
	struct fake_set set[FAKE_VAS];
	unsigned walked_count;
	struct walked walked[WALKED];
};

/* A TLBI under way. */
struct tlbi {
	u64 issued; /* fake_write_seq */
	vaddr_t va, end; /* end 0: all addresses, but not global entries */
	u32 asid; /* ~0: all */
	bool tables; /* walk caches too */
	bool everywhere; /* broadcast */
	bool complete; /* but for this CPU's own next accesses */
};

struct cpu_tlb {
	paddr_t root;
	unsigned root_index; /* FAKE_ROOTS: not watched */
	asid_t asid;
	struct tlb_tag tag[FAKE_ASIDS];
	struct tlbi issued[FAKE_ISSUED];
	unsigned issued_count;
	u64 synced; /* fake_write_seq at the last DSB */
};

static struct cpu_tlb tlbs[FAKE_CPUS];
static paddr_t roots[FAKE_ROOTS];
static unsigned root_count;
static vaddr_t vas[FAKE_VAS];
static unsigned va_count;
/* By root and address: do walks find something; until when they did not, before. */
static bool present[FAKE_ROOTS][FAKE_VAS];
static u64 absent_until[FAKE_ROOTS][FAKE_VAS];
static bool used[FAKE_FRAMES_MAX]; /* a watched address mapped it */
static u64 tlb_place; /* stands for all TLB state in histories */

static const u64 STILL = ~0UL;
static const vaddr_t EVERYTHING = ~0UL; /* as the end of a flush: global entries, too */

static void touch_tlb(bool write)
{
	if (fake_live)
		fake_touch(&tlb_place, write);
}

/* ---- walking -------------------------------------------------------------------------- */

struct walk {
	bool found;
	struct fake_held leaf;
	unsigned tables;
	u32 table[PT_LEVELS]; /* frames, from level 2 down */
	u8 level[PT_LEVELS];
	pte_t *entry;
};

static void walk(paddr_t root, vaddr_t va, struct walk *w)
{
	pte_t *table = phys_to_virt(root);

	*w = (struct walk){0};
	for (unsigned l = PT_LEVELS - 1;; l--) {
		pte_t pte = table[PT_INDEX(va, l)];
		paddr_t pa;

		w->entry = &table[PT_INDEX(va, l)];
		if (!pte_is_present(pte))
			return;
		pa = pte_pa(pte, l);
		if (!fake_is_ram(phys_to_virt(pa)))
			return; /* nonsense: a table that was not one; fake_may_walk() tells on it */
		if (pte_is_table(pte, l)) {
			if (pte.v & FAKE_FLAG(0xff))
				fake_fail("model: a table entry with rights or state of a leaf");
			w->level[w->tables] = (u8)(l - 1);
			w->table[w->tables++] = (u32)(pa >> PAGE_SHIFT);
			table = phys_to_virt(pa);
			continue;
		}
		w->found = true;
		w->leaf.frame = (u32)((pa + (va & (PT_LEVEL_SIZE(l) - 1))) >> PAGE_SHIFT);
		w->leaf.level = (u8)l;
		w->leaf.write = pte_is_writable(pte);
		w->leaf.dirty = pte_is_dirty(pte);
		w->leaf.global = pte_prot(pte) & PROT_GLOBAL;
		w->leaf.until = STILL;
		/* Not accessed: not cached, unless the hardware sets the flag as it fills. */
		if (!pte_is_accessed(pte) && fake_config.arm64 && !fake_config.hw_dirty)
			w->found = false;
		return;
	}
}

bool fake_walk(paddr_t root, vaddr_t va, struct fake_held *found, pte_t **entry)
{
	struct walk w;

	walk(root, va, &w);
	*found = w.leaf;
	*entry = w.entry;
	return w.found;
}

/* ---- the sets -------------------------------------------------------------------------- */

static bool same(const struct fake_held *a, const struct fake_held *b)
{
	return a->frame == b->frame && a->root == b->root && a->level == b->level &&
	       a->write == b->write && a->dirty == b->dirty && a->global == b->global;
}

static void set_add(struct fake_set *set, const struct fake_held *leaf)
{
	for (unsigned i = 0; i < set->count; i++)
		if (same(&set->held[i], leaf)) {
			set->held[i].until = STILL;
			return;
		}
	if (set->count == FAKE_HELD) {
		fake_fail("model: more than %d translations of one address", FAKE_HELD);
		return;
	}
	set->held[set->count] = *leaf;
	set->held[set->count++].since = fake_write_seq;
}

static void set_stop(struct fake_set *set, const struct fake_held *now)
{
	for (unsigned i = 0; i < set->count; i++)
		if (set->held[i].until == STILL && !(now && same(&set->held[i], now)))
			set->held[i].until = fake_write_seq;
}

static void walked_add(struct tlb_tag *tag, const struct walk *w, u32 root, unsigned va)
{
	for (unsigned t = 0; t < w->tables; t++) {
		unsigned i = 0;

		while (i < tag->walked_count &&
		       !(tag->walked[i].frame == w->table[t] && tag->walked[i].va == va &&
			 tag->walked[i].level == w->level[t]))
			i++;
		if (i == WALKED) {
			fake_fail("model: more than %d tables remembered", WALKED);
			return;
		}
		tag->walked[i] = (struct walked){w->table[t], root, w->level[t], (u8)va, STILL};
		tag->walked_count = MAX(tag->walked_count, i + 1);
	}
}

static void walked_stop(struct tlb_tag *tag, const struct walk *w, unsigned va)
{
	for (unsigned i = 0; i < tag->walked_count; i++) {
		struct walked *k = &tag->walked[i];
		bool still = false;

		if (k->va != va || k->until != STILL)
			continue;
		for (unsigned t = 0; w && t < w->tables; t++)
			still |= w->table[t] == k->frame;
		if (!still)
			k->until = fake_write_seq;
	}
}

/*
 * A new leaf beside another that some CPU may still hold: arm64 demands a
 * completed break before (Arm ARM D8.14.1); for the program it is I6 on both.
 */
static void check_conflict(const struct fake_set *set, const struct fake_held *now, unsigned cpu)
{
	for (unsigned i = 0; i < set->count; i++) {
		const struct fake_held *old = &set->held[i];

		if (old->frame == now->frame && old->level == now->level)
			continue;
		if (!old->write && !now->write && old->level == now->level &&
		    !memcmp(phys_to_virt((u64)old->frame << PAGE_SHIFT),
			    phys_to_virt((u64)now->frame << PAGE_SHIFT), PAGE_SIZE))
			continue;
		fake_fail("I6%s: frame %#x mapped while CPU %u may hold frame %#x for the address",
			  fake_config.arm64 ? ", break-before-make" : "", now->frame, cpu,
			  old->frame);
	}
}

/* The address changed for the walkers of this CPU. */
static void refill(unsigned cpu, unsigned va, struct walk *w)
{
	struct cpu_tlb *t = &tlbs[cpu];
	struct tlb_tag *tag = &t->tag[t->asid];

	w->leaf.root = t->root_index;
	set_stop(&tag->set[va], w->found ? &w->leaf : NULL);
	walked_stop(tag, w, va);
	walked_add(tag, w, t->root_index, va);
	if (w->found) {
		used[w->leaf.frame] = true;
		check_conflict(&tag->set[va], &w->leaf, cpu);
		set_add(&tag->set[va], &w->leaf);
	}
}

static void note_presence(unsigned root, unsigned va, bool found)
{
	if (found && !present[root][va])
		absent_until[root][va] = fake_write_seq;
	present[root][va] = found;
}

void fake_entry_changed(void)
{
	for (unsigned r = 0; r < root_count; r++)
		for (unsigned v = 0; v < va_count; v++) {
			struct walk w;

			walk(roots[r], vas[v], &w);
			note_presence(r, v, w.found);
			for (unsigned c = 0; c < fake_config.cpus; c++)
				if (tlbs[c].root == roots[r])
					refill(c, v, &w);
			if (w.found && fake_hooks.mapped)
				fake_hooks.mapped(v, &w.leaf);
		}
	touch_tlb(true);
}

static void refill_all(unsigned cpu)
{
	const struct cpu_tlb *t = &tlbs[cpu];

	for (unsigned v = 0; t->root_index < FAKE_ROOTS && v < va_count; v++) {
		struct walk w;

		walk(t->root, vas[v], &w);
		refill(cpu, v, &w);
	}
}

void fake_watch_reset(void)
{
	memset(tlbs, 0, sizeof(tlbs));
	for (unsigned c = 0; c < FAKE_CPUS; c++)
		tlbs[c].root_index = FAKE_ROOTS;
	root_count = va_count = 0;
}

static unsigned root_index(paddr_t root)
{
	for (unsigned r = 0; r < root_count; r++)
		if (roots[r] == root)
			return r;
	return FAKE_ROOTS;
}

void fake_watch(paddr_t root, vaddr_t va)
{
	unsigned v = 0;

	if (root_index(root) == FAKE_ROOTS)
		roots[root_count++] = root;
	while (v < va_count && vas[v] != va)
		v++;
	if (v == va_count)
		vas[va_count++] = va;
	fake_entry_changed();
	for (unsigned c = 0; c < fake_config.cpus; c++) {
		tlbs[c].root_index = root_index(tlbs[c].root);
		refill_all(c);
	}
}

/* ---- flushing --------------------------------------------------------------------------- */

/* Entries that walks stopped finding at or before `when` are gone. */
static void drop(struct cpu_tlb *t, unsigned asid, vaddr_t va, vaddr_t end, u64 when, bool tables)
{
	struct tlb_tag *tag = &t->tag[asid];
	unsigned kept = 0;

	for (unsigned v = 0; v < va_count; v++) {
		struct fake_set *set = &tag->set[v];
		unsigned n = 0;

		if (end && (vas[v] < va || vas[v] >= end))
			continue;
		for (unsigned i = 0; i < set->count; i++)
			if (set->held[i].until > when || (!end && set->held[i].global))
				set->held[n++] = set->held[i];
			else if (fake_hooks.dropped)
				fake_hooks.dropped((unsigned)(t - tlbs), v, &set->held[i]);
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
			drop(&tlbs[cpu], a, op->va, op->end, op->issued, op->tables);
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
	tlbs[fake_self->id].synced = fake_write_seq;
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
	struct cpu_tlb *t = &tlbs[fake_self->id];
	bool accesses = false;

	dsb_stores();
	fake_races_barrier(true, true);
	fake_view_loads_from_now();
	touch_tlb(true);
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
	struct cpu_tlb *t = &tlbs[fake_self->id];
	unsigned left = 0;

	if (!t->issued_count)
		return;
	touch_tlb(true);
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
	struct cpu_tlb *t = &tlbs[fake_self->id];

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
	op.issued = tlbs[fake_self->id].synced;
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
	struct cpu_tlb *t = &tlbs[fake_self->id];

	touch_tlb(true);
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
	for (unsigned v = 0; v < va_count; v++)
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
	struct cpu_tlb *t = &tlbs[fake_self->id];
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
	for (unsigned v = 0; v < va_count; v++) {
		set_stop(&t->tag[t->asid].set[v], NULL);
		walked_stop(&t->tag[t->asid], NULL, v);
	}
	t->root = root;
	t->root_index = root_index(root);
	t->asid = asid;
	if (!keep)
		drop(t, asid, 0, 0, STILL - 1, true);
	else
		check_kept(t, &t->tag[asid]);
	refill_all(fake_self->id);
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
		drop(&tlbs[fake_self->id], (unsigned)ev->slot[i].asid, 0, 0, fake_write_seq, true);
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

/* ---- questions ------------------------------------------------------------------------------- */

bool fake_frame_used(u64 frame)
{
	return used[frame];
}

paddr_t fake_loaded_root(void)
{
	return tlbs[fake_self->id].root;
}

asid_t fake_loaded_asid(void)
{
	return tlbs[fake_self->id].asid;
}

struct fake_set *fake_held_here(vaddr_t va, unsigned *index)
{
	struct cpu_tlb *t = &tlbs[fake_self->id];

	for (unsigned v = 0; v < va_count; v++)
		if (vas[v] == va) {
			*index = v;
			touch_tlb(false);
			return &t->tag[t->asid].set[v];
		}
	return NULL;
}

enum fake_absence fake_walk_may_fail(unsigned va_index, u64 from)
{
	unsigned root = tlbs[fake_self->id].root_index;

	if (root == FAKE_ROOTS || !present[root][va_index])
		return FAKE_ABSENT;
	from = MAX(from, fake_self->view.walks);
	return absent_until[root][va_index] > from ? FAKE_WAS_ABSENT : FAKE_PRESENT;
}

void fake_fault_drops(struct fake_set *set)
{
	unsigned n = 0;

	if (fake_config.arm64)
		return;
	for (unsigned i = 0; i < set->count; i++)
		if (set->held[i].until == STILL)
			set->held[n++] = set->held[i];
	set->count = n;
	touch_tlb(true);
}

bool fake_may_hold(u64 frame, bool write, unsigned *cpu)
{
	for (*cpu = 0; *cpu < fake_config.cpus; ++*cpu) {
		const struct cpu_tlb *t = &tlbs[*cpu];

		for (unsigned v = 0; v < va_count; v++)
			for (unsigned i = 0; i < t->tag[t->asid].set[v].count; i++) {
				const struct fake_held *h = &t->tag[t->asid].set[v].held[i];

				if (h->frame == frame && (h->write || !write))
					return true;
			}
	}
	return false;
}

bool fake_may_walk(u64 frame, unsigned *cpu)
{
	for (*cpu = 0; *cpu < fake_config.cpus; ++*cpu) {
		const struct cpu_tlb *t = &tlbs[*cpu];
		const struct tlb_tag *tag = &t->tag[t->asid];

		for (unsigned i = 0; i < tag->walked_count; i++)
			if (tag->walked[i].frame == frame)
				return true;
	}
	return false;
}

void fake_frame_freed(u64 frame)
{
	for (unsigned c = 0; c < fake_config.cpus; c++)
		for (unsigned a = 0; a < FAKE_ASIDS; a++)
			for (unsigned v = 0; a != tlbs[c].asid && v < va_count; v++) {
				struct fake_set *set = &tlbs[c].tag[a].set[v];

				for (unsigned i = 0; i < set->count; i++)
					set->held[i].dead |= set->held[i].frame == frame;
			}
}

bool fake_exceeds(paddr_t root, vaddr_t va, prot_t prot)
{
	for (unsigned c = 0; c < fake_config.cpus; c++) {
		const struct cpu_tlb *t = &tlbs[c];

		if (t->root != root)
			continue;
		for (unsigned v = 0; v < va_count; v++)
			for (unsigned i = 0; vas[v] == va && i < t->tag[t->asid].set[v].count; i++)
				if (!(prot & PROT_READ) ||
				    (!(prot & PROT_WRITE) && t->tag[t->asid].set[v].held[i].write))
					return true;
	}
	return false;
}

bool fake_others_held(unsigned va_index, u64 frame, unsigned *cpu)
{
	for (*cpu = 0; *cpu < fake_config.cpus; ++*cpu) {
		const struct cpu_tlb *t = &tlbs[*cpu];
		const struct fake_set *set = &t->tag[t->asid].set[va_index];

		for (unsigned i = 0; t->root == tlbs[fake_self->id].root && i < set->count; i++)
			if (set->held[i].frame != frame)
				return true;
	}
	return false;
}
