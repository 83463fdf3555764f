/* The workloads that registered. */
#include <kernel/string.h>
#include "workload.h"

const struct workload *workload_find(const char *name)
{
	for (const struct workload *const *w = __start_workloads; w < __stop_workloads; w++)
		if (!strcmp((*w)->name, name))
			return *w;
	return NULL;
}
