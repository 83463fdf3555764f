/* Schemes: names for the knobs that they change. They compose: "batch+late-map", "batch+defer=skeleton". */
#pragma once

#include <mm/knob.h>

/* Settings for some machines only. */
struct scheme_case {
	const char *isa; /* as cpu_isa() says it; NULL ends a list */
	bool (*here)(void); /* further condition, or NULL */
	const char *settings;
};

struct scheme_def {
	const char *name, *summary;
	const char *settings; /* everywhere: "batch=512 defer=none" */
	const struct scheme_case *cases; /* set after those, each that holds here; may be NULL */
	const char *not_modelled; /* for like-linux-*: what differs from that kernel; NULL else */
};
extern const struct scheme_def scheme_defs[];
extern const unsigned scheme_def_count;
/*
 * The settings of a scheme that apply on this machine: piece 0, 1, ... in the order in which they are
 * set. NULL: there is no such piece, nor a further one.
 */
const char *scheme_settings(const struct scheme_def *def, unsigned piece);
/*
 * Stage a scheme ("batch+hint=late") in place of the one in force; see knob_stage(). Knobs that it
 * does not name are as they were set. 0, or an error of knob_set() with the reason in err: call
 * knobs_discard() then.
 */
int scheme_stage(const char *names, char *err, size_t size);
/*
 * knobs_save(), then put the scheme in force. "": the scheme in force stays. 0, or an error of
 * knob_set() with the reason in err: all knobs are as before. The rules of knob_set().
 */
int scheme_apply(const char *names, char *err, size_t size);
/* Set the knobs to what they were before the last scheme_apply(). The rules of knob_set(). */
void scheme_restore(void);
