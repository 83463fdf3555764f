/*
 * Nested page tables: see nested.h.
 *
 * Tables change with the shadow, under its lock, so the argument at the top of softmmu.c holds for them: a zap
 * takes the entry by a full barrier, then comes the flush, which raises ctx.gen. A CPU in the guest is asked by interrupt.
 * That ends the guest's run, and the handler marks its tag: the next run begins with a flush. A CPU that is about to
 * enter has looked at requests and generations with interrupts off (tlb_enter_stage2()), and one that comes later keeps
 * the guest from its first instruction.
 *
 * A level-0 table is linked while one of its entries is valid. Unlinking it is part of the zap of its last entry, and
 * the flush for that drops what walks have cached of it. No install can come before the flush is complete, as the change has
 * not ended: so a 2 MiB leaf never meets a table there, nor the other way round. Tables are made with the guest and
 * freed with it: no fault needs memory.
 *
 * An entry that was valid and is installed again may be held, with fewer rights, by the CPU that faulted; it forgets
 * the guest, rather than rely on what its hardware does by itself. Others do the same at their own fault.
 */
#include <mm/nested.h>
#include <mm/stats.h>
#include <kernel/error.h>
#include <arch/irq.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>

_Static_assert((unsigned)TLB_STAGE2_SLOTS <= (unsigned)GUEST_TAGS, "a tag for each slot");

/* A guest is on this CPU. Its own alone, interrupts off. */
struct nested_cpu {
	bool shot; /* a shootdown of its second stage came since it was entered last */
};
static PERCPU(struct nested_cpu, nested_cpu);

static struct nested_mmu *nested_of(struct softmmu *s)
{
	return container_of(s, struct nested_mmu, shadow);
}

/* ---- flushes ------------------------------------------------------------------- */

/* Interrupts off: by the handler, or on the way in. */
static void flush_all(struct tlb_context *ctx)
{
	struct nested_mmu *n = nested_of(container_of(ctx, struct softmmu, ctx));

	count(secondary_flushes);
	this_cpu_ptr(nested_cpu)->shot = true;
	n->hv->flush(tlb_stage2_slot());
}

/* Hardware drops no single guest-physical address together with what was made of it. */
static void flush_range(struct tlb_context *ctx, u64 start __unused, u64 end __unused,
			unsigned level __unused)
{
	flush_all(ctx);
}

static const struct tlb_stage2_ops stage2_ops = {.flush_range = flush_range,
						 .flush_all = flush_all};

/* ---- tables -------------------------------------------------------------------- */

/* The level-1 entry of a block: all tables above are there. */
static pte_t *block_entry(struct nested_mmu *n, u64 block)
{
	struct pt_pos pos = pgwalk_find_in(&n->format, n->root, block << PT_LEVEL_SHIFT(1), 1);

	ASSERT(pos.level == 1);
	return pos.ptep;
}

static void zapped(struct softmmu *s, u64 page, bool large)
{
	struct nested_mmu *n = nested_of(s);
	struct nested_block *b = &n->block[page / HUGE_PAGES];

	if (large) {
		pt_take(block_entry(n, page / HUGE_PAGES), pte_none());
		return;
	}
	pt_take(&b->table[page % HUGE_PAGES], pte_none());
	if (!--b->used)
		pt_take(block_entry(n, page / HUGE_PAGES), pte_none());
}

/* Over nothing, or over the same with other rights. */
static void set(pte_t *ptep, pte_t pte)
{
	if (pte_is_none(pte_load(ptep)))
		pt_install(ptep, pte);
	else
		pt_take(ptep, pte);
}

static void installed(struct softmmu *s, u64 page, bool large, paddr_t pa, bool writable,
		      bool again)
{
	struct nested_mmu *n = nested_of(s);
	struct nested_block *b = &n->block[page / HUGE_PAGES];
	pte_t leaf = n->format.mk_leaf(pa, PROT_READ | (writable ? PROT_WRITE : 0), large);

	if (large) {
		ASSERT(!b->used);
		set(block_entry(n, page / HUGE_PAGES), leaf);
	} else {
		set(&b->table[page % HUGE_PAGES], leaf);
		if (!again && !b->used++)
			pt_install(block_entry(n, page / HUGE_PAGES),
				   n->format.mk_table(virt_to_phys(b->table)));
	}
	if (again) {
		irqflags_t flags = irq_save();

		tlb_stage2_forget(&s->ctx);
		irq_restore(flags);
	}
}

static const struct softmmu_follower follower = {
	.stage2 = &stage2_ops,
	.zapped = zapped,
	.installed = installed,
};

