/*
 * The software MMU: see softmmu.h.
 *
 * The protocol is that of Linux's MMU notifiers. An invalidation is a change of the
 * space, which has a beginning and an end; an install must not fall into one.
 *
 * - begin(): counts the change, zaps what the shadow has of its range, and flushes. When it returns, no guest
 *   reaches the range (I1, I2), nor will before end(): installs look for changes under the same lock.
 * - An install reads how many changes have ended, walks the space, takes the lock, and looks again: a change of
 *   this page has begun, or any has ended since. Either way what it found may be of the past, and it starts over.
 *   The first look keeps out changes that have not ended, the second those that have begun and ended since the
 *   walk. Outside the lock neither would do: a change could begin between look and install.
 * - end() counts and releases under the lock, when entries are what they will be.
 *
 * With notify=protect nothing is zapped at the beginning of a scan, but in taken(), under the PTL, what really
 * becomes a hint entry; with notify=late, too, run by run of such entries, before they change. Then what was zapped is
 * flushed by the scan's own gather, before its pending count falls and before end().
 *
 * Who zaps flushes later (I9). So an entry that is gone from the shadow may still be in a CPU's TLB, and a
 * change that finds it gone must not leave the flush to him: it may be a migration that is about to copy the
 * page, while the scan that zapped it is not through; or a scan that is about to say that it has flushed. `owing`
 * counts who has zapped and not flushed: changes that gather from their beginning to their end, others while they
 * flush. Who finds somebody else there flushes his own range, too.
 *
 * Order. A zap is a store under the lock; the flush raises ctx.gen after it (full barrier), and the CPUs that it
 * asks, or that enter later, walk after their flush (smp_mb() there). An access lies within a stretch with
 * interrupts off, so it is complete when the CPU acknowledges.
 *
 * What the guest writes: an entry allows stores only if the space's entry does. So what a write fault there has
 * to do has been done (debts paid, dirty marks set, copies made), and whoever takes that right away from the
 * space's entry reports it here. Accessed and dirty bits of the space's entries do not tell about the guest.
 */
#include <mm/fault.h>
#include <mm/softmmu.h>
#include <mm/stats.h>
#include <mm/tlb_cpu.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>

/* ---- what a CPU holds --------------------------------------------------------------- */

PERCPU(struct soft_tlb, soft_tlb);

static struct softmmu *softmmu_of(struct tlb_context *ctx)
{
	return container_of(ctx, struct softmmu, ctx);
}

/* Pages [first, end). Called by the shootdown core: see struct tlb_stage2_ops. */
static void drop(const struct softmmu *s, u64 first, u64 end)
{
	struct soft_tlb *tlb = this_cpu_ptr(soft_tlb);

	count(secondary_flushes);
	if (tlb->running)
		count(guest_exits_shootdown);
	smp_mb(); /* after the loads that said what to flush, before the walks that come later */
	for (unsigned i = 0; i < SOFT_TLB_SLOTS; i++)
		if (tlb->slot[i].of == s && tlb->slot[i].page >= first && tlb->slot[i].page < end)
			tlb->slot[i].of = NULL;
}

