/* Debts: see debt.h. */
#include <mm/debt.h>
#include <mm/deferral.h>
#include <mm/knob.h>
#include <mm/pmm.h>
#include <mm/stats.h>
#include <kernel/clock.h>
#include <kernel/panic.h>
#include <kernel/string.h>

/* 4 KiB frames that all deferrals hold back: now, and at most so far. Atomic, as each list has its own lock. */
static u64 held_now, held_most;
/*
 * For their integral over time: changes that were noted, in sum, and each times its moment. Both wrap, differences
 * of the integral do not. A CPU notes what has changed once in a call, as reading a clock for each frame would cost more.
 */
static u64 noted, noted_moments;
static PERCPU(u64, held_changed); /* not noted yet */

/* So many frames more (or fewer) are held. */
static void count_held(s64 pages)
{
	u64 now = atomic_fetch_add_relaxed(&held_now, (u64)pages) + (u64)pages;
	u64 most = load_relaxed(&held_most);

	*this_cpu_ptr(held_changed) += (u64)pages;
	/* Nothing depends on the order of this figure; acquire is the weakest exchange there is. */
	while (pages > 0 && now > most && !atomic_cmpxchg_acquire(&held_most, &most, now))
		; /* somebody else raised it: `most` is theirs now */
}

/* Lock held: whoever finds room under defer_pages finds those gone from the sum that made it. */
static void count_held_pages(struct debts *d, s64 pages)
{
	store_relaxed(&d->held_pages, d->held_pages + (u64)pages);
	count_held(pages);
}

void debts_note_held(void)
{
	u64 change = *this_cpu_ptr(held_changed);

	if (!change)
		return;
	*this_cpu_ptr(held_changed) = 0;
	atomic_fetch_add_relaxed(&noted, change);
	atomic_fetch_add_relaxed(&noted_moments, change * cycles_now());
}

u64 debts_held_integral(u64 now)
{
	return load_relaxed(&noted) * now - load_relaxed(&noted_moments);
}

u64 debts_held_max(void)
{
	return load_relaxed(&held_most);
}

void debts_held_max_restart(void)
{
	store_relaxed(&held_most, load_relaxed(&held_now));
}

/* Lock held. */
static void note_age(struct debts *d)
{
	if (!d->since)
		d->since = MAX(cycles_now(), 1UL);
}

static u64 bit_of(const struct tlb_context *ctx)
{
	return 1UL << (ctx->id % 64);
}

void debts_owe(struct debts *d, struct tlb_context *ctx)
{
	u64 *word = &d->owing[ctx->id / 64], bit = bit_of(ctx);

	/* For each entry, also if the context owes already: a CPU may have flushed since then. */
	tlb_owe(ctx);
	spin_lock(&d->lock);
	note_age(d);
	if (*word & bit) {
		count(debts_merged);
	} else {
		count(debts_created);
		*word |= bit;
		d->owing_count++;
		/* Relaxed: who pays reads it without the lock, for its figures alone. */
		store_relaxed(&ctx->owes_since, cycles_now());
	}
	spin_unlock(&d->lock);
	deferral_tick_later();
}

/* Both sets under the lock: a payment moves a context from one to the other. */
bool debts_owes(struct debts *d, const struct tlb_context *ctx)
{
	unsigned word = ctx->id / 64;

	spin_lock(&d->lock);
	bool owes = (d->owing[word] | d->paying[word]) & bit_of(ctx);

	spin_unlock(&d->lock);
	return owes;
}

bool debts_are_old(struct debts *d)
{
	if (likely(!knobs.defer_age))
		return false;
	spin_lock(&d->lock);
	u64 since = d->since;

	spin_unlock(&d->lock);
	u64 age = since ? cycles_now() - since : 0, most = ns_to_cycles(knobs.defer_age * 1000UL);

	if (since && age < most)
		alarm_set(cycles_to_ns(most - age) + 1);
	return since && age >= most;
}

/* Of this CPU, in the deferral in force. */
static PERCPU(u64, debts_promised);
static PERCPU(bool, debts_refused);

