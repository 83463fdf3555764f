/* What is compared: schemes, each once, or once per value of --vary, or per combination of several. */
#pragma once

#include "bench.h"

/* One more variant, labelled SCHEME or SCHEME-KNOB.VALUE..., a value for each knob that is varied. False: there are too many. */
bool variant_add(struct bench *b, const char *scheme_name, const char *const *vary_value);
/* Those that --schemes and --vary name, each tried. RC_PASS, or RC_USAGE after printing why. */
unsigned variants_make(struct bench *b);
/*
 * Can this variant be measured? 0 (also if the workload's parameters rule it
 * out: then v->skipped says why), -ENOTSUP: not on this machine, or another
 * code: no such scheme, knob or value. The reason is in v->skipped.
 */
int variant_try(struct bench *b, struct bench_variant *v);
/* Set its knobs, until scheme_restore(). 0 or a code, the reason in err (BENCH_ERROR_LEN bytes). */
int variant_enter(const struct bench *b, const struct bench_variant *v, char *err);
/* Is there none that could be measured? */
bool variants_all_skipped(const struct bench *b);
