/*
 * References to what swap's store has. One names a page of the store and the write that put it there, so that one
 * which was given back, and is used all the same, is found: its stamp is not the one of the page any more.
 */
#include <mm/swap.h>
#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>

enum { PLACE_BITS = 31, STAMP_BITS = 31 }; /* together what a slot has room for: SLOT_SHIFT */
#define PLACE_MASK ((1UL << PLACE_BITS) - 1)
#define STAMP_MASK ((1U << STAMP_BITS) - 1)

/* A page of the store. */
struct place {
	u32 stamp; /* of the write whose contents are there */
	u32 refs; /* 0: it is free */
	u32 next; /* a free one: the next, plus 1; 0: the last */
};

/* Guards all below, but for accesses to the store, which need a reference. Innermost. */
static struct spinlock lock;
static struct store *store; /* NULL: swap is off */
static struct place *places;
static u32 first_free; /* plus 1; 0: none */
static u32 stamp; /* of the last write */
static u64 references;

static u64 ref_of(u32 place)
{
	return (u64)places[place].stamp << PLACE_BITS | place;
}

/* Lock held. */
static struct place *place_of(u64 ref)
{
	u64 at = ref & PLACE_MASK;

	ASSERT(store && at < store->page_count);
	ASSERT(places[at].refs && places[at].stamp == ref >> PLACE_BITS);
	return &places[at];
}

int swap_on(struct store *s)
{
	u64 bytes = s->page_count * sizeof(*places);
	struct place *fresh = kmem.alloc(bytes, BOOT_NODE_NONE);

	ASSERT(s->page_count < PLACE_MASK);
	if (!fresh)
		return -ENOMEM;
	for (u64 i = 0; i + 1 < s->page_count; i++)
		fresh[i].next = (u32)i + 2;
	spin_lock(&lock);
	bool ours = !store;

	if (ours) {
		places = fresh;
		store_relaxed(&first_free, s->page_count ? 1U : 0U);
		store_relaxed(&store, s);
	}
	spin_unlock(&lock);
	if (!ours)
		kmem.free(fresh, bytes);
	return ours ? 0 : -EBUSY;
}

int swap_off(void)
{
	spin_lock(&lock);
	struct store *s = store;
	struct place *old = places;
	int err = !s ? -ENOENT : references ? -EBUSY : 0;

	if (!err) { /* whoever is at the store has a reference */
		store_relaxed(&first_free, 0U);
		store_relaxed(&store, NULL);
	}
	spin_unlock(&lock);
	if (err)
		return err;
	kmem.free(old, s->page_count * sizeof(*old));
	s->ops->close(s);
	return 0;
}

bool swap_has_room(void)
{
	return load_relaxed(&first_free);
}

u64 swap_references(void)
{
	return load_relaxed(&references);
}

/* A free page of the store becomes ours. False: there is none. */
static bool take_place(u64 *ref)
{
	spin_lock(&lock);
	bool any = first_free;

	if (any) {
		u32 at = first_free - 1;

		store_relaxed(&first_free, places[at].next);
		stamp = (stamp + 1) & STAMP_MASK;
		places[at] = (struct place){.stamp = stamp, .refs = 1};
		store_relaxed(&references, references + 1);
		*ref = ref_of(at);
	}
	spin_unlock(&lock);
	return any;
}

int swap_out(const struct page *page, u64 *ref)
{
	if (!take_place(ref))
		return -ENOMEM;
	int err = store_write(store, *ref & PLACE_MASK, page);

	if (err)
		swap_put(*ref);
	return err;
}

int swap_in(u64 ref, struct page *page)
{
	spin_lock(&lock);
	place_of(ref); /* whoever asks has one, so it stays */
	spin_unlock(&lock);
	return store_read(store, ref & PLACE_MASK, page);
}

void swap_get(u64 ref)
{
	spin_lock(&lock);
	place_of(ref)->refs++;
	store_relaxed(&references, references + 1);
	spin_unlock(&lock);
}

void swap_put(u64 ref)
{
	spin_lock(&lock);
	struct place *place = place_of(ref);

	store_relaxed(&references, references - 1);
	if (!--place->refs) {
		place->next = first_free;
		store_relaxed(&first_free, (u32)(ref & PLACE_MASK) + 1);
	}
	spin_unlock(&lock);
}
