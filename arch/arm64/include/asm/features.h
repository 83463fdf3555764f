/* What all CPUs of this machine have, after hw=-name: decided on the boot CPU, checked on the others. */
#pragma once

#include <kernel/types.h>

struct arm64_features {
	unsigned asid_count; /* ASIDs that may be handed out; 0xffff means "kernel" and is none */
	bool tlbi_range; /* FEAT_TLBIRANGE */
	bool hw_dirty; /* FEAT_HAFDBS: hardware clears read-only where DBM is set */
	/* Cures of errata, due for some CPU (asm/errata.h). */
	bool repeat_tlbi;
	bool flush_at_switch, icache_at_switch;
	bool bbm_noexec;
	bool no_times;
	u64 tlbi_ttl0; /* FEAT_TTL: "the entry is of level 0" in the operand of TLBI; 0 = absent */
};

extern struct arm64_features arm64_features;

/* Boot CPU, once options can be read: what may be used. */
void features_apply_options(void);
/* Each CPU: control registers to match. Panics if this CPU lacks what the boot CPU decided to use. */
void features_enable_cpu(void);
