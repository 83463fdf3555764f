/* A store whose pages are computed from file, index and version: it has any size and takes no memory. */
#include <mm/store.h>
#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <kernel/kmem.h>

struct pattern_store {
	struct store store;
	u64 id;
	u64 version; /* atomic */
};

static struct pattern_store *pattern(struct store *s)
{
	return container_of(s, struct pattern_store, store);
}

/* Any good mixing function will do: neighbouring words must differ everywhere. */
static u64 mix(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9UL; /* of splitmix64 */
	return x ^ x >> 27;
}

u64 pattern_word(u64 id, u64 index, u64 version, unsigned place)
{
	const u64 low = (1UL << PATTERN_VERSION_BITS) - 1;

	return (mix(mix(id << 40 ^ index) + place) & ~low) | (version & low);
}

static int pattern_read(struct store *s, u64 index, void *to)
{
	const struct pattern_store *p = pattern(s);
	u64 version = load_relaxed(&p->version), *word = to;

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		word[i] = pattern_word(p->id, index, version, i);
	return 0;
}

/* There is no place for anything else than what is there. */
static int pattern_write(struct store *s, u64 index, const void *from)
{
	const struct pattern_store *p = pattern(s);
	u64 version = load_relaxed(&p->version);
	const u64 *word = from;

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		if (word[i] != pattern_word(p->id, index, version, i))
			return -EIO;
	return 0;
}

static void pattern_close(struct store *s)
{
	kmem.free(pattern(s), sizeof(struct pattern_store));
}

static const struct store_ops pattern_ops = {
	.name = "pattern",
	.read = pattern_read,
	.write = pattern_write,
	.close = pattern_close,
};

struct store *pattern_store_create(u64 id, u64 page_count)
{
	struct pattern_store *p = kmem.alloc(sizeof(*p), BOOT_NODE_NONE);

	if (!p)
		return NULL;
	p->store = (struct store){.ops = &pattern_ops, .page_count = page_count};
	p->id = id;
	return &p->store;
}

void pattern_store_step(struct store *s)
{
	store_begins_to_change(s);
	/* Relaxed: one word, and nothing is read by it. Whoever is told of the step reads the new version. */
	atomic_fetch_add_relaxed(&pattern(s)->version, 1UL);
}
