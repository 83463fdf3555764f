/* Objects: the pages behind areas, by index. Slots are read and replaced without a lock. */
#include <mm/aspace.h>
#include <kernel/bootinfo.h>
#include <kernel/kmem.h>

static u64 chunk_count(const struct object *obj)
{
	return (obj->page_count + OBJECT_CHUNK - 1) / OBJECT_CHUNK;
}

/* Small objects have one short chunk. */
static u64 chunk_bytes(const struct object *obj)
{
	return MIN(obj->page_count, OBJECT_CHUNK) * sizeof(struct page *);
}

struct object *object_create(u64 page_count)
{
	struct object *obj = kmem.alloc(sizeof(*obj), BOOT_NODE_NONE);

	if (!obj)
		return NULL;
	obj->page_count = page_count;
	obj->refs = 1;
	list_init(&obj->areas);
	obj->chunks = kmem.alloc(chunk_count(obj) * sizeof(*obj->chunks), BOOT_NODE_NONE);
	if (!obj->chunks) {
		kmem.free(obj, sizeof(*obj));
		return NULL;
	}
	return obj;
}

/* Areas, creators and every page in a slot hold a reference: the object outlives its last page. */
void object_put(struct object *obj)
{
	if (atomic_fetch_add(&obj->refs, -1U) != 1)
		return;
	for (u64 i = 0; i < chunk_count(obj); i++)
		if (obj->chunks[i])
			kmem.free(obj->chunks[i], chunk_bytes(obj));
	kmem.free(obj->chunks, chunk_count(obj) * sizeof(*obj->chunks));
	kmem.free(obj, sizeof(*obj));
}

struct page **object_chunk_create(struct object *obj, u64 chunk)
{
	struct page **fresh = kmem.alloc(chunk_bytes(obj), BOOT_NODE_NONE), **old = NULL;

	/* Full barrier: the zeroes before the pointer; pairs with the load in object_slot(). */
	if (fresh && !atomic_cmpxchg(&obj->chunks[chunk], &old, fresh)) {
		kmem.free(fresh, chunk_bytes(obj));
		return old;
	}
	return fresh;
}
