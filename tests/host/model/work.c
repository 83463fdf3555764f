/* Spaces and pages of the workloads, and which page of the history an address shows. */
#include "work.h"
#include <mm/tlb_cpu.h>

/* Which page of the history an address means; scenarios use up to MODEL_PAGES in all. */
static struct mapped {
	struct aspace *as;
	vaddr_t va;
	unsigned page, slot; /* of the address */
} mapped[MODEL_MAPPED];
static unsigned mapped_count, pages_used;
struct page_history work_history[MODEL_PAGES];

enum { MAGIC = 0x57a };

u64 work_stamp(unsigned page, unsigned word, u64 n)
{
	return (u64)MAGIC << 52 | (u64)page << 44 | (u64)word << 36 | n;
}

unsigned work_slot_at(vaddr_t va)
{
	unsigned slots = 0;

	for (unsigned i = 0; i < mapped_count; i++) {
		if (mapped[i].va == ALIGN_DOWN(va, PAGE_SIZE))
			return mapped[i].slot;
		slots = MAX(slots, mapped[i].slot + 1);
	}
	return slots;
}

void work_note(struct aspace *as, vaddr_t va, unsigned page)
{
	if (mapped_count == MODEL_MAPPED) {
		fake_fail("scenario: more than %d mappings of pages", MODEL_MAPPED);
		return;
	}
	mapped[mapped_count++] = (struct mapped){as, va, page, work_slot_at(va)};
	fake_watch(as->ctx.root, va);
}

unsigned work_page_at(struct aspace *as, vaddr_t va)
{
	/* The newest: a space may have taken the place of one that is gone. */
	for (unsigned i = mapped_count; i-- > 0;)
		if (mapped[i].va == ALIGN_DOWN(va, PAGE_SIZE) && (!as || mapped[i].as == as))
			return mapped[i].page;
	fake_fail("scenario: no page noted at %#lx", va);
	return 0;
}

unsigned work_page_here(vaddr_t va)
{
	struct tlb_context *ctx = tlb_loaded();

	return work_page_at(ctx ? container_of(ctx, struct aspace, ctx) : NULL, va);
}

void work_note_all(struct aspace *of, struct aspace *as,
		   void (*fn)(struct aspace *as, vaddr_t va, unsigned page))
{
	for (unsigned i = 0, count = mapped_count; i < count; i++)
		if (mapped[i].as == of)
			fn(as, mapped[i].va, mapped[i].page);
}

static u64 *direct_by(pte_t pte, unsigned level, vaddr_t va)
{
	return phys_to_virt(pte_pa(pte, level) + va % PT_LEVEL_SIZE(level));
}

u64 *work_direct(struct aspace *as, vaddr_t va)
{
	struct pt_pos pos = pgwalk_find(as->root, va, 0);

	return direct_by(pte_load(pos.ptep), pos.level, va);
}

/*
 * A page that was populated may be in swap already, or on its way, which nobody waits for here: it comes back. Nobody else
 * has a turn after the entry was loaded.
 */
static u64 *direct_even_if_swapped(struct aspace *as, vaddr_t va)
{
	for (;;) {
		struct pt_pos pos = pgwalk_find(as->root, va, 0);
		pte_t pte = pte_load(pos.ptep);

		if (pte_is_present(pte) || pte_is_hint(pte))
			return direct_by(pte, pos.level, va);
		cpu_relax();
		aspace_populate(as, ALIGN_DOWN(va, PAGE_SIZE), PAGE_SIZE, 0);
	}
}

vaddr_t work_word_va(vaddr_t va, unsigned word)
{
	return va + 512 + word * CACHE_LINE; /* clear of the words that freeing marks */
}

/* The next page of the history is the one that is mapped here. */
unsigned work_note_next(struct aspace *as, vaddr_t va)
{
	if (pages_used == MODEL_PAGES) {
		fake_fail("scenario: more than %d pages", MODEL_PAGES);
		return 0;
	}
	work_note(as, va, pages_used);
	return pages_used++;
}

