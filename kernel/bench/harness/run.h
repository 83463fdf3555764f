/* Setting up, rounds, taking down; no printing but how far it is. */
#pragma once

#include "bench.h"

int bench_measure(struct bench *b);
