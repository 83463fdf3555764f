/* Guests on arm64: there are none yet. */
#include <arch/hypervisor.h>

const struct hypervisor *hypervisor_find(const char **why)
{
	*why = "there is no hypervisor for EL2 in this kernel";
	return NULL;
}
