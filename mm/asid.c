/*
 * Global ASIDs: one number per space, the same on all CPUs (arm64; x86 never gets
 * here). The method is that of Linux's arch/arm64/mm/context.c but for the lock,
 * see below.
 *
 * A token is generation << 16 | asid. A context keeps its token while the
 * generation lasts. When all numbers are used up, a rollover starts a new
 * generation: every number is free again, except those that some CPU has loaded.
 * Each CPU flushes its whole TLB before it loads a token of the new generation
 * (I11).
 *
 * The rule. While a CPU has a root loaded under an ASID, that number belongs to
 * this root's context and to nobody else. A broadcast names the number of its
 * context, so it reaches every CPU that walks the root.
 *
 * Why the lock is held so long. During a switch a CPU walks its old root until
 * the new one is loaded. It takes the lock before its token changes and releases
 * it after the new root is loaded. So whoever has the lock can rely on every
 * other CPU's token: it is the one that CPU walks under. If the switch itself
 * causes a rollover, that still sees this CPU's old token and spares its number.
 *
 * Why no CPU finds entries of another space under the ASID that it loads. A CPU
 * starts the new generation with a whole flush. Between that flush and the load
 * it can fill its TLB only under the number of its old root. The rollover has
 * marked this number as used, so no other space gets it before the next rollover,
 * which comes with a flush again.
 *
 * A CPU that has loaded the empty root keeps its token until it loads something
 * else. One number is then reserved without need, which does no harm.
 *
 * These generations are none of <mm/generation.h>: they are compared for equality alone, and only a token that is older
 * than 2^48 rollovers could be taken for a new one. Each rollover takes as many new spaces as there are numbers.
 *
 * Linux releases its lock before it loads the root, and accepts that a CPU may
 * walk the old root a moment longer under a number that is given away already. We
 * promise that a frame is reused only when no CPU can reach it, so we cannot.
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

/* Mark a number as used in this generation. True: it was already. Lock held. */
static bool used_test_and_set(unsigned asid)
{
	u64 bit = 1UL << (asid % 64), old = used[asid / 64];

	used[asid / 64] = old | bit;
	return old & bit;
}

/* Start a new generation, in which only the numbers that CPUs have loaded are used. Lock held. */
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

/* Lock held. */
static bool loaded_somewhere(u64 token)
{
	for_each_online_cpu (cpu)
		if (*cpu_ptr(cpu, active_token) == token)
			return true;
	return false;
}

/*
 * A number that nobody uses in this generation; rolls over if there is none. Lock
 * held. The loop ends: after a rollover at most one number per CPU is used, and
 * context_init() has checked that there are at least cpu_count + 2 numbers. One
 * of them is 0, which is never given out, and one is left for us.
 */
static unsigned take_free(void)
{
	for (;; roll_over())
		for (; next < asid_count(); next++)
			if (!used_test_and_set(next))
				return next++;
}

/*
 * A token of this generation for a context whose token is `old` (0: it never had one). If a CPU
 * still walks under the old number, the context keeps the number, and those CPUs get the new token,
 * too. Lock held.
 */
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

/* Interrupts off under the lock, as a switch takes it with interrupts off. */
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
