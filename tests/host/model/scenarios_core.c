/* Scenarios of the shootdown core by itself, for what no operation on a space asks of it yet. */
#include "model.h"

#include <mm/oracle.h>

static struct aspace *a, *b;

#define VA MODEL_VA
#define VA2 (MODEL_VA + PAGE_SIZE)

/* ---- many spaces in one shootdown ------------------------------------------------------------ */

static void setup_expire(void)
{
	a = work_space("a", VA, 2, RW);
	b = work_space("b", VA, 1, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++) {
		work_load(b, cpu);
		if (cpu == 0)
			work_drop_begins(VA);
		work_load(a, cpu);
	}
	work_drop_begins(VA);
}

/* The entry goes, and nobody has been told yet. */
static struct page *take_down(struct aspace *as, vaddr_t va)
{
	pte_t *ptep = pgwalk_find(as->root, va, 0).ptep;

	spin_lock(pt_lock_of(ptep));
	struct page *page = phys_to_page(pte_pa(pt_take(ptep, pte_none()), 0));

	oracle_unmapped(page, &as->ctx, va, ORACLE_SITE(ORACLE_OTHER));
	atomic_fetch_add(&page->mapcount, -1U);
	spin_unlock(pt_lock_of(ptep));
	return page;
}

static void free_of_both(unsigned cpu)
{
	struct cpumask cpus;
	struct page *page[] = {take_down(a, VA), take_down(b, VA)};

	cpumask_clear(&cpus);
	tlb_expire_lazy(&a->ctx, &cpus);
	tlb_expire_lazy(&b->ctx, &cpus);
	tlb_flush_cpus(&cpus);
	for (unsigned i = 0; i < ARRAY_SIZE(page); i++)
		page_put(page[i], PAGE_REF);
	work_read(VA, cpu, 1);
	work_read(VA2, cpu, cpu);
}

static void through_both(unsigned cpu)
{
	work_write(VA, cpu);
	aspace_load(b);
	work_write(VA, cpu);
	aspace_load(a);
	work_read(VA, cpu, cpu);
	aspace_load(b);
	work_read(VA, cpu, cpu);
}

static void lazy_and_back(unsigned cpu)
{
	work_write(VA2, cpu);
	aspace_load(NULL);
	fake_point(42);
	aspace_load(b);
	work_read(VA, cpu, 1);
	aspace_load(a);
	work_read(VA2, cpu, cpu);
}

const struct scenario flush_cpus = {
	.name = "flush-cpus",
	.summary = "pages of two spaces are freed after one flush of all that CPUs hold",
	.cpus = 3,
	.setup = setup_expire,
	.program = {free_of_both, through_both, lazy_and_back},
	.end = NULL,
};

/* ---- a flush that is owed, and settled at once ------------------------------------------------ */

/* CPU 1 has left the space, and kept what it holds of it. */
static void setup_owed(void)
{
	setup_expire();
	work_load(b, 1);
}

/* The flush of those who have not flushed since. */
static void settle_and_free(struct page *page)
{
	struct cpumask cpus;

	cpumask_clear(&cpus);
	tlb_owing_cpus(&a->ctx, load_relaxed(&a->ctx.owed), true, &cpus);
	if (!cpumask_empty(&cpus))
		tlb_flush_owed(&a->ctx, &cpus);
	page_put(page, PAGE_REF);
}

static void free_owed(unsigned cpu)
{
	struct page *page = take_down(a, VA);

	tlb_owe(&a->ctx);
	settle_and_free(page);
	work_read(VA2, cpu, cpu);
}

static u32 back; /* relaxed on purpose: it orders nothing */

static void come_back(unsigned cpu)
{
	aspace_load(a);
	store_relaxed(&back, 1U);
	work_read(VA, cpu, cpu);
}

const struct scenario flush_owed = {
	.name = "flush-owed",
	.summary = "a page is freed after a flush that was owed, while a CPU loads its space",
	.cpus = 2,
	.setup = setup_owed,
	.program = {free_owed, come_back},
};

