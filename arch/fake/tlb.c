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
 * A flush drops what walks no longer found when it was issued. What they still
 * find, or found between issue and completion, may be in the TLB again at once.
 *
 * Walk caches are modelled in the same way: the set of tables through which a walk
 * of a watched address could have gone. What a flush of a single address drops of
 * them is in tlb_flush.c.
 */
#include "tlb.h"
#include <stdlib.h>
#include <string.h>

struct cpu_tlb fake_tlbs[FAKE_CPUS];
static const paddr_t GONE = ~0UL; /* a root that was freed; its index is not used again */
static paddr_t roots[FAKE_ROOTS];
static unsigned root_count;
vaddr_t fake_vas[FAKE_VAS];
unsigned fake_va_count;
/* By root and address: do walks find something now? And until when did they find nothing before that? */
static bool present[FAKE_ROOTS][FAKE_VAS];
static u64 absent_until[FAKE_ROOTS][FAKE_VAS];
static bool used[FAKE_FRAMES_MAX]; /* frames that a watched address has mapped */
static u64 tlb_place; /* the one place by which histories know all TLB state */

void fake_tlb_touch(bool write)
{
	if (fake_live)
		fake_touch(&tlb_place, write);
}

/* ---- walking -------------------------------------------------------------------------- */

struct walk {
	bool maps; /* there is a leaf */
	bool found; /* and a TLB may hold it */
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
			return; /* it is no table any more; fake_may_walk() reports that */
		if (pte_is_table(pte, l)) {
			if (pte.v & FAKE_FLAG(0xff))
				fake_fail("model: a table entry with rights or state of a leaf");
			w->level[w->tables] = (u8)(l - 1);
			w->table[w->tables++] = (u32)(pa >> PAGE_SHIFT);
			table = phys_to_virt(pa);
			continue;
		}
		w->maps = w->found = true;
		w->leaf.frame = (u32)((pa + (va & (PT_LEVEL_SIZE(l) - 1))) >> PAGE_SHIFT);
		w->leaf.level = (u8)l;
		w->leaf.write = pte_is_writable(pte);
		w->leaf.exec = pte_is_executable(pte);
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
	       a->write == b->write && a->exec == b->exec && a->dirty == b->dirty &&
	       a->global == b->global;
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
		tag->walked[i] =
			(struct walked){w->table[t], root, w->level[t], (u8)va, false, STILL};
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
	struct cpu_tlb *t = &fake_tlbs[cpu];
	struct tlb_tag *tag = &t->tag[t->asid];

	w->leaf.root = t->root_index;
	set_stop(&tag->set[va], w->found ? &w->leaf : NULL);
	walked_stop(tag, w, va);
	walked_add(tag, w, t->root_index, va);
	if (w->maps) /* an access may set its flag, and go on */
		used[w->leaf.frame] = true;
	if (w->found) {
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
		for (unsigned v = 0; roots[r] != GONE && v < fake_va_count; v++) {
			struct walk w;

			walk(roots[r], fake_vas[v], &w);
			note_presence(r, v, w.found);
			for (unsigned c = 0; c < fake_config.cpus; c++)
				if (fake_tlbs[c].root == roots[r])
					refill(c, v, &w);
			if (w.found && fake_hooks.mapped)
				fake_hooks.mapped(v, &w.leaf);
		}
	fake_tlb_touch(true);
}

void fake_tlb_refill(unsigned cpu)
{
	const struct cpu_tlb *t = &fake_tlbs[cpu];

	for (unsigned v = 0; t->root_index < FAKE_ROOTS && v < fake_va_count; v++) {
		struct walk w;

		walk(t->root, fake_vas[v], &w);
		refill(cpu, v, &w);
	}
}

void fake_tlb_stop(struct cpu_tlb *t)
{
	for (unsigned v = 0; v < fake_va_count; v++) {
		set_stop(&t->tag[t->asid].set[v], NULL);
		walked_stop(&t->tag[t->asid], NULL, v);
	}
}

void fake_watch_reset(void)
{
	memset(fake_tlbs, 0, sizeof(fake_tlbs));
	for (unsigned c = 0; c < FAKE_CPUS; c++)
		fake_tlbs[c].root_index = FAKE_ROOTS;
	root_count = fake_va_count = 0;
}

unsigned fake_root_index(paddr_t root)
{
	for (unsigned r = 0; r < root_count; r++)
		if (roots[r] == root)
			return r;
	return FAKE_ROOTS;
}

/* False: there is no room for more. */
static bool add_root(paddr_t root)
{
	if (fake_root_index(root) < FAKE_ROOTS)
		return true;
	if (root_count == FAKE_ROOTS) {
		fake_fail("model: more than %d address spaces are watched", FAKE_ROOTS);
		return false;
	}
	roots[root_count++] = root;
	return true;
}

static bool add_va(vaddr_t va)
{
	for (unsigned v = 0; v < fake_va_count; v++)
		if (fake_vas[v] == va)
			return true;
	if (fake_va_count == FAKE_VAS) {
		fake_fail("model: more than %d addresses are watched", FAKE_VAS);
		return false;
	}
	fake_vas[fake_va_count++] = va;
	return true;
}

void fake_unwatch(paddr_t root)
{
	unsigned r = fake_root_index(root);

	if (r < FAKE_ROOTS)
		roots[r] = GONE;
}

void fake_watch(paddr_t root, vaddr_t va)
{
	if (!add_root(root) || !add_va(va))
		return;
	fake_entry_changed();
	for (unsigned c = 0; c < fake_config.cpus; c++) {
		fake_tlbs[c].root_index = fake_root_index(fake_tlbs[c].root);
		fake_tlb_refill(c);
	}
}

void fake_frame_use(u64 frame)
{
	used[frame] = true;
}

bool fake_frame_used(u64 frame)
{
	return used[frame];
}

enum fake_absence fake_walk_may_fail(unsigned va_index, u64 from)
{
	unsigned root = fake_tlbs[fake_self->id].root_index;

	if (root == FAKE_ROOTS || !present[root][va_index])
		return FAKE_ABSENT;
	from = MAX(from, fake_self->view.walks);
	return absent_until[root][va_index] > from ? FAKE_WAS_ABSENT : FAKE_PRESENT;
}
