/*
 * The maps of pmbench: one for all threads, or with --affinity one for each
 * set, bound to the nodes of its CPUs. Where the pages are chosen by whoever
 * touches them first, the threads of a map do that by turns, page by page.
 */
#include <harness/keep.h>
#include <harness/policy.h>
#include <kernel/context.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/string.h>
#include <mm/numa.h>
#include "pmbench.h"

/* With --affinity: the sets of threads, each with its map. */
static const struct affinity *const affinity = &pmbench_options.affinity;

static bool placed_by_touch(const struct bench_params *p)
{
	return p->policy || affinity->sets;
}

/* ---- touching ------------------------------------------------------------------------ */

u32 pm_first_word(const struct pm_state *s, const u32 *word)
{
	return s->initialize ? (u32)(((u64)word + s->seed) * 0x9e3779b97f4a7c15UL >> 32) : 0;
}

static void initialize(const struct pm_state *s, vaddr_t va, u64 len)
{
	for (u32 *word = (u32 *)va; word < (u32 *)(va + len); word++)
		store_relaxed(word, pm_first_word(s, word));
}

static void touch(void *arg)
{
	struct pm_thread *t = arg;
	struct pm_state *s = t->all;
	const struct pm_set *set = &s->set[t->set];
	const struct bench_params *p = s->params;
	u64 unit = p->thp ? HUGE_SIZE : PAGE_SIZE, end = s->map_pages << PAGE_SHIFT;

	t->rc = 0;
	for (u64 at = (t->id - set->first) * unit; at < end && !t->rc; at += set->count * unit) {
		if (aspace_populate(s->as, set->base + at, unit, BOOT_NODE_NONE) < 0)
			t->rc = -ENOMEM;
		else if (pmbench_options.initialize)
			initialize(s, set->base + at, unit);
	}
}

static int touch_all(struct bench *b, struct pm_state *s)
{
	int rc = pm_run(b, s, touch, false, false);

	for (unsigned i = 0; i < s->count && !rc; i++)
		rc = s->thread[i]->rc;
	return rc ? bench_fail(b, rc, "no memory for the pages where they should be") : 0;
}

void pm_maps_count(const struct pm_state *s, u64 on_node[MAX_NODES])
{
	memset(on_node, 0, MAX_NODES * sizeof(on_node[0]));
	read_lock(&s->as->lock);
	for (unsigned i = 0; i < s->sets; i++)
		aspace_count_nodes(s->as, s->set[i].base, s->map_pages << PAGE_SHIFT, on_node);
	read_unlock(&s->as->lock);
}

/* ---- set-up and end ----------------------------------------------------------------------- */

static int create_thread(struct bench *b, struct pm_state *s, unsigned set)
{
	const struct bench_params *p = &b->params;
	unsigned cpu = p->cpu[s->count % p->cpu_count];
	struct pm_thread *t = kmem.alloc(sizeof(*t), numa_node_of_cpu(cpu));

	if (!t)
		return -ENOMEM;
	t->all = s;
	t->id = s->count;
	t->set = set;
	pmbench_start(&t->walk, (enum pmbench_access)pmbench_options.access, s->set_pages,
		      pmbench_options.shape, p->seed, t->id);
	s->set[set].nodes |= 1UL << numa_node_of_cpu(cpu);
	s->set[set].count++;
	s->thread[s->count++] = t;
	return 0;
}

static int create_threads(struct bench *b, struct pm_state *s)
{
	const struct bench_params *p = &b->params;
	int rc = 0;

	s->sets = MAX(affinity->sets, 1U);
	for (unsigned i = 0; i < s->sets && !rc; i++) {
		s->set[i].first = s->count;
		for (u64 end = affinity->sets ? affinity->set_end[i] : p->threads;
		     s->count < end && !rc;)
			rc = create_thread(b, s, i);
	}
	return rc;
}

