/* How far times mean something: see trust.c. */
#pragma once

#include "bench.h"

extern const char *const trust_names[];

/* Assess the trust of each series; again: a worse one replaces a better one. */
void trust_assess(struct bench *b, bool again);
/* May the values of a series be shown? */
bool bench_shown(const struct bench *b, unsigned series);
/*
 * Is a series worth measuring? Not where its times could not be shown: with
 * more busy CPUs than the host has cores each interrupt takes milliseconds.
 */
bool bench_worthwhile(const struct bench *b, unsigned series);
