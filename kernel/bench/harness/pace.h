/* How far a run is, when it has to end, and what it says meanwhile: see pace.c. */
#pragma once

#include "bench.h"

/* Before a space of so many pages is set up: says so where that takes long. */
void pace_setup(const struct bench *b, u64 pages);
/* Before the first round; `variants` are measured in each. */
void pace_begin(struct bench *b, unsigned variants);
/* A variant's round is over. Not in a measured part: it may print. */
void pace_step(struct bench *b);
/* Say how far the run is, if it has been silent for long; rounds that may take longer call it. */
void bench_progress(struct bench *b);
/* May another round of warm-up begin? Another measured one? Always one of those. */
bool pace_warms_up(const struct bench *b);
bool pace_goes_on(const struct bench *b);
/* May a disturbed round be measured again? Somebody who waits is not kept much longer than announced. */
bool pace_repeats(const struct bench *b);
