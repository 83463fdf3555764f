/*
 * Small kernel objects and stacks, on top of page frames. Slabs and stacks
 * that were given back stay here for the next caller, mappings included, so
 * neither path ever needs a kernel TLB flush.
 */
#include <mm/kmem.h>
#include <mm/kmap.h>
#include <mm/numa.h>
#include <mm/pgwalk.h>
#include <mm/pmm.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/smp.h>
#include <kernel/string.h>

enum {
	MIN_SHIFT = 6, /* 64-byte objects: a cache line, nothing shares one */
	CLASSES = PAGE_SHIFT - MIN_SHIFT, /* up to 2 KiB; larger ones are whole pages */
};

struct free_object {
	struct free_object *next;
};

static struct spinlock lock; /* all below */
static struct free_object *free_objects[CLASSES];
static struct free_object *free_stacks;
static vaddr_t next_stack = KVIRT_BASE;
static u64 pages_kept, objects_in_use;

/* The smallest n with 2^(shift + n) >= bytes. */
static inline unsigned doublings(size_t bytes, unsigned shift)
{
	return bytes <= 1UL << shift ? 0 : 64 - (unsigned)__builtin_clzl(bytes - 1) - shift;
}

/* The size class of an object; CLASSES or more: it gets whole pages. */
static inline unsigned class_of(size_t bytes)
{
	return doublings(bytes, MIN_SHIFT);
}

/* The smallest order whose pages hold so many bytes. */
static inline unsigned order_of(size_t bytes)
{
	return doublings(bytes, PAGE_SHIFT);
}

/* Cut a fresh page into objects of a class. */
static bool grow(unsigned c, u32 node)
{
	struct page *page = pmm_alloc(node, 0, PMM_RESERVE);
	size_t size = 1UL << (MIN_SHIFT + c);

	if (!page)
		return false;
	char *base = page_to_virt(page);

	spin_lock(&lock);
	for (size_t at = 0; at < PAGE_SIZE; at += size) {
		struct free_object *obj = (void *)(base + at);

		obj->next = free_objects[c];
		free_objects[c] = obj;
	}
	pages_kept++;
	spin_unlock(&lock);
	return true;
}

/* An object of a class, zeroed; NULL: no memory. */
static void *small_alloc(unsigned c, u32 node)
{
	for (;;) {
		spin_lock(&lock);
		struct free_object *obj = free_objects[c];

		if (obj) {
			free_objects[c] = obj->next;
			objects_in_use++;
		}
		spin_unlock(&lock);
		if (obj)
			return memset(obj, 0, 1UL << (MIN_SHIFT + c));
		if (!grow(c, node))
			return NULL;
	}
}

static void *kmem_alloc(size_t bytes, u32 node)
{
	unsigned c = class_of(bytes);

	node = numa_resolve(node);
	if (c < CLASSES)
		return small_alloc(c, node);
	if (order_of(bytes) > PMM_MAX_ORDER)
		return NULL;
	struct page *page = pmm_alloc(node, order_of(bytes), PMM_RESERVE | PMM_ZERO);

	return page ? page_to_virt(page) : NULL;
}

static void kmem_free(void *p, size_t bytes)
{
	unsigned c = class_of(bytes);
	struct free_object *obj = p;

	if (c >= CLASSES) {
		page_put(virt_to_page(p), PAGE_REF);
		return;
	}
	spin_lock(&lock);
	obj->next = free_objects[c];
	free_objects[c] = obj;
	objects_in_use--;
	spin_unlock(&lock);
}

/* ---- stacks: KSTACK_SIZE mapped, one page below never mapped ------------------------ */

#define STACK_STRIDE (KSTACK_SIZE + PAGE_SIZE)

static bool stack_map(vaddr_t base, u32 node)
{
	for (u64 at = 0; at < KSTACK_SIZE; at += PAGE_SIZE) {
		struct page *page = pmm_alloc(node, 0, PMM_RESERVE);

		if (!page ||
		    kmap_map(base + at, page_to_phys(page), PAGE_SIZE, PROT_READ | PROT_WRITE))
			return false;
	}
	return true;
}

static void *stack_alloc(u32 node)
{
	spin_lock(&lock);
	struct free_object *stack = free_stacks;
	vaddr_t base = next_stack + PAGE_SIZE;

	objects_in_use++;
	if (stack) {
		free_stacks = stack->next;
	} else {
		next_stack += STACK_STRIDE;
		pages_kept += KSTACK_SIZE / PAGE_SIZE;
	}
	spin_unlock(&lock);
	if (stack)
		return stack;
	if (base + KSTACK_SIZE > KVIRT_END || !stack_map(base, numa_resolve(node)))
		return NULL;
	return (void *)base;
}

static void stack_free(void *p)
{
	struct free_object *stack = p;

	ASSERT(((vaddr_t)p - KVIRT_BASE) % STACK_STRIDE ==
	       PAGE_SIZE); /* the lowest byte of a stack */
	spin_lock(&lock);
	ASSERT(objects_in_use);
	stack->next = free_stacks;
	free_stacks = stack;
	objects_in_use--;
	spin_unlock(&lock);
}

extern char __data_end[], __bss_start[];

/* Is va in a page that is left unmapped below a stack? */
static bool is_guard(vaddr_t va)
{
	if (va >= (vaddr_t)__data_end && va < (vaddr_t)__bss_start)
		return true;
	return va >= KVIRT_BASE && va < load_relaxed(&next_stack) &&
	       (va - KVIRT_BASE) % STACK_STRIDE < PAGE_SIZE;
}

void kmem_init(void)
{
	kmem = (struct kmem_ops){.alloc = kmem_alloc,
				 .free = kmem_free,
				 .stack_alloc = stack_alloc,
				 .stack_free = stack_free,
				 .is_guard = is_guard};
}

u64 kmem_pages_kept(void)
{
	return load_relaxed(&pages_kept) + load_relaxed(&pt_kernel_tables);
}

u64 kmem_objects_in_use(void)
{
	return load_relaxed(&objects_in_use);
}
