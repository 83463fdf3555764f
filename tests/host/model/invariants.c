/*
 * The invariants of the memory manager as assertions about the machine's state:
 * what CPUs may hold, at the moments when it matters. None of it looks at the
 * masks and generations that decide whether to flush.
 */
#include <mm/deferral.h>
#include <mm/migrate_batch.h>
#include "model.h"

#include <kernel/atomic.h>

static struct frame {
	u32 copied_to; /* the frame that it was last copied to, which may replace it or be given up */
	u32 moved_to; /* the frame that has replaced it, until this one is reused */
	u32 entries; /* that name it, counted at the end */
	bool changed; /* stored into since it was copied */
	bool written; /* stored into by a workload since it was zeroed; a copy takes this over */
	bool unsynced; /* instruction fetches may still see older contents */
} frames[FAKE_FRAMES_MAX];

/* Frames with moved_to, and some that had it: a short list, as it is looked through at every store. */
static u32 moved[FAKE_FRAMES_MAX / 8];
static unsigned moved_count;

static void move(u64 from, u64 to)
{
	if (!frames[from].moved_to && moved_count < ARRAY_SIZE(moved))
		moved[moved_count++] = (u32)from;
	else if (!frames[from].moved_to)
		fake_fail("scenario: more than %lu frames are moved", ARRAY_SIZE(moved));
	frames[from].moved_to = (u32)to;
}

static struct page *page_of(u64 frame)
{
	return phys_to_page(frame << PAGE_SHIFT);
}

struct page *model_page_of(u64 frame)
{
	struct page *head = page_of(ALIGN_DOWN(frame, HUGE_PAGES));
	bool part = head->order == HUGE_ORDER && head->state != PAGE_FREE;

	return part ? head : page_of(frame);
}

static bool refuses_content(u64 to, u64 from)
{
	return memcmp(phys_to_virt(to << PAGE_SHIFT), phys_to_virt(from << PAGE_SHIFT), PAGE_SIZE);
}

/* Is it a migration that copies? Others may copy a page that somebody is about to move. */
static bool is_moved_to(u64 to, u64 from)
{
	const struct page *src = model_page_of(from);
	const struct migration *m = src->migration;

	return load_relaxed(&src->flags) & PG_ISOLATED && m && src->slot < m->count &&
	       m->dst[src->slot] + (page_of(from) - src) == page_of(to);
}

/* A copy of its own contents, which does not replace the frame: somebody else may write that meanwhile. */
static void before_copy_on_write(u64 to)
{
	unsigned cpu;

	if (fake_may_hold(to, false, &cpu))
		fake_fail("I1: frame %#lx gets new contents while CPU %u may hold it", to, cpu);
	frames[to] = (struct frame){.unsynced = true};
}

static void before_copy(u64 to, u64 from)
{
	unsigned cpu;

	if (!is_moved_to(to, from)) {
		before_copy_on_write(to);
		return;
	}
	if (fake_may_hold(from, true, &cpu))
		fake_fail("I2: frame %#lx is copied while CPU %u may hold it writable", from, cpu);
	if (fake_store_under_way(from))
		fake_fail("I2: frame %#lx is copied while a store into it is on its way", from);
	if (fake_may_hold(to, true, &cpu) ||
	    (fake_may_hold(to, false, &cpu) && refuses_content(to, from)))
		fake_fail("I1: frame %#lx gets new contents while CPU %u may hold it", to, cpu);
	frames[to] = (struct frame){.written = frames[from].written, .unsynced = true};
	frames[from].changed = false;
	frames[from].copied_to = (u32)to;
	if (!load_relaxed(&model_page_of(from)->refs)) /* frozen before */
		move(from, to);
}

/* A copy replaces the frame: nobody else has a reference, and the copy must still be one. */
static void frozen(u64 frame)
{
	struct frame *f = &frames[frame];

	if (!f->copied_to)
		return; /* to be copied now */
	if (f->changed)
		fake_fail("I10: frame %#lx is replaced by a copy made before its last store",
			  frame);
	move(frame, f->copied_to);
}

static void before_zero(u64 frame)
{
	unsigned cpu;

	if (fake_may_hold(frame, false, &cpu))
		fake_fail("I1: frame %#lx is zeroed while CPU %u may hold it", frame, cpu);
	frames[frame] = (struct frame){.unsynced = true};
}

static void code_synced(u64 frame)
{
	frames[frame].unsynced = false;
}

/* The allocator marks a frame as free by storing 0 references; freezing it for a move is an atomic. */
static void stored(const void *addr, u64 old, u64 value, bool atomic)
{
	u64 at = (u64)addr - VMEMMAP_BASE, frame = at / sizeof(struct page);
	unsigned cpu;

	(void)old;
	if (frame >= fake_last_frame() || at % sizeof(struct page) != offsetof(struct page, refs) ||
	    value)
		return;
	if (atomic) {
		for (u64 f = frame; f < frame + (1UL << page_of(frame)->order); f++)
			frozen(f);
		return;
	}
	for (u64 f = frame; f < frame + (1UL << page_of(frame)->order); f++) {
		if (fake_may_hold(f, false, &cpu))
			fake_fail("I1: frame %#lx is freed while CPU %u may hold it", f, cpu);
		if (fake_may_walk(f, &cpu))
			fake_fail("I8: table %#lx is freed while CPU %u may walk through it", f,
				  cpu);
		if (fake_store_under_way(f))
			fake_fail("I1: frame %#lx is freed while a store into it is on its way", f);
		fake_frame_freed(f);
		frames[f] = (struct frame){0};
	}
}

