/*
 * The pages litmus tests play with: an address space of their own with one leaf
 * table for 4 KiB pages and a row of 2 MiB regions, and a second root that maps
 * the same addresses elsewhere. Entries are plain words here, and nobody but
 * the tests looks at them.
 */
#include "litmus.h"
#include <kernel/bootinfo.h>
#include <kernel/kmem.h>
#include <kernel/rng.h>
#include <mm/aspace.h>
#include <mm/numa.h>
#include <mm/pmm.h>

/* Far from what workloads map, and all in one table of level 2. */
#define SMALL_BASE (1UL << 40)
#define LARGE_BASE (SMALL_BASE + PT_LEVEL_SIZE(2))

enum {
	ROLES = 4, /* frames a, b, c, d */
	/* Twice what a batch uses, so that frames differ from batch to batch. */
	FRAMES = 2 * ROLES * LITMUS_BATCH,
};

struct litmus_space {
	struct aspace *as, *other;
	u64 *small; /* 512 entries of level 0 for SMALL_BASE */
	u64 *large; /* entries of level 1 for LARGE_BASE */
	u64 *other_small;
	unsigned frame_count;
	struct page *frames[FRAMES];
	u64 *tables[2][LITMUS_BATCH]; /* for x_level 1; taken when first wanted */
	struct page *block; /* 2 MiB */
	struct litmus_run *runs;
};

/* Node of the console's CPU. */
static u32 here(void)
{
	return numa_resolve(BOOT_NODE_NONE);
}

static u64 *entries_at(struct aspace *as, vaddr_t va, unsigned level)
{
	struct pt_pos pos = pgwalk_create(&pt_stage1, as->root, va, level, here());

	return pos.ptep && pos.level == level ? &pos.ptep->v : NULL;
}

static bool take_pages(struct litmus_space *s)
{
	s->as = aspace_create("litmus", BOOT_NODE_NONE);
	s->other = aspace_create("litmus2", BOOT_NODE_NONE);
	s->frame_count = pmm_alloc_bulk(here(), PMM_FALLBACK, s->frames, FRAMES);
	s->runs = kmem.alloc(LITMUS_BATCH * sizeof(*s->runs), 0);
	if (!s->as || !s->other || s->frame_count < FRAMES || !s->runs)
		return false;
	s->small = entries_at(s->as, SMALL_BASE, 0);
	s->large = entries_at(s->as, LARGE_BASE, 1);
	s->other_small = entries_at(s->other, SMALL_BASE, 0);
	return s->small && s->large && s->other_small;
}

struct litmus_space *litmus_space_create(void)
{
	struct litmus_space *s = kmem.alloc(sizeof(*s), 0);

	if (s && !take_pages(s)) {
		litmus_space_destroy(s);
		s = NULL;
	}
	return s;
}

static void clear_entries(u64 *entries)
{
	for (unsigned i = 0; entries && i < PT_ENTRIES; i++)
		litmus_write(&entries[i], 0);
}

void litmus_space_destroy(struct litmus_space *s)
{
	clear_entries(s->small);
	clear_entries(s->large);
	clear_entries(s->other_small);
	/* Every CPU leaves both roots and forgets them before a frame goes back. */
	if (s->as)
		aspace_destroy(s->as);
	if (s->other)
		aspace_destroy(s->other);
	for (unsigned i = 0; i < 2 * LITMUS_BATCH; i++)
		if (s->tables[i / LITMUS_BATCH][i % LITMUS_BATCH])
			pt_table_free((pte_t *)s->tables[i / LITMUS_BATCH][i % LITMUS_BATCH]);
	if (s->block)
		page_put(s->block, PAGE_REF);
	pmm_free_bulk(s->frames, s->frame_count);
	if (s->runs)
		kmem.free(s->runs, LITMUS_BATCH * sizeof(*s->runs));
	kmem.free(s, sizeof(*s));
	pmm_drain_caches();
}

struct aspace *litmus_space_aspace(struct litmus_space *s)
{
	return s->as;
}

struct litmus_run *litmus_space_runs(struct litmus_space *s)
{
	return s->runs;
}

bool litmus_space_has(struct litmus_space *s, const struct litmus_test *test)
{
	if (!test->x_level)
		return true;
	if (!s->block)
		s->block = pmm_alloc(here(), HUGE_ORDER, PMM_FALLBACK);
	for (unsigned i = 0; s->block && i < 2 * LITMUS_BATCH; i++) {
		u64 **table = &s->tables[i / LITMUS_BATCH][i % LITMUS_BATCH];

		if (!*table)
			*table = (u64 *)pt_table_alloc(here(), 0);
		if (!*table)
			return false;
	}
	return s->block;
}

/* Frame of a role, its word at off set; returns its address. */
static paddr_t dress(struct litmus_space *s, u64 frame, u64 off, u64 value, u64 **word)
{
	struct page *page = s->frames[frame % FRAMES];

	*word = (u64 *)((char *)page_to_virt(page) + off);
	litmus_write(*word, value);
	return page_to_phys(page);
}

