/* The table of `migrate`. */
#pragma once

#include <harness/bench.h>

void migrate_print(const struct bench *b);
