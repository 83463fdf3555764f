/* A guest behind the software MMU, for scenarios, and what is checked of any guest: see model.h. */
#include "model.h"

#include <kernel/atomic.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/softmmu.h>

static struct softmmu software;
static struct softmmu *guest; /* the one that is watched; NULL: none */
static guest_may_use_fn *may_use;
static struct fake_hooks next; /* of the invariants */

/* ---- what it may use ------------------------------------------------------------------------ */

static bool software_may_use(u64 frame, bool write, unsigned *cpu)
{
	for (*cpu = 0; *cpu < fake_config.cpus; ++*cpu) {
		const struct soft_tlb *tlb = cpu_ptr(*cpu, soft_tlb);

		for (unsigned i = 0; tlb->running && i < SOFT_TLB_SLOTS; i++)
			if (tlb->slot[i].of && tlb->slot[i].entry >> PAGE_SHIFT == frame &&
			    (!write || tlb->slot[i].entry & SOFT_WRITE))
				return true;
	}
	return false;
}

static void before_copy(u64 to, u64 from)
{
	unsigned cpu;

	if (may_use(from, true, &cpu))
		fake_fail("I2: frame %#lx is copied while a guest on CPU %u may write it", from,
			  cpu);
	if (may_use(to, false, &cpu))
		fake_fail("I1: frame %#lx gets new contents while a guest on CPU %u may use it", to,
			  cpu);
	next.copied(to, from);
}

static void before_zero(u64 frame)
{
	unsigned cpu;

	if (may_use(frame, false, &cpu))
		fake_fail("I1: frame %#lx is zeroed while a guest on CPU %u may use it", frame,
			  cpu);
	next.zeroed(frame);
}

/* By an entry, or because a CPU holds it. */
static bool has(u64 page, u64 frame)
{
	unsigned cpu;

	return (guest->small[page] & SOFT_VALID && guest->small[page] >> PAGE_SHIFT == frame) ||
	       guest->large[page / HUGE_PAGES] & SOFT_VALID || may_use(frame, false, &cpu);
}

/* A scan's pending count has fallen to 0: nobody reaches what it has made inaccessible. The guest may go while we walk. */
static void check_hints(void)
{
	for (u64 page = 0; guest && page < guest->pages; page++) {
		struct pt_pos pos =
			pgwalk_find(guest->as->root, guest->base + (page << PAGE_SHIFT), 0);
		pte_t pte = *pos.ptep;

		if (guest && pos.level <= 1 && pte_is_hint(pte) &&
		    has(page, (pte_pa(pte, pos.level) >> PAGE_SHIFT) +
				      (pos.level ? page % HUGE_PAGES : 0)))
			fake_fail(
				"a guest reaches page %lu, which a scan has taken away and flushed",
				page);
	}
}

static void stored(const void *addr, u64 old, u64 value, bool atomic)
{
	if (guest && addr == &guest->as->flush_pending && !(u32)value)
		check_hints();
	next.stored(addr, old, value, atomic);
}

void guest_watch(struct softmmu *shadow, guest_may_use_fn *fn)
{
	guest = shadow;
	may_use = fn;
	next = fake_hooks;
	fake_hooks.copied = before_copy;
	fake_hooks.zeroed = before_zero;
	fake_hooks.stored = stored;
}

void guest_goes(void)
{
	guest = NULL;
}

void guest_create(struct aspace *as, vaddr_t va, unsigned pages)
{
	if (softmmu_create(&software, as, va, pages, 0))
		fake_fail("scenario: no memory for a guest");
	guest_watch(&software, software_may_use);
}

void guest_destroy(void)
{
	guest_goes();
	softmmu_destroy(&software);
}

