/* Schemes: names for the knobs that they change. They compose: "batch+late-map", "batch+defer=skeleton". */
#pragma once

#include <mm/knob.h>

struct scheme_def {
	const char *name, *summary;
	const char *settings; /* "batch=512 defer=none" */
	const char *not_modelled; /* for like-linux-*: what differs from that kernel; NULL else */
};
extern const struct scheme_def scheme_defs[];
extern const unsigned scheme_def_count;
/* "batch+late-map": check and apply on top of the knobs as set; the reason of a refusal goes to err. */
int scheme_apply(const char *names, char *err, size_t size);
/* Knobs as before the last scheme_apply(); settles. */
void scheme_restore(void);