bool debts_promise(struct debts *d, u64 pages)
{
	if (likely(!knobs.defer_pages))
		return true;
	spin_lock(&d->lock);
	bool room = d->promised + d->held_pages + pages <= knobs.defer_pages;

	if (room)
		d->promised += pages;
	spin_unlock(&d->lock);
	*this_cpu_ptr(debts_promised) += room ? pages : 0;
	*this_cpu_ptr(debts_refused) |= !room;
	return room;
}

bool debts_call_over(struct debts *d)
{
	u64 *mine = this_cpu_ptr(debts_promised);
	bool *refused = this_cpu_ptr(debts_refused), pay = *refused;

	if (unlikely(*mine)) {
		spin_lock(&d->lock);
		d->promised -= *mine;
		spin_unlock(&d->lock);
		*mine = 0;
	}
	*refused = false;
	return pay || debts_are_old(d);
}

void debts_hold(struct debts *d, struct page *page)
{
	struct page **list = &d->held[page->node][page->order ? 1 : 0];

	ASSERT(!load_relaxed(&page->mapcount));
	pmm_set_quarantined(page->node, 1L << page->order);
	spin_lock(&d->lock);
	note_age(d);
	page->next = *list;
	*list = page;
	count_held_pages(d, 1L << page->order);
	spin_unlock(&d->lock);
}

/* A frame that was held is about to be used or freed: it is no longer counted. */
static void left_quarantine(struct debts *d, struct page *page)
{
	spin_lock(&d->lock);
	ASSERT(d->held_pages >= 1UL << page->order);
	count_held_pages(d, -(1L << page->order));
	spin_unlock(&d->lock);
	pmm_set_quarantined(page->node, -(1L << page->order));
}

struct page *debts_take(struct debts *d, u32 node, unsigned order)
{
	struct page **list = &d->held[node][order ? 1 : 0];

	spin_lock(&d->lock);
	struct page *page = *list;

	if (page)
		*list = page->next;
	spin_unlock(&d->lock);
	if (!page)
		return NULL;
	left_quarantine(d, page);
	debts_note_held();
	store_relaxed(&page->state, (u8)PAGE_USED);
	store_relaxed(&page->flags, 0U); /* as in pmm_alloc() */
	page->unmap = 0;
	store_relaxed(&page->refs, PAGE_REF);
	return page;
}

/* The next context of the set that still exists, from id *at on; *at becomes the id after it. NULL: none is left. */
static struct tlb_context *next_owing(const u64 *owing, unsigned *at)
{
	while (*at < TLB_CONTEXT_IDS) {
		u64 ids = owing[*at / 64] >> *at % 64;

		if (!ids) {
			*at = (*at / 64 + 1) * 64;
			continue;
		}
		*at += (unsigned)__builtin_ctzl(ids);
		struct tlb_context *ctx = tlb_context_by_id((u16)*at);

		++*at;
		if (ctx) /* else destroyed, which flushed it everywhere */
			return ctx;
	}
	return NULL;
}

/*
 * Flush all contexts of the set in one shootdown. A single context is flushed by
 * itself, which costs others less. Nobody is asked if all have flushed meanwhile.
 */
static void flush_owing(const u64 *owing)
{
	struct tlb_context *ctx, *last = NULL;
	struct cpumask cpus;
	unsigned at = 0, contexts = 0, skipped = 0;
	u64 now = cycles_now();

	cpumask_clear(&cpus);
	tlb_contexts_hold();
	for (; (ctx = next_owing(owing, &at)); last = ctx, contexts++) {
		this_cpu_ptr(mm_counters)
			->age[stats_bucket(now - load_relaxed(&ctx->owes_since))]++;
		skipped += tlb_owing_cpus(ctx, load_relaxed(&ctx->owed), knobs.defer_skip, &cpus);
	}
	if (cpumask_empty(&cpus))
		count_add(debts_settled, contexts);
	else if (contexts == 1)
		tlb_flush_owed(last, &cpus);
	else
		tlb_flush_cpus(&cpus);
	tlb_contexts_release();
	count_add(debts_skipped, skipped);
}

/* Free a list of frames whose flush is done. */
static void free_held(struct debts *d, struct page *page)
{
	while (page) {
		struct page *next = page->next;

		left_quarantine(d, page);
		pmm_free(page);
		page = next;
	}
}

void debts_free(struct debts *d, struct page *frames)
{
	free_held(d, frames);
	debts_note_held();
}

