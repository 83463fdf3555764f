/* Which arm64 cores have which errata: each range at both of its ends, and just beyond them. */
#include <asm/errata.h>

#include "check.h"

/* MIDR_EL1 of a core: implementer, part, variant, revision; architecture "by ID registers". */
#define MIDR(implementer, part, variant, revision)                                                 \
	((implementer) << 24 | (variant) << 20 | 0xf0000 | (part) << 4 | (revision))
#define ARM 0x41u
#define QUALCOMM 0x51u
#define CAVIUM 0x43u

/* The errata of a core in the order of the table, one name once. */
static const char *errata_of(u64 midr)
{
	static char text[200];

	text[0] = '\0';
	for (unsigned i = 0; i < arm64_errata_count; i++) {
		const struct arm64_erratum *e = &arm64_errata[i];

		if (!arm64_has_erratum(e, midr))
			continue;
		if (text[0])
			strcat(text, " ");
		strcat(text, e->id);
	}
	return text;
}

static bool cured(u64 midr, enum arm64_cure cure)
{
	for (unsigned i = 0; i < arm64_errata_count; i++)
		if (arm64_errata[i].cure == cure && arm64_has_erratum(&arm64_errata[i], midr))
			return true;
	return false;
}

struct expected {
	u64 midr;
	const char *errata;
};

#define CHECK_ERRATA(table)                                                                        \
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)                            \
	CHECK_STR(errata_of(table[i].midr), table[i].errata)

TEST(cores_that_must_repeat_a_tlbi)
{
	static const struct expected table[] = {
		{MIDR(ARM, 0xd0bu, 0u, 0u), "4118414 1286807 1165522"}, /* Cortex-A76 */
		{MIDR(ARM, 0xd0bu, 2u, 0u), "4118414 1286807 1165522"},
		{MIDR(ARM, 0xd0bu, 3u, 0u), "4118414 1286807"},
		{MIDR(ARM, 0xd0bu, 3u, 1u), "4118414"},
		{MIDR(ARM, 0xd0bu, 4u, 1u), "4118414"},
		{MIDR(ARM, 0xd0au, 3u, 0u), ""}, /* Cortex-A75 */
		{MIDR(ARM, 0xd46u, 0u, 3u), "2441009"}, /* Cortex-A510 */
		{MIDR(ARM, 0xd46u, 1u, 1u), "2441009"},
		{MIDR(ARM, 0xd46u, 1u, 2u), ""},
		{MIDR(QUALCOMM, 0x804u, 0xcu, 0xdu), ""}, /* Kryo 4xx Gold */
		{MIDR(QUALCOMM, 0x804u, 0xcu, 0xeu), "1286807"},
		{MIDR(QUALCOMM, 0x804u, 0xfu, 0xeu), "1286807"},
		{MIDR(QUALCOMM, 0x804u, 0xfu, 0xfu), ""},
		{MIDR(QUALCOMM, 0x800u, 0u, 0u), "E1009 E1003 E1041"}, /* Falkor v1 */
		{MIDR(QUALCOMM, 0x800u, 0u, 1u),
		 ""}, /* and what else has its number: Kryo 2xx Gold */
		{MIDR(QUALCOMM, 0x800u, 0xau, 2u), ""},
		{MIDR(QUALCOMM, 0xc00u, 1u, 0u), "E1041"}, /* Falkor */
		{MIDR(QUALCOMM, 0x1ffu, 1u, 1u), ""}, /* Kryo: any part from 0x200 to 0x2ff */
		{MIDR(QUALCOMM, 0x200u, 0u, 0u), "E1009 E1003"},
		{MIDR(QUALCOMM, 0x211u, 1u, 1u), "E1009 E1003"},
		{MIDR(QUALCOMM, 0x2ffu, 0xfu, 0xfu), "E1009 E1003"},
		{MIDR(QUALCOMM, 0x300u, 1u, 1u), ""},
		{MIDR(ARM, 0x211u, 1u, 1u), ""},
	};

	CHECK_ERRATA(table);
}

/* Every revision of these, and none of the cores between them that are not concerned. */
TEST(writes_that_a_tlbi_leaves_behind)
{
	static const u32 models[] = {0xd0b, 0xd0c, 0xd0d, 0xd0e, 0xd40, 0xd41, 0xd42,
				     0xd44, 0xd47, 0xd48, 0xd49, 0xd4b, 0xd4c, 0xd4e,
				     0xd4f, 0xd82, 0xd83, 0xd84, 0xd85, 0xd8c, 0xd90};
	unsigned next = 0;

	for (u32 part = 0xd00; part < 0xe00; part++) {
		bool listed = next < sizeof(models) / sizeof(models[0]) && models[next] == part;

		next += listed;
		CHECK_EQ(!strncmp(errata_of(MIDR(ARM, part, 0u, 0u)), "4118414", 7), listed);
		CHECK_EQ(!strncmp(errata_of(MIDR(ARM, part, 0xfu, 0xfu)), "4118414", 7), listed);
		CHECK_EQ(!strncmp(errata_of(MIDR(0x6du, part, 0u, 0u)), "4118414", 7),
			 part == 0xd49);
	}
	CHECK_EQ(next, sizeof(models) / sizeof(models[0]));
	CHECK_STR(errata_of(MIDR(0x4eu, 0x010u, 0u, 0u)), "4118414"); /* NVIDIA Olympus */
	CHECK_STR(errata_of(MIDR(0x4eu, 0x004u, 0u, 0u)),
		  ""); /* Carmel: CnP only, which is never on */
}

