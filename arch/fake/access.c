/* What a workload's load or store does: the TLB, then the hardware's walk, then a fault. */
#include <fake/machine.h>
#include <kernel/trap.h>
#include <arch/trap.h>

enum access { LOAD, STORE, FETCH };

enum { FAULTS = 40 }; /* of one access; more means that handling them does not help */

static bool allows(const struct fake_held *held, enum access access)
{
	return access == LOAD || (access == STORE ? held->write : held->exec);
}

/*
 * arm64 rules: a stale entry that refuses goes on refusing until somebody flushes
 * it; a fault does not drop it.
 */
static bool refused(const struct fake_set *set, enum access access)
{
	for (unsigned i = 0; fake_config.arm64 && i < set->count; i++)
		if (!allows(&set->held[i], access))
			return true;
	return false;
}

/* Of the held translations, those that allow the access; the stalest come first. */
static unsigned usable(const struct fake_set *set, enum access access,
		       const struct fake_held *use[FAKE_HELD])
{
	unsigned n = 0;

	for (unsigned i = 0; i < set->count; i++)
		if (allows(&set->held[i], access))
			use[n++] = &set->held[i];
	return n;
}

/*
 * First store through a clean translation: hardware walks again and sets the
 * dirty state in the entry as it is now, atomically, or faults. Without
 * hardware management (arm64 rules) such an entry is read-only to it.
 */
bool fake_make_dirty(const struct fake_held *held, vaddr_t va)
{
	struct fake_held now;
	pte_t *entry, old;

	if (fake_config.arm64 && !fake_config.hw_dirty)
		return false;
	for (paddr_t root = fake_loaded_root();;) {
		if (!fake_walk(root, va, &now, &entry) || now.frame != held->frame || !now.write)
			return false;
		old = *entry;
		if (fake_entry_cmpxchg(entry, &old, pte_mk_dirty(pte_mk_young(old))))
			return true;
	}
}

static void take_fault(vaddr_t va, enum access access, bool present, bool *handled)
{
	struct trapframe tf = {.va = va,
			       .write = access == STORE,
			       .exec = access == FETCH,
			       .present = present,
			       .irqs = true};

	fake_point(30);
	fake_isb(); /* exceptions synchronise the context */
	*handled = trap_page_fault_handler(&tf);
	if (fake_entry_under_way())
		fake_fail("CPU %u returns from a fault at %#lx to what is still a fault: its entry "
			  "is not visible to walkers",
			  fake_self->id, va);
	fake_point(31);
}

void fake_access_word(u64 *word, const struct fake_use *use, u64 *value)
{
	u64 *in_order = &fake_self->view.va[use->va_index];
	u64 from = MAX(use->from, *in_order);

	if (use->write) {
		fake_work_store(word, *value, use->va_index);
		*in_order = fake_write_seq;
		return;
	}
	fake_self->view.last = 0; /* forwarded: no time */
	*value = fake_work_load(word, from, use->to);
	*in_order = MAX(from, fake_self->view.last);
}

static bool perform(const struct fake_held *held, vaddr_t va, unsigned index, bool write,
		    u64 *value)
{
	u64 *word = phys_to_virt(((u64)held->frame << PAGE_SHIFT) + va % PAGE_SIZE);

	if (write && !held->dirty) {
		const struct fake_held copy = *held;

		if (!fake_make_dirty(&copy, va))
			return false;
	}
	fake_access_word(word, &(struct fake_use){held->since, ~0UL, index, write}, value);
	return true;
}

/*
 * Choose one of n translations, the stalest first, or n: the access faults, as a
 * walk finds nothing. The walk may find nothing now. Or it ran before a store that
 * made the entry; in that case later loads may still be earlier than the fault.
 */
static unsigned choose(unsigned index, unsigned n)
{
	enum fake_absence absence = fake_walk_may_fail(index, 0);
	unsigned chosen = n ? fake_pick(n + (absence != FAKE_PRESENT)) : 0;

	if (chosen == n && absence != FAKE_WAS_ABSENT)
		fake_view_loads_from_now();
	return chosen;
}

static bool do_access(vaddr_t va, enum access access, u64 *value)
{
	for (unsigned faults = 0; faults < FAULTS; faults++) {
		const struct fake_held *use[FAKE_HELD];
		struct fake_set *set;
		unsigned index, n, chosen;
		bool handled;

		fake_point(access == STORE ? 32 : 33);
		set = fake_held_here(ALIGN_DOWN(va, PAGE_SIZE), &index);
		if (!set) {
			fake_fail("model: address %#lx is not watched", va);
			return false;
		}
		n = usable(set, access, use);
		if (n && refused(set, access) && fake_pick(2) == 0)
			n = 0;
		chosen = choose(index, n);
		if (chosen < n && perform(use[chosen], va, index, access == STORE, value))
			return true;
		fake_fault_drops(set);
		take_fault(va, access, set->count && (chosen < n || !n), &handled);
		if (!handled)
			return false;
	}
	fake_fail("CPU %u, address %#lx: still a fault after %d were handled", cpu_id(), va,
		  FAULTS);
	return false;
}

bool fake_access(vaddr_t va, bool write, u64 *value)
{
	return do_access(va, write ? STORE : LOAD, value);
}

bool fake_fetch(vaddr_t va, u64 *value)
{
	return do_access(va, FETCH, value);
}