static void flush_range(struct tlb_context *ctx, u64 start, u64 end, unsigned level __unused)
{
	drop(softmmu_of(ctx), start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

static void flush_all(struct tlb_context *ctx)
{
	drop(softmmu_of(ctx), 0, ~0UL);
}

static const struct tlb_stage2_ops softmmu_ops = {.flush_range = flush_range,
						  .flush_all = flush_all};

void softmmu_enter(struct softmmu *s)
{
	tlb_enter_stage2(&s->ctx);
	this_cpu_ptr(soft_tlb)->running = s;
}

void softmmu_leave(struct softmmu *s)
{
	struct soft_tlb *tlb = this_cpu_ptr(soft_tlb);

	ASSERT(tlb->running == s);
	tlb->running = NULL;
	tlb_leave_stage2();
}

/* The entry that a page has in the shadow, as one of 4 KiB. Relaxed: what is behind it is reached through it. */
static u64 walk(const struct softmmu *s, u64 page)
{
	u64 entry = load_relaxed(&s->large[page / HUGE_PAGES]);

	if (entry & SOFT_VALID)
		return entry + (page % HUGE_PAGES << PAGE_SHIFT);
	return load_relaxed(&s->small[page]);
}

void *softmmu_translate(struct softmmu *s, u64 page, bool write)
{
	struct soft_tlb *tlb = this_cpu_ptr(soft_tlb);
	typeof(&tlb->slot[0]) slot = &tlb->slot[page % SOFT_TLB_SLOTS];
	u64 need = SOFT_VALID | (write ? SOFT_WRITE : 0);

	ASSERT(page < s->pages);
	if (slot->of != s || slot->page != page || (slot->entry & need) != need) {
		u64 entry = walk(s, page);

		if ((entry & need) != need)
			return NULL;
		slot->of = s;
		slot->page = page;
		slot->entry = entry;
	}
	return phys_to_virt(slot->entry & SOFT_FRAME);
}

/* ---- invalidations -------------------------------------------------------------------- */

/* Lock held. True: it was there, and a CPU may hold it. */
static inline bool zap(u64 *entry)
{
	u64 old = load_relaxed(entry);

	if (!(old & SOFT_VALID))
		return false;
	store_relaxed(entry, (old & SOFT_FRAME) | SOFT_ZAPPED);
	return true;
}

/* Pages of the guest, by number. */
struct range {
	u64 first, end;
};

/* zap_range() without counting. Once for each kind of softmmu: a guest without a follower pays nothing for those that have one. */
static __always_inline u64 zap_each(struct softmmu *s, struct range *r, bool followed)
{
	struct range of = *r;
	u64 zapped = 0;

	for (u64 i = of.first / HUGE_PAGES; i <= (of.end - 1) / HUGE_PAGES; i++)
		if (zap(&s->large[i])) {
			r->first = MIN(r->first, i * HUGE_PAGES);
			r->end = MAX(r->end, (i + 1) * HUGE_PAGES);
			zapped++;
			if (followed)
				s->follower->zapped(s, i * HUGE_PAGES, true);
		}
	for (u64 i = of.first; i < of.end; i++) {
		bool valid = zap(&s->small[i]);

		zapped += valid;
		if (followed && valid)
			s->follower->zapped(s, i, false);
	}
	return zapped;
}

static __noinline u64 zap_followed(struct softmmu *s, struct range *r)
{
	return zap_each(s, r, true);
}

/*
 * All entries that reach into the range, which becomes that of the entries: of 2 MiB, too. Lock held. True: there
 * were some.
 */
static bool zap_range(struct softmmu *s, struct range *r)
{
	u64 zapped = unlikely(s->follower) ? zap_followed(s, r) : zap_each(s, r, false);

	count_add(secondary_invalidations, zapped);
	return zapped;
}

static void gather_range(struct softmmu *s, const struct range *r, struct tlb_gather *gather)
{
	tlb_gather_add_range(gather, &s->ctx, r->first << PAGE_SHIFT, r->end << PAGE_SHIFT, 0);
}

static void flush(struct softmmu *s, const struct range *r, bool by_scanner)
{
	struct tlb_gather gather;

	tlb_gather_init(&gather, &s->ctx, 0);
	gather.by_scanner = by_scanner;
	gather_range(s, r, &gather);
	tlb_gather_flush(&gather);
}

/* What [start, end) of the space is of the guest's memory; false: nothing. */
static bool clip(const struct softmmu *s, vaddr_t start, vaddr_t end, struct range *r)
{
	start = MAX(start, s->base);
	end = MIN(end, s->base + (s->pages << PAGE_SHIFT));
	*r = (struct range){(start - s->base) >> PAGE_SHIFT, (end - s->base) >> PAGE_SHIFT};
	return start < end;
}

/* A change of this range has begun. Lock held. */
static void count_change(struct softmmu *s, const struct range *r)
{
	s->from = s->changing ? MIN(s->from, r->first) : r->first;
	s->to = s->changing ? MAX(s->to, r->end) : r->end;
	s->changing++;
}

static struct softmmu *subscribed(struct change_subscriber *sub)
{
	return container_of(sub, struct softmmu, subscriber);
}

static int begin(struct change_subscriber *sub, const struct change *c)
{
	struct softmmu *s = subscribed(sub);
	struct range r;

	if (!clip(s, c->start, c->end, &r))
		return 0;
	spin_lock(&s->lock);
	count_change(s, &r);
	bool flushes = !c->gathers && (zap_range(s, &r) || s->owing);

	/* Who gathers owes until its end, whether it will zap or not. */
	s->owing += c->gathers || flushes;
	spin_unlock(&s->lock);
	if (!flushes)
		return 0;
	flush(s, &r, c->why == CHANGE_HINT);
	spin_lock(&s->lock);
	s->owing--;
	spin_unlock(&s->lock);
	return 0;
}

/*
 * The first call counts the change with all that may still be named, so that installs there wait. What lies between
 * two runs stays as it is.
 */
static int begin_nonblock(struct change_subscriber *sub, const struct change *c, vaddr_t from,
			  vaddr_t to, struct tlb_gather *gather)
{
	struct softmmu *s = subscribed(sub);
	struct range all, r;

	if (!clip(s, c->start, c->end, &all))
		return 0;
	spin_lock(&s->lock);
	if (from == c->start) {
		count_change(s, &all);
		s->owing++;
	}
	if (clip(s, from, to, &r) && zap_range(s, &r))
		gather_range(s, &r, gather);
	spin_unlock(&s->lock);
	return 0;
}

static void taken(struct change_subscriber *sub, vaddr_t va, unsigned level, pte_t old __unused,
		  struct tlb_gather *gather)
{
	struct softmmu *s = subscribed(sub);
	struct range r;

	if (!clip(s, va, va + PT_LEVEL_SIZE(level), &r))
		return;
	spin_lock(&s->lock);
	/* A scan owes itself. Of other changes begin() has seen to that. */
	if (zap_range(s, &r) || (gather->by_scanner && s->owing > 1))
		gather_range(s, &r, gather);
	spin_unlock(&s->lock);
}

static void end(struct change_subscriber *sub, const struct change *c)
{
	struct softmmu *s = subscribed(sub);
	struct range r;

	if (!clip(s, c->start, c->end, &r))
		return;
	spin_lock(&s->lock);
	ASSERT(s->changing);
	/*
	 * Relaxed. The entries went by an exchange, a full barrier: whoever sees the count finds none of them. What he
	 * finds instead may be older than what is there now, but is nothing that a guest could use.
	 */
	store_relaxed(&s->ended, s->ended + 1);
	s->changing--;
	s->owing -= c->gathers;
	spin_unlock(&s->lock);
}

/* ---- installs --------------------------------------------------------------------------- */

/* What an access may use of the space. */
struct found {
	paddr_t pa; /* of the page that the entry names */
	unsigned level;
	bool writable;
};

/* As the space has it now. False: it does not allow the access. Takes the space's lock. */
static bool look_up(struct aspace *as, vaddr_t va, bool write, struct found *found)
{
	read_lock(&as->lock); /* keeps the tables */
	struct pt_pos pos = pgwalk_find(as->root, va, 0);
	pte_t pte = pte_load(pos.ptep);
	bool ok = pos.level <= 1 && pte_is_leaf(pte, pos.level) && (!write || pte_is_writable(pte));

	read_unlock(&as->lock);
	if (ok)
		*found = (struct found){pte_pa(pte, pos.level), pos.level, pte_is_writable(pte)};
	return ok;
}

/* Lock held, and no change is in the way. */
static __always_inline void put(u64 *entry, paddr_t pa, bool writable)
{
	u64 old = load_relaxed(entry);

	if (old & SOFT_ZAPPED && (old & SOFT_FRAME) == pa)
		count(secondary_useless);
	count(secondary_refills);
	/*
	 * Relaxed. Its address comes from the space's entry, and the guest reaches the contents through it: each depends
	 * on the one before, as in pt_install().
	 */
	store_relaxed(entry, pa | SOFT_VALID | (writable ? SOFT_WRITE : 0));
}

/*
 * An entry of 2 MiB goes only by an invalidation, and comes again by the next fault if the space still has a page of 2 MiB
 * there. If it has small ones, the entry is broken up: here that is counted, once, and when it is whole again. Lock held.
 */
static void note_size(struct softmmu *s, u64 page, bool large)
{
	u64 *entry = &s->large[page / HUGE_PAGES], old = load_relaxed(entry);

	if (large && old & SOFT_BROKEN)
		count(secondary_rebuilt_2m);
	if (large || !(old & SOFT_ZAPPED))
		return;
	count(secondary_broken_2m);
	store_relaxed(entry, (u64)SOFT_BROKEN);
}

enum installed { INSTALLED, CHANGES, CHANGED };

/* put(), and what the follower does with it. Lock held. Apart, so that others pay no more than a test for it. */
static __noinline void put_followed(struct softmmu *s, u64 page, bool large, paddr_t pa,
				    bool writable)
{
	u64 *entry = large ? &s->large[page / HUGE_PAGES] : &s->small[page];
	bool again = load_relaxed(entry) & SOFT_VALID;

	put(entry, pa, writable);
	s->follower->installed(s, page, large, pa, writable, again);
}

/* CHANGES: a change of the page is under way. CHANGED: some change has ended since there were so many. */
static enum installed install(struct softmmu *s, u64 page, const struct found *found, u64 ended)
{
	u64 head = ALIGN_DOWN(page, HUGE_PAGES);
	/* A 2 MiB page of the space that lies in the guest's memory as a whole. */
	bool large = found->level && head + HUGE_PAGES <= s->pages;
	struct range r = {large ? head : page, large ? head + HUGE_PAGES : page + 1};
	u64 *entry = large ? &s->large[head / HUGE_PAGES] : &s->small[page];
	paddr_t pa = found->pa;

	if (found->level && !large)
		pa += (page - head) << PAGE_SHIFT;
	spin_lock(&s->lock);
	bool changes = s->changing && r.first < s->to && r.end > s->from;
	bool ok = !changes && s->ended == ended;

	if (ok) {
		note_size(s, page, large);
		if (unlikely(s->follower))
			put_followed(s, r.first, large, pa, found->writable);
		else
			put(entry, pa, found->writable);
	}
	spin_unlock(&s->lock);
	if (ok && large)
		count(secondary_refills_2m);
	return ok ? INSTALLED : changes ? CHANGES : CHANGED;
}

bool softmmu_fault(struct softmmu *s, u64 page, bool write)
{
	vaddr_t va = s->base + (page << PAGE_SHIFT);
	struct found found;

	count(guest_exits_fault);
	for (;;) {
		/* Acquire: before the walk. Partner: what took the entries, before end() counted. */
		u64 ended = load_acquire(&s->ended);

		if (!look_up(s->as, va, write, &found)) {
			if (!fault_handle(s->as, va, write, false))
				return false;
			continue;
		}
		enum installed result = install(s, page, &found, ended);

		if (result == INSTALLED)
			return true;
		count(secondary_retried);
		/*
		 * Some change must end first. It needs nothing of us but acknowledgements, and is short: we do not
		 * sleep, as waking us would be an interrupt more.
		 */
		while (result == CHANGES && load_relaxed(&s->ended) == ended)
			cpu_relax();
	}
}

/* ---- coming and going --------------------------------------------------------------------- */

static u64 small_bytes(const struct softmmu *s)
{
	return s->pages * sizeof(u64);
}

static u64 large_bytes(const struct softmmu *s)
{
	return (s->pages + HUGE_PAGES - 1) / HUGE_PAGES * sizeof(u64);
}

static void free_tables(struct softmmu *s)
{
	if (s->small)
		kmem.free(s->small, small_bytes(s));
	if (s->large)
		kmem.free(s->large, large_bytes(s));
}

int softmmu_create(struct softmmu *s, struct aspace *as, vaddr_t base, u64 pages, u32 node)
{
	return softmmu_create_followed(s, as, base, pages, node, NULL, 0);
}

int softmmu_create_followed(struct softmmu *s, struct aspace *as, vaddr_t base, u64 pages, u32 node,
			    const struct softmmu_follower *follower, paddr_t root)
{
	ASSERT(!(base & (HUGE_SIZE - 1)) && pages);
	*s = (struct softmmu){.subscriber = {.begin = begin,
					     .begin_nonblock = begin_nonblock,
					     .taken = taken,
					     .end = end},
			      .follower = follower,
			      .as = as,
			      .base = base,
			      .pages = pages};
	s->small = kmem.alloc(small_bytes(s), node);
	s->large = kmem.alloc(large_bytes(s), node);
	if (!s->small || !s->large) {
		free_tables(s);
		return -ENOMEM;
	}
	if (follower)
		tlb_stage2_init(&s->ctx, root, follower->stage2);
	else
		tlb_stage2_init(&s->ctx, virt_to_phys(s->small), &softmmu_ops);
	int err = change_subscribe(as, &s->subscriber);

	if (err) {
		tlb_stage2_destroy(&s->ctx);
		free_tables(s);
	}
	return err;
}

void softmmu_destroy(struct softmmu *s)
{
	change_unsubscribe(s->as, &s->subscriber);
	ASSERT(!s->changing && !s->owing);
	/* After that: until then a scan's gather may name the context. */
	tlb_stage2_destroy(&s->ctx);
	free_tables(s);
}
