/*
 * The physical memory map: ranges sorted by address, disjoint, from unsorted
 * and overlapping input of bounded size. Losing RAM is safe, losing a
 * reservation is not: that decides every case in which the table is full.
 * The modules are here because their memory must be reserved in it.
 */
#include <boot/bootinfo.h>
#include <kernel/string.h>

/* Who wins where two ranges overlap. */
static unsigned range_rank(enum boot_mem_type type)
{
	switch (type) {
	case BOOT_MEM_RAM:
		return 0;
	case BOOT_MEM_ACPI:
		return 1;
	case BOOT_MEM_NVS:
		return 2;
	default:
		return 3;
	}
}

static u64 range_end(const struct boot_range *r)
{
	return r->base + r->len;
}

static void range_delete(struct bootinfo *bi, unsigned i)
{
	struct boot_range *r = &bi->ranges[i];

	memmove(r, r + 1, (--bi->range_count - i) * sizeof(*r));
}

static void range_insert(struct bootinfo *bi, unsigned i, u64 base, u64 end,
			 enum boot_mem_type type)
{
	struct boot_range *r = &bi->ranges[i];

	memmove(r + 1, r, (bi->range_count++ - i) * sizeof(*r));
	r->base = base;
	r->len = end - base;
	r->type = type;
}

/* First range that ends above addr; range_count if there is none. */
static unsigned range_above(const struct bootinfo *bi, u64 addr)
{
	unsigned i = 0;

	while (i < bi->range_count && range_end(&bi->ranges[i]) <= addr)
		i++;
	return i;
}

/*
 * The cheapest way to free a slot, in bytes of RAM that it may lose: to drop the
 * RAM range at *at, or to join it, reserved, with the reserved one behind it and
 * the gap between them (no RAM so far, but input is unsorted).
 */
static u64 range_cheapest(const struct bootinfo *bi, unsigned *at)
{
	const struct boot_range *r = bi->ranges;
	u64 best = ~0ULL;

	*at = 0;
	for (unsigned i = 0; i < bi->range_count; i++) {
		u64 cost = r[i].len;

		if (r[i].type != BOOT_MEM_RAM) {
			if (i + 1 == bi->range_count || r[i + 1].type == BOOT_MEM_RAM)
				continue;
			cost = r[i + 1].base - range_end(&r[i]);
		}
		if (cost < best) {
			best = cost;
			*at = i;
		}
	}
	return best;
}

/* Frees one slot of a full table. */
static void range_make_room(struct bootinfo *bi)
{
	struct boot_range *r;
	unsigned i;

	range_cheapest(bi, &i);
	r = &bi->ranges[i];
	if (r->type == BOOT_MEM_RAM) {
		boot_warn(bi, "memory map: more than %u ranges: RAM 0x%lx+0x%lx not used",
			  BOOT_MAX_RANGES, r->base, r->len);
	} else {
		r[1].len = range_end(&r[1]) - r->base;
		r[1].base = r->base;
		r[1].type = BOOT_MEM_RESERVED;
		boot_warn(bi, "memory map: more than %u ranges: all of 0x%lx+0x%lx reserved",
			  BOOT_MAX_RANGES, r[1].base, r[1].len);
	}
	range_delete(bi, i);
}

/*
 * Takes [base, end) out of all ranges of lower rank. Only a range that holds
 * the whole of it is split, and then it is the only one concerned.
 */
static void range_cut_lower(struct bootinfo *bi, u64 base, u64 end, unsigned rank)
{
	unsigned i = range_above(bi, base);

	while (i < bi->range_count && bi->ranges[i].base < end) {
		struct boot_range *r = &bi->ranges[i];
		u64 old_end = range_end(r);

		if (range_rank(r->type) >= rank) {
			i++;
		} else if (r->base < base && old_end > end) {
			if (bi->range_count == BOOT_MAX_RANGES) {
				range_make_room(bi);
				i = range_above(bi, base);
				continue;
			}
			r->len = base - r->base;
			range_insert(bi, i + 1, end, old_end, r->type);
			return;
		} else if (r->base < base) {
			r->len = base - r->base;
			i++;
		} else if (old_end > end) {
			r->base = end;
			r->len = old_end - end;
			return;
		} else {
			range_delete(bi, i);
		}
	}
}

