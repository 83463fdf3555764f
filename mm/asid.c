/*
 * Global ASIDs with rollover (the usual arm64 scheme; x86 never gets here).
 *
 * A token is generation << 16 | asid. When the ASIDs of a generation are used
 * up, a new generation starts: ASIDs loaded on some CPU are carried over, all
 * others are free again, and every CPU must flush everything before it loads
 * an ASID of the new generation (I11). Everything happens under one lock, with
 * interrupts off, so a switch and a rollover cannot cross.
 */
#include <mm/asid.h>
#include <kernel/spinlock.h>
#include <kernel/string.h>

enum { ASID_MAX = 65536 };

static struct spinlock lock; /* all below */
static u64 generation = 1;
static u64 used[ASID_MAX / 64];
static unsigned next = 1; /* ASID 0 belongs to the empty root */
static PERCPU(u64, active_token); /* loaded on this CPU; under lock */
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

/* Ends: other CPUs have at most cpu_count - 1 loaded, and tlb_init() made sure that there are more. */
static unsigned take_free(void)
{
	for (;; roll_over())
		for (; next < asid_count(); next++)
			if (!used_test_and_set(next))
				return next++;
}

u64 asid_assign(struct tlb_context *ctx, bool *flush)
{
	*flush = false;
	if (!asid_is_global())
		return 0;
	spin_lock(&lock);
	/* What this CPU has loaded it is about to leave: a rollover need not carry it over. */
	*this_cpu_ptr(active_token) = 0;
	u64 token = ctx->asid_token;

	if (token >> 16 != generation) {
		u64 asid = token && loaded_somewhere(token) ? (u16)token : take_free();

		token = generation << 16 | asid;
		if (ctx->asid_token)
			for_each_online_cpu (cpu)
				if (*cpu_ptr(cpu, active_token) == ctx->asid_token)
					*cpu_ptr(cpu, active_token) = token;
		store_relaxed(&ctx->asid_token, token);
	}
	*this_cpu_ptr(active_token) = token;
	*flush = *this_cpu_ptr(flush_due);
	*this_cpu_ptr(flush_due) = false;
	spin_unlock(&lock);
	return token;
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
