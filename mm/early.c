/* The early allocator: RAM ranges of the loader minus what is in use, cut from the bottom. */
#include <mm/early.h>
#include <mm/mm.h>
#include <arch/cpu.h>
#include <arch/platform.h>
#include <kernel/panic.h>

enum { EARLY_MAX = BOOT_MAX_RANGES + 2 * BOOT_MAX_MODULES + 2 };

static struct {
	paddr_t base, end;
} pieces[EARLY_MAX];
static unsigned piece_count;
static bool active;

extern char __image_start[], __image_end[];

/* Add [base, end), unless it is empty. */
static void piece_add(paddr_t base, paddr_t end)
{
	if (base >= end)
		return;
	if (piece_count == EARLY_MAX)
		panic("early memory: more than %d pieces", EARLY_MAX);
	pieces[piece_count].base = base;
	pieces[piece_count++].end = end;
}

/* Remove a piece; those behind it move up. */
static void piece_del(unsigned i)
{
	for (; i + 1 < piece_count; i++)
		pieces[i] = pieces[i + 1];
	piece_count--;
}

/* Cut [base, end) out of every piece. */
static void piece_carve(paddr_t base, paddr_t end)
{
	for (unsigned i = 0; i < piece_count;) {
		paddr_t b = pieces[i].base, e = pieces[i].end;

		if (end <= b || base >= e) {
			i++;
			continue;
		}
		piece_del(i);
		piece_add(b, MAX(b, base));
		piece_add(MIN(e, end), e);
		i = 0;
	}
}

void mm_early_init(struct bootinfo *bi)
{
	for (unsigned i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];

		/* Frame 0 stays out: physical address 0 means "none" everywhere. */
		if (r->type == BOOT_MEM_RAM)
			piece_add(ALIGN_UP(MAX(r->base, PAGE_SIZE), PAGE_SIZE),
				  ALIGN_DOWN(r->base + r->len, PAGE_SIZE));
	}
	piece_carve(arch_kernel_phys(),
		    ALIGN_UP(arch_kernel_phys() + (u64)(__image_end - __image_start), PAGE_SIZE));
	for (unsigned i = 0; i < bi->module_count; i++)
		piece_carve(ALIGN_DOWN(bi->modules[i].base, PAGE_SIZE),
			    ALIGN_UP(bi->modules[i].base + bi->modules[i].len, PAGE_SIZE));
	active = true;
}

paddr_t early_alloc(u64 size, u64 align, paddr_t lo, paddr_t hi)
{
	unsigned best = EARLY_MAX;
	paddr_t at = 0;

	ASSERT(align && !(align & (align - 1)));
	size = ALIGN_UP(size, PAGE_SIZE);
	for (unsigned i = 0; i < piece_count; i++) {
		paddr_t start = ALIGN_UP(MAX(pieces[i].base, lo), align);

		if (start + size > MIN(pieces[i].end, hi) || start + size < start)
			continue;
		if (best == EARLY_MAX || start < at) {
			best = i;
			at = start;
		}
	}
	if (!active || best == EARLY_MAX)
		return 0;
	piece_carve(at, at + size);
	for (u64 done = 0; done < size; done += PAGE_SIZE)
		zero_page(phys_to_virt(at + done));
	return at;
}

void early_hand_over(void (*fn)(paddr_t base, u64 len))
{
	ASSERT(active);
	active = false;
	for (unsigned i = 0; i < piece_count; i++)
		fn(pieces[i].base, pieces[i].end - pieces[i].base);
	piece_count = 0;
}

bool early_active(void)
{
	return active;
}