static int create_map(struct bench *b, struct pm_state *s, struct pm_set *set)
{
	const struct bench_params *p = &b->params;
	u64 bytes = s->map_pages << PAGE_SHIFT;
	int rc = -ENOMEM;

	set->base = aspace_map(s->as, NULL, 0, 0, bytes, PROT_READ | PROT_WRITE, p->thp,
			       (u32)p->from, &rc);
	if (!set->base)
		return rc;
	if (affinity->sets)
		return aspace_place(s->as, set->base, bytes, PLACE_BIND, set->nodes);
	if (p->policy)
		return policy_apply(p, s->as, set->base, bytes);
	return aspace_populate(s->as, set->base, bytes, (u32)p->from) < 0 ? -ENOMEM : 0;
}

/* Is there room for the maps, where they must be? */
static int check_room(struct bench *b, const struct pm_state *s)
{
	const struct bench_params *p = &b->params;

	for (unsigned i = 0; i < affinity->sets; i++) {
		u64 room = 0;

		for (u64 left = s->set[i].nodes; left; left &= left - 1)
			room += region_room((u32)__builtin_ctzl(left));
		if (room < s->map_pages)
			return bench_fail(b, -ERANGE,
					  "--affinity: the nodes of set %u have room for %lu "
					  "pages, %lu are wanted",
					  i + 1, room, s->map_pages);
	}
	if (placed_by_touch(p))
		return policy_check_room(b, s->map_pages * s->sets);
	return region_check_room(b, (u32)p->from, s->map_pages);
}

int pm_maps_create(struct bench *b, struct pm_state *s)
{
	const struct bench_params *p = &b->params;
	int rc = create_threads(b, s);

	if (!rc && (rc = check_room(b, s)))
		return rc;
	s->as = aspace_create("pmbench", (u32)p->from);
	if (!s->as)
		rc = -ENOMEM;
	for (unsigned i = 0; i < s->sets && !rc; i++)
		rc = create_map(b, s, &s->set[i]);
	if (rc)
		return bench_fail(b, rc, "no memory for %u maps of %lu MiB and %lu threads",
				  s->sets, pmbench_options.map_mib, p->threads);
	return placed_by_touch(p) || pmbench_options.initialize ? touch_all(b, s) : 0;
}

/* ---- before a round --------------------------------------------------------------------- */

/* Large pages are made anew: hint faults may have split some (numa_split). */
static int put_back(struct bench *b, struct pm_state *s, struct pm_set *set)
{
	const struct bench_params *p = &b->params;
	struct migrate_stats stats = {0};
	struct migrate_request req = {
		.as = s->as,
		.start = set->base,
		.from_nodes = ~(1UL << p->from),
		.to_node = (u32)p->from,
		.len = s->map_pages << PAGE_SHIFT,
		.stats = &stats,
	};
	int rc = 0;

	if (p->thp) {
		rc = aspace_unmap(s->as, set->base, req.len);
		return rc ? rc : create_map(b, s, set);
	}
	if (placed_by_touch(p))
		rc = aspace_drop(s->as, set->base, req.len);
	else
		migrate_range(&req);
	hint_forget(s->as, set->base, set->base + req.len);
	return rc;
}

int pm_maps_put_back(struct bench *b, struct pm_state *s)
{
	const struct bench_params *p = &b->params;
	int rc = 0;

	s->scan = (struct hint_scan){.as = s->as};
	for (unsigned i = 0; i < s->sets && !rc; i++)
		rc = put_back(b, s, &s->set[i]);
	if (rc)
		return bench_fail(b, rc, "no memory for the pages of the next round");
	return placed_by_touch(p) || (p->thp && pmbench_options.initialize) ? touch_all(b, s) : 0;
}

void pm_maps_finish(struct bench *b, struct pm_state *s)
{
	struct region r = {.as = s->as, .base = s->set[0].base, .pages = s->map_pages * s->sets};

	if (r.as && b->params.keep && b->reps_done)
		keep_region(&r);
	else if (r.as)
		aspace_destroy(r.as);
}