static u64 leaf(paddr_t pa, unsigned level)
{
	return pte_mk_leaf(pa, PROT_READ | PROT_WRITE, level).v;
}

static u64 global(paddr_t pa)
{
	return pte_mk_leaf(pa, PROT_READ | PROT_WRITE | PROT_GLOBAL, 0).v;
}

/* x is a 4 KiB page. */
static void prepare_small(struct litmus_space *s, struct litmus_run *r, unsigned slot, paddr_t a,
			  paddr_t b)
{
	r->x = SMALL_BASE + slot * PAGE_SIZE;
	r->px = &s->small[slot];
	r->A = leaf(a, 0);
	r->B = leaf(b, 0);
	r->A_ro = pte_mk_readonly(pte_mk_clean((pte_t){r->A})).v;
	r->A_clean = pte_mk_clean((pte_t){r->A}).v;
	r->A_global = global(a);
	r->B_global = global(b);
	r->other_px = &s->other_small[slot];
}

/* x lies in a 2 MiB region of its own; the entry under test is the region's. */
static void prepare_large(struct litmus_space *s, struct litmus_run *r, unsigned i, paddr_t a,
			  paddr_t b, u64 off)
{
	/*
	 * Another page in each region, and no two the same modulo LITMUS_BATCH: they would share a
	 * slot of an emulated TLB, which shrinks to 128 or 64 slots when few are in use.
	 */
	u64 step = HUGE_PAGES / LITMUS_BATCH, page = i * step + i / step;
	paddr_t block = page_to_phys(s->block);
	u64 *in_block = (u64 *)((char *)page_to_virt(s->block) + page * PAGE_SIZE + off);

	r->x = LARGE_BASE + i * HUGE_SIZE + page * PAGE_SIZE;
	r->px = &s->large[i];
	r->A = pte_mk_table(virt_to_phys(s->tables[0][i])).v;
	r->B = pte_mk_table(virt_to_phys(s->tables[1][i])).v;
	r->block = leaf(block, 1);
	litmus_write(in_block, 2);
	r->leaf_a = &s->tables[0][i][page];
	r->leaf_b = &s->tables[1][i][page];
	r->leaf_A = leaf(a, 0);
	r->leaf_B = leaf(b, 0);
	litmus_write(r->leaf_a, r->leaf_A);
	litmus_write(r->leaf_b, r->leaf_B);
}

static u64 first_x(const struct litmus_run *r, enum litmus_state state)
{
	switch (state) {
	case LITMUS_INVALID:
		return 0;
	case LITMUS_READONLY:
		return r->A_ro;
	case LITMUS_CLEAN:
		return r->A_clean;
	case LITMUS_GLOBAL:
		return r->A_global;
	case LITMUS_BLOCK:
		return r->block;
	default:
		return r->A;
	}
}

static void prepare_run(struct litmus_space *s, const struct litmus_test *test, unsigned i,
			u64 random)
{
	struct litmus_run *r = &s->runs[i];
	/* Another line of the page each time; bits of `random` are used once. */
	u64 off = random % (PAGE_SIZE / CACHE_LINE) * CACHE_LINE;
	u64 frame = (random >> 8) + (u64)i * ROLES;
	unsigned slot = (random >> 20) % PT_ENTRIES, sx = (slot + i) % PT_ENTRIES;
	unsigned sy = (slot + i + LITMUS_BATCH) % PT_ENTRIES;
	paddr_t a = dress(s, frame, off, 0, &r->a), b = dress(s, frame + 1, off, 1, &r->b);
	paddr_t c = dress(s, frame + 2, off, 0, &r->c), d = dress(s, frame + 3, off, 1, &r->d);

	if (test->x_level)
		prepare_large(s, r, i, a, b, off);
	else
		prepare_small(s, r, sx, a, b);
	r->x += off;
	r->y = SMALL_BASE + sy * PAGE_SIZE + off;
	r->py = &s->small[sy];
	r->C = test->y == LITMUS_SAME ? leaf(a, 0) : leaf(c, 0);
	r->D = leaf(d, 0);
	if (r->other_px)
		litmus_write(r->other_px, r->D);
	litmus_write(r->px, first_x(r, test->x));
	litmus_write(r->py, test->y == LITMUS_INVALID ? 0 : r->C);
}

void litmus_space_prepare(struct litmus_space *s, const struct litmus_test *test, u64 random)
{
	clear_entries(s->small);
	for (unsigned i = 0; i < LITMUS_BATCH; i++) {
		struct litmus_run *r = &s->runs[i];

		*r = (struct litmus_run){.as = s->as,
					 .level = test->x_level,
					 .root = s->as->ctx.root,
					 .other_root = s->other->ctx.root};
		prepare_run(s, test, i, random);
		if (test->prepare)
			test->prepare(r);
	}
	pt_publish();
}
