/* Loads and stores of the workloads, and what their history allows. */
#include "work.h"

#include <kernel/atomic.h>
#include <mm/file.h>
#include <mm/hint.h>
#include <mm/reclaim.h>
#include <mm/tlb_cpu.h>

static u64 same_word; /* of work_make_identical() */

/* Somebody may be about to make it other than the page below. */
void work_touch(vaddr_t va)
{
	work_history[work_page_here(va)].touched = true;
}

bool work_write(vaddr_t va, unsigned cpu)
{
	unsigned page = work_page_here(va);
	struct page_history *h = &work_history[page];
	struct word *w = &h->word[cpu];
	u64 value = work_stamp(page, cpu, w->issued + 1);

	w->issued++; /* before it can be seen */
	h->touched = true;
	if (!fake_access(work_word_va(va, cpu), true, &value)) {
		w->issued--;
		return false;
	}
	w->seen[cpu][work_slot_at(va)] = (u16)(w->done = w->issued);
	store_release(&w->told, w->issued);
	if (work_has_origin(page))
		store_release(&h->written, 1U);
	return true;
}

void work_device_write(vaddr_t va, struct page *page, unsigned cpu)
{
	unsigned number = work_page_here(va);
	struct word *w = &work_history[number].word[cpu];
	char *frame = page_to_virt(page);

	fake_point(43);
	fake_work_store((u64 *)(frame + work_word_va(va, cpu) % PAGE_SIZE),
			work_stamp(number, cpu, ++w->issued), 0);
	w->done = w->issued;
	fake_mb(); /* a device's writes are there before it says that it is done */
}

struct page *work_pin(struct aspace *as, vaddr_t va)
{
	struct page *page;

	if (!aspace_pin(as, va, true, &page))
		return page;
	fake_fail("pin: refused");
	return NULL;
}

void work_pin_and_write(struct aspace *as, vaddr_t va, unsigned cpu)
{
	struct page *page = work_pin(as, va);

	if (!page)
		return;
	fake_point(40);
	work_device_write(va, page, cpu);
	fake_point(41);
	page_put(page, PAGE_PIN);
	work_read(va, cpu, cpu);
}

void work_guest_write(vaddr_t va, void *frame, unsigned cpu)
{
	unsigned number = work_page_here(va);
	struct word *w = &work_history[number].word[cpu];
	u64 *word = (u64 *)((char *)frame + work_word_va(va, cpu) % PAGE_SIZE);

	w->issued++; /* before it can be seen */
	fake_point(43);
	fake_work_store(word, work_stamp(number, cpu, w->issued), work_slot_at(va));
	w->seen[cpu][work_slot_at(va)] = (u16)(w->done = w->issued);
	store_release(&w->told, w->issued);
}

/* A load of a word: what is known before it. */
struct look {
	unsigned page, word, cpu;
	u64 told;
	u16 *seen;
	struct origin_view origin;
};

static struct look look_at(unsigned page, unsigned word, unsigned cpu, u16 *seen)
{
	struct look look = {.page = page, .word = word, .cpu = cpu, .seen = seen};

	look.told = load_acquire(&work_history[page].word[word].told);
	look.origin = work_origin_look(page, word);
	return look;
}

static struct look look_here(vaddr_t va, unsigned word, unsigned cpu)
{
	unsigned page = work_page_here(va);

	return look_at(page, word, cpu, &work_history[page].word[word].seen[cpu][work_slot_at(va)]);
}

/* What it holds is no stamp of its page. True: no wonder. */
static bool is_as_at_first(const struct look *look, u64 value)
{
	const struct page_history *h = &work_history[look->page];

	if (!work_has_origin(look->page))
		return !value && h->may_be_lost;
	if (!h->may_be_lost && MAX(look->told, *look->seen))
		return false;
	work_origin_check(look->page, look->word, value, look->cpu, look->origin);
	return true;
}

static void check_stamp(const struct look *look, u64 value)
{
	unsigned page = look->page, word = look->word, cpu = look->cpu;
	struct page_history *h = &work_history[page];
	struct word *w = &h->word[word];
	u64 n = work_number(value);

	if (value != work_stamp(page, word, n)) {
		if (!is_as_at_first(look, value))
			fake_fail("CPU %u reads %#lx from page %u word %u: not its contents", cpu,
				  value, page, word);
		return;
	}
	if (n > w->issued)
		fake_fail("CPU %u reads stamp %lu from page %u word %u, only %lu issued", cpu, n,
			  page, word, w->issued);
	else if (h->must_be_new && n <= h->dropped[word])
		fake_fail("CPU %u reads stamp %lu from page %u word %u, dropped before", cpu, n,
			  page, word);
	else if (!h->may_be_lost && n < MAX(look->told, *look->seen))
		fake_fail("CPU %u reads stamp %lu from page %u word %u after %lu: back in time",
			  cpu, n, page, word, MAX(look->told, *look->seen));
	*look->seen = MAX(*look->seen, (u16)n);
}

