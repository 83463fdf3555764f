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
/* The settings of a scheme that hold on this machine, piece by piece in the order in which they are set; NULL behind the last. */
const char *scheme_settings(const struct scheme_def *def, unsigned piece);
/*
 * "batch+late-map": stage it (mm/knob.h) in place of the scheme in force. Knobs that it does not
 * name are as they were set. 0, or negative code with the reason in err: discard what is staged.
 */
int scheme_stage(const char *names, char *err, size_t size);
/* Check, apply, remember what was before. "": the scheme in force, whatever it is, stays. */
int scheme_apply(const char *names, char *err, size_t size);
/* Knobs as before the last scheme_apply(); settles. */
void scheme_restore(void);
