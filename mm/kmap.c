/*
 * The kernel's own page tables. Written by the boot CPU during start-up and
 * under kmap_lock afterwards; entries are only ever added, so no flush is due.
 */
#include <mm/kmap.h>
#include <mm/early.h>
#include <mm/pgwalk.h>
#include <kernel/error.h>
#include <kernel/option.h>
#include <kernel/panic.h>

bool kmap_large = true;

static pte_t *kernel_root;
static struct rwlock
	kmap_lock; /* additions to the kernel's tables; may be held across a wait: tables are allocated */

extern char __image_start[], __image_end[], __text_start[], __text_end[];
extern char __rodata_start[], __rodata_end[], __data_start[], __data_end[], __bss_start[];

const pte_t *kmap_root(void)
{
	return kernel_root;
}

/* For start-up, when there is no going on without it. */
static void map_or_die(vaddr_t va, paddr_t pa, u64 len, prot_t prot, bool large)
{
	if (pgwalk_map_range(&pt_kernel, kernel_root, va, pa, len, prot, large))
		panic("no memory for the kernel's page tables");
}

/* Physical address of a symbol of the image. */
static paddr_t image_phys(const char *p)
{
	return arch_kernel_phys() + (u64)(p - __image_start);
}

/* Code, constants and data of the kernel by 4 KiB pages, each with the rights that it needs. */
static void map_image(void)
{
	const prot_t base = PROT_READ | PROT_GLOBAL;

	map_or_die((vaddr_t)__text_start, image_phys(__text_start),
		   (u64)(__text_end - __text_start), base | PROT_EXEC, false);
	map_or_die((vaddr_t)__rodata_start, image_phys(__rodata_start),
		   (u64)(__rodata_end - __rodata_start), base, false);
	map_or_die((vaddr_t)__data_start, image_phys(__data_start),
		   (u64)(__data_end - __data_start), base | PROT_WRITE, false);
	/* The page between stays unmapped: the boot stack lies lowest in bss and grows into it. */
	map_or_die((vaddr_t)__bss_start, image_phys(__bss_start),
		   ALIGN_UP((u64)(__image_end - __bss_start), PAGE_SIZE), base | PROT_WRITE, false);
}

/* RAM in the direct map; the image's text and constants are not writable through it either. */
static void map_direct(paddr_t base, paddr_t end)
{
	paddr_t ro_start = image_phys(__text_start), ro_end = image_phys(__data_start);
	paddr_t cut[4] = {base, MAX(base, MIN(end, ro_start)), MAX(base, MIN(end, ro_end)), end};

	for (unsigned i = 0; i < 3; i++)
		if (cut[i] < cut[i + 1])
			map_or_die(DIRECT_BASE + cut[i], cut[i], cut[i + 1] - cut[i],
				   PROT_READ | PROT_GLOBAL | (i == 1 ? 0 : PROT_WRITE), kmap_large);
}

/* Devices and firmware tables may lie anywhere, so whatever the CPU can address can be added to the direct map. */
static void create_top_level(vaddr_t start, vaddr_t end)
{
	if (!pt_root_is_copied())
		return;
	for (vaddr_t va = start; va < end && va >= start; va += PT_LEVEL_SIZE(PT_LEVELS - 1))
		if (!pgwalk_create(&pt_kernel, kernel_root, va, PT_LEVELS - 2, 0).ptep)
			panic("no memory for the kernel's page tables");
}

BOOT_OPTION(large, "large", "on|off", "off: the kernel maps everything by 4 KiB pages");

static const char *const on_off[] = {"on", "off", NULL};

void kmap_init(const struct bootinfo *bi)
{
	ASSERT(!kernel_root);
	kmap_large = option_choice("large", on_off, 0) == 0;
	u64 limit = arch_phys_limit();

	kernel_root = pt_table_alloc(0, PT_LEVELS - 1);
	if (!kernel_root)
		panic("no memory for the kernel's page tables");
	create_top_level(DIRECT_BASE, DIRECT_BASE + limit);
	create_top_level(VMEMMAP_BASE, VMEMMAP_BASE + (limit >> PAGE_SHIFT) * sizeof(struct page));
	create_top_level(KVIRT_BASE, KVIRT_END);
	map_image();
	for (unsigned i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];

		if (r->type != BOOT_MEM_RESERVED)
			map_direct(ALIGN_DOWN(r->base, PAGE_SIZE),
				   ALIGN_UP(r->base + r->len, PAGE_SIZE));
	}
	arch_load_kernel_root(virt_to_phys(kernel_root));
}

int kmap_map(vaddr_t va, paddr_t pa, u64 len, prot_t prot)
{
	ASSERT(!((va | pa | len) & (PAGE_SIZE - 1)));
	write_lock(&kmap_lock);
	int err = pgwalk_map_range(&pt_kernel, kernel_root, va, pa, len, prot | PROT_GLOBAL,
				   kmap_large && !(prot & PROT_DEVICE));
	write_unlock(&kmap_lock);
	return err;
}

/* Map the 4 KiB pages around a range at their direct-map addresses. */
static void *map_phys(paddr_t pa, u64 len, prot_t prot)
{
	paddr_t start = ALIGN_DOWN(pa, PAGE_SIZE), end = ALIGN_UP(pa + len, PAGE_SIZE);

	if (pa + len < pa || end > arch_phys_limit())
		return NULL;
	if (kmap_map(DIRECT_BASE + start, start, end - start, prot))
		return NULL;
	return phys_to_virt(pa);
}

const void *kmap_phys(paddr_t pa, u64 len)
{
	return map_phys(pa, len, PROT_READ);
}

void *kmap_device(paddr_t pa, u64 len)
{
	return map_phys(pa, len, PROT_READ | PROT_WRITE | PROT_DEVICE);
}
