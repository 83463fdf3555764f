/*
 * Pages that begin as others: of a duplicate, and of a private mapping. They are pages of the history of
 * their own. A word that nobody has written there is one that the page below has, or had when the
 * page was copied; and from then on it is always the same.
 */
#include "work.h"

#include <kernel/atomic.h>
#include <mm/cow.h>
#include <mm/dup.h>

static struct origin {
	bool used;
	bool live; /* shows the page of a file until it is copied; else it is as it was in the beginning */
	unsigned page; /* the one below */
	u64 least[MODEL_WORDS], most[MODEL_WORDS]; /* its stamps that it may have */
	u64 value[MODEL_WORDS]; /* that was read first of the copy, and must stay; 0: none */
	u16 seen[MODEL_WORDS][FAKE_CPUS]; /* of the file's page, by each CPU */
} origins[MODEL_PAGES];

bool work_has_origin(unsigned page)
{
	return origins[page].used;
}

unsigned work_root(unsigned page)
{
	while (origins[page].used)
		page = origins[page].page;
	return page;
}

/* ---- noting them ----------------------------------------------------------------------------- */

static void note_private(struct aspace *as, vaddr_t va, unsigned page)
{
	origins[work_note_next(as, va)] = (struct origin){.used = true, .live = true, .page = page};
}

void work_private(struct aspace *as, struct aspace *of, vaddr_t from, vaddr_t va, unsigned pages,
		  prot_t prot)
{
	struct area *area = aspace_find(of, from);
	int err = 0;

	aspace_map_private(as, area->object, work_index_of(area, from), va,
			   (u64)pages << PAGE_SHIFT, prot, 0, &err);
	if (err)
		fake_fail("scenario: private mapping: %d", err);
	for (unsigned p = 0; p < pages; p++)
		note_private(as, va + p * PAGE_SIZE, work_page_at(of, from + p * PAGE_SIZE));
}

static u64 told[MODEL_PAGES][FAKE_CPUS][MODEL_WORDS]; /* when the CPU began to duplicate */

static void remember_told(struct aspace *as __unused, vaddr_t va __unused, unsigned page)
{
	for (unsigned w = 0; w < MODEL_WORDS; w++)
		told[page][cpu_id()][w] = load_acquire(&work_history[page].word[w].told);
}

/* What the duplicate shares with others is the same page. */
static bool is_shared(struct aspace *dup, vaddr_t va)
{
	const struct area *area = aspace_find(dup, va);
	const struct object *obj = area ? area->object : NULL;

	return obj && !obj->is_shadow && (obj->tracked || obj->shared);
}

static void note_duplicate(struct aspace *dup, vaddr_t va, unsigned page)
{
	if (is_shared(dup, va)) {
		work_note(dup, va, page);
		return;
	}
	unsigned own = work_note_next(dup, va);
	struct page_history *h = &work_history[own], *below = &work_history[page];
	struct origin *o = &origins[own];

	*o = (struct origin){.used = true, .live = origins[page].live, .page = page};
	for (unsigned w = 0; w < MODEL_WORDS; w++) {
		o->least[w] = told[page][cpu_id()][w];
		o->most[w] = below->word[w].issued;
	}
	h->may_be_lost = below->may_be_lost;
	h->touched = below->touched;
}

struct aspace *work_dup(struct aspace *as)
{
	int err;

	work_note_all(as, NULL, remember_told);
	struct aspace *dup = aspace_dup(as, "dup", 0, &err);

	if (dup)
		work_note_all(as, dup, note_duplicate);
	else
		fake_fail("scenario: duplicate: %d", err);
	return dup;
}

/* ---- what they may show ------------------------------------------------------------------------ */

struct origin_view work_origin_look(unsigned page, unsigned word)
{
	const struct page_history *h = &work_history[page];
	struct origin_view view = {.frozen = true};

	if (!origins[page].used || !origins[page].live)
		return view;
	view.frozen = load_acquire(&h->written) && !h->may_be_lost;
	u64 least = load_acquire(&work_history[work_root(page)].word[word].told);

	if (!h->touched) /* as of then: who writes from now on copies what was told */
		view.least = least;
	return view;
}

/* Is it a stamp of the page below? */
static bool is_below(const struct origin *o, unsigned word, u64 value, u64 least)
{
	bool live = o->live && !origins[o->page].used;
	u64 n = work_number(value);

	return value == work_stamp(o->page, word, n) && n >= (live ? least : o->least[word]) &&
	       n <= (live ? work_history[o->page].word[word].issued : o->most[word]);
}

bool work_origin_shows(unsigned page, unsigned word, u64 value, u64 least)
{
	const struct page_history *h = &work_history[page];
	const struct origin *o = &origins[page];
	bool lost = h->may_be_lost;

	if (!o->live && (!value || h->must_be_new))
		return !value && lost;
	for (; o->used; o = &origins[o->page]) {
		if (is_below(o, word, value, least))
			return true;
		if (o->least[word] &&
		    !lost) /* what was written in the page below hides the next one */
			return false;
	}
	return false;
}

/* The file's page is seen to change as it is written: never back. */
static bool goes_back(struct origin *o, unsigned word, u64 value, unsigned cpu)
{
	u16 *seen = &o->seen[word][cpu];
	u64 n = work_number(value);

	if (!o->live || value != work_stamp(work_root(o->page), word, n))
		return false;
	if (n < *seen)
		return true;
	*seen = (u16)n;
	return false;
}

void work_origin_check(unsigned page, unsigned word, u64 value, unsigned cpu,
		       struct origin_view view)
{
	struct origin *o = &origins[page];

	if (!work_origin_shows(page, word, value, view.least))
		fake_fail("CPU %u reads %#lx from page %u word %u, which begins as page %u with "
			  "stamp %lu or later",
			  cpu, value, page, word, o->page, MAX(view.least, o->least[word]));
	else if (goes_back(o, word, value, cpu))
		fake_fail("CPU %u reads %#lx from page %u word %u, which begins as page %u: back "
			  "in time",
			  cpu, value, page, word, o->page);
	if (!view.frozen || !value)
		return;
	if (o->value[word] && o->value[word] != value)
		fake_fail("CPU %u reads %#lx from page %u word %u, which begins as page %u, after "
			  "%#lx: it changed",
			  cpu, value, page, word, o->page, o->value[word]);
	o->value[word] = value;
}
