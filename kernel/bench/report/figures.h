/* What records and tables both derive from a run, so that they cannot differ. */
#pragma once

#include <harness/bench.h>

u64 bench_all_ipis(const struct bench_totals *t);
u64 bench_failed(const struct bench_totals *t);
/* Frames held back on an average, in hundredths. */
u64 bench_held_mean(const struct bench_totals *t);
/* What one CPU asked of others for flushes: interrupts, and broadcasts that were waited for. */
u64 bench_asked(const struct mm_counters *c);
/* What bench_asked() is in this run: "IPIs", "syncs", or "IPIs+syncs" where variants differ in it. */
const char *bench_asked_name(const struct bench *b);
/* Was anything broadcast? */
bool bench_broadcasts(const struct bench *b);
/* Summary of a series of a variant; false: not measured, or its times may not be shown. */
bool bench_summary(const struct bench *b, unsigned variant, unsigned series, struct summary *s);
/* Could a stale read be seen here? NULL = yes, else why not. */
const char *bench_stale_hidden(const struct bench *b);
/* Victims' waits are counted, in instructions, wherever a run is deterministic. */
bool bench_waits_shown(const struct bench *b);
/* Median over the rounds of each round's longest wait, cycles. */
u64 bench_median_wait(const struct bench *b, const struct bench_variant *v);
/* Index of the variant measured under this scheme, or -ENOENT. */
int bench_find_variant(const struct bench *b, const char *scheme_name);
