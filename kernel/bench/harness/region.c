/* Pages with known contents: made, checked as a whole, given back. */
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/option.h>
#include <kernel/string.h>
#include <mm/numa.h>
#include <mm/oracle.h>
#include "bench.h"
#include "pace.h"
#include "region.h"

/* ---- whether readers look --------------------------------------------------------- */

/* "reads" shows that readers see a broken flush; with the oracle on, that would panic first. */
const char *region_check_name(void)
{
	const char *check = option_get("check");

	if (!ORACLE_BUILT)
		return "none-built";
	if (!oracle_on)
		return check && !strcmp(check, "reads") ? check : "off";
	return check && !strcmp(check, "oracle") ? check : "full";
}

bool region_readers_verify(void)
{
	const char *check = region_check_name();

	return !strcmp(check, "full") || !strcmp(check, "reads");
}

/* ---- one region -------------------------------------------------------------------- */

void region_fill(const struct region *r, u64 first, u64 pages)
{
	for (u64 i = first; i < first + pages; i++) {
		u64 *words = region_page(r, i);
		u32 tag = region_tag(r, i);

		words[CANARY_WORD] = (u64)tag << 32;
		words[CANARY_MIX] = region_mix(tag);
		words[region_deep_word(tag)] = region_mix(tag);
	}
}

static int find_entries(struct region *r)
{
	for (u64 i = 0; i < r->pages; i++) {
		r->entry[i] = aspace_entry(r->as, r->base + (i << PAGE_SHIFT));
		if (!r->entry[i])
			return -EFAULT;
	}
	return 0;
}

/*
 * Space with `pages` pages on a node, filled; tags from first_tag on. 0, or a
 * negative code: -ENOMEM, -ERANGE (the node has not enough). Loads the space
 * on the CPU that runs.
 */
static int region_create(struct region *r, u64 pages, const struct bench_params *p, u32 node,
			 u32 first_tag, bool same)
{
	bool shared = p->mapping == MAPPING_SHARED;
	u32 here = numa_node_of_cpu(cpu_id());
	int err = 0;

	*r = (struct region){.pages = pages, .first_tag = first_tag, .same = same};
	r->verify = region_readers_verify();
	r->deep = pmm_poison == POISON_FULL;
	r->published = kmem.alloc(pages * sizeof(r->published[0]), here);
	r->entry = kmem.alloc(pages * sizeof(r->entry[0]), here);
	r->as = aspace_create("bench", node);
	if (!r->published || !r->entry || !r->as)
		return -ENOMEM;
	struct object *obj = shared ? object_create(pages) : NULL;

	if (shared && !obj)
		return -ENOMEM;
	r->base = aspace_map(r->as, obj, 0, 0, pages << PAGE_SHIFT, PROT_READ | PROT_WRITE, p->thp,
			     node, &err);
	if (obj)
		object_put(obj); /* the area keeps it */
	if (!r->base)
		return err;
	if (aspace_populate(r->as, r->base, pages << PAGE_SHIFT, node) != (long)pages)
		return -ERANGE;
	aspace_load(r->as);
	region_fill(r, 0, pages);
	err = find_entries(r);
	r->filled = !err;
	return err;
}

/* From now on nobody writes. */
static int region_seal(struct region *r)
{
	return aspace_protect(r->as, r->base, r->pages << PAGE_SHIFT, PROT_READ);
}

int region_empty(struct region *r)
{
	u64 len = r->pages << PAGE_SHIFT;
	int err = aspace_protect(r->as, r->base, len, PROT_READ | PROT_WRITE);

	r->filled = false;
	if (!err)
		err = aspace_drop(r->as, r->base, len);
	if (!err)
		err = aspace_place(r->as, r->base, len, PLACE_PREFERRED, 0);
	memset(r->published, 0, r->pages * sizeof(r->published[0]));
	return err;
}

int region_refilled(struct region *r, bool read_only)
{
	int err = find_entries(r);

	if (!err && read_only)
		err = region_seal(r);
	r->filled = !err;
	return err;
}

