/*
 * Reclaim of pages of files; that of anonymous ones is in mm/reclaim_anon.c. Each node has a hand that goes
 * round the slots of all files. A page of the node that somebody has accessed since the hand came by last gets
 * off with the loss of its accessed bits. Others leave, in batches of the knob reclaim_batch:
 *
 *   lock and isolate each, mark its slot busy, take its entries down
 *   one flush for all of them
 *   empty the slots; what is dirty goes to its store first
 *
 * In this order. An access to a page of the batch finds its slot busy and waits, so nothing
 * takes its place in any table before the flush (I6), and its frame is free after that (I1).
 * What is written to the store cannot be written by anybody by then (I2): see mm/clean.c.
 * Until the flush the spaces are owed to, so an unmap or protect that finds an entry gone
 * flushes by itself (I9): rmap_edit counts them in aspace.owing. Where invalidations are
 * broadcast late, each was issued as its entry went, and the flush waits for all of them, on
 * the CPU that issued them.
 *
 * An allocation calls it wherever it may wait, perhaps with the lock of a space. So it waits
 * for nobody who may want that: pages that are locked or isolated are left alone, and spaces
 * are found through files, whose locks come after theirs.
 */
#include <mm/deferral.h>
#include <mm/knob.h>
#include <mm/leave.h>
#include <mm/page_lock.h>
#include <mm/pmm.h>
#include <mm/reclaim.h>
#include <mm/reclaim_part.h>
#include <mm/rmap.h>
#include <mm/stats.h>
#include <mm/swap.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/smp.h>

enum {
	WINDOW = 4, /* slots taken at a time for each page that is wanted: many a page stays */
	TRIES = 8, /* that end with nothing while others have batches under way */
};

/* Where a node's hand is: the next slot that it looks at. */
struct hand {
	struct object *file; /* NULL: before the first file */
	u64 index;
};

static struct spinlock files_lock; /* the three below; slot_count is read without it */
static struct list files = LIST_INIT(files); /* by their stores */
static u64 slot_count; /* of all files */
static struct hand hands[MAX_NODES];
static u32
	turn; /* whose turn it is to give pages first: odd, files; even, anonymous memory. Atomic */

/* The file that this CPU is at, which cannot be closed. Set under files_lock; NULL: none. */
static PERCPU(struct object *, reclaims);
struct reclaim {
	u32 node;
	u64 want, gone; /* pages */
	u64 left; /* slots that are still to be looked at before it gives up */
	struct object *file;
	u64 index, end; /* slots of it that are ours to look at */
	struct rmap_edit edit;
	struct page *batch; /* linked by leaves_after */
	struct page *owing; /* those of it whose flush waits, linked in the same way */
	bool defers; /* the deferral lets that of clean pages wait */
	unsigned count;
};

/* Until that CPU is at another file, or none. */
static void wait_for_file(unsigned cpu, const struct object *file)
{
	store_relaxed(this_cpu_ptr(reclaim_waits), true);
	/* Acquire: what it did to the file; pairs with give_back(). */
	wait_until(load_acquire(cpu_ptr(cpu, reclaims)) != file, "reclaim of a file to be closed");
	store_relaxed(this_cpu_ptr(reclaim_waits), false);
}

/* ---- files and hands --------------------------------------------------------------------- */

static struct store *store_of(const struct object *file)
{
	return file->store;
}

void reclaim_add(struct object *file)
{
	store_of(file)->file = file;
	spin_lock(&files_lock);
	list_add_tail(&files, &store_of(file)->link);
	store_relaxed(&slot_count, slot_count + file->page_count);
	spin_unlock(&files_lock);
}

/* The file after the hand's, which may just have left the list. files_lock held. */
static void next_file(struct hand *hand)
{
	struct list *next = hand->file ? store_of(hand->file)->link.next : files.next;

	if (next == &files)
		next = next->next;
	hand->file = next == &files ? NULL : container_of(next, struct store, link)->file;
	hand->index = 0;
}

void reclaim_remove(struct object *file)
{
	spin_lock(&files_lock);
	list_del(&store_of(file)->link);
	store_relaxed(&slot_count, slot_count - file->page_count);
	for (u32 node = 0; node < MAX_NODES; node++)
		if (hands[node].file == file)
			next_file(&hands[node]);
	spin_unlock(&files_lock);
	for_each_online_cpu (cpu)
		wait_for_file(cpu, file);
}

