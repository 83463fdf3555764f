/*
 * none - no flush waits.
 *
 * Promise   I1-I12: migrate.c flushes each batch before it copies and frees.
 * Pays      nothing: there is never a debt.
 * Tunables  none.
 * Stale     for the time between an entry's exchange and the flush of its batch.
 * Costs     one shootdown per batch.
 */
#include <mm/deferral.h>

extern const struct deferral defer_none;
const struct deferral defer_none = {
	.name = "none",
	.summary = "no flush waits: every batch is flushed before it is copied",
};