TEST(cores_whose_dirty_state_is_not_trusted)
{
	static const struct expected table[] = {
		{MIDR(ARM, 0xd05u, 0u, 0u), "2441007 1024718 1530923"}, /* Cortex-A55 */
		{MIDR(ARM, 0xd05u, 2u, 0u), "2441007 1024718 1530923"},
		{MIDR(ARM, 0xd05u, 2u, 1u), "2441007 1024718"},
		{MIDR(ARM, 0xd46u, 0u, 2u), "2441009 2051678"}, /* Cortex-A510 */
		{MIDR(QUALCOMM, 0x805u, 0xdu, 0xdu), ""}, /* Kryo 4xx Silver */
		{MIDR(QUALCOMM, 0x805u, 0xdu, 0xeu), "1024718 1530923"},
		{MIDR(QUALCOMM, 0x805u, 0xdu, 0xfu), ""},
	};

	CHECK_ERRATA(table);
	CHECK(cured(MIDR(ARM, 0xd05u, 2u, 0u), CURE_NO_HW_DIRTY));
	CHECK(cured(MIDR(ARM, 0xd05u, 2u, 0u), CURE_REPEAT_TLBI));
	CHECK(cured(MIDR(ARM, 0xd46u, 0u, 2u), CURE_NO_HW_DIRTY));
	CHECK(!cured(MIDR(ARM, 0xd46u, 0u, 3u), CURE_NO_HW_DIRTY));
}

TEST(other_errata)
{
	static const struct expected table[] = {
		{MIDR(CAVIUM, 0x0a1u, 0u, 0u), "27456"}, /* ThunderX */
		{MIDR(CAVIUM, 0x0a1u, 1u, 1u), "27456"},
		{MIDR(CAVIUM, 0x0a1u, 1u, 2u), ""},
		{MIDR(CAVIUM, 0x0a2u, 0u, 0u), "27456"},
		{MIDR(CAVIUM, 0x0a2u, 0u, 1u), ""},
		{MIDR(CAVIUM, 0x0a3u, 0u, 0u), ""},
		{MIDR(CAVIUM, 0x0afu, 0u, 0u), ""}, /* ThunderX2 */
		{MIDR(ARM, 0xd4du, 1u, 0u), "2645198"}, /* Cortex-A715 */
		{MIDR(ARM, 0xd09u, 1u, 0u), "858921"}, /* Cortex-A73 */
		{MIDR(ARM, 0xd03u, 0u, 1u),
		 "843419 835769 819472 824069 826319 827319 1530924"}, /* Cortex-A53 */
		{MIDR(ARM, 0xd03u, 0u, 2u), "843419 835769 824069 826319 827319 1530924"},
		{MIDR(ARM, 0xd03u, 0u, 3u), "843419 835769 1530924"},
		{MIDR(ARM, 0xd03u, 0u, 4u), "843419 835769 1530924"},
		{MIDR(ARM, 0xd03u, 0u, 5u), "1530924"},
		{MIDR(0x42u, 0x100u, 0u, 0u), "843419"}, /* Brahma-B53 */
		{MIDR(0x42u, 0x100u, 0u, 1u), ""},
		{MIDR(ARM, 0xd0du, 1u, 0u), "4118414 1508412"}, /* Cortex-A77 */
		{MIDR(ARM, 0xd0du, 1u, 1u), "4118414"},
		{MIDR(0xc0u, 0xac4u, 0u, 0u), "AC04_CPU_23"}, /* AmpereOne A */
		{MIDR(0xc0u, 0xac3u, 0u, 0u), ""},
		{MIDR(ARM, 0xd0cu, 4u, 1u), "4118414 1542419"}, /* Neoverse-N1 */
		{MIDR(ARM, 0xd07u, 1u, 2u), "1319537 834220"}, /* Cortex-A57 */
		{MIDR(ARM, 0xd07u, 1u, 3u), "1319537"},
		{MIDR(ARM, 0xd08u, 0u, 3u), "1319367"}, /* Cortex-A72 */
		{MIDR(0x46u, 0x001u, 1u, 0u), ""}, /* A64FX */
		{MIDR(0x48u, 0xd02u, 0u, 0u), ""}, /* HIP09: CnP only */
	};

	CHECK_ERRATA(table);
	CHECK(cured(MIDR(CAVIUM, 0x0a1u, 0u, 0u), CURE_ICACHE_AT_SWITCH));
	CHECK(cured(MIDR(QUALCOMM, 0x201u, 0u, 0u), CURE_FLUSH_AT_SWITCH));
	CHECK(cured(MIDR(QUALCOMM, 0x201u, 0u, 0u), CURE_REPEAT_TLBI));
	CHECK(cured(MIDR(ARM, 0xd4du, 1u, 0u), CURE_BBM_NOEXEC));
	CHECK(cured(MIDR(ARM, 0xd09u, 1u, 0u), CURE_NO_TIMES));
}

TEST(every_cure_is_told)
{
	for (unsigned i = 0; i < ARM64_CURES; i++)
		CHECK(arm64_cure_text[i] && arm64_cure_text[i][0]);
}
