/* look frames, look debts, look va: the state of the memory manager. */
#include <kernel/command.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/registry.h>
#include <kernel/string.h>
#include <mm/aspace.h>
#include <mm/deferral.h>
#include <mm/numa.h>
#include <mm/pmm.h>

/* ---- frames ----------------------------------------------------------------------- */

static unsigned look_frames(int argc, char **argv)
{
	struct pmm_node_stats s;
	unsigned rc = command_args("look frames", NULL, &argc, argv, 0, 0);

	if (rc)
		return rc;
	kprintf("frames of 4 KiB, but for the blocks:\n"
		"node     total      free    cached quarantine       min       low  free blocks of "
		"4 KiB .. 2 MiB\n");
	for (u32 node = 0; node < numa_node_count(); node++) {
		pmm_node_stats(node, &s);
		kprintf("%4u %9lu %9lu %9lu %10lu %9lu %9lu ", node, s.total, s.free, s.cached,
			s.quarantined, s.watermark_min, s.watermark_low);
		for (unsigned i = 0; i <= PMM_MAX_ORDER; i++)
			kprintf(" %lu", s.free_blocks[i]);
		kprintf("\n");
	}
	kprintf("in use: %lu frames of 4 KiB\n", pmm_used());
	return RC_PASS;
}

LOOK(look_at_frames) = {
	.name = "frames",
	.usage = "",
	.summary = "page frames by node: free, cached, in quarantine, watermarks",
	.run = look_frames,
};

/* ---- debts ------------------------------------------------------------------------- */

static unsigned look_debts(int argc, char **argv)
{
	unsigned rc = command_args("look debts", NULL, &argc, argv, 0, 0);
	struct pmm_node_stats s;

	if (rc)
		return rc;
	kprintf("defer=%s: %s\nframes held back: %lu", deferral->name, deferral->summary,
		deferral->held());
	for (u32 node = 0; node < numa_node_count(); node++) {
		pmm_node_stats(node, &s);
		kprintf("%s node %u: %lu", node ? "," : "; in quarantine on", node, s.quarantined);
	}
	kprintf("\n");
	if (deferral->unsafe)
		kprintf("UNSAFE: %s\n", deferral->unsafe);
	return RC_PASS;
}

LOOK(look_at_debts) = {
	.name = "debts",
	.usage = "",
	.summary = "flushes owed, and the frames held back for them",
	.run = look_debts,
};

/* ---- va ------------------------------------------------------------------------------ */

static const char *entry_kind(pte_t pte, unsigned level)
{
	if (pte_is_none(pte))
		return "none";
	if (pte_is_migration(pte))
		return "migration";
	if (pte_is_hint(pte))
		return "hint";
	return pte_is_leaf(pte, level) ? "leaf" : "table";
}

static void print_leaf(pte_t pte, unsigned level)
{
	const struct page *page = phys_to_page(pte_pa(pte, level));

	kprintf("  frame %#lx node %u refs %u pins %u mapped %u", pte_pa(pte, level), page->node,
		page_refs(page), page_pins(page), load_relaxed(&page->mapcount));
	if (pte_is_present(pte))
		kprintf("  %s%s%s%s", pte_is_writable(pte) ? "w" : "r",
			pte_prot(pte) & PROT_EXEC ? "x" : "", pte_is_dirty(pte) ? " dirty" : "",
			pte_is_accessed(pte) ? " accessed" : "");
	kprintf("\n");
}

/* Read side of the space's lock held: areas and tables stay. */
static void print_walk(struct aspace *as, vaddr_t va)
{
	struct pt_pos pos = pgwalk_find(as->root, va, 0);
	pte_t pte = pte_load(pos.ptep);

	kprintf("  level %u entry %#lx %s\n", pos.level, pte.v, entry_kind(pte, pos.level));
	if (!pte_is_none(pte) && !pte_is_table(pte, pos.level))
		print_leaf(pte, pos.level);
}

static void look_in_space(struct aspace *as, vaddr_t va)
{
	struct area *area;

	read_lock(&as->lock);
	area = aspace_find(as, va);
	if (!area) {
		kprintf("space %u %s: %#lx is in no area\n", as->id, as->name, va);
	} else {
		kprintf("space %u %s: area %#lx-%#lx %s%s, object page %lu\n", as->id, as->name,
			area->start, area->end, area->prot & PROT_WRITE ? "rw" : "ro",
			area->huge ? " 2 MiB" : "",
			area->offset + ((va - area->start) >> PAGE_SHIFT));
		print_walk(as, va);
	}
	read_unlock(&as->lock);
}