bool work_read(vaddr_t va, unsigned cpu, unsigned whose)
{
	struct look look = look_here(va, whose, cpu);
	u64 value;

	if (!fake_access(work_word_va(va, whose), false, &value))
		return false;
	check_stamp(&look, value);
	return true;
}

void work_guest_read(vaddr_t va, const void *frame, unsigned cpu, unsigned whose)
{
	struct look look = look_here(va, whose, cpu);
	const u64 *word = (const u64 *)((const char *)frame + work_word_va(va, whose) % PAGE_SIZE);

	fake_point(43);
	/* As new as can be: what a load may find that runs ahead of its translation is not looked for here. */
	check_stamp(&look, fake_work_load(word, fake_write_seq, ~0UL));
}

/* The page of the file that is shown at va: its number in the history is that in the file. */
static unsigned file_page(vaddr_t va)
{
	return work_root(work_page_here(va));
}

static u64 file_at(unsigned page, unsigned word)
{
	return ((u64)page << PAGE_SHIFT) + work_word_va(0, word);
}

bool work_file_write(struct object *file, vaddr_t va, unsigned cpu)
{
	unsigned page = file_page(va);
	struct word *w = &work_history[page].word[cpu];
	u64 value = work_stamp(page, cpu, ++w->issued);
	s64 done = file_write(file, file_at(page, cpu), &value, sizeof(value));

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
	unsigned page = file_page(va);
	u16 seen = 0;
	struct look look = look_at(page, whose, cpu, &seen);
	u64 value = 0;
	s64 done = file_read(file, file_at(page, whose), &value, sizeof(value));

	if (done && done != sizeof(value))
		fake_fail("page %u cannot be read by the kernel", page);
	if (done)
		check_stamp(&look, value);
	return done;
}

bool work_execute(vaddr_t va, unsigned cpu, unsigned whose)
{
	struct look look = look_here(va, whose, cpu);
	u64 value;

	if (!fake_fetch(work_word_va(va, whose), &value))
		return false;
	check_stamp(&look, value);
	return true;
}

/* ---- pages of equal contents ---- */

void work_make_identical(struct aspace *as, vaddr_t va, unsigned pages)
{
	same_word = work_stamp(0xff, 0, 1);
	for (unsigned p = 0; p < pages; p++)
		for (unsigned i = 0; i < PAGE_SIZE / sizeof(u64); i++)
			work_direct(as, va + p * PAGE_SIZE)[i] = same_word;
}

bool work_read_same(vaddr_t va)
{
	u64 value;

	if (!fake_access(work_word_va(va, 0), false, &value))
		return false;
	if (value != same_word)
		fake_fail("CPU %u reads %#lx, not the word that all pages hold", cpu_id(), value);
	return true;
}

bool work_write_same(vaddr_t va)
{
	u64 value = same_word;

	return fake_access(work_word_va(va, 0), true, &value);
}
void work_drop_begins_in(struct aspace *as, vaddr_t va)
{
	struct page_history *h = &work_history[work_page_at(as, va)];

	for (unsigned w = 0; w < MODEL_WORDS; w++)
		h->dropped[w] = h->word[w].done;
	h->may_be_lost = true;
}

void work_drop_begins(vaddr_t va)
{
	work_drop_begins_in(container_of(tlb_loaded(), struct aspace, ctx), va);
}

void work_drop_ended(vaddr_t va)
{
	work_history[work_page_here(va)].must_be_new = true;
}

/* ---- programs of several scenarios, of the two pages at MODEL_VA -------------------------- */

void work_write_both(unsigned cpu)
{
	work_write(MODEL_VA, cpu);
	work_write(MODEL_VA + PAGE_SIZE, cpu);
	work_write(MODEL_VA, cpu);
	work_read(MODEL_VA + PAGE_SIZE, cpu, 2);
}

void work_reclaim(unsigned cpu __unused)
{
	reclaim_pages(0, 2);
}

void work_reclaim_and_read(unsigned cpu)
{
	work_reclaim(cpu);
	work_read(MODEL_VA, cpu, 1);
	work_reclaim(cpu);
}

void work_scan_and_write(unsigned cpu)
{
	struct aspace *as = container_of(tlb_loaded(), struct aspace, ctx);

	hint_mark(as, MODEL_VA, MODEL_VA + 2 * PAGE_SIZE);
	work_write(MODEL_VA, cpu);
	hint_mark(as, MODEL_VA, MODEL_VA + PAGE_SIZE);
}
