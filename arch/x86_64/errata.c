/*
 * Errata of x86-64 CPUs that touch translation. CPUs and microcode are those of Linux 6.12
 * (arch/x86/mm/init.c, arch/x86/kernel/cpu/amd.c and intel.c) where it has them. docs/errata.md has
 * what is left out, and why. Plain data: the host tests it.
 */
#include <asm/errata.h>

#define ANY_MODEL 0, 0xffff
#define MODEL(m) (m), (m)
#define ANY_STEPPING 0, 15
#define NEVER (~0U)

const struct x86_erratum x86_errata[] = {
	/* INVLPG leaves global entries while PCIDs are on. */
	{"ADL063", X86_INTEL, 6, MODEL(0x97), ANY_STEPPING, 0x2e, CURE_NO_PCID}, /* Alder Lake */
	{"ADL063", X86_INTEL, 6, MODEL(0x9a), ANY_STEPPING, 0x42c, CURE_NO_PCID}, /* ... L */
	{"ADL063", X86_INTEL, 6, MODEL(0xbe), ANY_STEPPING, 0x11, CURE_NO_PCID}, /* Gracemont */
	{"RPL042", X86_INTEL, 6, MODEL(0xb7), ANY_STEPPING, 0x118, CURE_NO_PCID}, /* Raptor Lake */
	{"RPL042", X86_INTEL, 6, MODEL(0xba), ANY_STEPPING, 0x4117, CURE_NO_PCID}, /* ... P */
	{"RPL042", X86_INTEL, 6, MODEL(0xbf), ANY_STEPPING, 0x2e, CURE_NO_PCID}, /* ... S */
	/* The filter that leaves out flushes of unchanged tables misses changes by other CPUs. */
	{"122", X86_AMD, 0xf, ANY_MODEL, ANY_STEPPING, NEVER, CURE_NO_FLUSH_FILTER},

	/* Entries of two sizes for one address: ours go and are flushed before others come. */
	{"383", X86_AMD, 0x10, ANY_MODEL, ANY_STEPPING, NEVER, CURE_BUILT_IN},
	/* A walk may set A and D in an entry that is gone: such an entry counts as none. Xeon Phi. */
	{"KNL-A/D", X86_INTEL, 6, MODEL(0x57), ANY_STEPPING, NEVER, CURE_BUILT_IN},
	{"KNL-A/D", X86_INTEL, 6, MODEL(0x85), ANY_STEPPING, NEVER, CURE_BUILT_IN},

	/* A walk's update of A or D races its line out of the L2 cache: the cure is the firmware's. */
	{"298", X86_AMD, 0x10, MODEL(2), 0, 2, NEVER, CURE_NONE},
	{"298", X86_AMD, 0x10, MODEL(2), 10, 10, NEVER, CURE_NONE},
	/* A fetch races the invalidation of a large page: new microcode, or large=off. Bonnell. */
	{"AAE44", X86_INTEL, 6, MODEL(0x1c), 0, 2, 0x20e, CURE_NONE},
};
const unsigned x86_errata_count = sizeof(x86_errata) / sizeof(x86_errata[0]);

const char *const x86_cure_text[X86_CURES] = {
	[CURE_NO_PCID] = "PCIDs are not used, as with hw=-pcid",
	[CURE_NO_FLUSH_FILTER] = "the TLB flush filter is switched off",
	[CURE_BUILT_IN] = "this image keeps clear of it",
	[CURE_NONE] = "nothing is done about it",
};