/* CPU 0 comes into a slot that has the generation of a space that is gone, a later one than a's. */
static void setup_taken(void)
{
	setup_expire();
	back = 0;
	for (unsigned i = 0; i < EVIDENCE_SLOTS; i++) {
		struct aspace *old = aspace_create("old", 0);

		work_load(old, 0);
		for (unsigned flushes = 0; flushes < 8; flushes++)
			tlb_flush_context(&old->ctx);
		work_load(NULL, 0);
		aspace_destroy(old);
	}
}

static void free_when_back(unsigned cpu)
{
	struct page *page = take_down(a, VA);

	tlb_owe(&a->ctx);
	while (!load_relaxed(&back))
		cpu_relax();
	settle_and_free(page);
	work_read(VA2, cpu, cpu);
}

const struct scenario flush_taken = {
	.name = "flush-taken",
	.summary = "a page is freed after a flush that was owed, while a CPU loads its space into "
		   "a slot that another had",
	.cpus = 2,
	.setup = setup_taken,
	.program = {come_back, free_when_back},
};

/* ---- a second stage --------------------------------------------------------------------------- */

/* One entry, of the second stage's only page: a frame's number; 0 is none. */
static u64 entry;
static struct tlb_context guest;
static u64 freed; /* frames up to this number */

/* What a CPU holds of it, under a tag, also when it is not entered. */
static u64 guest_tlb[FAKE_CPUS];
static bool runs[FAKE_CPUS];

enum { GPA = 0x5000 };

static void guest_flush_all(struct tlb_context *ctx __unused)
{
	smp_mb(); /* as the instruction does: after earlier loads, before later walks */
	guest_tlb[cpu_id()] = 0;
}

static void guest_flush_range(struct tlb_context *ctx, u64 start, u64 end, unsigned level __unused)
{
	if (start <= GPA && end > GPA)
		guest_flush_all(ctx);
}

static const struct tlb_stage2_ops guest_ops = {.flush_range = guest_flush_range,
						.flush_all = guest_flush_all};

