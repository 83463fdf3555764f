/*
 * The hypervisor of arm64: EL2 with a second stage (Arm ARM D8). The kernel stays at EL1; a guest runs at EL1, too, while
 * HCR_EL2 has stage 2 on, and el2.S exchanges the two.
 *
 * The guest's own translation is on, by tables of ours (fill_own()): 1 GiB blocks of normal memory. With it off all that the
 * guest does would be to device memory: not what the host has cached, and without exclusives.
 *
 * Tags are VMIDs, tag + 1, as the host has 0; each CPU numbers its own, as CPUs do not share entries (VTTBR_EL2.CnP is 0). A TLBI by
 * guest-physical address (IPAS2E1) drops what a CPU has of stage 2, and nothing of what was made of both stages, which only
 * VMALLE1 drops, whole: so a flush is one of the VMID, both stages, which the next run carries out at EL2. Its walks
 * come after that.
 */
#include <arch/hypervisor.h>
#include <arch/platform.h>
#include <asm/hyp.h>
#include <asm/mmu.h>
#include <asm/stage2.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/smp.h>
#include <kernel/string.h>

enum { VECTORS = 16, VECTOR_BYTES = 128 }; /* Arm ARM D1.3.1.5 */

struct vcpu {
	struct el2_vcpu el2;
	paddr_t root; /* of the second stage */
};

static PERCPU(u32, flush_next); /* tags to be flushed when they run next */

/* ---- EL2's own tables: what it uses, at its physical address ----------------------- */

static pte_t *el2_root; /* NULL: not enabled */

/* AP[1] is RES1, and XN is in the place of UXN: there is one privilege level. */
static pte_t el2_leaf(paddr_t pa, prot_t prot)
{
	return (pte_t){pa | PTE_ATTR(MAIR_NORMAL) | PTE_SH_INNER | PTE_AF | PTE_USER | PTE_TYPE |
		       PTE_VALID | (prot & PROT_WRITE ? 0 : PTE_RDONLY) |
		       (prot & PROT_EXEC ? 0 : PTE_UXN)};
}

/* What is there stays: a page is always mapped the same way. False: no memory. */
static bool el2_map(paddr_t pa, prot_t prot, u32 node)
{
	pte_t *table = el2_root;

	for (unsigned level = PT_LEVELS - 1; level; level--) {
		pte_t *entry = &table[PT_INDEX(pa, level)];

		if (pte_is_none(*entry)) {
			pte_t *next = kmem.alloc(PAGE_SIZE, node);

			if (!next)
				return false;
			/* Its zeroes before it. Partner: walks of EL2, on any CPU, which depend on the entry. */
			smp_wmb();
			pte_store(entry, pte_mk_table(virt_to_phys(next)));
		}
		table = phys_to_virt(pte_pa(*entry, level));
	}
	pte_store(&table[PT_INDEX(pa, 0)], el2_leaf(pa, prot));
	/* Partner: walks of EL2, on CPUs that hear of pa later. */
	pt_publish();
	return true;
}

static void el2_free(pte_t *table, unsigned level)
{
	for (unsigned i = 0; level && i < PT_ENTRIES; i++)
		if (pte_is_table(table[i], level))
			el2_free(phys_to_virt(pte_pa(table[i], level)), level - 1);
	kmem.free(table, PAGE_SIZE);
}

/* Code of the image, from one address to another. */
static bool el2_map_code(const char *start, const char *end, u32 node)
{
	for (const char *page = (const char *)ALIGN_DOWN((u64)start, PAGE_SIZE); page < end;
	     page += PAGE_SIZE)
		if (!el2_map(image_to_phys(page), PROT_EXEC, node))
			return false;
	return true;
}

static bool el2_make_tables(u32 node)
{
	el2_root = kmem.alloc(PAGE_SIZE, node);
	return el2_root && el2_map_code(el2_start, el2_end, node) &&
	       el2_map_code(el2_vectors, el2_vectors + VECTORS * VECTOR_BYTES, node);
}

static void el2_free_tables(void)
{
	if (el2_root)
		el2_free(el2_root, PT_LEVELS - 1);
	el2_root = NULL;
}

/* ---- CPUs ---------------------------------------------------------------------- */

/* PARange of this CPU as TCR_EL2.PS and VTCR_EL2.PS have it: 48 bits at most, as in TCR_EL1. */
static u64 address_size(void)
{
	return (u64)MIN(id_field(sysreg_read(id_aa64mmfr0_el1), 0), 5U) << TCR_EL2_PS_SHIFT;
}

static void enable_here(void *arg __unused)
{
	u64 tcr = TCR_EL2_RES1 | TCR_T0SZ | TCR_WALK0 | address_size();
	u64 vtcr = VTCR_RES1 | GUEST_T0SZ | TCR_WALK0 | 1 << VTCR_SL0_SHIFT | address_size();

	*this_cpu_ptr(flush_next) = ~0U;
	if (hyp_call(HYP_SET_VECTORS, image_to_phys(el2_vectors), 0, 0) ||
	    hyp_call(HYP_START, virt_to_phys(el2_root), tcr, vtcr))
		panic("EL2 of CPU %u is not this kernel's", cpu_id());
}

