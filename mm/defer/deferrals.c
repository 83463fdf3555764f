/* The list of deferrals. A new one is one file beside this one and one line here. */
#include <mm/deferral.h>

extern const struct deferral defer_none, defer_never, defer_skeleton;

const struct deferral *const deferrals[] = {
	&defer_none,
	&defer_never,
	&defer_skeleton,
	NULL,
};