/* ---- a run --------------------------------------------------------------------- */

static void enter(struct nested_mmu *n)
{
	tlb_enter_stage2(&n->shadow.ctx);
	this_cpu_ptr(nested_cpu)->shot = false;
}

/* The host's interrupts are taken, and served; the guest stays entered. Interrupts off again. */
static void take_interrupts(irqflags_t flags)
{
	irq_restore(flags);
	/* Some instructions between the two: x86 takes none before the end of the first (SDM vol. 2 STI). */
	ASSERT(irqs_enabled());
	irq_disable();
	if (this_cpu_ptr(nested_cpu)->shot)
		count(guest_exits_shootdown);
	else
		count(guest_exits_interrupt);
	this_cpu_ptr(nested_cpu)->shot = false;
}

/* Until it stops for something else than the host's interrupts. */
static void run_entered(struct nested_mmu *n, struct vcpu *v, struct guest_stop *stop)
{
	irqflags_t flags = irq_save();

	enter(n);
	for (;;) {
		n->hv->run(v, tlb_stage2_slot(), stop);
		if (stop->dropped_all)
			count(secondary_flushes_host);
		if (stop->why != GUEST_INTERRUPT)
			break;
		take_interrupts(flags);
	}
	tlb_leave_stage2();
	irq_restore(flags);
}

enum nested_result nested_run(struct nested_mmu *n, struct vcpu *v, struct guest_stop *stop)
{
	for (;;) {
		run_entered(n, v, stop);
		if (stop->why == GUEST_CALL) {
			count(guest_exits_call);
			return NESTED_CALL;
		}
		if (stop->why != GUEST_FAULT)
			return NESTED_BROKEN;
		if (stop->address >> PAGE_SHIFT >= n->shadow.pages ||
		    !softmmu_fault(&n->shadow, stop->address >> PAGE_SHIFT, stop->write))
			return NESTED_FAULT;
	}
}

/* ---- coming and going ------------------------------------------------------------ */

static void free_tables(struct nested_mmu *n)
{
	for (u64 i = 0; n->block && i < n->blocks; i++) {
		if (n->block[i].used)
			pt_take(block_entry(n, i), pte_none());
		if (n->block[i].table)
			pt_table_free(n->block[i].table);
	}
	if (n->root) {
		pgwalk_free_tables(&n->format, n->root);
		pt_root_free(&n->format, n->root);
	}
	if (n->block)
		kmem.free(n->block, n->blocks * sizeof(n->block[0]));
}

/* All tables, empty. */
static int alloc_tables(struct nested_mmu *n, u32 node)
{
	n->block = kmem.alloc(n->blocks * sizeof(n->block[0]), node);
	n->root = pt_root_alloc(&n->format, node);
	if (!n->block || !n->root)
		return -ENOMEM;
	for (u64 i = 0; i < n->blocks; i++) {
		n->block[i].table = pt_table_alloc(node, 0);
		if (!n->block[i].table ||
		    !pgwalk_create(&n->format, n->root, i << PT_LEVEL_SHIFT(1), 1, node).ptep)
			return -ENOMEM;
	}
	return 0;
}

int nested_create(struct nested_mmu *n, const struct hypervisor *hv, struct aspace *as,
		  vaddr_t base, u64 pages, u32 node)
{
	*n = (struct nested_mmu){
		.hv = hv,
		.format = {.name = "nested",
			   .start_level = hv->start_level,
			   .root_entries = hv->root_entries,
			   .own_entries = hv->root_entries,
			   .mk_leaf = hv->mk_leaf,
			   .mk_table = hv->mk_table,
			   .is_table = hv->is_table,
			   .pa = hv->pa,
			   .block_ok = hv->block_ok},
		.blocks = (pages + HUGE_PAGES - 1) / HUGE_PAGES,
	};
	if (pages > NESTED_SYSTEM >> PAGE_SHIFT)
		return -ERANGE;
	int err = alloc_tables(n, node);

	if (!err)
		err = softmmu_create_followed(&n->shadow, as, base, pages, node, &follower,
					      virt_to_phys(n->root));
	if (err)
		free_tables(n);
	return err;
}

void nested_destroy(struct nested_mmu *n)
{
	softmmu_destroy(&n->shadow);
	free_tables(n);
}

int nested_map(struct nested_mmu *n, u64 at, const void *memory, u64 bytes)
{
	return pgwalk_map_range(&n->format, n->root, at, virt_to_phys(memory), bytes, PROT_WRITE,
				false);
}
