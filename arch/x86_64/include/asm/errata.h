/* Errata of x86-64 CPUs: which CPUs have them (arch/x86_64/errata.c), and what is done about each. */
#pragma once

#include <kernel/types.h>

enum x86_cure {
	CURE_NO_PCID, /* as hw=-pcid */
	CURE_NO_FLUSH_FILTER, /* MSR_AMD_HWCR.FFDIS is set */
	CURE_BUILT_IN, /* nothing at run time: we never do what triggers it */
	CURE_NONE, /* said, and nothing more */
	X86_CURES
};

enum { X86_INTEL = 1, X86_AMD };

/* A CPU, as far as errata go by it. */
struct x86_model {
	u8 vendor; /* X86_INTEL, X86_AMD, or 0 */
	u8 stepping;
	u16 family, model; /* with their extensions */
	u32 microcode; /* revision; under a hypervisor all ones: it answers for that */
};

struct x86_erratum {
	const char *id; /* the vendor's */
	u8 vendor;
	u16 family, first_model, last_model; /* both are affected */
	u8 first_stepping, last_stepping;
	u32 fixed_in; /* microcode that mends it; all ones: none does */
	u8 cure;
};

extern const struct x86_erratum x86_errata[];
extern const unsigned x86_errata_count;

/* What we do about it, for the log. */
extern const char *const x86_cure_text[X86_CURES];

static inline bool x86_has_erratum(const struct x86_erratum *e, const struct x86_model *m)
{
	return m->vendor == e->vendor && m->family == e->family && m->model >= e->first_model &&
	       m->model <= e->last_model && m->stepping >= e->first_stepping &&
	       m->stepping <= e->last_stepping &&
	       (e->fixed_in == ~0U || m->microcode < e->fixed_in);
}