/* I5: while some CPU reads the old frame, nobody writes the new one. */
static void check_old_readers(u64 frame)
{
	unsigned cpu;

	for (unsigned i = 0; i < moved_count; i++)
		if (frames[moved[i]].moved_to == frame && fake_may_hold(moved[i], false, &cpu))
			fake_fail(
				"I5: store into frame %#lx while CPU %u may read its old copy %#x",
				frame, cpu, moved[i]);
}

/* A page that is written after it was cleaned is dirty, or will not have been cleaned before the flush. */
static void check_tracked(const struct page *page, u64 frame)
{
	if (page->object && page->object->tracked && !page->object->is_shadow &&
	    !(page->flags & (PG_DIRTY | PG_LOCKED)))
		fake_fail("I3: store into frame %#lx, which is not marked dirty", frame);
}

static void work_stored(const u64 *word, unsigned va_index)
{
	u64 frame = fake_frame_of(word);

	(void)va_index;
	if (model_page_of(frame)->state != PAGE_USED)
		fake_fail("I1: store into frame %#lx, which is in state %u", frame,
			  model_page_of(frame)->state);
	if (frames[frame].moved_to)
		fake_fail("I4: store into frame %#lx after it was replaced", frame);
	check_tracked(model_page_of(frame), frame);
	frames[frame].changed = true;
	frames[frame].written = true;
	check_old_readers(frame);
}

static void mapped(unsigned va_index, const struct fake_held *now)
{
	(void)va_index;
	frames[now->frame].copied_to = 0; /* it stays, or is new */
	if (frames[now->frame].written && !now->dirty && now->write)
		fake_fail("I3: frame %#x was written and is mapped clean", now->frame);
	if (fake_live && now->exec && frames[now->frame].unsynced)
		fake_fail("I1: frame %#x may be executed before fetches see its contents",
			  now->frame);
}

void invariants_install(void)
{
	fake_hooks = (struct fake_hooks){.copied = before_copy,
					 .zeroed = before_zero,
					 .code_synced = code_synced,
					 .stored = stored,
					 .work_stored = work_stored,
					 .mapped = mapped};
}

/* References of a frame in use are its mappings, and nobody has left a mark. */
static void check_mapped_page(struct pt_pos pos, vaddr_t va)
{
	pte_t pte = pte_load(pos.ptep);

	if (pte_is_none(pte))
		return;
	if (pte_is_migration(pte)) {
		fake_fail("entry of %#lx still says migration at the end", va);
		return;
	}
	struct page *page = phys_to_page(pte_pa(pte, pos.level));

	frames[pte_pa(pte, pos.level) >> PAGE_SHIFT].entries++;
	if (!page->object) {
		fake_fail("frame %#lx at the end: mapped at %#lx, though a page of no object",
			  page_to_phys(page) >> PAGE_SHIFT, va);
		return;
	}
	if (page->order != (pos.level ? HUGE_ORDER : 0))
		fake_fail("frame %#lx at the end: of order %u, mapped at level %u",
			  page_to_phys(page) >> PAGE_SHIFT, page->order, pos.level);
	if ((page->flags & ~(u32)(PG_ALIASED | PG_DIRTY | PG_COPIED | PG_EXCLUSIVE | PG_HELD)) ||
	    page_pins(page) ||
	    page_refs(page) != page_expected_refs(page, page->mapcount) + page_is_held(page))
		fake_fail("frame %#lx at the end: flags %u, %u pins, %u references, %u mappings",
			  page_to_phys(page) >> PAGE_SHIFT, page->flags, page_pins(page),
			  page_refs(page), page->mapcount);
}

static void check_space(struct aspace *as, void *arg)
{
	struct area *area;

	(void)arg;
	list_for_each_entry (area, &as->areas, link)
		for (vaddr_t va = area->start; va < area->end;) {
			struct pt_pos pos = pgwalk_find(as->root, va, 0);

			if (pos.level <= 1)
				check_mapped_page(pos, va);
			va = ALIGN_DOWN(va, PT_LEVEL_SIZE(pos.level)) + PT_LEVEL_SIZE(pos.level);
		}
	if (as->lock.arrived & RWLOCK_BITS || as->lock.arrived != as->lock.left)
		fake_fail("space %s is still locked at the end", as->name);
}

void invariants_at_end(void)
{
	aspace_for_each(check_space, NULL);
	for (u64 f = fake_first_frame(); f < fake_last_frame(); f++)
		if (frames[f].entries && frames[f].entries != page_of(f)->mapcount)
			fake_fail("frame %#lx at the end: %u entries, %u mappings counted", f,
				  frames[f].entries, page_of(f)->mapcount);
	deferral_settle();
	if (deferral->held())
		fake_fail("%lu frames held after settling", deferral->held());
}
