/*
 * Workloads of the model. Each CPU has a word of its own in each page and
 * writes rising stamps into it; everybody reads. A read must give the right
 * page's right word, not older than what its reader has seen or was told, and
 * never the future.
 */
#include "model.h"

#include <kernel/atomic.h>
#include <mm/cow.h>
#include <mm/dup.h>
#include <mm/file.h>

#define MAGIC 0x57aUL

struct word {
	u64 issued; /* by its writer: may be seen */
	u64 done; /* its writer is past the store */
	u64 told; /* published, release */
	u16 seen[FAKE_CPUS][FAKE_VAS]; /* by address: loads of one are in order */
};

static struct page_history {
	struct word word[MODEL_WORDS];
	bool may_be_zero, must_be_new; /* a drop has begun; has ended */
	u64 dropped[MODEL_WORDS]; /* stamps stored before the drop began */
} history[MODEL_PAGES];

/* Which page of the history an address means; scenarios use up to MODEL_PAGES in all. */
static struct mapped {
	struct aspace *as;
	vaddr_t va;
	unsigned page, slot; /* of the address */
} mapped[MODEL_MAPPED];
static unsigned mapped_count, pages_used;
static u64 same_word;

static u64 stamp_of(unsigned page, unsigned word, u64 n)
{
	return MAGIC << 52 | (u64)page << 44 | (u64)word << 36 | n;
}

static unsigned slot_at(vaddr_t va)
{
	unsigned slots = 0;

	for (unsigned i = 0; i < mapped_count; i++) {
		if (mapped[i].va == ALIGN_DOWN(va, PAGE_SIZE))
			return mapped[i].slot;
		slots = MAX(slots, mapped[i].slot + 1);
	}
	return slots;
}

static void map_note(struct aspace *as, vaddr_t va, unsigned page)
{
	if (mapped_count == MODEL_MAPPED) {
		fake_fail("scenario: more than %d mappings of pages", MODEL_MAPPED);
		return;
	}
	mapped[mapped_count++] = (struct mapped){as, va, page, slot_at(va)};
	fake_watch(as->ctx.root, va);
}

static unsigned page_at(struct aspace *as, vaddr_t va)
{
	/* The newest: a space may have taken the place of one that is gone. */
	for (unsigned i = mapped_count; i-- > 0;)
		if (mapped[i].va == ALIGN_DOWN(va, PAGE_SIZE) && (!as || mapped[i].as == as))
			return mapped[i].page;
	fake_fail("scenario: no page noted at %#lx", va);
	return 0;
}

static unsigned page_here(vaddr_t va)
{
	struct tlb_context *ctx = tlb_loaded();

	return page_at(ctx ? container_of(ctx, struct aspace, ctx) : NULL, va);
}

static u64 *direct(struct aspace *as, vaddr_t va)
{
	struct pt_pos pos = pgwalk_find(as->root, va, 0);

	return phys_to_virt(pte_pa(pte_load(pos.ptep), pos.level) + va % PT_LEVEL_SIZE(pos.level));
}

static vaddr_t word_va(vaddr_t va, unsigned word)
{
	return va + 512 + word * CACHE_LINE; /* clear of the words that freeing marks */
}

/* The next page of the history is the one that is mapped here. */
static unsigned next_page(struct aspace *as, vaddr_t va)
{
	if (pages_used == MODEL_PAGES) {
		fake_fail("scenario: more than %d pages", MODEL_PAGES);
		return 0;
	}
	map_note(as, va, pages_used);
	return pages_used++;
}

static void fill(struct aspace *as, vaddr_t va)
{
	unsigned page = next_page(as, va);

	for (unsigned w = 0; w < MODEL_WORDS; w++)
		*direct(as, word_va(va, w)) = stamp_of(page, w, 0);
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
		map_note(as, va + p * PAGE_SIZE, page_at(of, from + p * PAGE_SIZE));
}

static u64 index_of(const struct area *area, vaddr_t va)
{
	return area->offset + ((va - area->start) >> PAGE_SHIFT);
}

void work_alias(struct aspace *as, struct aspace *of, vaddr_t from, vaddr_t va, unsigned pages,
		prot_t prot)
{
	struct area *area = aspace_find(of, from);
	int err = 0;

	aspace_map(as, area->object, index_of(area, from), va, (u64)pages << PAGE_SHIFT, prot,
		   false, 0, &err);
	alias_note(as, of, from, va, pages, err);
}

