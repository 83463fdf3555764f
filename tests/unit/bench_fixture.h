/* What tests of the benchmark share. */
#pragma once

#include <kernel/bench.h>

/*
 * bench_quietly() for what looks at no time: a busy host is not waited for, and no round measured
 * again.
 */
unsigned run_calmly(int argc, char **argv, struct bench_outcome *out);
/* The record of a variant, as record_make() made it; "" if there is none. */
const char *record_of(unsigned variant);