void guest_expect_none(vaddr_t va)
{
	u64 page = (va - software.base) >> PAGE_SHIFT;

	if (software.small[page] & SOFT_VALID || software.large[page / HUGE_PAGES] & SOFT_VALID)
		fake_fail("a guest has page %lu, which was taken away", page);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++) {
		const struct soft_tlb *tlb = cpu_ptr(cpu, soft_tlb);

		for (unsigned i = 0; tlb->running && i < SOFT_TLB_SLOTS; i++)
			if (tlb->slot[i].of && tlb->slot[i].page == page)
				fake_fail(
					"a guest on CPU %u may use page %lu, which was taken away",
					cpu, page);
	}
}

/* ---- its space ------------------------------------------------------------------------------ */

static struct aspace *space; /* of the scenario at hand */

#define MIDDLE GUEST_MIDDLE

static void set_up(u32 notify, u32 pinned)
{
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(space, cpu);
	knobs.hint = HINT_LATE;
	knobs.notify = notify;
	knobs.pinned = pinned;
}

struct aspace *guest_space(u32 notify)
{
	space = work_space("a", MODEL_VA, 2, PROT_READ | PROT_WRITE);
	for (unsigned i = 0; i < 2; i++)
		phys_to_page(pte_pa(*aspace_entry(space, MODEL_VA + i * PAGE_SIZE), 0))->last =
			1 << 16 | 2;
	set_up(notify, notify == NOTIFY_START ? PINNED_MARK : PINNED_SKIP);
	return space;
}

struct aspace *guest_large_space(void)
{
	space = work_large("a", MODEL_VA, MIDDLE);
	set_up(NOTIFY_PROTECT, PINNED_SKIP);
	return space;
}

void guest_scan_parts(unsigned cpu __unused)
{
	hint_mark(space, MODEL_VA, MODEL_VA + PAGE_SIZE);
	hint_mark(space, MIDDLE, MIDDLE + PAGE_SIZE);
}

void guest_split_and_move(unsigned cpu __unused)
{
	aspace_protect(space, MIDDLE, PAGE_SIZE, PROT_READ);
	aspace_protect(space, MIDDLE, PAGE_SIZE, PROT_READ | PROT_WRITE);
	work_migrate(space, MIDDLE, 1, 1);
}

/* ---- what it does ----------------------------------------------------------------------------- */

void guest_enter(void)
{
	irqflags_t flags = irq_save();

	softmmu_enter(&software);
	irq_restore(flags);
}

void guest_leave(void)
{
	irqflags_t flags = irq_save();

	softmmu_leave(&software);
	irq_restore(flags);
}

/* Where the page is, with interrupts off. NULL: not allowed, and they are on. */
static void *reach(vaddr_t va, bool write, irqflags_t *flags)
{
	u64 page = (va - software.base) >> PAGE_SHIFT;

	for (;;) {
		fake_point(44);
		*flags = irq_save();
		void *at = softmmu_translate(&software, page, write);

		if (at)
			return at;
		softmmu_leave(&software);
		irq_restore(*flags);
		bool done = softmmu_fault(&software, page, write);

		guest_enter();
		if (!done)
			return NULL;
	}
}

bool guest_write(vaddr_t va, unsigned cpu)
{
	irqflags_t flags;
	void *at = reach(va, true, &flags);

	if (!at)
		return false;
	work_guest_write(va, at, cpu);
	irq_restore(flags);
	return true;
}

bool guest_visit(vaddr_t va, unsigned cpu)
{
	u64 page = (va - software.base) >> PAGE_SHIFT;
	void *at;

	do {
		irqflags_t flags = irq_save();

		softmmu_enter(&software);
		at = softmmu_translate(&software, page, true);
		if (at)
			work_guest_write(va, at, cpu);
		softmmu_leave(&software);
		irq_restore(flags);
	} while (!at && softmmu_fault(&software, page, true));
	return at;
}

bool guest_read(vaddr_t va, unsigned cpu, unsigned whose)
{
	irqflags_t flags;
	const void *at = reach(va, false, &flags);

	if (!at)
		return false;
	work_guest_read(va, at, cpu, whose);
	irq_restore(flags);
	return true;
}
