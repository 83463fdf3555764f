/* Which x86-64 CPUs have which errata: each range at both of its ends, and just beyond them. */
#include <asm/errata.h>

#include "check.h"

#define NOT_TOLD (~0U) /* microcode, under a hypervisor */

static const char *errata_of(u8 vendor, u16 family, u16 model, u8 stepping, u32 microcode)
{
	static char text[100];
	struct x86_model m = {vendor, stepping, family, model, microcode};

	text[0] = '\0';
	for (unsigned i = 0; i < x86_errata_count; i++) {
		if (!x86_has_erratum(&x86_errata[i], &m))
			continue;
		if (text[0])
			strcat(text, " ");
		strcat(text, x86_errata[i].id);
	}
	return text;
}

TEST(global_entries_that_invlpg_leaves)
{
	static const struct {
		u16 model;
		u32 fixed_in;
		const char *id;
	} cpus[] = {
		{0x97, 0x2e, "ADL063"},	 {0x9a, 0x42c, "ADL063"},  {0xbe, 0x11, "ADL063"},
		{0xb7, 0x118, "RPL042"}, {0xba, 0x4117, "RPL042"}, {0xbf, 0x2e, "RPL042"},
	};

	for (unsigned i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
		u16 model = cpus[i].model;

		CHECK_STR(errata_of(X86_INTEL, 6, model, 2, cpus[i].fixed_in - 1), cpus[i].id);
		CHECK_STR(errata_of(X86_INTEL, 6, model, 5, 1), cpus[i].id);
		CHECK_STR(errata_of(X86_INTEL, 6, model, 2, cpus[i].fixed_in), "");
		CHECK_STR(errata_of(X86_INTEL, 6, model, 2, NOT_TOLD), "");
		CHECK_STR(errata_of(X86_AMD, 6, model, 2, 1), "");
		CHECK_STR(errata_of(X86_INTEL, 7, model, 2, 1), "");
	}
	CHECK_STR(errata_of(X86_INTEL, 6, 0x96, 2, 1), "");
	CHECK_STR(errata_of(X86_INTEL, 6, 0x98, 2, 1), "");
	CHECK_STR(errata_of(X86_INTEL, 6, 0xaa, 2, 1), ""); /* Meteor Lake */
}

TEST(old_cpus_of_amd)
{
	CHECK_STR(errata_of(X86_AMD, 0xe, 5, 8, NOT_TOLD), "");
	CHECK_STR(errata_of(X86_AMD, 0xf, 5, 8, NOT_TOLD), "122");
	CHECK_STR(errata_of(X86_AMD, 0xf, 0xc1, 3, NOT_TOLD), "122");
	CHECK_STR(errata_of(X86_AMD, 0x10, 2, 2, NOT_TOLD), "383 298");
	CHECK_STR(errata_of(X86_AMD, 0x10, 2, 3, NOT_TOLD), "383");
	CHECK_STR(errata_of(X86_AMD, 0x10, 2, 9, NOT_TOLD), "383");
	CHECK_STR(errata_of(X86_AMD, 0x10, 2, 10, NOT_TOLD), "383 298");
	CHECK_STR(errata_of(X86_AMD, 0x10, 2, 11, NOT_TOLD), "383");
	CHECK_STR(errata_of(X86_AMD, 0x10, 4, 2, NOT_TOLD), "383");
	CHECK_STR(errata_of(X86_AMD, 0x11, 2, 2, NOT_TOLD), "");
	CHECK_STR(errata_of(X86_AMD, 0x17, 1, 2, NOT_TOLD), "");
	CHECK_STR(errata_of(X86_INTEL, 0xf, 4, 1, 1), ""); /* Pentium 4 */
}

TEST(old_cpus_of_intel)
{
	CHECK_STR(errata_of(X86_INTEL, 6, 0x1c, 2, 0x20d), "AAE44");
	CHECK_STR(errata_of(X86_INTEL, 6, 0x1c, 0, 0), "AAE44");
	CHECK_STR(errata_of(X86_INTEL, 6, 0x1c, 3, 0x20d), "");
	CHECK_STR(errata_of(X86_INTEL, 6, 0x1c, 2, 0x20e), "");
	CHECK_STR(errata_of(X86_INTEL, 6, 0x56, 1, 1), "");
	CHECK_STR(errata_of(X86_INTEL, 6, 0x57, 1, NOT_TOLD), "KNL-A/D");
	CHECK_STR(errata_of(X86_INTEL, 6, 0x85, 0, NOT_TOLD), "KNL-A/D");
	CHECK_STR(errata_of(X86_INTEL, 6, 0x55, 4, NOT_TOLD), ""); /* Skylake-SP */
}

TEST(every_cure_is_told)
{
	for (unsigned i = 0; i < X86_CURES; i++)
		CHECK(x86_cure_text[i] && x86_cure_text[i][0]);
}
