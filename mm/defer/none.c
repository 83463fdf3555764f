/*
 * none - no flush waits.
 *
 * Keeps     I1-I12: migrate.c flushes each batch before it copies and frees.
 * Stale for the time between an entry's exchange and the flush of its batch.
 * Costs     one shootdown per batch.
 */
#include <mm/deferral.h>

extern const struct deferral defer_none;
const struct deferral defer_none = {
	.name = "none",
	.summary = "no flush waits: every batch is flushed before it is copied",
};