/* Spaces come and go with commands, and this is the command that runs: they stay while we print. */
struct space_list {
	struct aspace *space[64];
	unsigned count, dropped;
};

static void note_space(struct aspace *as, void *arg)
{
	struct space_list *list = arg;

	if (list->count < ARRAY_SIZE(list->space))
		list->space[list->count++] = as;
	else
		list->dropped++;
}

static void list_spaces(struct space_list *list)
{
	aspace_for_each(note_space, list);
	if (!list->count)
		kprintf("no address space exists; bench --keep leaves one\n");
	if (list->dropped)
		kprintf("%u more spaces\n", list->dropped);
}

static void look_in_all(vaddr_t va)
{
	struct space_list list = {.count = 0};

	list_spaces(&list);
	for (unsigned i = 0; i < list.count; i++)
		look_in_space(list.space[i], va);
}

static unsigned look_va(int argc, char **argv)
{
	unsigned rc = command_args("look va", NULL, &argc, argv, 1, 2);
	struct aspace *as = NULL;
	vaddr_t va;

	if (rc)
		return rc;
	if (argc == 3 && !(as = aspace_lookup(argv[1])))
		return command_usage_error("look", "va: %.40s: no such space", argv[1]);
	if (parse_u64(argv[argc - 1], &va) || va >= PT_VA_LOW_END)
		return command_usage_error("look", "va: %.40s: not a workload's address",
					   argv[argc - 1]);
	if (as)
		look_in_space(as, va);
	else
		look_in_all(va);
	return RC_PASS;
}

LOOK(look_at_va) = {
	.name = "va",
	.usage = "[SPACE] ADDR",
	.summary = "the area, the entry and the frame behind an address, in one space or in all",
	.run = look_va,
};

/* ---- spaces --------------------------------------------------------------------------- */

static void print_policy(const struct area *area)
{
	static const char *const names[] = {"prefer", "interleave", "bind"};
	u64 nodes = area->nodes;

	if (area->placement == PLACE_PREFERRED && area->node == BOOT_NODE_NONE) {
		kprintf("default");
		return;
	}
	if (area->placement == PLACE_PREFERRED)
		nodes = 1UL << area->node;
	kprintf("%s", names[area->placement]);
	for (char separator = ':'; nodes; nodes &= nodes - 1, separator = ',')
		kprintf("%c%u", separator, (u32)__builtin_ctzl(nodes));
}

/* A line as in Linux's numa_maps: address, policy, pages on each node. */
static void print_area(struct aspace *as, const struct area *area)
{
	u64 pages[MAX_NODES] = {0}, all = 0;

	aspace_count_nodes(as, area->start, area->end - area->start, pages);
	for (u32 node = 0; node < MAX_NODES; node++)
		all += pages[node];
	kprintf("%lx ", area->start);
	print_policy(area);
	kprintf(" anon=%lu", all);
	for (u32 node = 0; node < MAX_NODES; node++)
		if (pages[node])
			kprintf(" N%u=%lu", node, pages[node]);
	kprintf(" kernelpagesize_kB=%lu\n", PAGE_SIZE >> 10);
}

/* The heading of a space: how fast the NUMA scan goes through it, if it did. */
static void print_space(struct aspace *as)
{
	u64 period = load_relaxed(&as->scan_period);

	kprintf("space %u %s", as->id, as->name);
	if (period)
		kprintf(", NUMA scan: a pass in %lu us", period / 1000);
	kprintf("\n");
}

static unsigned look_spaces(int argc, char **argv)
{
	struct space_list list = {.count = 0};
	unsigned rc = command_args("look spaces", NULL, &argc, argv, 0, 0);
	struct area *area;

	if (rc)
		return rc;
	list_spaces(&list);
	for (unsigned i = 0; i < list.count; i++) {
		struct aspace *as = list.space[i];

		print_space(as);
		read_lock(&as->lock);
		list_for_each_entry (area, &as->areas, link)
			print_area(as, area);
		read_unlock(&as->lock);
	}
	return RC_PASS;
}

LOOK(look_at_spaces) = {
	.name = "spaces",
	.usage = "",
	.summary = "address spaces, pace of the NUMA scan; areas, policies and pages by node as in "
		   "Linux's numa_maps",
	.run = look_spaces,
};
