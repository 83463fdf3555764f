/* Which x86-64 CPUs run guests, and what is said of the others. */
#include <arch/hypervisor.h>
#include <asm/features.h>
#include <asm/regs.h>
#include <asm/svm.h>

#include "check.h"

const struct hypervisor svm_hypervisor = {.name = "found"};

/* The CPU. */
static u64 features; /* a bit per enum x86_feature */
static u32 asids; /* the host's among them */
static bool has_vm_cr, switched_off;

bool x86_has(enum x86_feature feature)
{
	return features >> feature & 1;
}

struct cpuid cpuid_or_zero(u32 leaf, u32 subleaf)
{
	return leaf == 0x8000000a && !subleaf ? (struct cpuid){.ebx = asids} : (struct cpuid){0};
}

int msr_probe_read(u32 msr, u64 *value)
{
	if (msr != MSR_VM_CR || !has_vm_cr)
		return -1;
	*value = switched_off ? VM_CR_SVMDIS : 0xfUL;
	return 0;
}

#define BIT_OF(feature) (1UL << (feature))
#define ALL (BIT_OF(X86_SVM) | BIT_OF(X86_NPT) | BIT_OF(X86_1G))

static void be_fit(void)
{
	features = ALL;
	asids = GUEST_TAGS + 1;
	has_vm_cr = true;
	switched_off = false;
}

/* NULL: it runs guests. */
static const char *refused(void)
{
	const char *why = NULL;
	const struct hypervisor *found = hypervisor_find(&why);

	return found == &svm_hypervisor ? NULL : why;
}

TEST(a_cpu_with_all_that_is_needed)
{
	be_fit();
	CHECK(!refused());
	has_vm_cr = false; /* a hypervisor around us may hide it */
	CHECK(!refused());
}

TEST(intel_is_named)
{
	be_fit();
	features = BIT_OF(X86_VMX) | BIT_OF(X86_1G);
	CHECK_STR(refused(), "this CPU has Intel VMX, which is not used: only AMD SVM is");
	features = BIT_OF(X86_1G);
	CHECK_STR(refused(), "this CPU has no AMD SVM");
}

TEST(svm_that_is_not_enough)
{
	static const char less[] =
		"this CPU's SVM is without nested paging, 1 GiB pages or ASIDs enough";

	be_fit();
	features = ALL & ~BIT_OF(X86_NPT);
	CHECK_STR(refused(), less);
	features = ALL & ~BIT_OF(X86_1G);
	CHECK_STR(refused(), less);
	be_fit();
	asids = GUEST_TAGS; /* one of them is the host's */
	CHECK_STR(refused(), less);
}

TEST(firmware_has_switched_it_off)
{
	be_fit();
	switched_off = true;
	CHECK_STR(refused(), "firmware has switched SVM off");
}