void work_private(struct aspace *as, struct aspace *of, vaddr_t from, vaddr_t va, unsigned pages,
		  prot_t prot)
{
	struct area *area = aspace_find(of, from);
	int err = 0;

	aspace_map_private(as, area->object, index_of(area, from), va, (u64)pages << PAGE_SHIFT,
			   prot, 0, &err);
	alias_note(as, of, from, va, pages, err);
}

/* ---- duplicates: their pages are pages of the history of their own, which begin as others ---- */

static struct origin {
	bool used, dropped; /* in the duplicate: it may read as zero */
	unsigned page;
	u64 least[MODEL_WORDS], most[MODEL_WORDS]; /* stamps that it may have */
	u64 value[MODEL_WORDS]; /* that was read first, and must stay; 0: none */
} origins[MODEL_PAGES];

static void note_origin(struct aspace *dup, vaddr_t va, unsigned page, const u64 *least)
{
	if (pages_used == MODEL_PAGES) {
		fake_fail("scenario: more than %d pages", MODEL_PAGES);
		return;
	}
	struct origin *o = &origins[pages_used];

	*o = (struct origin){.used = true, .page = page};
	for (unsigned w = 0; w < MODEL_WORDS; w++) {
		o->least[w] = least[w];
		o->most[w] = history[page].word[w].issued;
	}
	map_note(dup, va, pages_used++);
}

struct aspace *work_dup(struct aspace *as)
{
	u64 least[MODEL_MAPPED][MODEL_WORDS];
	unsigned count = mapped_count;
	int err;

	for (unsigned i = 0; i < count; i++)
		for (unsigned w = 0; w < MODEL_WORDS; w++)
			least[i][w] = load_acquire(&history[mapped[i].page].word[w].told);
	struct aspace *dup = aspace_dup(as, "dup", 0, &err);

	if (!dup)
		fake_fail("scenario: duplicate: %d", err);
	for (unsigned i = 0; i < count && dup; i++)
		if (mapped[i].as == as)
			note_origin(dup, mapped[i].va, mapped[i].page, least[i]);
	return dup;
}

void work_dup_dropped(struct aspace *dup, vaddr_t va)
{
	origins[page_at(dup, va)].dropped = true;
}

bool work_read_origin(vaddr_t va, unsigned cpu, unsigned whose)
{
	struct origin *o = &origins[page_here(va)];
	u64 value;

	if (!fake_access(word_va(va, whose), false, &value))
		return false;
	u64 n = value & 0xffffffffUL;

	if (!value && o->dropped)
		return true;
	if (value != stamp_of(o->page, whose, n) || n < o->least[whose] || n > o->most[whose])
		fake_fail("CPU %u reads %#lx from a duplicate of page %u word %u, which had stamps "
			  "%lu to %lu",
			  cpu, value, o->page, whose, o->least[whose], o->most[whose]);
	else if (o->value[whose] && o->value[whose] != value)
		fake_fail("CPU %u reads %#lx from a duplicate of page %u word %u after %#lx: it "
			  "changed",
			  cpu, value, o->page, whose, o->value[whose]);
	o->value[whose] = value;
	return true;
}

void work_map(struct aspace *as, struct object *obj, unsigned page, vaddr_t va)
{
	int err = 0;

	aspace_map(as, obj, page, va, PAGE_SIZE, RW, false, 0, &err);
	if (err)
		fake_fail("scenario: map: %d", err);
	map_note(as, va, page);
}

void work_fresh(struct aspace *as, vaddr_t va, unsigned pages)
{
	for (unsigned p = 0; p < pages; p++)
		history[next_page(as, va + p * PAGE_SIZE)].may_be_zero = true;
}