/* A full table: gives up this piece of RAM (true) or something else (false: look again). */
static bool range_give_up(struct bootinfo *bi, u64 base, u64 end, enum boot_mem_type type)
{
	unsigned at;

	if (type != BOOT_MEM_RAM || range_cheapest(bi, &at) < end - base) {
		range_make_room(bi);
		return false;
	}
	boot_warn(bi, "memory map: more than %u ranges: RAM 0x%lx+0x%lx not used", BOOT_MAX_RANGES,
		  base, end - base);
	return true;
}

/*
 * Adds [base, end), which overlaps nothing, joining it with neighbours of its
 * type. False: something had to make room first, so it may overlap now.
 */
static bool range_add_free(struct bootinfo *bi, u64 base, u64 end, enum boot_mem_type type)
{
	struct boot_range *r = bi->ranges;
	unsigned i = range_above(bi, base);
	bool left = i > 0 && r[i - 1].type == type && range_end(&r[i - 1]) == base;
	bool right = i < bi->range_count && r[i].type == type && r[i].base == end;

	if (left && right) {
		r[i - 1].len = range_end(&r[i]) - r[i - 1].base;
		range_delete(bi, i);
	} else if (left) {
		r[i - 1].len = end - r[i - 1].base;
	} else if (right) {
		r[i].len = range_end(&r[i]) - base;
		r[i].base = base;
	} else if (bi->range_count < BOOT_MAX_RANGES) {
		range_insert(bi, i, base, end, type);
	} else {
		return range_give_up(bi, base, end, type);
	}
	return true;
}

/*
 * The end of what can be used of [base, end), for what was said to be `len` long. Devices
 * far up are no news; RAM that is lost is.
 */
static u64 range_reach(struct bootinfo *bi, u64 base, u64 end, u64 len, enum boot_mem_type type)
{
	u64 limit = bi->phys_limit;

	if (!limit || end <= limit)
		return end;
	if (type != BOOT_MEM_RESERVED)
		boot_warn(bi, "memory map: 0x%lx+0x%lx not used above 0x%lx, out of reach", base,
			  len, limit);
	return MAX(base, limit);
}

void boot_add_range(struct bootinfo *bi, paddr_t base, u64 len, enum boot_mem_type type)
{
	u64 end = base + len;

	if (!len) {
		boot_note(bi, "memory map: empty range at 0x%lx ignored", base);
		return;
	}
	if (end < base) {
		/* Ending exactly at 2^64 is no error, but the last byte has no end address. */
		if (end)
			boot_warn(bi, "memory map: 0x%lx+0x%lx is longer than the address space",
				  base, len);
		end = ~0ULL;
	}
	end = range_reach(bi, base, end, len, type);
	if (base == end)
		return;
	range_cut_lower(bi, base, end, range_rank(type));
	for (u64 pos = base; pos < end;) {
		unsigned i = range_above(bi, pos);
		u64 free_end = end, next = end;

		if (i < bi->range_count && bi->ranges[i].base < end) {
			free_end = bi->ranges[i].base;
			next = range_end(&bi->ranges[i]);
		}
		if (free_end <= pos || range_add_free(bi, pos, free_end, type))
			pos = next;
	}
}

bool boot_has_ram(const struct bootinfo *bi)
{
	for (unsigned i = 0; i < bi->range_count; i++) {
		if (bi->ranges[i].type == BOOT_MEM_RAM)
			return true;
	}
	return false;
}

void boot_add_e820(struct bootinfo *bi, paddr_t base, u64 len, u32 type)
{
	/* ACPI 6.5 table 15.1: 1 RAM, 3 reclaimable, 4 NVS; all others are not to be touched. */
	static const enum boot_mem_type types[] = {
		BOOT_MEM_RESERVED, BOOT_MEM_RAM, BOOT_MEM_RESERVED, BOOT_MEM_ACPI, BOOT_MEM_NVS,
	};

	boot_add_range(bi, base, len, type < ARRAY_SIZE(types) ? types[type] : BOOT_MEM_RESERVED);
}

void boot_add_module(struct bootinfo *bi, paddr_t base, u64 len)
{
	if (!len)
		return;
	if (base + len < base) {
		boot_warn(bi, "module at 0x%lx: length 0x%lx wraps around", base, len);
		return;
	}
	boot_add_range(bi, base, len, BOOT_MEM_RESERVED);
	if (bi->module_count == BOOT_MAX_MODULES) {
		boot_warn(bi, "module at 0x%lx: more than %u modules, not used", base,
			  BOOT_MAX_MODULES);
		return;
	}
	bi->modules[bi->module_count].base = base;
	bi->modules[bi->module_count++].len = len;
}
