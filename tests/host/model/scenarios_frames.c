/* Scenarios of migration that starts from frames, and of spaces that go while their pages move. */
#include "model.h"

#include <mm/change.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/reclaim.h>

static struct aspace *a, *b;
static struct page *frames[MODEL_PAGES];
static unsigned frame_count;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)
#define FAR2 (MODEL_FAR + PAGE_SIZE)

static void setup_both_map(void)
{
	a = work_space("a", VA, 2, RW);
	b = aspace_create("b", 1);
	work_alias(b, a, VA, MODEL_FAR, 2, RW);
	aspace_populate(b, MODEL_FAR, 2 * PAGE_SIZE, 0);
	frame_count =
		work_list_frames(a, VA, 2, frames); /* a reference, as whoever found them has */
	work_load(a, 0);
	work_load(a, 1);
	work_load(b, 2);
}

static void move_frames(unsigned cpu __unused)
{
	work_move_frames(frames, frame_count, 1);
}

static void write_in_a(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA2, cpu, cpu);
	work_write(VA, cpu);
}

static void write_in_b(unsigned cpu)
{
	work_write(MODEL_FAR, cpu);
	work_read(FAR2, cpu, cpu);
}

static void end_both(void)
{
	work_expect_all(a, VA, 2);
}

const struct scenario frames_write = {
	.name = "frames-write",
	.summary = "pages move, found by their frames, while two spaces use them",
	.cpus = 3,
	.setup = setup_both_map,
	.program = {move_frames, write_in_a, write_in_b},
	.end = end_both,
};

static void unmap_in_b(unsigned cpu __unused)
{
	aspace_load(NULL);
	aspace_unmap(b, MODEL_FAR, HUGE_SIZE);
	work_expect_at_most(b, MODEL_FAR, 0);
}

const struct scenario frames_unmap = {
	.name = "frames-unmap",
	.summary = "pages move, found by their frames, while a space unmaps them and their table",
	.cpus = 3,
	.setup = setup_both_map,
	.program = {move_frames, write_in_a, unmap_in_b},
	.end = end_both,
};

static void destroy_b(unsigned cpu __unused)
{
	aspace_load(NULL);
	aspace_destroy(b);
}

const struct scenario frames_destroy = {
	.name = "frames-destroy",
	.summary = "pages move, found by their frames, while a space that maps them goes",
	.weight = 3,
	.cpus = 3,
	.setup = setup_both_map,
	.program = {move_frames, write_in_a, destroy_b},
	.end = end_both,
};

/* A scan of b is under way, so the page that is to move without a flush stays, half taken down. */
static void setup_scan_and_go(void)
{
	setup_both_map();
	for (unsigned i = 0; i < frame_count; i++)
		page_put(frames[i], PAGE_REF);
	knobs.hint = HINT_LATE;
	hint_mark(a, VA, VA + PAGE_SIZE);
	for (vaddr_t va = VA; va <= VA2; va += PAGE_SIZE) {
		const struct pt_pos pos = pgwalk_find(a->root, va, 0);

		/* The next fault here, of node 1's CPU, pulls it. */
		store_relaxed(&phys_to_page(pte_pa(pte_load(pos.ptep), 0))->last, 2U | 1U << 16);
	}
}

static void write_once(unsigned cpu)
{
	work_write(VA, cpu);
}

static void scan_and_destroy_b(unsigned cpu __unused)
{
	aspace_load(NULL);
	hint_mark(b, MODEL_FAR, FAR2 + PAGE_SIZE);
	aspace_destroy(b);
}

const struct scenario hint_destroy = {
	.name = "hint-destroy",
	.summary = "a hint fault moves a page while a space that maps it is scanned, and goes",
	.weight = 8,
	.cpus = 3,
	.setup = setup_scan_and_go,
	.program = {write_once, write_once, scan_and_destroy_b},
	.end = end_both,
};

/* ---- swap ---------------------------------------------------------------------------------- */

/* The space has a page in swap: so what is dropped is looked for in slots, too. The frame of the other one is listed. */
static void setup_one_in_swap(void)
{
	a = work_space("a", VA, 2, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	knobs.reclaim_batch = 1;
	work_swap(false);
	work_age(a, VA, 2);
	if (reclaim_pages(0, 1) != 1)
		fake_fail("scenario: no page goes");
	frame_count = work_list_frames(a, VA2, 1, frames);
}

static void drop_second(unsigned cpu)
{
	work_drop_begins(VA2);
	if (aspace_drop(a, VA2, PAGE_SIZE))
		fake_fail("scenario: a drop is refused");
	work_drop_ended(VA2);
	work_write(VA2, cpu);
	work_read(VA, cpu, cpu);
}

const struct scenario frames_drop = {
	.name = "frames-drop",
	.summary = "a page moves, found by its frame, while it is dropped, in memory and in swap",
	.weight = 4,
	.cpus = 2,
	.setup = setup_one_in_swap,
	.program = {move_frames, drop_second},
	.end = end_both,
};

/* ---- a large page ------------------------------------------------------------------------ */

#define MIDDLE (MODEL_VA + HUGE_SIZE / 2)

static void setup_large(void)
{
	a = work_large("a", VA, MIDDLE);
	frame_count = work_list_frames(a, VA, 1, frames);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
}

static void protect_middle(unsigned cpu)
{
	/* The list's reference lets no split succeed, until the page has moved or is given back. */
	while (aspace_protect(a, MIDDLE, PAGE_SIZE, PROT_READ))
		cpu_relax();
	work_expect_at_most(a, MIDDLE, PROT_READ);
	work_read(MIDDLE, cpu, cpu);
}

static void write_first(unsigned cpu)
{
	work_write(VA, cpu);
	work_read(VA, cpu, cpu);
}

const struct scenario frames_split = {
	.name = "frames-split",
	.summary = "a large page moves, found by its frame, while a part of it is protected",
	.cpus = 3,
	.large = true,
	.setup = setup_large,
	.program = {move_frames, protect_middle, write_first},
	.end = NULL,
};
