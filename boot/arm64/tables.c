/*
 * Boot page tables. The first part runs with translation off, at the address
 * where the image was loaded; the rest, on these tables, adds to them what the
 * memory map names. mm/kmap.c replaces them; the identity map stays, for
 * secondary CPUs to come up in.
 *
 * While translation is off all memory is Device memory: aligned accesses only,
 * no exclusives, which holds for stores of whole entries.
 */
#include "boot.h"
#include <asm/layout.h>
#include <asm/mmu.h>

/*
 * Each stretch of memory takes up to two tables of 4 KiB pages and two of 2 MiB
 * blocks at its ends, and one for every 512 GiB; firmware memory maps have some
 * ten stretches once neighbours are joined. 512 KiB.
 */
enum { POOL_TABLES = 128 };

extern char __image_start[], __image_end[];

pte_t boot_idmap[PT_ENTRIES] __aligned(PAGE_SIZE);
pte_t boot_root[PT_ENTRIES] __aligned(PAGE_SIZE);
static pte_t pool[POOL_TABLES][PT_ENTRIES] __aligned(PAGE_SIZE);
static unsigned pool_used;

void boot_tables_init(void); /* head.S */

/* Our own address minus the physical one: 0 as long as translation is off. */
static u64 here(void)
{
	return (u64)__image_start - arm64_kernel_phys;
}

static pte_t *next_table(pte_t *entry, unsigned level)
{
	if (!pte_is_present(*entry)) {
		if (pool_used == POOL_TABLES)
			return NULL;
		pte_store(entry, pte_mk_table((u64)pool[pool_used++] - here()));
	}
	return pte_is_table(*entry, level) ? (pte_t *)(pte_pa(*entry, level) + here()) : NULL;
}

/* Maps one leaf, as large as it can be; returns its size, 0 = no table left. */
static u64 map_one(pte_t *table, vaddr_t va, paddr_t pa, u64 len, prot_t prot)
{
	for (unsigned level = PT_LEVELS - 1;; level--) {
		pte_t *entry = &table[PT_INDEX(va, level)];
		u64 size = PT_LEVEL_SIZE(level);

		if (pte_is_leaf(*entry, level))
			return size - va % size;
		if (pte_is_none(*entry) && pt_block_ok(level) && !((va | pa) % size) &&
		    len >= size) {
			pte_store(entry, pte_mk_leaf(pa, prot, level));
			return size;
		}
		table = next_table(entry, level);
		if (!table)
			return 0;
	}
}

static bool map_range(pte_t *root, vaddr_t va, paddr_t pa, u64 len, prot_t prot)
{
	while (len) {
		u64 done = map_one(root, va, pa, len, prot);

		if (!done)
			return false;
		done = MIN(done, len);
		va += done;
		pa += done;
		len -= done;
	}
	return true;
}

static void *map_direct(paddr_t pa, u64 len, prot_t prot)
{
	paddr_t start = ALIGN_DOWN(pa, PAGE_SIZE), end = ALIGN_UP(pa + len, PAGE_SIZE);

	if (pa + len < pa || end > DIRECT_SIZE ||
	    !map_range(boot_root, DIRECT_BASE + start, start, end - start, prot | PROT_GLOBAL))
		return NULL;
	pt_publish(); /* before the caller looks */
	return (void *)(DIRECT_BASE + pa);
}

void *boot_map_memory(paddr_t pa, u64 len)
{
	return map_direct(pa, len, PROT_READ | PROT_WRITE);
}

void *boot_map_device(paddr_t pa, u64 len)
{
	return map_direct(pa, len, PROT_READ | PROT_WRITE | PROT_DEVICE);
}

/* The pool is large enough for what follows: an image of a few MiB, twice. */
void boot_tables_init(void)
{
	paddr_t image = (paddr_t)__image_start;
	u64 len = (u64)(__image_end - __image_start);

	arm64_kernel_phys = image;
	map_range(boot_idmap, image, image, len, PROT_READ | PROT_WRITE | PROT_EXEC);
	map_range(boot_root, KERNEL_BASE, image, len,
		  PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GLOBAL);
}