static void setup_guest(void)
{
	a = work_space("a", VA, 1, RW);
	b = work_space("b", VA, 1, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	tlb_stage2_init(&guest, PAGE_SIZE, &guest_ops);
	store_relaxed(&entry, 1UL);
}

/* The guest touches its page: by what this CPU holds, or by a walk that it then remembers. */
static void guest_access(unsigned cpu)
{
	if (!guest_tlb[cpu])
		guest_tlb[cpu] = load_relaxed(&entry);
	if (guest_tlb[cpu] && guest_tlb[cpu] <= freed)
		fake_fail("I1: a guest on CPU %u uses frame %lu, which was freed", cpu,
			  guest_tlb[cpu]);
}

static void check_guests(void)
{
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		if (runs[cpu] && guest_tlb[cpu] && guest_tlb[cpu] <= freed)
			fake_fail("I1: frame %lu is freed while a guest on CPU %u may use it",
				  guest_tlb[cpu], cpu);
}

/* Entered twice in a row: between its two runs the guest is stopped for interrupts. */
static void run_guest(unsigned cpu)
{
	irqflags_t flags = irq_save();

	tlb_enter_stage2(&guest);
	for (unsigned run = 0; run < 2; run++) {
		smp_mb(); /* entering the guest */
		runs[cpu] = true;
		guest_access(cpu);
		fake_point(43);
		guest_access(cpu);
		irq_restore(flags);
		fake_point(43);
		flags = irq_save();
	}
	runs[cpu] = false;
	tlb_leave_stage2();
	irq_restore(flags);
}

static void move_guest_page(unsigned cpu)
{
	for (u64 frame = 1; frame <= 3; frame++) {
		struct tlb_gather g;
		struct cpumask cpus;

		atomic_xchg(&entry, 0UL); /* a full barrier, as pt_take() */
		if (frame == 2) {
			cpumask_clear(&cpus);
			tlb_expire_lazy(&guest, &cpus);
			tlb_flush_cpus(&cpus);
		} else {
			tlb_gather_init(&g, &a->ctx, 0);
			tlb_gather_add(&g, &guest, GPA, 0);
			tlb_gather_flush(&g);
		}
		freed = frame;
		check_guests();
		store_release(&entry, frame + 1);
	}
	work_read(VA, cpu, 1);
}

static void run_and_switch(unsigned cpu)
{
	run_guest(cpu);
	aspace_load(b);
	work_write(VA, cpu);
	run_guest(cpu);
	aspace_load(a);
	work_write(VA, cpu);
}

static void run_twice(unsigned cpu)
{
	run_guest(cpu);
	work_write(VA, cpu);
	run_guest(cpu);
}

const struct scenario stage2_shootdown = {
	.name = "stage2-shootdown",
	.summary = "guests are entered and left while the page that they use is moved",
	.cpus = 3,
	.setup = setup_guest,
	.program = {move_guest_page, run_and_switch, run_twice},
	.end = NULL,
};

/* ---- more second stages than a CPU has tags --------------------------------------------------- */

enum { TAGGED = TLB_STAGE2_SLOTS + 1, OWNER_SHIFT = 8 };

/* Of each its only page: whose it is, and above 0 a frame. And what CPUs hold under a tag. */
static struct tlb_context tagged[TAGGED];
static u64 tagged_entry[TAGGED], tagged_freed[TAGGED], held[FAKE_CPUS][TLB_STAGE2_SLOTS];

static void tagged_flush_all(struct tlb_context *ctx __unused)
{
	smp_mb(); /* as in guest_flush_all() */
	held[cpu_id()][tlb_stage2_slot()] = 0;
}

static void tagged_flush_range(struct tlb_context *ctx, u64 start __unused, u64 end __unused,
			       unsigned level __unused)
{
	tagged_flush_all(ctx);
}

static const struct tlb_stage2_ops tagged_ops = {.flush_range = tagged_flush_range,
						 .flush_all = tagged_flush_all};

static void setup_tagged(void)
{
	a = work_space("a", VA, 1, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	for (u64 i = 0; i < TAGGED; i++) {
		tlb_stage2_init(&tagged[i], (1 + i) * PAGE_SIZE, &tagged_ops);
		store_relaxed(&tagged_entry[i], i << OWNER_SHIFT | 1);
	}
}

static void tagged_access(unsigned cpu, u64 guest_id)
{
	u64 *word = &held[cpu][tlb_stage2_slot()];

	if (!*word)
		*word = load_relaxed(&tagged_entry[guest_id]);
	if (*word && *word >> OWNER_SHIFT != guest_id)
		fake_fail("I1: a guest on CPU %u uses a page of another one, which had its tag",
			  cpu);
	if (*word && (*word & ((1 << OWNER_SHIFT) - 1)) <= tagged_freed[guest_id])
		fake_fail("I1: a guest on CPU %u uses a frame that was freed", cpu);
}

static void visit(unsigned cpu, u64 guest_id)
{
	irqflags_t flags = irq_save();

	tlb_enter_stage2(&tagged[guest_id]);
	smp_mb(); /* entering the guest */
	tagged_access(cpu, guest_id);
	irq_restore(flags);
	fake_point(43);
	flags = irq_save();
	tagged_access(cpu, guest_id);
	tlb_leave_stage2();
	irq_restore(flags);
}

/* There and back, so that each finds its tag with another one. */
static void visit_all(unsigned cpu)
{
	for (u64 i = 0; i < TAGGED; i++)
		visit(cpu, i);
	for (u64 i = TAGGED; i--;)
		visit(cpu, i);
}

static void move_tagged(unsigned cpu __unused)
{
	for (u64 frame = 1; frame <= 2; frame++) {
		struct tlb_gather g;

		atomic_xchg(&tagged_entry[0], 0UL); /* a full barrier, as pt_take() */
		tlb_gather_init(&g, &a->ctx, 0);
		tlb_gather_add(&g, &tagged[0], GPA, 0);
		tlb_gather_flush(&g);
		tagged_freed[0] = frame;
		store_release(&tagged_entry[0], frame + 1);
	}
}

const struct scenario stage2_tags = {
	.name = "stage2-tags",
	.summary = "a CPU goes from guest to guest, more than it has tags, while a page of one is "
		   "moved",
	.cpus = 2,
	.setup = setup_tagged,
	.program = {move_tagged, visit_all},
	.end = NULL,
};
