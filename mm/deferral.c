/* The deferral in force: a copy of the chosen one in which every hook is set. */
#include <mm/deferral.h>
#include <kernel/panic.h>

static bool no_defer(const struct page *src, struct tlb_context *ctx, vaddr_t va, pte_t old)
{
	(void)src, (void)ctx, (void)va, (void)old;
	return false;
}

static void no_held(struct page *src)
{
	panic("deferral %s deferred frame %#lx but has nowhere to hold it", deferral->name,
	      page_to_phys(src));
}

static struct page *no_frame(u32 node, unsigned order)
{
	(void)node, (void)order;
	return NULL;
}

static void no_upgrade(struct page *page)
{
	(void)page;
}

static void no_change(struct tlb_context *ctx, vaddr_t start, vaddr_t end)
{
	(void)ctx, (void)start, (void)end;
}

static void nothing(void)
{
}

static u64 none_held(void)
{
	return 0;
}

#define NO_HOOKS                                                                                   \
	.enable = nothing, .may_defer = no_defer, .frame_held = no_held, .frame_wanted = no_frame, \
	.write_upgrade = no_upgrade, .range_change = no_change, .settle = nothing,                 \
	.held = none_held

/* A copy with every hook set, so that call sites need no tests. */
static struct deferral active = {.name = "none", NO_HOOKS};
const struct deferral *deferral = &active;

#define KEEP(hook)                                                                                 \
	do {                                                                                       \
		if (wanted->hook)                                                                  \
			active.hook = wanted->hook;                                                \
	} while (0)

void deferral_use(u32 index)
{
	const struct deferral *wanted = deferrals[index];

	active = (struct deferral){.name = wanted->name,
				   .summary = wanted->summary,
				   .unsafe = wanted->unsafe,
				   .lends = wanted->lends,
				   NO_HOOKS};
	KEEP(enable);
	KEEP(may_defer);
	KEEP(frame_held);
	KEEP(frame_wanted);
	KEEP(write_upgrade);
	KEEP(range_change);
	KEEP(settle);
	KEEP(held);
	active.enable();
}

void deferral_settle(void)
{
	deferral->settle();
}
