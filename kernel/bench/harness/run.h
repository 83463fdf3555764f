/* Setting up, rounds, taking down; no printing but progress. */
#pragma once

#include "bench.h"

int bench_measure(struct bench *b);
/* Say how far the run is if it has been silent for two seconds; rounds that may take longer call it. */
void bench_progress(struct bench *b);