void debts_free_owing(struct page *page, u64 debt)
{
	page->debt = debt;
	pmm_free_owing(page);
}

/*
 * What a payment is for: these frames, and the contexts in debts.paying. A context
 * was noted before a frame was held, so the flushes cover every frame here.
 */
struct bill {
	struct page *held[MAX_NODES][2];
	u64 owed;
};

/* Payer's lock held. */
static void take_bill(struct debts *d, struct bill *bill)
{
	spin_lock(&d->lock);
	memcpy(bill->held, d->held, sizeof(bill->held));
	memset(d->held, 0, sizeof(d->held));
	memcpy(d->paying, d->owing, sizeof(d->paying));
	memset(d->owing, 0, sizeof(d->owing));
	bill->owed = d->owing_count;
	d->owing_count = 0;
	d->since = 0;
	store_relaxed(&d->begun, d->begun + 1);
	spin_unlock(&d->lock);
	pmm_owing_paid();
}

/* The flushes of a bill are done, or published. Not before: debts_owes() would send others on too early. */
static void paid(struct debts *d)
{
	spin_lock(&d->lock);
	memset(d->paying, 0, sizeof(d->paying));
	spin_unlock(&d->lock);
}

/*
 * Of a payment, the first of which is number 1 in `begun` and `done`. Two are for nothing, when a deferral comes into
 * force: so number 0 is that of a payment for something.
 */
static u64 number_of(u64 payment)
{
	return GENERATION_START - 2 + payment;
}

/*
 * Relaxed: our debts were noted under the lock, so we see at least the payments that had begun by then. If one has
 * begun since, it covers our debts and we ask for the one after it: a flush too many, never one too few.
 */
u64 debts_begun(const struct debts *d)
{
	return number_of(load_relaxed(&d->begun));
}

/* Relaxed: as in has_flushed() of mm/gather.c. Written by debts_pay(). */
u64 debts_done(const struct debts *d)
{
	return number_of(load_relaxed(&d->done));
}

bool debts_are_paid(const struct debts *d, u64 begun)
{
	return generation_before(begun, debts_done(d));
}

u64 debts_pay(struct debts *d)
{
	return debts_pay_since(d, debts_begun(d));
}

u64 debts_pay_since(struct debts *d, u64 begun)
{
	struct bill bill;

	ASSERT_MAY_WAIT();
	/* A second payer waits here: it must not return while the first one still flushes. */
	write_lock(&d->payer);
	/* Those who wait together have what they owe paid by the first of them. */
	if (generation_before(begun, number_of(d->done))) {
		write_unlock(&d->payer);
		return 0;
	}
	take_bill(d, &bill);
	if (bill.owed) {
		flush_owing(d->paying);
		paid(d);
	}
	/* Release: who sees it uses frames after these flushes; pairs with debts_are_paid(). */
	store_release(&d->done, d->begun);
	for (u32 node = 0; node < MAX_NODES; node++)
		for (unsigned large = 0; large < 2; large++)
			free_held(d, bill.held[node][large]);
	debts_note_held();
	write_unlock(&d->payer);
	return bill.owed;
}

/* One chain of all lists. */
static struct page *chain(struct bill *bill)
{
	struct page *frames = NULL;

	for (u32 node = 0; node < MAX_NODES; node++)
		for (unsigned large = 0; large < 2; large++)
			while (bill->held[node][large]) {
				struct page *page = bill->held[node][large];

				bill->held[node][large] = page->next;
				page->next = frames;
				frames = page;
			}
	return frames;
}

static void expire_owing(const u64 *owing, struct cpumask *cpus)
{
	struct tlb_context *ctx;
	unsigned at = 0;

	cpumask_clear(cpus);
	tlb_contexts_hold();
	while ((ctx = next_owing(owing, &at)))
		tlb_expire_lazy(ctx, cpus);
	tlb_contexts_release();
}

void debts_post(struct debts *d, debts_publish *publish)
{
	struct cpumask cpus;
	struct bill bill;

	write_lock(&d->payer);
	take_bill(d, &bill);
	expire_owing(d->paying, &cpus);
	publish(chain(&bill), &cpus, bill.owed);
	paid(d);
	write_unlock(&d->payer);
}

u64 debts_held(const struct debts *d)
{
	return load_relaxed(&d->held_pages);
}
