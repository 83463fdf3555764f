/*
 * Forced flushes: how generations that are narrow stay near each other.
 *
 * Two generations compare rightly if they are less than half the range apart (<mm/generation.h>). What lives long:
 *
 *   a CPU's slot      of a context that it has not loaded for long, or has loaded and not flushed for long. Where it looks
 *                     newer than it is, or equal, what it stands for is not flushed.
 *   ctx.bcast_gen     the same, for all CPUs at once.
 *   ctx.owed          of a context that has not owed for long: where it looks newer than it is, a new debt does not raise
 *                     it, and a slot that is behind both may look as if it had reached it.
 *   a frame's debt    of `stamp` and `luf`, and a file's payment of `luf`: as old as you like. What it is compared with is
 *                     near (the three above; the payments that are over, of which no more than the last is not), so that
 *                     it looks older than that, which it is, or newer: then somebody flushes once more.
 *   a request         until its initiator has its answers. See below.
 *
 * So when a context has come a quarter of the range away from where the first three were known to be near, every CPU
 * flushes everything, and brings all of its slots up to date with that (flush_nonglobal()); the other two are raised to
 * what the generation was before. As the flush covers what they then stand for, that is true of each.
 *
 * How far the rest gets meanwhile. A step comes behind tlb_keep_near() in the same thread, which waits while somebody
 * forces a flush. So after a quarter each thread goes one step at most. tlb_owe() may be called with a PTL held, where
 * nobody waits: its callers ask before they take it, and it asserts that they have. A CPU between its bit in a mask and
 * its read of the generation has interrupts off, so that the flush waits for it. A request is answered before a flush
 * that is forced after it, or with it. Between its step and its request an initiator lets interrupts in, but goes on
 * after each: it would have to stand still for four forced flushes.
 *
 * With 64 bits a quarter of the range is never reached, and nothing of this is compiled.
 *
 * After Xen, whose CPUs all flush as its clock ends, and where LUF's of 16 bits would have needed it. Linux resets the
 * pair of counters of tlb_flush_batched at half their range; ours are on many CPUs, which have to be asked.
 */
#include <mm/tlb_cpu.h>
#include <mm/stats.h>
#include <kernel/panic.h>
#include <kernel/spinlock.h>

/* Write side: who forces a flush. Others wait until it is over. Last of all locks that are waited for. */
static struct rwlock forcing;

void tlb_force_flush(struct tlb_context *ctx)
{
	ASSERT_MAY_WAIT();
	write_lock(&forcing);
	u64 gen = load_relaxed(&ctx->gen);

	/* Whoever waited here may find it done. */
	if (generation_is_far(gen, load_relaxed(&ctx->near))) {
		count(flushes_forced);
		/* The request is a full barrier behind the read of gen: each CPU flushes what it stands for. */
		tlb_flush_cpus_by_ipi(&cpu_online, NULL);
		generation_raise(&ctx->owed, gen);
		generation_raise(&ctx->bcast_gen, gen);
		store_relaxed(&ctx->near, gen);
	}
	write_unlock(&forcing);
}
