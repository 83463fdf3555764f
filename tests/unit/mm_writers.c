/* Writers on every other CPU, and files for them: see mm_writers.h. */
#include "mm_writers.h"
#include <arch/cpu.h>
#include <kernel/smp.h>
#include <mm/clean.h>
#include <mm/cow.h>

#define RW (PROT_READ | PROT_WRITE)

u64 *writers_word(vaddr_t va, u64 page, unsigned number)
{
	return (u64 *)(va + (page << PAGE_SHIFT)) + WRITERS_FIRST_WORD + number;
}

static void write_until_stopped(void *arg)
{
	struct writer *w = arg;
	const struct writers *all = w->all;

	for (u64 round = 1; !load_acquire(&all->stop); round++) {
		for (u64 i = 0; i < all->pages; i++) {
			u64 *word = writers_word(all->va, i, w->number);

			w->wrong += load_relaxed(word) != round - 1;
			store_relaxed(word, round);
		}
		store_release(&w->rounds, round);
		if (all->between)
			all->between(w->number, round);
		cpu_relax(); /* in deterministic runs nobody else gets a turn, once nothing faults any more */
		context_yield();
	}
}

void writers_start(struct writers *w, const struct fixture *fx)
{
	w->va = fx->va;
	w->pages = fx->len >> PAGE_SHIFT;
	for_each_online_cpu (cpu)
		if (cpu != cpu_id() && w->count < WRITERS_MAX) {
			struct writer *one = &w->writer[w->count];

			one->all = w;
			one->number = w->count++;
			one->running =
				context_spawn(cpu, "writer", write_until_stopped, one,
					      w->other && one->number % 2 ? w->other : fx->as);
		}
}

void writers_stop(struct writers *w)
{
	store_release(&w->stop, 1U);
	for (unsigned n = 0; n < w->count; n++) {
		if (w->writer[n].running)
			context_join(w->writer[n].running);
		EXPECT_EQ(w->writer[n].wrong, 0);
	}
}

void writers_expect_stored(const struct writers *w, struct object *file)
{
	EXPECT_EQ(file_sync(file), 0);
	EXPECT_EQ(memory_store_wrong(file->store), 0);
	for (unsigned n = 0; n < w->count; n++)
		for (u64 i = 0; i < w->pages; i++)
			EXPECT_EQ(memory_store_word(file->store, i, WRITERS_FIRST_WORD + n),
				  w->writer[n].rounds);
}

/* ---- files ------------------------------------------------------------------------------- */

static vaddr_t map(struct fixture *fx, struct object *file, bool is_private)
{
	int err;

	if (is_private)
		return aspace_map_private(fx->as, file, 0, 0, fx->len, RW, BOOT_NODE_NONE, &err);
	return aspace_map(fx->as, file, 0, 0, fx->len, RW, false, BOOT_NODE_NONE, &err);
}

struct object *fixture_open(struct fixture *fx, const char *name, bool is_private)
{
	struct store *store = memory_store_create(fx->len >> PAGE_SHIFT, BOOT_NODE_NONE);
	struct object *file = store ? file_create(store) : NULL;

	fx->as = aspace_create(name, BOOT_NODE_NONE);
	fx->va = file && fx->as ? map(fx, file, is_private) : 0;
	return EXPECT(fx->va) ? file : NULL;
}

void fixture_close(struct fixture *fx, struct object *file)
{
	aspace_destroy(fx->as);
	EXPECT_EQ(file_close(file), 0);
	pmm_drain_caches();
}