static void fill(struct aspace *as, vaddr_t va)
{
	unsigned page = work_note_next(as, va);

	for (unsigned w = 0; w < MODEL_WORDS; w++)
		*direct_even_if_swapped(as, work_word_va(va, w)) = work_stamp(page, w, 0);
}

struct aspace *work_space_of(const char *name, struct object *obj, vaddr_t va, unsigned pages,
			     prot_t prot)
{
	struct aspace *as = aspace_create(name, 0);
	int err = 0;

	aspace_map(as, obj, 0, va, (u64)pages << PAGE_SHIFT, prot, false, 0, &err);
	if (err || aspace_populate(as, va, (u64)pages << PAGE_SHIFT, 0) < 0)
		fake_fail("scenario: no memory");
	for (unsigned p = 0; p < pages; p++)
		fill(as, va + p * PAGE_SIZE);
	return as;
}

struct aspace *work_space(const char *name, vaddr_t va, unsigned pages, prot_t prot)
{
	return work_space_of(name, NULL, va, pages, prot);
}

void work_add(struct aspace *as, vaddr_t va)
{
	int err = 0;

	aspace_map(as, NULL, 0, va, PAGE_SIZE, RW, false, 0, &err);
	if (err || aspace_populate(as, va, PAGE_SIZE, 0) < 0)
		fake_fail("scenario: no memory");
	fill(as, va);
}

struct aspace *work_large(const char *name, vaddr_t va, vaddr_t other)
{
	static unsigned count;
	struct aspace *as = aspace_create(name, 0);
	int err = 0;

	if (++count > MODEL_LARGE)
		fake_fail("scenario: more than %d 2 MiB pages", MODEL_LARGE);
	aspace_map(as, NULL, 0, va, HUGE_SIZE, RW, true, 0, &err);
	if (err || aspace_populate(as, va, HUGE_SIZE, 0) < 0 || !pgwalk_find(as->root, va, 0).level)
		fake_fail("scenario: no memory for a 2 MiB page");
	fill(as, va);
	fill(as, other);
	return as;
}

/* Other addresses show the same pages of the history. */
static void alias_note(struct aspace *as, struct aspace *of, vaddr_t from, vaddr_t va,
		       unsigned pages, int err)
{
	if (err)
		fake_fail("scenario: alias: %d", err);
	for (unsigned p = 0; p < pages; p++)
		work_note(as, va + p * PAGE_SIZE, work_page_at(of, from + p * PAGE_SIZE));
}

void work_alias(struct aspace *as, struct aspace *of, vaddr_t from, vaddr_t va, unsigned pages,
		prot_t prot)
{
	struct area *area = aspace_find(of, from);
	int err = 0;

	aspace_map(as, area->object, work_index_of(area, from), va, (u64)pages << PAGE_SHIFT, prot,
		   false, 0, &err);
	alias_note(as, of, from, va, pages, err);
}

void work_map(struct aspace *as, struct object *obj, unsigned page, vaddr_t va)
{
	int err = 0;

	aspace_map(as, obj, page, va, PAGE_SIZE, RW, false, 0, &err);
	if (err)
		fake_fail("scenario: map: %d", err);
	work_note(as, va, page);
}

void work_fresh(struct aspace *as, vaddr_t va, unsigned pages)
{
	for (unsigned p = 0; p < pages; p++)
		work_history[work_note_next(as, va + p * PAGE_SIZE)].may_be_lost = true;
}

void work_protect(struct aspace *as, vaddr_t va, unsigned pages, prot_t prot)
{
	aspace_protect(as, va, (u64)pages << PAGE_SHIFT, prot);
}

static void load_here(void *arg)
{
	aspace_load(arg);
}

void work_load(struct aspace *as, unsigned cpu)
{
	fake_on_cpu(cpu, load_here, as);
}