/* The slots that come next are ours to look at. False: there are none, or the hand has been round. */
static bool take_window(struct reclaim *r)
{
	struct hand *hand = &hands[r->node];

	spin_lock(&files_lock);
	if (!hand->file || hand->index == hand->file->page_count)
		next_file(hand);
	r->file = r->left ? hand->file : NULL;
	if (r->file) {
		bool any = object_slot(r->file, hand->index, false);
		u64 slots = any ? WINDOW * r->want : OBJECT_CHUNK - hand->index % OBJECT_CHUNK;

		r->index = hand->index;
		r->end = hand->index = MIN(r->index + slots, r->file->page_count);
		store_relaxed(this_cpu_ptr(reclaims), r->file);
	}
	spin_unlock(&files_lock);
	return r->file;
}

/* We are through with the file. What was not looked at is for the next one, unless the hand has gone on. */
static void give_back(struct reclaim *r)
{
	struct hand *hand = &hands[r->node];

	spin_lock(&files_lock);
	if (hand->file == r->file && hand->index == r->end)
		hand->index = r->index;
	spin_unlock(&files_lock);
	/* Release; pairs with the acquire in wait_for_file(), after which the file may go. */
	store_release(this_cpu_ptr(reclaims), NULL);
	reclaim_wake_waiters();
}

/* ---- who is to go ---------------------------------------------------------------------------- */

/*
 * Somebody but its file, its mappings and us has a reference: a fault that is about to map it, a
 * reader, a pin. A guess, which saves work; pins are looked for after the flush.
 */
static bool is_in_use(const struct reclaim *r, const struct page *page)
{
	return page_refs(page) != load_relaxed(&page->mapcount) + r->file->page_refs + 1;
}

/* ---- a batch ----------------------------------------------------------------------------------- */

static void let_go(struct reclaim *r, struct page *page, bool stays)
{
	leave_end(r->file, page, stays);
	page_unlock(page);
	page_put(page, PAGE_REF);
	if (stays)
		return;
	r->gone++;
	count(reclaimed);
}

/*
 * The same of a page whose flush waits. Its frame is free as soon as nobody has a reference, and owes. If
 * somebody has one, or it stays, it does not wait any more.
 */
static void let_go_owing(struct reclaim *r, struct page *page)
{
	bool stays = leave_is_pinned(page);
	u64 ours = PAGE_REF;

	if (stays)
		pay(PAY_STAY, pay_all());
	else
		file_leaves_owing(r->file);
	leave_end(r->file, page, stays);
	page_unlock(page);
	/* Acquire: what others did with it before they let go; the lock of the node that it is freed under orders the rest. */
	if (!stays && atomic_cmpxchg_acquire(&page->refs, &ours, 0UL)) {
		deferral->frame_held(page);
	} else {
		if (!stays)
			pay(PAY_STAY, pay_all());
		page_put(page, PAGE_REF);
	}
	if (stays)
		return;
	r->gone++;
	count(reclaimed);
}

/* No CPU reaches it, and it is locked, so the store gets it whole. True: the store has what it holds. */
static bool is_stored(const struct reclaim *r, const struct page *page)
{
	return !(load_relaxed(&page->flags) & PG_DIRTY) ||
	       !store_write(store_of(r->file), page->index, page);
}

/* The clean ones of the batch, or all that are left of it. */
static void let_go_of_batch(struct reclaim *r, bool dirty_too)
{
	struct page *next, *others = NULL;

	for (struct page *page = r->batch; page; page = next) {
		next = page->leaves_after;
		if (!dirty_too && load_relaxed(&page->flags) & PG_DIRTY) {
			page->leaves_after = others;
			others = page;
			continue;
		}
		let_go(r, page, leave_is_pinned(page) || !is_stored(r, page));
	}
	r->batch = others;
}

static void let_go_of_owing(struct reclaim *r)
{
	struct page *next;

	for (struct page *page = r->owing; page; page = next) {
		next = page->leaves_after;
		let_go_owing(r, page);
	}
}

