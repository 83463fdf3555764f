/*
 * Errata of arm64 cores that touch translation, the counter, or code that every image has. Cores and
 * revisions are those of Linux 6.12 (arch/arm64/kernel/cpu_errata.c, cpufeature.c) and, for 4118414,
 * of its patches of 2026. docs/errata.md has what is left out, and why. Plain data: the host tests it.
 */
#include <asm/errata.h>

#define ALL 0x00, 0xff
#define CORE(model) (model), (model)
#define FALKOR_1 CORE(0x51800), 0x00, 0x00
#define KRYO 0x51200, 0x512ff, ALL

const struct arm64_erratum arm64_errata[] = {
	/* Completing a broadcast TLBI does not complete every write through the old entry: CVE-2025-10263. */
	{"4118414", CORE(0x41d0b), ALL, CURE_REPEAT_TLBI}, /* Cortex-A76 */
	{"4118414", CORE(0x41d0e), ALL, CURE_REPEAT_TLBI}, /* Cortex-A76AE */
	{"4118414", CORE(0x41d0d), ALL, CURE_REPEAT_TLBI}, /* Cortex-A77 */
	{"4118414", CORE(0x41d41), ALL, CURE_REPEAT_TLBI}, /* Cortex-A78 */
	{"4118414", CORE(0x41d42), ALL, CURE_REPEAT_TLBI}, /* Cortex-A78AE */
	{"4118414", CORE(0x41d4b), ALL, CURE_REPEAT_TLBI}, /* Cortex-A78C */
	{"4118414", CORE(0x41d47), ALL, CURE_REPEAT_TLBI}, /* Cortex-A710 */
	{"4118414", CORE(0x41d44), ALL, CURE_REPEAT_TLBI}, /* Cortex-X1 */
	{"4118414", CORE(0x41d4c), ALL, CURE_REPEAT_TLBI}, /* Cortex-X1C */
	{"4118414", CORE(0x41d48), ALL, CURE_REPEAT_TLBI}, /* Cortex-X2 */
	{"4118414", CORE(0x41d4e), ALL, CURE_REPEAT_TLBI}, /* Cortex-X3 */
	{"4118414", CORE(0x41d82), ALL, CURE_REPEAT_TLBI}, /* Cortex-X4 */
	{"4118414", CORE(0x41d85), ALL, CURE_REPEAT_TLBI}, /* Cortex-X925 */
	{"4118414", CORE(0x41d8c), ALL, CURE_REPEAT_TLBI}, /* C1-Ultra */
	{"4118414", CORE(0x41d90), ALL, CURE_REPEAT_TLBI}, /* C1-Premium */
	{"4118414", CORE(0x41d0c), ALL, CURE_REPEAT_TLBI}, /* Neoverse-N1 */
	{"4118414", CORE(0x41d49), ALL, CURE_REPEAT_TLBI}, /* Neoverse-N2 */
	{"4118414", CORE(0x6dd49), ALL, CURE_REPEAT_TLBI}, /* Azure Cobalt 100 */
	{"4118414", CORE(0x41d40), ALL, CURE_REPEAT_TLBI}, /* Neoverse-V1 */
	{"4118414", CORE(0x41d4f), ALL, CURE_REPEAT_TLBI}, /* Neoverse-V2 */
	{"4118414", CORE(0x41d84), ALL, CURE_REPEAT_TLBI}, /* Neoverse-V3 */
	{"4118414", CORE(0x41d83), ALL, CURE_REPEAT_TLBI}, /* Neoverse-V3AE */
	{"4118414", CORE(0x4e010), ALL, CURE_REPEAT_TLBI}, /* NVIDIA Olympus */
	/* The same of reads, or of any access, in older cores. */
	{"1286807", CORE(0x41d0b), 0x00, 0x30, CURE_REPEAT_TLBI}, /* Cortex-A76 */
	{"1286807", CORE(0x51804), 0xce, 0xfe, CURE_REPEAT_TLBI}, /* Kryo 4xx Gold */
	{"2441007", CORE(0x41d05), ALL, CURE_REPEAT_TLBI}, /* Cortex-A55 */
	{"2441009", CORE(0x41d46), 0x00, 0x11, CURE_REPEAT_TLBI}, /* Cortex-A510 */
	{"E1009", FALKOR_1, CURE_REPEAT_TLBI},
	{"E1009", KRYO, CURE_REPEAT_TLBI},

	/* Hardware may set the dirty state of an entry that was changed meanwhile. */
	{"1024718", CORE(0x41d05), ALL, CURE_NO_HW_DIRTY}, /* Cortex-A55 */
	{"1024718", CORE(0x51805), 0xde, 0xde, CURE_NO_HW_DIRTY}, /* Kryo 4xx Silver */
	{"2051678", CORE(0x41d46), 0x00, 0x02, CURE_NO_HW_DIRTY}, /* Cortex-A510 */

	/* A write of TTBR0 that changes root and ASID may cache entries of one under the other. */
	{"E1003", FALKOR_1, CURE_FLUSH_AT_SWITCH},
	{"E1003", KRYO, CURE_FLUSH_AT_SWITCH},
	/* A broadcast TLBI spoils instruction cache lines of other ASIDs. */
	{"27456", CORE(0x430a1), 0x00, 0x11, CURE_ICACHE_AT_SWITCH}, /* ThunderX */
	{"27456", CORE(0x430a2), 0x00, 0x00, CURE_ICACHE_AT_SWITCH}, /* ThunderX 81xx */
	/* The fault after a page stopped being executable reports a wrong address and cause. */
	{"2645198", CORE(0x41d4d), ALL, CURE_BBM_NOEXEC}, /* Cortex-A715 */
	/* Read while its lower half wraps, the counter may be wrong by 2^32. */
	{"858921", CORE(0x41d09), ALL, CURE_NO_TIMES}, /* Cortex-A73 */

	/* An ADRP at the end of a page may give a wrong address: the linker moves it. */
	{"843419", CORE(0x41d03), 0x00, 0x04, CURE_BUILT_IN}, /* Cortex-A53 */
	{"843419", CORE(0x42100), 0x00, 0x00, CURE_BUILT_IN}, /* Brahma-B53 */
	/* A multiply-accumulate behind a load may go wrong: the compiler keeps them apart. */
	{"835769", CORE(0x41d03), 0x00, 0x04, CURE_BUILT_IN}, /* Cortex-A53 */
	/* Cleaning a cache line may lose stores: lines are always invalidated too. */
	{"819472", CORE(0x41d03), 0x00, 0x01, CURE_BUILT_IN}, /* Cortex-A53, and the next three */
	{"824069", CORE(0x41d03), 0x00, 0x02, CURE_BUILT_IN},
	{"826319", CORE(0x41d03), 0x00, 0x02, CURE_BUILT_IN},
	{"827319", CORE(0x41d03), 0x00, 0x02, CURE_BUILT_IN},
	/* Reading PAR_EL1 beside loads of devices may hang: barriers are around it. */
	{"1508412", CORE(0x41d0d), 0x00, 0x10, CURE_BUILT_IN}, /* Cortex-A77 */
	/* Switching translation off while instructions are fetched ahead: an ISB is before it. */
	{"E1041", FALKOR_1, CURE_BUILT_IN},
	{"E1041", CORE(0x51c00), ALL, CURE_BUILT_IN}, /* Falkor */
	/* A guessed AT instruction may walk by registers of two guests: walks are off while they change. */
	{"1165522", CORE(0x41d0b), 0x00, 0x20, CURE_BUILT_IN}, /* Cortex-A76 */
	{"1319367", CORE(0x41d08), ALL, CURE_BUILT_IN}, /* Cortex-A72 */
	{"1319537", CORE(0x41d07), ALL, CURE_BUILT_IN}, /* Cortex-A57 */
	{"1530923", CORE(0x41d05), 0x00, 0x20, CURE_BUILT_IN}, /* Cortex-A55 */
	{"1530923", CORE(0x51805), 0xde, 0xde, CURE_BUILT_IN}, /* Kryo 4xx Silver */
	{"1530924", CORE(0x41d03), ALL, CURE_BUILT_IN}, /* Cortex-A53 */
	/* A fault of stage 2 may be told of as one of stage 1, and its address is unknown: FAR_EL2 is used alone. */
	{"834220", CORE(0x41d07), 0x00, 0x12, CURE_BUILT_IN}, /* Cortex-A57 */
	/* Writing HCR_EL2 may spoil translations in progress: a DSB is before it, an ISB behind. */
	{"AC04_CPU_23", CORE(0xc0ac4), ALL, CURE_BUILT_IN}, /* AmpereOne A */

	/* Instructions that another CPU replaced may run on: the cure is the firmware's. */
	{"1542419", CORE(0x41d0c), ALL, CURE_NONE}, /* Neoverse-N1 */
};
const unsigned arm64_errata_count = sizeof(arm64_errata) / sizeof(arm64_errata[0]);

const char *const arm64_cure_text[ARM64_CURES] = {
	[CURE_REPEAT_TLBI] = "every broadcast TLBI is completed twice",
	[CURE_NO_HW_DIRTY] = "hardware dirty state is not used, as with hw=-hafdbs",
	[CURE_FLUSH_AT_SWITCH] = "each switch of address spaces flushes this CPU's TLB",
	[CURE_ICACHE_AT_SWITCH] =
		"each switch of address spaces drops this CPU's instruction cache",
	[CURE_BBM_NOEXEC] = "taking execution from a page breaks before it makes",
	[CURE_NO_TIMES] = "times are not trusted",
	[CURE_BUILT_IN] = "this image keeps clear of it",
	[CURE_NONE] = "nothing is done about it",
};
