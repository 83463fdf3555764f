/*
 * The rule tables, and what follows from them.
 *
 * Where the two differ: a page fault drops what an x86 CPU holds of its address, so
 * an entry that gained something needs no flush there. A CPU that kept the old one
 * faults once, and tries again with the new one. An arm64 CPU goes on using an
 * entry that refuses, fault after fault, until it is flushed. And an arm64 entry
 * that is present may not be overwritten by one of another frame.
 *
 * Leaving out a flush after a gain is safe, as far as contents are concerned, on
 * both: the old entry names the same frame and allows less. So none of I1, I2, I4,
 * I5 and I7 depends on these flushes. What depends on them is progress, and it needs
 * one of two: whoever gave the entry more flushes it everywhere, or whoever faults
 * on it for nothing flushes it on his own CPU (the fix-up). Values of the knobs
 * `upgrade` and `spurious` that have neither are refused (rules_refuse()).
 *
 * Not after a retried fault (spurious=skip, rfc): if this CPU does hold such an
 * entry, the access faults once more. That fault is a first one, as attempts are
 * counted per call of the handler, and has its fix-up, unless it has to wait, too.
 * So there is one fault more for each wait, and a wait ends because somebody else
 * got on: no livelock. The same holds for accessed and dirty that rfc leaves alone.
 *
 * Never (spurious=never): the flush of whoever gave the access is under way when a
 * CPU can fault for nothing, as it follows the entry's change before anything is
 * waited for but acknowledgements. Until it arrives that CPU faults again, and
 * answers requests in between.
 *
 * An open debt (I5) is no matter of gains: the old entry names another frame. So a
 * fault pays before it makes an entry writable, whoever flushes after that.
 *
 * Rows that lose something (W, X, a dirty bit that was cleared, the frame, the
 * entry) are not up to any knob: those flushes are I1, I2, I3 and I7.
 */
#include <mm/rules.h>
#include <mm/knob.h>
#include <mm/tlb.h>
#include <kernel/panic.h>

struct rules rules;

#define SDM "Intel SDM vol. 3A "
#define ARM "Arm ARM DDI 0487 "

/* ---- the tables ---------------------------------------------------------------- */

/*
 * AMD's manual (APM vol. 2, 5.5 "TLB Management") agrees: entries are cached only if
 * present, restrictions that are removed need no invalidation, all else does.
 */
const struct rule_set rules_x86 = {
	.name = "x86",
	.fixup = RULE_NONE, /* 4.10.4.1: the fault has dropped the entries of its address */
	.rule =
		{
			[ENTRY_APPEARED] = {"P set", SDM "4.10.4.3: no entry is cached without it",
					    RULE_NONE, RULE_NONE},
			[ENTRY_WENT] = {"P cleared", SDM "4.10.4.2", RULE_ALL, RULE_ALL},
			[ENTRY_FRAME] = {"another frame", SDM "4.10.4.2: old or new until flushed",
					 RULE_ALL, RULE_ALL},
			[ENTRY_SIZE] = {"another size", SDM "4.10.2.3 and 4.10.4.2: clear P first",
					RULE_BREAK, RULE_BREAK},
			[ENTRY_W_GAINED] = {"R/W set", SDM "4.10.4.3: one spurious fault",
					    RULE_NONE, RULE_NONE},
			[ENTRY_W_LOST] = {"R/W cleared", SDM "4.10.4.2", RULE_ALL, RULE_ALL},
			[ENTRY_X_GAINED] = {"XD cleared", SDM "4.10.4.3: one spurious fault",
					    RULE_NONE, RULE_NONE},
			[ENTRY_X_LOST] = {"XD set", SDM "4.10.4.2", RULE_ALL, RULE_ALL},
			[ENTRY_D_SET] = {"D set", SDM "4.8: a write through D=0 walks again",
					 RULE_NONE, RULE_NONE},
			[ENTRY_D_CLEARED] = {"D cleared",
					     SDM "4.10.4.3: or a later write may not set it",
					     RULE_ALL, RULE_ALL},
			[ENTRY_A_SET] = {"A set", SDM "4.10.4.3: no entry is cached without it",
					 RULE_NONE, RULE_NONE},
			/* Wanted for reclaim to age pages; that an access goes unnoticed is tolerated. */
			[ENTRY_A_CLEARED] = {"A cleared",
					     SDM "4.10.4.3: or a later access may not set it",
					     RULE_NONE, RULE_NONE},
		},
};

const struct rule_set rules_arm64 = {
	.name = "arm64",
	/* Until 2020; what is enough depends on who flushes upgrades: see the knobs `spurious` and `upgrade`. */
	.fixup = RULE_ALL,
	.rule =
		{
			[ENTRY_APPEARED] = {"valid", ARM "D8.13: nothing is cached that faults",
					    RULE_NONE, RULE_NONE},
			[ENTRY_WENT] = {"invalid", ARM "D8.14", RULE_ALL, RULE_ALL},
			/* Equal contents, both read-only, are exempt, but an entry does not show that. */
			[ENTRY_FRAME] = {"another output address", ARM "D8.14.1: break-before-make",
					 RULE_BREAK, RULE_BREAK},
			[ENTRY_SIZE] = {"another block size", ARM "D8.14.1: break-before-make",
					RULE_BREAK, RULE_BREAK},
			[ENTRY_W_GAINED] = {"read-only cleared, or DBM set",
					    ARM "D8.14: the old permission may be cached", RULE_ALL,
					    RULE_ALL},
			[ENTRY_W_LOST] = {"read-only set, DBM cleared", ARM "D8.14", RULE_ALL,
					  RULE_ALL},
			[ENTRY_X_GAINED] = {"XN cleared",
					    ARM "D8.14: the old permission may be cached", RULE_ALL,
					    RULE_ALL},
			[ENTRY_X_LOST] = {"XN set", ARM "D8.14", RULE_ALL, RULE_ALL},
			/* A clean entry is read-only; with FEAT_HAFDBS a write through DBM walks again. */
			[ENTRY_D_SET] = {"dirty: read-only cleared", ARM "D8.5.7, FEAT_HAFDBS",
					 RULE_NONE, RULE_ALL},
			[ENTRY_D_CLEARED] = {"clean: read-only set", ARM "D8.5.7 and D8.14",
					     RULE_ALL, RULE_ALL},
			[ENTRY_A_SET] = {"AF set", ARM "D8.5.5: nothing is cached without it",
					 RULE_NONE, RULE_NONE},
			[ENTRY_A_CLEARED] = {"AF cleared",
					     ARM "D8.5.5: or a later access may not set it",
					     RULE_NONE, RULE_NONE},
		},
};

