/* Booting the modelled machine for tests of the memory manager. */
#include <mm/fault.h>
#include "host_mm.h"

#include <fake/machine.h>
#include <mm/deferral.h>
#include <mm/stats.h>

void host_mm(void)
{
	static bool booted;
	static const struct fake_config config = {
		.cpus = 2,
		.nodes = HOST_NODES,
		.node_pages = HOST_NODE_PAGES,
		.asids = 6,
#ifdef HOST_ARM64
		.arm64 = true,
#endif
	};

	if (!booted)
		fake_boot(&config);
	booted = true;
}

struct aspace *host_space(u64 pages, prot_t prot, bool huge, u32 node, vaddr_t *va)
{
	struct aspace *as;
	int err = 0;

	host_mm();
	as = aspace_create("test", 0);
	if (!as)
		return NULL;
	*va = aspace_map(as, NULL, 0, 0, pages << PAGE_SHIFT, prot, huge, node, &err);
	aspace_load(as);
	return *va ? as : NULL;
}

static pte_t entry(struct aspace *as, vaddr_t va, unsigned *level)
{
	struct pt_pos pos = pgwalk_find(as->root, va, 0);

	*level = pos.level;
	return pte_load(pos.ptep);
}

u64 *host_word(struct aspace *as, vaddr_t va, bool write)
{
	unsigned level;
	pte_t pte = entry(as, va, &level);

	if (!pte_is_present(pte) || (write && !pte_is_writable(pte))) {
		if (!fault_handle(as, va, write, false))
			return NULL;
		pte = entry(as, va, &level);
	}
	return phys_to_virt(pte_pa(pte, level) + (va & (PT_LEVEL_SIZE(level) - 1)));
}

struct page *host_page(struct aspace *as, vaddr_t va)
{
	unsigned level;
	pte_t pte = entry(as, va, &level);

	return pte_is_present(pte) ? phys_to_page(pte_pa(pte, level)) : NULL;
}

u64 host_migrate(struct aspace *as, vaddr_t va, u64 pages, u32 to, struct migrate_stats *stats,
		 u8 *result)
{
	struct migrate_request req = {.as = as,
				      .start = va,
				      .len = pages << PAGE_SHIFT,
				      .from_nodes = ~0UL,
				      .to_node = to,
				      .result = result,
				      .stats = stats};

	memset(stats, 0, sizeof(*stats));
	return migrate_range(&req);
}

const struct mm_counters *host_counters(unsigned cpu)
{
	return cpu_ptr(cpu, mm_counters);
}

u64 host_counter(unsigned i)
{
	u64 sum[DEFERRAL_COUNTERS_MAX];

	deferral_counters_read(sum);
	return sum[i];
}

struct pmm_node_stats host_node(void)
{
	struct pmm_node_stats s;

	pmm_node_stats(0, &s);
	return s;
}

static struct page *got[HOST_NODE_PAGES];

unsigned host_take(u64 most)
{
	unsigned n = 0;

	while (n < most && (got[n] = pmm_alloc(0, 0, PMM_STRICT | PMM_RESERVE)))
		n++;
	return n;
}

void host_give(unsigned n)
{
	while (n)
		pmm_free(got[--n]);
	pmm_drain_caches();
}

void host_use_all(void)
{
	pmm_drain_caches();
	unsigned n = host_take(HOST_NODE_PAGES);

	CHECK_EQ(host_node().owing, 0);
	host_give(n);
}

/* In a free block, of which the head alone says so. */
static bool is_free(const struct page *frame)
{
	for (unsigned order = 0; order <= HUGE_ORDER; order++) {
		const struct page *head =
			page_array + ALIGN_DOWN((u64)(frame - page_array), 1UL << order);

		if (head->state == PAGE_FREE && head->order >= order)
			return true;
	}
	return false;
}

void host_expect_freed_owing(const struct page *frame, u64 frames)
{
	CHECK(is_free(frame) && frame->flags & PG_OWES);
	CHECK_EQ(host_node().owing, frames);
	CHECK_EQ(deferral->held(), 0);
}

void host_load(void *space)
{
	aspace_load(space);
}

struct object *host_shared(struct aspace *as, struct aspace *other, vaddr_t *x, vaddr_t *y)
{
	const prot_t rw = PROT_READ | PROT_WRITE;
	struct object *obj = object_create(1);
	int err;

	*x = aspace_map(as, obj, 0, 0, PAGE_SIZE, rw, false, 0, &err);
	*y = aspace_map(other, obj, 0, 0, PAGE_SIZE, rw, false, 0, &err);
	return obj;
}
