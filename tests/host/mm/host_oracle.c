/* What tests of the oracle share. */
#include "host_oracle.h"

#include <fake/machine.h>

static void load(void *as)
{
	aspace_load(as);
}

/*
 * Slots of spaces that are gone, and whose root page is this one's now, would count as well; so would
 * records of frames that are its own now.
 */
static void forget_former(const struct aspace *as)
{
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

		for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
			if (i != ev->loaded && ev->slot[i].root == as->ctx.root)
				ev->slot[i].root = 0;
		*cpu_ptr(cpu, oracle_aliases) = (struct oracle_aliases){0};
	}
}

struct aspace *oracle_loaded_on_both(vaddr_t *va)
{
	struct aspace *as = host_space(ORACLE_PAGES, PROT_READ | PROT_WRITE, false, 0, va);

	for (u64 i = 0; as && i < ORACLE_PAGES; i++)
		*host_word(as, *va + i * PAGE_SIZE, true) = i;
	fake_on_cpu(1, load, as);
	forget_former(as);
	return as;
}

struct oracle_unmap oracle_taken(struct aspace *as, vaddr_t va)
{
	u64 unmap = as->ctx.tag + evidence_clock;

	return (struct oracle_unmap){host_page(as, va), unmap, evidence_word(va, unmap)};
}

void oracle_flush(struct aspace *as, vaddr_t va, unsigned level)
{
	struct tlb_gather g;

	tlb_gather_init(&g, &as->ctx, level);
	tlb_gather_add(&g, &as->ctx, va, level);
	tlb_gather_flush(&g);
}

void oracle_take(struct aspace *as, vaddr_t va, unsigned i)
{
	va += i * PAGE_SIZE;
	oracle_unmapped(host_page(as, va), &as->ctx, va, ORACLE_SITE(ORACLE_OTHER));
}

bool oracle_found_stale(struct aspace *as, vaddr_t va,
			void (*step)(struct aspace *as, vaddr_t va, unsigned i))
{
	struct page *pages[ORACLE_MANY];
	u64 unmap = 0, words = 0, released = 0;

	for (unsigned i = 0; i < ORACLE_MANY; i++)
		step(as, va, i);
	for (unsigned i = 0; i < ORACLE_MANY; i++) {
		pages[i] = host_page(as, va + i * PAGE_SIZE);
		unmap |= pages[i]->unmap;
		words += pages[i]->unmap_word;
	}
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

		ev->slot[ev->loaded].released = 0;
		ev->loaded += EVIDENCE_SLOTS;
	}
	oracle_release(pages, ORACLE_MANY, unmap, words);
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		struct tlb_evidence *ev = cpu_ptr(cpu, tlb_evidence);

		ev->loaded -= EVIDENCE_SLOTS;
		released |= ev->slot[ev->loaded].released;
		ev->slot[ev->loaded].released = 0;
	}
	for (unsigned i = 0; i < ORACLE_MANY; i++)
		oracle_shown(pages[i]);
	return released;
}
