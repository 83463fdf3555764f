/* Stores: what all of them have in common, the time an access takes and the counts. */
#include <mm/knob.h>
#include <mm/pay.h>
#include <mm/stats.h>
#include <mm/store.h>
#include <kernel/clock.h>
#include <kernel/panic.h>

/*
 * The store is at work, this CPU has to wait. It goes on to answer shootdowns, and
 * halts for no time: only a timer could wake it, and that belongs to others. The
 * clock is the cycle counter, which is virtual in deterministic runs.
 */
static void wait_for(const struct store *s, u64 index)
{
	u64 ns = s->ops->takes_ns ? s->ops->takes_ns(s, index) : knobs.store_ns;
	u64 begun = cycles_now(), takes = ns_to_cycles(ns);

	ASSERT_MAY_WAIT();
	while (cycles_now() - begun < takes)
		cpu_relax();
}

int store_read(struct store *s, u64 index, struct page *page)
{
	ASSERT(index < s->page_count);
	wait_for(s, index);
	int err = s->ops->read(s, index, page_to_virt(page));

	if (err)
		count(store_errors);
	else
		count(read_in);
	return err;
}

int store_write(struct store *s, u64 index, const struct page *page)
{
	ASSERT(index < s->page_count);
	wait_for(s, index);
	int err = s->ops->write(s, index, page_to_virt(page));

	if (err)
		count(store_errors);
	else
		count(written_back);
	return err;
}

void store_begins_to_change(struct store *s)
{
	/*
	 * Reclaim notes what its pages owe, then looks at it. Both take the deferral's lock: either it has noted
	 * before, and is paid here, or it sees this.
	 */
	store_relaxed(&s->changes, true);
	pay(PAY_TRUNCATE, pay_all());
}

u64 store_sum(const void *page)
{
	const u64 *word = page;
	u64 sum = 0;

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		sum = (sum ^ word[i]) * 0x100000001b3UL; /* the prime of FNV-1a */
	return sum;
}
