/* Errata of arm64 cores: which cores have them (arch/arm64/errata.c), and what is done about each. */
#pragma once

#include <kernel/types.h>

enum arm64_cure {
	CURE_REPEAT_TLBI, /* every broadcast TLBI is completed twice */
	CURE_NO_HW_DIRTY, /* as hw=-hafdbs */
	CURE_FLUSH_AT_SWITCH, /* a switch of spaces drops everything this CPU holds */
	CURE_ICACHE_AT_SWITCH, /* a switch of spaces drops this CPU's instruction cache */
	CURE_BBM_NOEXEC, /* taking execution away breaks before it makes */
	CURE_NO_TIMES, /* no time is trusted */
	CURE_BUILT_IN, /* nothing at run time: what triggers it is in no image */
	CURE_NONE, /* said, and nothing more */
	ARM64_CURES
};

struct arm64_erratum {
	const char *id; /* the vendor's */
	u32 first_model, last_model; /* implementer << 12 | part of MIDR_EL1; both are affected */
	u8 first, last; /* variant << 4 | revision, "r1p2" is 0x12; both are affected */
	u8 cure;
};

extern const struct arm64_erratum arm64_errata[];
extern const unsigned arm64_errata_count;

/* What we do about it, for the log. */
extern const char *const arm64_cure_text[ARM64_CURES];

static inline u32 midr_model(u64 midr)
{
	return (u32)(midr >> 24 & 0xff) << 12 | (u32)(midr >> 4 & 0xfff);
}

static inline u32 midr_revision(u64 midr)
{
	return (u32)(midr >> 16 & 0xf0) | (u32)(midr & 0xf);
}

/* Has the core with this MIDR_EL1 the erratum of this row? */
static inline bool arm64_has_erratum(const struct arm64_erratum *e, u64 midr)
{
	u32 model = midr_model(midr), revision = midr_revision(midr);

	return model >= e->first_model && model <= e->last_model && revision >= e->first &&
	       revision <= e->last;
}