static void disable_here(void *arg __unused)
{
	hyp_call(HYP_STOP, image_to_phys(hyp_stub_vectors), 0, 0);
}

static int enable(void)
{
	ASSERT(!el2_root);
	if (!el2_make_tables(this_cpu_ptr(cpu_self)->node)) {
		el2_free_tables();
		return -ENOMEM;
	}
	smp_call(&cpu_online, enable_here, NULL);
	return 0;
}

static void disable(void)
{
	smp_call(&cpu_online, disable_here, NULL);
	el2_free_tables();
}

/* ---- virtual CPUs ---------------------------------------------------------------- */

enum { OWN_VECTORS = 1, OWN_PAGES }; /* the root comes first */
#define HVC_INSTRUCTION(immediate) (0xd4000002u | (immediate) << 5) /* Arm ARM C6.2 */

/* Whatever the guest takes itself ends it. */
static void fill_vectors(char *vectors)
{
	for (unsigned i = 0; i < VECTORS; i++)
		*(u32 *)(vectors + i * VECTOR_BYTES) = HVC_INSTRUCTION(GUEST_HVC_VECTOR);
}

static void fill_own(void *pages, u64 at __unused)
{
	pte_t *root = pages;

	memset(pages, 0, OWN_PAGES * PAGE_SIZE);
	for (u64 i = 0; i < PT_ENTRIES; i++)
		root[i] = pte_mk_leaf(i << PT_LEVEL_SHIFT(2), PROT_WRITE | PROT_EXEC, 2);
	fill_vectors((char *)pages + OWN_VECTORS * PAGE_SIZE);
}

/* The lower half alone, of 39 bits; walks as the host's. */
static u64 guest_tcr(void)
{
	u64 size = address_size() >> TCR_EL2_PS_SHIFT;

	return GUEST_T0SZ | TCR_WALK0 | TCR_EPD1 | size << TCR_IPS_SHIFT;
}

static struct vcpu *create(const struct vcpu_start *start, u32 node)
{
	struct vcpu *v = kmem.alloc(sizeof(*v), node);

	_Static_assert(sizeof(*v) <= PAGE_SIZE, "kmem gives whole pages, and EL2 maps one");
	if (!v)
		return NULL;
	if (!el2_map(virt_to_phys(v), PROT_WRITE, node)) {
		kmem.free(v, sizeof(*v));
		return NULL;
	}
	v->root = start->root;
	v->el2.x[0] = start->arg;
	v->el2.sp = start->sp;
	v->el2.pc = start->pc;
	v->el2.pstate = SPSR_EL1H_MASKED;
	v->el2.ttbr0 = start->own;
	v->el2.tcr = guest_tcr();
	v->el2.tcr_no_walks = v->el2.tcr | TCR_EPD0;
	v->el2.vbar = start->own + OWN_VECTORS * PAGE_SIZE;
	return v;
}

static void destroy(struct vcpu *v)
{
	kmem.free(v, sizeof(*v));
}

static void run(struct vcpu *v, unsigned tag, struct guest_stop *stop)
{
	u32 *due = this_cpu_ptr(flush_next);

	*stop = (struct guest_stop){0};
	v->el2.vttbr = v->root | (u64)(tag + 1) << VTTBR_VMID_SHIFT;
	v->el2.flush = *due >> tag & 1;
	*due &= ~(1U << tag);
	if (unlikely(el2_run(virt_to_phys(v))))
		panic("CPU %u cannot run guests: it came online later", cpu_id());
	stage2_read_exit(v->el2.vector, v->el2.esr, v->el2.far, stop);
	if (likely(stop->why != GUEST_BROKEN))
		return;
	stop->pc = v->el2.pc;
	if (stage2_exit_is_own(v->el2.vector, v->el2.esr)) {
		stop->code = v->el2.esr_el1;
		stop->pc = v->el2.elr_el1;
	}
}

static void flush(unsigned tag)
{
	*this_cpu_ptr(flush_next) |= 1U << tag;
}

static const struct hypervisor el2 = {
	.name = "EL2 with a second stage",
	.start_level = S2_START_LEVEL,
	.root_entries = PT_ENTRIES,
	.mk_leaf = stage2_leaf,
	.mk_table = pte_mk_table,
	.is_table = pte_is_table,
	.pa = pte_pa,
	.block_ok = pt_block_ok,
	.own_pages = OWN_PAGES,
	.fill_own = fill_own,
	.enable = enable,
	.disable = disable,
	.create = create,
	.destroy = destroy,
	.run = run,
	.flush = flush,
};

/* The stub tells of HCR_EL2, so it is asked while it is there: before any guest. */
const struct hypervisor *hypervisor_find(const char **why)
{
	static const char *refusal;
	static u32 known; /* release and acquire; all who are first find the same */

	if (!load_acquire(&known)) {
		u64 hcr = arm64_entry_el == 2 ? (u64)hyp_call(HYP_READ_HCR, 0, 0, 0) : 0;

		refusal = stage2_refusal(arm64_entry_el, hcr, sysreg_read(id_aa64mmfr0_el1));
		store_release(&known, 1);
	}
	if (!refusal)
		return &el2;
	*why = refusal;
	return NULL;
}
