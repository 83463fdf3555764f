/* The series of `migrate`, and its table. */
#pragma once

#include <harness/bench.h>

/* Per page. */
enum migrate_series {
	MIGRATE_WHOLE, /* settling included */
	MIGRATE_SETTLE,
	MIGRATE_PHASES, /* and on: by enum migrate_phase */
};

void migrate_print(const struct bench *b);