/* Flush the batch; then its pages leave, first those whose waiters need not wait for the store. Unlocks the file. */
static void end_batch(struct reclaim *r)
{
	reclaim_flush(&r->edit, r->count);
	read_unlock(&r->file->lock);
	if (!r->count)
		return;
	let_go_of_owing(r);
	let_go_of_batch(r, false);
	let_go_of_batch(r, true);
	r->count = 0;
	reclaim_batch_ended();
}

static void add_to_batch(struct reclaim *r, struct page *page)
{
	struct page **list = r->edit.noted ? &r->owing : &r->batch;

	page->leaves_after = *list;
	*list = page;
	if (!r->count++)
		reclaim_batch_begins();
}

/* The page, which is locked, leaves with the batch. False: it stays. */
static bool take_down(struct reclaim *r, struct page *page)
{
	/* In its file it stays as long as it is locked. */
	if (page->object != r->file || reclaim_was_accessed(page) || !page_isolate(page))
		return false;
	r->edit.noted = false;
	r->edit.waits = r->defers && !(load_relaxed(&page->flags) & PG_DIRTY);
	if (!leave_begin(r->file, page, &r->edit)) {
		add_to_batch(r, page);
		reclaim_taken(&r->edit);
		return true;
	}
	/* Somebody refuses. The references of what was taken until then are dropped after its flush. */
	r->edit.pays |= r->edit.noted;
	rmap_edit_end(&r->edit);
	leave_end(r->file, page, true);
	return false;
}

static void look_at(struct reclaim *r, slot_t *slot)
{
	slot_t seen = slot_load(slot);

	if (!slot_is_page(seen) || slot_page(seen)->node != r->node)
		return;
	struct page *page = slot_page_get(slot, seen);

	if (!page)
		return;
	if (!is_in_use(r, page) && page_trylock(page)) {
		if (take_down(r, page))
			return;
		page_unlock(page);
	}
	page_put(page, PAGE_REF);
}

static void one_batch(struct reclaim *r)
{
	u64 first = r->index;

	r->batch = r->owing = NULL;
	r->defers = deferral_reclaim_begin();
	read_lock(&r->file->lock);
	rmap_edit_begin(&r->edit, CHANGE_RECLAIM);
	for (; r->index < r->end && r->count < knobs.reclaim_batch; r->index++) {
		slot_t *slot = object_slot(r->file, r->index, false);

		if (slot)
			look_at(r, slot);
	}
	r->left -= MIN(r->left, r->index - first);
	end_batch(r);
	if (!r->defers)
		return;
	deferral_sources_held();
	deferral_reclaim_end();
}

static void go_round(struct reclaim *r)
{
	r->left = RECLAIM_ROUNDS * load_relaxed(&slot_count);
	while (r->gone < r->want && take_window(r)) {
		while (r->index < r->end && r->gone < r->want)
			one_batch(r);
		give_back(r);
	}
}

u64 reclaim_pages(u32 node, u64 want)
{
	struct reclaim r = {.node = node, .want = MAX(want, knobs.reclaim_batch)};
	bool files_first = !swap_has_room() || atomic_fetch_add_relaxed(&turn, 1) % 2;
	unsigned tries = TRIES;

	ASSERT_MAY_WAIT();
	ASSERT(!load_relaxed(this_cpu_ptr(reclaims)));
	do {
		if (!files_first)
			r.gone += reclaim_anonymous(node, r.want);
		go_round(&r);
		if (files_first && r.gone < r.want)
			r.gone += reclaim_anonymous(node, r.want - r.gone);
	} while (!r.gone && reclaim_wait_for_batches() && --tries);
	return r.gone;
}

u64 reclaim_to_gap(u32 node)
{
	u64 gone = 0, more = 1;

	while (more && pmm_is_short(node, knobs.watermark_gap)) {
		more = reclaim_pages(node, RECLAIM_PAGES);
		gone += more;
	}
	return gone;
}

u64 reclaim_balance(u32 node)
{
	return pmm_is_short(node, 0) ? reclaim_to_gap(node) : 0;
}

bool reclaim_may_help(void)
{
	return load_relaxed(&slot_count) || swap_has_room();
}
