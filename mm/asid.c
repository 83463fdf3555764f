/*
 * Global ASIDs: one number per space on all CPUs (arm64; x86 never gets here).
 *
 * A token is generation << 16 | asid. A context keeps its token as long as the
 * generation lasts. When the numbers are used up, a new generation starts: all
 * numbers are free again but those that a CPU has loaded, and each CPU flushes
 * its whole TLB before it loads anything of the new generation (I11).
 *
 * The rule: as long as a CPU has a root loaded, nobody else gets the ASID that
 * it is loaded under, and the root's context keeps that number. A broadcast
 * names the context's number, so it then reaches every CPU that walks the root.
 * A CPU that switches has the old root loaded until the new one is. So it holds
 * the lock from before its token changes until the new root is loaded: under
 * the lock, every other CPU's token says what that CPU walks under. And its own
 * rollover spares the number that it is about to leave.
 *
 * Hence what a CPU loads has in its TLB, under that ASID, nothing of another
 * space. After the flush for a new generation, the CPU can fill its TLB under
 * the number of its old root only, and the new generation has that marked as
 * used, so that it belongs to nobody else until the next flush of this kind.
 *
 * A CPU that left for the empty root keeps its token until it loads something
 * else. That reserves a number for nothing, and does no harm.
 *
 * Linux lets go of its lock before it loads the root (arch/arm64/mm/context.c)
 * and bears that a CPU may walk the old root a moment longer under a number
 * that is no longer its own. We promise that a frame is reused only when no CPU
 * can reach it, so we cannot.
 */
#include <mm/asid.h>
#include <kernel/spinlock.h>
#include <kernel/string.h>

enum { ASID_MAX = 65536 };

static struct spinlock lock; /* all below */
static u64 generation = 1;
static u64 used[ASID_MAX / 64];
static unsigned next = 1; /* ASID 0 belongs to the empty root */
static PERCPU(u64, active_token); /* of what this CPU has loaded, or had last; under lock */
static PERCPU(bool, flush_due); /* a rollover happened since this CPU flushed; under lock */

static bool used_test_and_set(unsigned asid)
{
	u64 bit = 1UL << (asid % 64), old = used[asid / 64];

	used[asid / 64] = old | bit;
	return old & bit;
}

static void roll_over(void)
{
	generation++;
	memset(used, 0, sizeof(used));
	next = 1;
	for_each_online_cpu (cpu) {
		u64 token = *cpu_ptr(cpu, active_token);

		if (token)
			used_test_and_set((u16)token);
		*cpu_ptr(cpu, flush_due) = true;
	}
}

static bool loaded_somewhere(u64 token)
{
	for_each_online_cpu (cpu)
		if (*cpu_ptr(cpu, active_token) == token)
			return true;
	return false;
}

/*
 * A number that nobody uses in this generation. There is one after a rollover at
 * the latest: that leaves one number for each CPU taken, at most, and
 * context_init() made sure that there is one more, besides 0.
 */
static unsigned take_free(void)
{
	for (;; roll_over())
		for (; next < asid_count(); next++)
			if (!used_test_and_set(next))
				return next++;
}

/* Under its number of the former generation, if a CPU still walks under that; else under a free one. */
static u64 new_token(u64 old)
{
	u64 asid = old && loaded_somewhere(old) ? (u16)old : take_free();
	u64 token = generation << 16 | asid;

	for_each_online_cpu (cpu)
		if (old && *cpu_ptr(cpu, active_token) == old)
			*cpu_ptr(cpu, active_token) = token;
	return token;
}

u64 asid_lock_and_assign(struct tlb_context *ctx, bool *flush)
{
	spin_lock(&lock);
	u64 token = ctx->asid_token;

	if (token >> 16 != generation) {
		token = new_token(token);
		store_relaxed(&ctx->asid_token, token);
	}
	*this_cpu_ptr(active_token) = token;
	*flush = *this_cpu_ptr(flush_due);
	*this_cpu_ptr(flush_due) = false;
	return token;
}

void asid_unlock(void)
{
	spin_unlock(&lock);
}

void asid_release(struct tlb_context *ctx)
{
	if (!asid_is_global())
		return;
	irqflags_t flags = irq_save();

	/* The number stays taken until the next rollover, whose flush makes it safe to give out again. */
	spin_lock(&lock);
	for_each_online_cpu (cpu)
		if (*cpu_ptr(cpu, active_token) == ctx->asid_token)
			*cpu_ptr(cpu, active_token) = 0;
	spin_unlock(&lock);
	irq_restore(flags);
}
