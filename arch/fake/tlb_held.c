/* What the modelled TLBs hold: the questions that accesses and assertions ask, and what accesses change. */
#include "tlb.h"

paddr_t fake_loaded_root(void)
{
	return fake_tlbs[fake_self->id].root;
}

asid_t fake_loaded_asid(void)
{
	return fake_tlbs[fake_self->id].asid;
}

struct fake_set *fake_held_here(vaddr_t va, unsigned *index)
{
	struct cpu_tlb *t = &fake_tlbs[fake_self->id];

	for (unsigned v = 0; v < fake_va_count; v++)
		if (fake_vas[v] == va) {
			*index = v;
			fake_tlb_touch(false);
			return &t->tag[t->asid].set[v];
		}
	return NULL;
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
	fake_tlb_touch(true);
}

bool fake_may_hold(u64 frame, bool write, unsigned *cpu)
{
	for (*cpu = 0; *cpu < fake_config.cpus; ++*cpu) {
		const struct cpu_tlb *t = &fake_tlbs[*cpu];

		for (unsigned v = 0; v < fake_va_count; v++)
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
		const struct cpu_tlb *t = &fake_tlbs[*cpu];
		const struct tlb_tag *tag = &t->tag[t->asid];

		if (t->root == frame << PAGE_SHIFT)
			return true;
		for (unsigned i = 0; i < tag->walked_count; i++)
			if (tag->walked[i].frame == frame)
				return true;
	}
	return false;
}

static void tag_frame_freed(struct tlb_tag *tag, u64 frame)
{
	for (unsigned v = 0; v < fake_va_count; v++)
		for (unsigned i = 0; i < tag->set[v].count; i++)
			tag->set[v].held[i].dead |= tag->set[v].held[i].frame == frame;
	for (unsigned i = 0; i < tag->walked_count; i++)
		tag->walked[i].dead |= tag->walked[i].frame == frame;
}

void fake_frame_freed(u64 frame)
{
	for (unsigned c = 0; c < fake_config.cpus; c++)
		for (unsigned a = 0; a < FAKE_ASIDS; a++)
			if (a != fake_tlbs[c].asid)
				tag_frame_freed(&fake_tlbs[c].tag[a], frame);
	fake_unwatch(frame << PAGE_SHIFT);
}

static bool exceeds(const struct fake_held *held, prot_t prot)
{
	return !(prot & PROT_READ) || (held->write && !(prot & PROT_WRITE)) ||
	       (held->exec && !(prot & PROT_EXEC));
}

bool fake_exceeds(paddr_t root, vaddr_t va, prot_t prot)
{
	for (unsigned c = 0; c < fake_config.cpus; c++) {
		const struct cpu_tlb *t = &fake_tlbs[c];

		if (t->root != root)
			continue;
		for (unsigned v = 0; v < fake_va_count; v++)
			for (unsigned i = 0; fake_vas[v] == va && i < t->tag[t->asid].set[v].count;
			     i++)
				if (exceeds(&t->tag[t->asid].set[v].held[i], prot))
					return true;
	}
	return false;
}

/* A translation that differs from what the entry says now. */
static unsigned stale(const struct fake_held *held, const struct fake_held *now, bool present)
{
	unsigned how = 0;

	if (!present || held->frame != now->frame || held->level != now->level ||
	    (held->write && !now->write) || (held->exec && !now->exec) ||
	    (held->write && held->dirty && !now->dirty))
		how |= FAKE_EXCEEDS;
	if (fake_config.arm64 && ((now->write && !held->write) || (now->exec && !held->exec) ||
				  (!fake_config.hw_dirty && now->dirty && !held->dirty)))
		how |= FAKE_REFUSES;
	return how;
}

unsigned fake_stale(paddr_t root, vaddr_t va)
{
	struct fake_held now;
	unsigned how = 0;
	pte_t *entry;

	fake_walk(root, va, &now, &entry);
	for (unsigned c = 0; c < fake_config.cpus; c++) {
		const struct cpu_tlb *t = &fake_tlbs[c];

		for (unsigned v = 0; t->root == root && v < fake_va_count; v++)
			for (unsigned i = 0; fake_vas[v] == va && i < t->tag[t->asid].set[v].count;
			     i++)
				how |= stale(&t->tag[t->asid].set[v].held[i], &now,
					     pte_is_present(*entry));
	}
	return how;
}

bool fake_others_held(unsigned va_index, u64 frame, unsigned *cpu)
{
	for (*cpu = 0; *cpu < fake_config.cpus; ++*cpu) {
		const struct cpu_tlb *t = &fake_tlbs[*cpu];
		const struct fake_set *set = &t->tag[t->asid].set[va_index];

		for (unsigned i = 0; t->root == fake_tlbs[fake_self->id].root && i < set->count;
		     i++)
			if (set->held[i].frame != frame)
				return true;
	}
	return false;
}
