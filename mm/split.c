/*
 * Splitting a mapped 2 MiB page.
 *
 * No CPU may hold the entry when a table takes its place: two sizes for one
 * address are what break-before-make forbids on arm64 (Arm ARM D8.14.1), and
 * what makes some x86 CPUs raise a machine check (see pte_needs_bbm() there).
 * So it is the hint entry that is replaced. One that a scan made and flushed is
 * broken already: a hint fault splits it without any flush. An accessible entry
 * becomes a hint entry and is flushed here, under the write side.
 *
 * The page is isolated, so nobody moves it. Its
 * references are frozen with the PTL held, when it is known that the entry is
 * still a hint entry: a pinner references first and looks at the entry again
 * after that (I10). Areas of 2 MiB pages share their object with nobody, so one
 * reference is one mapping, and nobody else looks into the slots of the parts
 * before the table is there.
 */
#include <mm/change.h>
#include <mm/migrate_wait.h>
#include <mm/reclaim.h>
#include <mm/split.h>
#include <mm/stats.h>
#include <mm/takedown.h>
#include <kernel/error.h>
#include <kernel/panic.h>

struct split {
	struct aspace *as;
	pte_t *ptep;
	struct page *page; /* the head */
	pte_t hint; /* the entry while it is broken */
	pte_t whole; /* what the parts are made of: the hint entry, or the leaf that it was */
	pte_t *table; /* that takes its place; NULL: not yet */
	bool cold; /* it stays one if it turns out to be accessed */
};

/*
 * That nobody holds the 2 MiB entry is proved now: it was flushed by its first
 * address, of which the parts' own evidence would know nothing.
 */
static void check_flushed(struct page *page)
{
	if (oracle_checks())
		oracle_release(&page, 1, page->unmap, page->unmap_word);
	oracle_shown(page);
}

/*
 * A struct page and a slot for each part. Plain stores: the head is frozen and
 * its entry broken, so nobody finds the parts through their mappings before the table is
 * installed, which publishes them. But reclaim comes to frames by their numbers: a part has its
 * reference last. Each begins as new for the filter of hint faults.
 */
static void make_parts(struct page *head)
{
	struct object *obj = head->object;
	slot_t *slot = object_slot(obj, head->index, false);

	ASSERT(head->order == HUGE_ORDER && !load_relaxed(&head->refs));
	atomic_fetch_add_relaxed(&obj->refs,
				 (u32)HUGE_PAGES - 1); /* each page in a slot holds it */
	for (u32 i = 1; i < HUGE_PAGES; i++) {
		struct page *part = &head[i];

		part->flags = 0;
		part->state = PAGE_USED;
		part->order = part->table_level = 0;
		part->node = head->node;
		part->object = obj;
		part->index = head->index + i;
		part->mapcount = 1;
		part->migration = NULL;
		part->slot = part->last = 0;
		part->unmap = part->unmap_word = 0;
		slot[i] = slot_of_page(part);
		/* Release: all of it; pairs with the page_get() of look_at() in mm/reclaim_anon.c. It was 0. */
		store_release(&part->refs, page_expected_refs(head, 1));
	}
	head->order = 0;
	store_relaxed(&head->last, 0U);
}

/* The table takes the entry's place, unless somebody was faster. PTL held. */
static int replace_entry(const struct split *s)
{
	struct page *page = s->page;
	u64 whole = page_expected_refs(page, 1), refs = whole;

	/* Access may have been given back, even if a scan has taken it away again: its flush is due then. */
	if (pte_load(s->ptep).v != s->hint.v || aspace_may_be_cached(s->as, s->hint))
		return -EAGAIN;
	if (!atomic_cmpxchg(&page->refs, &refs, 0UL))
		return -EBUSY;
	check_flushed(page);
	make_parts(page);
	pt_table_fill(s->table, s->whole);
	page_end_isolation(page);
	/* Release: the page is a small one for whoever gets a reference from now on. */
	store_release(&page->refs, whole);
	pt_install(s->ptep, pte_mk_table(virt_to_phys(s->table)));
	return 0;
}

