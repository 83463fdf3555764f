/* How far times mean something: see trust.c. */
#pragma once

#include "bench.h"

enum { TRUST_WHY_LEN = 128 }; /* bytes that trust_why() needs */

extern const char *const trust_names[];

/* Do `busy` CPUs run at once? Tests put an answer of their own in its place. */
extern bool (*trust_calibration)(const struct bench *b, unsigned busy);
/* Assess the trust of each series, before the first round. Nothing else runs. */
void trust_assess(struct bench *b);
/*
 * Behind the warm-up: where the host was too busy for the headline's times, look again, and longer.
 * Threads of the workload may run.
 */
void trust_assess_again(struct bench *b);
/* Before the rounds: where the host has too few CPUs for times, say what to do instead. */
void trust_advise(const struct bench *b);
/*
 * Does the host leave all busy CPUs alone just now? Into b->calm, too. patient: look several times if
 * not. True where no look is needed: a deterministic run, real hardware, times that are not shown.
 */
bool trust_look(struct bench *b, bool patient);
/* Times are not to be trusted after all: too many rounds were disturbed, the last of them this one. */
void trust_withdraw(struct bench *b, u64 round);
/*
 * Why a series shows no times, into buf: the headline, else the first of the others with its name in
 * front. NULL: all show them.
 */
const char *trust_why(const struct bench *b, char *buf, size_t size);
/* What trust in times rests on here, for records. */
const char *trust_by(void);
/* May the values of a series be shown? */
bool bench_shown(const struct bench *b, unsigned series);
/*
 * Is a series worth measuring? Not where its times could not be shown: with
 * more busy CPUs than the host has cores each interrupt takes milliseconds.
 */
bool bench_worthwhile(const struct bench *b, unsigned series);
