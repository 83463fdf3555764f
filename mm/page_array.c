/* Start-up: memory for the array of struct page, before the frames that it describes are given out. */
#include <mm/early.h>
#include <mm/kmap.h>
#include <mm/numa.h>
#include <mm/pgwalk.h>
#include <kernel/panic.h>

/* Frames per 2 MiB of page array: the unit in which the array is backed. */
#define ARRAY_CHUNK (HUGE_SIZE / sizeof(struct page))

/* Back the page array for RAM of one node with zeroed memory, of that RAM if it has room. */
static void back_page_array(paddr_t base, paddr_t end)
{
	u64 first = ALIGN_DOWN(base >> PAGE_SHIFT, ARRAY_CHUNK);
	u64 last = ALIGN_UP(end >> PAGE_SHIFT, ARRAY_CHUNK);

	for (u64 pfn = first; pfn < last; pfn += ARRAY_CHUNK) {
		vaddr_t va = (vaddr_t)(page_array + pfn);
		struct pt_pos pos = pgwalk_find((pte_t *)kmap_root(), va, 0);

		if (!pte_is_none(pte_load(pos.ptep)))
			continue; /* shared with the end of the range before */
		paddr_t pa = early_alloc(HUGE_SIZE, HUGE_SIZE, base, end);

		if (!pa)
			pa = early_alloc(HUGE_SIZE, HUGE_SIZE, 0, ~0UL);
		if (!pa || kmap_map(va, pa, HUGE_SIZE, PROT_READ | PROT_WRITE))
			panic("no memory for the page array of %#lx-%#lx", base, end);
	}
}

void page_array_init(const struct bootinfo *bi)
{
	for (unsigned i = 0; i < bi->range_count; i++) {
		paddr_t base = bi->ranges[i].base, end = base + bi->ranges[i].len, stop;

		/* A memory map knows no nodes: one range may be all of them. */
		for (; bi->ranges[i].type == BOOT_MEM_RAM && base < end; base = stop) {
			numa_node_of(base, end, &stop);
			back_page_array(base, stop);
		}
	}
}
