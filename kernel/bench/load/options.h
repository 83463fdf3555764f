/* Options of the load: pages, threads and what these do, in common to the workloads that take them. */
#pragma once

#include <harness/options.h>

extern const struct bench_option options_load[];
