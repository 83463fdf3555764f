/* Whether this CPU runs guests by SVM, and if not, why: APM vol. 2, 15.4 and 15.30. */
#include <arch/hypervisor.h>
#include <asm/features.h>
#include <asm/regs.h>
#include <asm/svm.h>

/* CPUID 8000000Ah, EBX: how many ASIDs there are, the host's among them. */
static bool has_asids(void)
{
	return cpuid_or_zero(0x8000000a, 0).ebx > GUEST_TAGS;
}

const struct hypervisor *hypervisor_find(const char **why)
{
	u64 vm_cr = 0;

	if (!x86_has(X86_SVM))
		*why = x86_has(X86_VMX)
			       ? "this CPU has Intel VMX, which is not used: only AMD SVM is"
			       : "this CPU has no AMD SVM";
	else if (!x86_has(X86_NPT) || !x86_has(X86_1G) || !has_asids())
		*why = "this CPU's SVM is without nested paging, 1 GiB pages or ASIDs enough";
	else if (!msr_probe_read(MSR_VM_CR, &vm_cr) && vm_cr & VM_CR_SVMDIS)
		*why = "firmware has switched SVM off";
	else
		return &svm_hypervisor;
	return NULL;
}
