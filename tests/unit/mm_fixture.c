/* Shared parts of the mm tests; see mm_fixture.h. */
#include "mm_fixture.h"

bool fixture_init(struct fixture *fx, u64 pages, prot_t prot, bool huge, u32 node)
{
	int err;

	fx->len = pages << PAGE_SHIFT;
	fx->as = aspace_create("test", node);
	if (!EXPECT(fx->as))
		return false;
	fx->va = aspace_map(fx->as, NULL, 0, 0, fx->len, prot, huge, node, &err);
	if (EXPECT_EQ(err, 0))
		return true;
	aspace_destroy(fx->as);
	return false;
}

void fixture_fini(struct fixture *fx)
{
	aspace_destroy(fx->as);
	pmm_drain_caches();
}

void fixture_run(struct fixture *fx, unsigned cpu, void (*fn)(void *arg), void *arg)
{
	struct context *ctx = context_spawn(cpu, "test", fn, arg, fx->as);

	if (EXPECT(ctx))
		context_join(ctx);
}

void fixture_fill(struct fixture *fx, u64 a, u64 b)
{
	aspace_load(fx->as);
	for (u64 i = 0; i < fx->len >> PAGE_SHIFT; i++)
		store_relaxed((u64 *)(fx->va + (i << PAGE_SHIFT)), a + i * b);
	aspace_load(NULL);
}

u64 fixture_wrong(struct fixture *fx, u64 a, u64 b)
{
	u64 wrong = 0;

	aspace_load(fx->as);
	for (u64 i = 0; i < fx->len >> PAGE_SHIFT; i++)
		wrong += load_relaxed((u64 *)(fx->va + (i << PAGE_SHIFT))) != a + i * b;
	aspace_load(NULL);
	return wrong;
}

u32 fixture_node_of(struct fixture *fx, vaddr_t va)
{
	struct pt_pos pos = pgwalk_find(fx->as->root, va, 0);
	pte_t pte = pte_load(pos.ptep);

	return pte_is_present(pte) ? phys_to_page(pte_pa(pte, pos.level))->node : BOOT_NODE_NONE;
}

u32 fixture_other_node(u32 node)
{
	for (u32 i = 0; i < numa_node_count(); i++)
		if (i != node && pmm_node_has_memory(i))
			return i;
	return BOOT_NODE_NONE;
}

u64 fixture_migrate(struct fixture *fx, u32 to, struct migrate_stats *stats)
{
	struct migrate_stats ignored = {0};
	struct migrate_request req = {.as = fx->as,
				      .start = fx->va,
				      .len = fx->len,
				      .from_nodes = ~0UL,
				      .to_node = to,
				      .stats = stats ? stats : &ignored};

	return migrate_range(&req);
}