/* ---- what changed ---------------------------------------------------------------- */

/* A right or a bit of state: one of two changes, or none. */
static u32 flipped(bool before, bool now, enum entry_change gained, enum entry_change lost)
{
	return before == now ? 0 : ENTRY_BIT(now ? gained : lost);
}

u32 entry_changes(pte_t old, pte_t new, unsigned level)
{
	bool was = pte_is_present(old), is = pte_is_present(new);

	if (!was || !is)
		return flipped(was, is, ENTRY_APPEARED, ENTRY_WENT);
	if (pte_is_table(old, level) != pte_is_table(new, level))
		return ENTRY_BIT(ENTRY_SIZE);
	u32 changes = pte_pa(old, level) == pte_pa(new, level) ? 0 : ENTRY_BIT(ENTRY_FRAME);

	if (pte_is_table(old, level))
		return changes;
	return changes |
	       flipped(pte_is_writable(old), pte_is_writable(new), ENTRY_W_GAINED, ENTRY_W_LOST) |
	       flipped(pte_is_executable(old), pte_is_executable(new), ENTRY_X_GAINED,
		       ENTRY_X_LOST) |
	       flipped(pte_is_dirty(old), pte_is_dirty(new), ENTRY_D_SET, ENTRY_D_CLEARED) |
	       flipped(pte_is_accessed(old), pte_is_accessed(new), ENTRY_A_SET, ENTRY_A_CLEARED);
}

/* ---- what holds now -------------------------------------------------------------- */

const struct rule_set *rules_native(void)
{
	return pt_fault_drops() ? &rules_x86 : &rules_arm64;
}

static const struct rule_set *set_of(u32 model)
{
	return model == RULES_NATIVE ? rules_native()
	       : model == RULES_X86  ? &rules_x86
				     : &rules_arm64;
}

/* By arm64's rules somebody has to flush: whoever gives access, or whoever faults for want of it. */
const char *rules_refuse(void)
{
	if (set_of(knob_next(&knobs.model))->fixup == RULE_NONE ||
	    knob_next(&knobs.upgrade) != UPGRADE_LOCAL ||
	    knob_next(&knobs.spurious) != SPURIOUS_NEVER)
		return NULL;
	return "upgrade=local with spurious=never: by arm64's rules a CPU that keeps its old entry "
	       "would fault for ever";
}

/* What follows a fault that changed nothing. */
static enum rule_flush fixup_of(bool retried)
{
	/* No knob changes what the hardware does: without this, CPUs that keep such entries would fault for ever. */
	if (rules.set->fixup == RULE_NONE)
		return pt_fault_drops() ? RULE_NONE : RULE_LOCAL;
	switch (knobs.spurious) {
	case SPURIOUS_ALWAYS:
		return rules.set->fixup;
	case SPURIOUS_NEVER:
		return RULE_NONE;
	case SPURIOUS_LOCAL:
		return RULE_LOCAL;
	default:
		return retried ? RULE_NONE : rules.set->fixup;
	}
}

void rules_use(void)
{
	rules.set = set_of(knobs.model);
	rules.shootdown = 0;
	for (unsigned c = 0; c < ENTRY_CHANGES; c++) {
		const struct rule *r = &rules.set->rule[c];

		rules.flush[c] = pt_hw_dirty() ? r->flush : r->by_faults;
		rules.upgrade[c] = rules.flush[c];
		if (ENTRY_BIT(c) & ENTRY_GAINS && knobs.upgrade == UPGRADE_LOCAL)
			rules.upgrade[c] = MIN(rules.flush[c], RULE_LOCAL);
		if (rules.upgrade[c] >= RULE_ALL)
			rules.shootdown |= ENTRY_BIT(c);
	}
	rules.fixup[false] = fixup_of(false);
	rules.fixup[true] = fixup_of(true);
	rules.leaves_retried = knobs.spurious == SPURIOUS_RFC;
}

bool rule_flush_entry(struct tlb_context *ctx, vaddr_t va, unsigned level, enum rule_flush how)
{
	struct tlb_gather g;

	ASSERT(how != RULE_BREAK);
	if (how == RULE_LOCAL)
		tlb_flush_local(ctx, va, level);
	if (how != RULE_ALL)
		return false;
	tlb_gather_init(&g, ctx, level);
	tlb_gather_add(&g, ctx, ALIGN_DOWN(va, PT_LEVEL_SIZE(level)), level);
	tlb_gather_flush(&g);
	return true;
}