static void count_result(int err)
{
	if (!err)
		count(pages_split);
	else if (err == -ENOMEM)
		count(split_no_memory);
	else if (err == -EBUSY)
		count(split_pinned);
	else
		count(split_raced);
}

/* The entry is broken. 0: no isolation either. */
static int split_broken(struct split *s)
{
	struct spinlock *ptl = pt_lock_of(s->ptep);
	int err = -ENOMEM;

	if (!s->table)
		s->table = pt_table_alloc(s->page->node, 0);
	if (s->table) {
		spin_lock(ptl);
		err = replace_entry(s);
		spin_unlock(ptl);
	}
	if (s->table && err)
		pt_table_free(s->table);
	s->table = NULL;
	count_result(err);
	return err;
}

int page_split_hint(struct aspace *as, vaddr_t va, pte_t *ptep, pte_t hint, struct page *page)
{
	struct split s = {.as = as, .ptep = ptep, .page = page, .hint = hint, .whole = hint};
	struct change change;

	ASSERT(load_relaxed(&page->flags) & PG_ISOLATED && !(va & (HUGE_SIZE - 1)));
	int err = change_begin(&change, as, CHANGE_SPLIT, va, va + HUGE_SIZE);

	if (!err) {
		err = split_broken(&s);
		change_end(&change);
	}
	if (err)
		page_end_isolation(page);
	return err;
}

/* ---- an accessible entry: break it first ------------------------------------------ */

/* Make the accessible entry a hint entry and flush it: nobody holds it any more. */
static void break_entry(struct split *s, vaddr_t va)
{
	struct spinlock *ptl = pt_lock_of(s->ptep);
	struct tlb_gather gather;

	tlb_gather_init(&gather, &s->as->ctx, 1);
	spin_lock(ptl);
	s->whole = entry_take((struct takedown){.as = s->as,
						.page = s->page,
						.va = va,
						.ptep = s->ptep,
						.level = 1,
						.old = s->whole,
						.become = become_hint,
						.cached = true,
						.alone = true, /* see the top of the file */
						.site = ORACLE_SITE(ORACLE_SPLIT),
						.gather = &gather});
	s->hint = pte_mk_hint(s->whole);
	spin_unlock(ptl);
	tlb_gather_flush(&gather);
}

/* Not split: give access back, unless a hint fault has done that, which the read side lets in. */
static void make_entry(const struct split *s)
{
	struct spinlock *ptl = pt_lock_of(s->ptep);

	spin_lock(ptl);
	if (pte_load(s->ptep).v == s->hint.v)
		pt_install(s->ptep, s->whole);
	spin_unlock(ptl);
}

/* An entry that CPUs may hold: break it, then split. */
static int split_accessible(struct split *s, vaddr_t va)
{
	if (load_relaxed(&s->page->refs) != page_expected_refs(s->page, 1)) {
		count(split_pinned);
		return -EBUSY; /* not worth a flush */
	}
	break_entry(s, va);
	int err = s->cold && pte_is_accessed(s->whole) ? -EAGAIN : split_broken(s);

	if (err)
		make_entry(s);
	return err;
}

/* Nothing is mapped, but a pin kept the 2 MiB page in its slot, for the next fault to map as a whole. */
static bool large_page_waits(struct aspace *as, vaddr_t va)
{
	const struct area *area = aspace_find(as, va);
	slot_t *slot = NULL;

	if (area)
		slot = object_slot(area->object, area->offset + ((va - area->start) >> PAGE_SHIFT),
				   false);
	slot_t seen = slot ? slot_load(slot) : slot_none();

	return slot_is_page(seen) && slot_page(seen)->order;
}