void work_make_identical(struct aspace *as, vaddr_t va, unsigned pages)
{
	same_word = stamp_of(0xff, 0, 1);
	for (unsigned p = 0; p < pages; p++)
		for (unsigned i = 0; i < PAGE_SIZE / sizeof(u64); i++)
			direct(as, va + p * PAGE_SIZE)[i] = same_word;
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

bool work_write(vaddr_t va, unsigned cpu)
{
	unsigned page = page_here(va);
	struct word *w = &history[page].word[cpu];
	u64 value = stamp_of(page, cpu, w->issued + 1);

	w->issued++; /* before it can be seen */
	if (!fake_access(word_va(va, cpu), true, &value)) {
		w->issued--;
		return false;
	}
	w->seen[cpu][slot_at(va)] = (u16)(w->done = w->issued);
	store_release(&w->told, w->issued);
	return true;
}

void work_device_write(vaddr_t va, struct page *page, unsigned cpu)
{
	unsigned number = page_here(va);
	struct word *w = &history[number].word[cpu];
	char *frame = page_to_virt(page);

	fake_point(43);
	fake_work_store((u64 *)(frame + word_va(va, cpu) % PAGE_SIZE),
			stamp_of(number, cpu, ++w->issued), 0);
	w->done = w->issued;
	fake_mb(); /* a device's writes are there before it says that it is done */
}

static void check_stamp(unsigned page, unsigned word, u64 value, unsigned cpu, u64 told, u16 *seen)
{
	struct page_history *h = &history[page];
	struct word *w = &h->word[word];
	u64 n = value & 0xffffffffUL;

	if (!value && h->may_be_zero)
		return;
	if (value != stamp_of(page, word, n))
		fake_fail("CPU %u reads %#lx from page %u word %u: not its contents", cpu, value,
			  page, word);
	else if (n > w->issued)
		fake_fail("CPU %u reads stamp %lu from page %u word %u, only %lu issued", cpu, n,
			  page, word, w->issued);
	else if (h->must_be_new && n <= h->dropped[word])
		fake_fail("CPU %u reads stamp %lu from page %u word %u, dropped before", cpu, n,
			  page, word);
	else if (!h->may_be_zero && n < MAX(told, *seen))
		fake_fail("CPU %u reads stamp %lu from page %u word %u after %lu: back in time",
			  cpu, n, page, word, MAX(told, *seen));
	*seen = MAX(*seen, (u16)n);
}

bool work_read(vaddr_t va, unsigned cpu, unsigned whose)
{
	unsigned page = page_here(va);
	u64 told = load_acquire(&history[page].word[whose].told), value;

	if (!fake_access(word_va(va, whose), false, &value))
		return false;
	check_stamp(page, whose, value, cpu, told,
		    &history[page].word[whose].seen[cpu][slot_at(va)]);
	return true;
}

/* In the file, of this CPU's word of the page that is mapped at va. */
static u64 file_at(vaddr_t va, unsigned word)
{
	const struct area *area = aspace_find(container_of(tlb_loaded(), struct aspace, ctx), va);

	return (area->offset << PAGE_SHIFT) + (word_va(va, word) - area->start);
}

bool work_file_write(struct object *file, vaddr_t va, unsigned cpu)
{
	unsigned page = page_here(va);
	struct word *w = &history[page].word[cpu];
	u64 value = stamp_of(page, cpu, ++w->issued);
	s64 done = file_write(file, file_at(va, cpu), &value, sizeof(value));

	if (done && done != sizeof(value))
		fake_fail("page %u cannot be written by the kernel", page);
	if (!done)
		return false;
	w->done = w->issued;
	fake_mb(); /* as a device's, above */
	store_release(&w->told, w->issued);
	return true;
}

bool work_file_read(struct object *file, vaddr_t va, unsigned cpu, unsigned whose)
{
	unsigned page = page_here(va);
	u64 told = load_acquire(&history[page].word[whose].told), value = 0;
	u16 seen = 0;

	s64 done = file_read(file, file_at(va, whose), &value, sizeof(value));

	if (done && done != sizeof(value))
		fake_fail("page %u cannot be read by the kernel", page);
	if (done)
		check_stamp(page, whose, value, cpu, told, &seen);
	return done;
}

bool work_execute(vaddr_t va, unsigned cpu, unsigned whose)
{
	unsigned page = page_here(va);
	u64 told = load_acquire(&history[page].word[whose].told), value;

	if (!fake_fetch(word_va(va, whose), &value))
		return false;
	check_stamp(page, whose, value, cpu, told,
		    &history[page].word[whose].seen[cpu][slot_at(va)]);
	return true;
}

bool work_read_same(vaddr_t va)
{
	u64 value;

	if (!fake_access(word_va(va, 0), false, &value))
		return false;
	if (value != same_word)
		fake_fail("CPU %u reads %#lx, not the word that all pages hold", cpu_id(), value);
	return true;
}

bool work_write_same(vaddr_t va)
{
	u64 value = same_word;

	return fake_access(word_va(va, 0), true, &value);
}

void work_drop_begins(vaddr_t va)
{
	struct page_history *h = &history[page_here(va)];

	for (unsigned w = 0; w < MODEL_WORDS; w++)
		h->dropped[w] = h->word[w].done;
	h->may_be_zero = true;
}

void work_drop_ended(vaddr_t va)
{
	history[page_here(va)].must_be_new = true;
}

static u64 migrate(struct aspace *as, vaddr_t va, unsigned pages, u32 to, u8 *result)
{
	struct migrate_stats stats = {0};
	struct migrate_request req = {.as = as,
				      .start = va,
				      .len = (u64)pages << PAGE_SHIFT,
				      .from_nodes = ~(1UL << to),
				      .to_node = to,
				      .result = result,
				      .stats = &stats};

	return migrate_range(&req);
}

u64 work_migrate(struct aspace *as, vaddr_t va, unsigned pages, u32 to)
{
	return migrate(as, va, pages, to, NULL);
}

void work_migrate_told(struct aspace *as, vaddr_t va, unsigned pages, u32 to, bool last)
{
	enum { UNTOUCHED = 0xee };
	u8 all[3 * HUGE_PAGES], *result = all + HUGE_PAGES;

	memset(all, UNTOUCHED, sizeof(all));
	migrate(as, va, pages, to, result);
	for (unsigned i = 0; i < sizeof(all); i++)
		if (all[i] != UNTOUCHED && (i < HUGE_PAGES || i >= HUGE_PAGES + pages)) {
			fake_fail("migration of %u pages told about page %d", pages,
				  (int)i - (int)HUGE_PAGES);
			return;
		}
	if (last &&
	    phys_to_page(pte_pa(*aspace_entry(as, va + (pages - 1) * PAGE_SIZE), 0))->node != to)
		fake_fail("migration passed over the last of %u pages", pages);
}

void work_expect_all(struct aspace *as, vaddr_t va, unsigned pages)
{
	for (unsigned p = 0; p < pages; p++) {
		vaddr_t at = va + p * PAGE_SIZE;
		unsigned page = page_at(as, at);

		for (unsigned w = 0; w < MODEL_WORDS; w++) {
			u64 value, n = history[page].word[w].issued;

			pte_t pte = pte_load(pgwalk_find(as->root, at, 0).ptep);

			if (!pte_is_present(pte) && !pte_is_hint(pte)) {
				fake_fail("page %u is not mapped at the end", page);
				return;
			}
			value = *direct(as, word_va(at, w));
			if (value != stamp_of(page, w, n) &&
			    !(!value && history[page].may_be_zero && n <= history[page].dropped[w]))
				fake_fail("lost write: page %u word %u holds %#lx at the end, not "
					  "stamp %lu",
					  page, w, value, n);
		}
	}
}

static void expect_stamp(struct aspace *as, vaddr_t va, unsigned word, u64 n)
{
	pte_t pte = pte_load(pgwalk_find(as->root, va, 0).ptep);
	unsigned page = page_at(as, va);

	if (!pte_is_present(pte) && !pte_is_hint(pte))
		fake_fail("page %u is not mapped at the end in %s", page, as->name);
	else if (*direct(as, word_va(va, word)) != stamp_of(page, word, n))
		fake_fail("page %u word %u holds %#lx at the end in %s, not stamp %lu", page, word,
			  *direct(as, word_va(va, word)), as->name, n);
}

void work_expect_word(struct aspace *as, vaddr_t va, unsigned word)
{
	expect_stamp(as, va, word, history[page_at(as, va)].word[word].issued);
}

void work_expect_unwritten(struct aspace *as, vaddr_t va, unsigned word)
{
	expect_stamp(as, va, word, 0);
}

void work_expect_kept(struct aspace *as, vaddr_t va, bool expected)
{
	pte_t pte = pte_load(pgwalk_find(as->root, va, 0).ptep);
	unsigned page = page_at(as, va);

	if (!pte_is_present(pte) && !pte_is_hint(pte)) {
		if (expected)
			fake_fail("page %u is not mapped at the end in %s", page, as->name);
		return;
	}
	for (unsigned w = 0; !history[page].may_be_zero && w < MODEL_WORDS; w++) {
		u64 value = *direct(as, word_va(va, w)), n = history[page].word[w].issued;

		if (value != stamp_of(page, w, n))
			fake_fail("lost write: page %u word %u holds %#lx at the end, not stamp "
				  "%lu",
				  page, w, value, n);
	}
}

void work_expect_at_most(struct aspace *as, vaddr_t va, prot_t prot)
{
	if (fake_exceeds(as->ctx.root, va, prot))
		fake_fail("I7: %#lx: some CPU can still do more than was promised", va);
}
