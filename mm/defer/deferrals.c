/* The list of deferrals. A new one is one file beside this one and one line here, above the last. */
#include <mm/deferral.h>

#define DEFERRALS(X)                                                                               \
	X(none)                                                                                    \
	X(never)                                                                                   \
	X(latr)                                                                                    \
	X(migrc)                                                                                   \
	X(luf)                                                                                     \
	X(stamp)                                                                                   \
	X(skeleton)

#define X(name) extern const struct deferral defer_##name;
DEFERRALS(X)
#undef X

const struct deferral *const deferrals[] = {
#define X(name) &defer_##name,
	DEFERRALS(X)
#undef X
		NULL,
};