/*
 * The page of a 2 MiB entry, which stays one as the write side is held, isolated.
 * A migration that began with the frame has no lock of this space: wait for it.
 */
static struct page *isolate_large(pte_t *ptep, pte_t *pte)
{
	struct spinlock *ptl = pt_lock_of(ptep);

	for (;;) {
		spin_lock(ptl);
		*pte = pte_load(ptep);
		struct page *page = phys_to_page(pte_pa(*pte, 1));

		if (pte_is_migration(*pte)) {
			migration_wait(page, ptl);
			continue;
		}
		/* Under the PTL: the entry keeps the page. */
		bool ours = page_isolate(page);

		spin_unlock(ptl);
		if (ours)
			return page;
		/*
		 * Without the PTL, which its mover needs. A frame that has moved away keeps the bit
		 * until it is used again.
		 */
		while (load_relaxed(&page->flags) & PG_ISOLATED && pte_load(ptep).v == pte->v)
			cpu_relax();
	}
}

/* The page is isolated, which ends here. */
static int split_isolated(struct split *s, vaddr_t va)
{
	struct change change;
	int err = change_begin(&change, s->as, CHANGE_SPLIT, va, va + HUGE_SIZE);

	if (!err) {
		err = pte_needs_bbm(s->whole, pte_mk_table(0), 1) ? split_accessible(s, va)
								  : split_broken(s);
		change_end(&change);
	}
	if (s->table) /* nobody came to use it */
		pt_table_free(s->table);
	if (err)
		page_end_isolation(s->page);
	return err;
}

/* The page of a 2 MiB entry; who could change that is kept out by the write side. *who: it, for a look after that. */
static int split_at(struct aspace *as, vaddr_t va, pte_t *ptep, struct page **who)
{
	pte_t pte;

	*who = isolate_large(ptep, &pte);
	/* Ours, with the write side: nobody moves it, scans it, or makes its entry accessible meanwhile. */
	struct split s = {.as = as, .ptep = ptep, .page = *who, .hint = pte, .whole = pte};

	return split_isolated(&s, va);
}

int page_split(struct aspace *as, vaddr_t va)
{
	struct pt_pos pos = pgwalk_find(as->root, va, 0);
	struct page *page;
	int err;

	if (pos.level != 1)
		return 0;
	va = ALIGN_DOWN(va, HUGE_SIZE);
	if (pte_is_none(pte_load(pos.ptep)))
		return large_page_waits(as, va) ? -EBUSY : 0;
	for (;;) {
		u64 before = load_relaxed(&reclaim_looks);

		err = split_at(as, va, pos.ptep, &page);
		/* Nobody has pinned it, but reclaim may have had a reference, which it drops soon: that is no reason to fail. */
		if (err != -EBUSY || page_pins(page) || !reclaim_has_looked(before))
			return err;
		reclaim_wait_for_looks();
		cpu_relax();
	}
}

int page_split_isolated(struct aspace *as, vaddr_t va, struct page *page, pte_t *table)
{
	struct pt_pos pos = pgwalk_find(as->root, va, 1);
	struct spinlock *ptl = pt_lock_of(pos.ptep);

	spin_lock(ptl);
	pte_t pte = pte_load(pos.ptep);
	bool names = pos.level == 1 && (pte_is_leaf(pte, 1) || pte_is_hint(pte)) &&
		     phys_to_page(pte_pa(pte, 1)) == page;

	spin_unlock(ptl);
	/* From now on the mapping alone keeps it; it stays, as whoever takes it down has the write side. */
	if (names)
		page_put(page, PAGE_REF);
	else
		count(split_raced);
	struct split s = {
		.as = as,
		.ptep = pos.ptep,
		.page = page,
		.hint = pte,
		.whole = pte,
		.table = table,
		.cold = true,
	};

	if (names)
		return split_isolated(&s, va);
	pt_table_free(table);
	page_end_isolation(page);
	page_put(page, PAGE_REF);
	return -EAGAIN;
}
