/* What workloads must find at the end. */
#include "work.h"

static bool is_mapped(struct aspace *as, vaddr_t va)
{
	pte_t pte = pte_load(pgwalk_find(as->root, va, 0).ptep);

	return pte_is_present(pte) || pte_is_hint(pte);
}

/* The last stamp, or what the page began with if nobody has written the word. */
static bool is_last(unsigned page, unsigned word, u64 value)
{
	u64 n = work_history[page].word[word].issued;

	return value == work_stamp(page, word, n) ||
	       (!n && work_has_origin(page) && work_origin_shows(page, word, value, 0));
}

static void expect_last(unsigned page, unsigned word, u64 value)
{
	if (!is_last(page, word, value))
		fake_fail("lost write: page %u word %u holds %#lx at the end, not stamp %lu", page,
			  word, value, work_history[page].word[word].issued);
}

void work_expect_all(struct aspace *as, vaddr_t va, unsigned pages)
{
	for (vaddr_t at = va; at < va + pages * PAGE_SIZE; at += PAGE_SIZE) {
		unsigned page = work_page_at(as, at);
		const struct page_history *h = &work_history[page];

		if (!is_mapped(as, at)) {
			fake_fail("page %u is not mapped at the end", page);
			return;
		}
		for (unsigned w = 0; w < MODEL_WORDS; w++) {
			u64 value = *work_direct(as, work_word_va(at, w));

			if (value || !h->may_be_lost || h->word[w].issued > h->dropped[w])
				expect_last(page, w, value);
		}
	}
}

static void expect_stamp(struct aspace *as, vaddr_t va, unsigned word, u64 n)
{
	unsigned page = work_page_at(as, va);

	if (!is_mapped(as, va)) {
		fake_fail("page %u is not mapped at the end in %s", page, as->name);
		return;
	}
	u64 value = *work_direct(as, work_word_va(va, word));

	if (value != work_stamp(page, word, n))
		fake_fail("page %u word %u holds %#lx at the end in %s, not stamp %lu", page, word,
			  value, as->name, n);
}

void work_expect_word(struct aspace *as, vaddr_t va, unsigned word)
{
	expect_stamp(as, va, word, work_history[work_page_at(as, va)].word[word].issued);
}

void work_expect_unwritten(struct aspace *as, vaddr_t va, unsigned word)
{
	expect_stamp(as, va, word, 0);
}

void work_expect_kept(struct aspace *as, vaddr_t va, bool expected)
{
	unsigned page = work_page_at(as, va);

	if (!is_mapped(as, va)) {
		if (expected)
			fake_fail("page %u is not mapped at the end in %s", page, as->name);
		return;
	}
	for (unsigned w = 0; !work_history[page].may_be_lost && w < MODEL_WORDS; w++)
		expect_last(page, w, *work_direct(as, work_word_va(va, w)));
}

void work_expect_page(unsigned page, const void *contents)
{
	for (unsigned w = 0; w < MODEL_WORDS; w++)
		expect_last(page, w, *(const u64 *)((const char *)contents + work_word_va(0, w)));
}

void work_expect_at_most(struct aspace *as, vaddr_t va, prot_t prot)
{
	if (fake_exceeds(as->ctx.root, va, prot))
		fake_fail("I7: %#lx: some CPU can still do more than was promised", va);
}