/* Pin the first n pages. */
static int region_pin(struct region *r, u64 n)
{
	r->pinned = kmem.alloc(r->pages * sizeof(r->pinned[0]), numa_node_of_cpu(cpu_id()));
	if (!r->pinned)
		return -ENOMEM;
	for (r->pinned_count = 0; r->pinned_count < n; r->pinned_count++) {
		vaddr_t va = r->base + (r->pinned_count << PAGE_SHIFT);
		int err = aspace_pin(r->as, va, false, &r->pinned[r->pinned_count]);

		if (err)
			return err;
	}
	return 0;
}

static void region_unpin(struct region *r)
{
	while (r->pinned_count)
		page_put(r->pinned[--r->pinned_count], PAGE_PIN);
	if (r->pinned)
		kmem.free(r->pinned, r->pages * sizeof(r->pinned[0]));
	r->pinned = NULL;
}

/* Read every page; returns how many are not what they must be. The space is loaded. */
static u64 region_verify(const struct region *r)
{
	u64 wrong = 0;

	for (u64 i = 0; i < r->pages; i++) {
		const u64 *words = region_page(r, i);
		u32 tag = region_tag(r, i);
		/* Acquire; pairs with the release in write_page(). */
		u64 want = (u64)tag << 32 | load_acquire(&r->published[i]);

		wrong += load_relaxed(&words[CANARY_WORD]) != want ||
			 load_relaxed(&words[CANARY_MIX]) != region_mix(tag) ||
			 load_relaxed(&words[region_deep_word(tag)]) != region_mix(tag);
	}
	return wrong;
}

void region_destroy(struct region *r)
{
	region_unpin(r);
	aspace_load(NULL);
	if (r->as)
		aspace_destroy(r->as);
	if (r->entry)
		kmem.free(r->entry, r->pages * sizeof(r->entry[0]));
	if (r->published)
		kmem.free(r->published, r->pages * sizeof(r->published[0]));
	*r = (struct region){0};
}

u32 region_next_node(u32 node)
{
	u32 nodes = numa_node_count(), next = node;

	do
		next = (next + 1) % nodes;
	while (next != node && !pmm_node_has_memory(next));
	return next;
}

enum { SPARE_FRAMES = 256 }; /* on each node, for page tables and the run's own memory */

u64 region_room(u32 node)
{
	struct pmm_node_stats s;
	u64 free;

	pmm_node_stats(node, &s);
	free = s.free + s.cached;
	return free > SPARE_FRAMES ? free - SPARE_FRAMES : 0;
}

int region_check_room(struct bench *b, u32 node, u64 pages)
{
	u64 room = region_room(node);

	if (room >= pages)
		return 0;
	if (!pmm_node_has_memory(node))
		return bench_fail(b, -ERANGE, "node %u has no memory (0 frames)", node);
	return bench_fail(b, -ERANGE,
			  "--pages %lu: node %u has only %lu frames free (%u stay spare)",
			  b->params.pages, node, room + SPARE_FRAMES, SPARE_FRAMES);
}

int region_setup(struct bench *b, struct region *r, unsigned index, u64 pages, u32 node)
{
	const struct bench_params *p = &b->params;
	int rc;

	pace_setup(b, pages);
	if (p->thp && p->mapping == MAPPING_SHARED)
		return bench_fail(b, -EINVAL, "--mapping shared: has no 2 MiB pages (--thp)");
	rc = region_create(r, pages, p, node, 1 + index * (u32)pages, b->any_unsafe);
	if (rc)
		return bench_fail(b, rc, "no memory for %lu pages on node %u", pages, node);
	if (p->pin && (rc = region_pin(r, p->pin)))
		return bench_fail(b, rc, "cannot pin %lu pages", p->pin);
	if (p->read_only && (rc = region_seal(r)))
		return bench_fail(b, rc, "cannot make the pages read-only");
	return 0;
}

struct verifier {
	struct bench *b;
	struct region *region;
};

static void verify(void *arg)
{
	struct verifier *v = arg;

	v->b->damaged += region_verify(v->region);
}

void region_check(struct bench *b, struct region *r)
{
	struct verifier v = {b, r};

	if (b->reps_done && r->filled)
		bench_run_on(cpu_id(), r->as, verify, &v);
	aspace_load(NULL);
}

void region_finish(struct bench *b, struct region *r)
{
	region_check(b, r);
	region_destroy(r);
}
