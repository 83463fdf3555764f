/* What became of the pages of a migration: counted, and told to who asked. */
#include <mm/migrate_batch.h>
#include <mm/stats.h>

const char *const migrate_reason_names[MIGRATE_REASONS] = {
	"ok", "pinned", "raced", "no_memory", "gone", "scanned", "refused", "writeback"};
const char *const migrate_phase_names[PHASE_COUNT] = {"unmap", "flush", "copy", "map", "other"};

/* Only what lies in the range asked about: a 2 MiB page moves whole if a part of it does. */
static void note_result(const struct migrate_request *req, vaddr_t va, unsigned order,
			enum migrate_reason reason)
{
	vaddr_t end = MIN(va + (PAGE_SIZE << order), req->start + req->len);

	for (va = MAX(va, req->start); va < end; va += PAGE_SIZE)
		req->result[(va - req->start) >> PAGE_SHIFT] = (u8)reason;
}

void migration_note_failure(struct migration *m, vaddr_t va, unsigned order,
			    enum migrate_reason reason)
{
	_Static_assert(MIGRATE_REASONS <= ARRAY_SIZE(((struct mm_counters *)0)->failed),
		       "a place for each reason");
	m->failure = reason;
	m->stats.failed[reason] += 1UL << order;
	this_cpu_ptr(mm_counters)->failed[reason] += 1UL << order;
	if (m->req->result)
		note_result(m->req, va, m->list ? 0 : order, reason);
}

void migration_note_moved(struct migration *m, vaddr_t va)
{
	if (m->list)
		m->list[va >> PAGE_SHIFT] = NULL;
	if (m->req->result)
		note_result(m->req, va, m->list ? 0 : m->order, MIGRATE_OK);
}

/* The destination is nobody else's yet, so this frees it. */
void migration_drop(struct migration *m, unsigned i, enum migrate_reason reason)
{
	migration_note_failure(m, m->va[i], m->order, reason);
	page_end_isolation(m->src[i]);
	if (m->dst[i])
		page_put(m->dst[i], PAGE_REF);
	m->src[i] = NULL;
	m->state[i] = PAIR_DONE;
}

void migrate_stats_add(struct migrate_stats *to, const struct migrate_stats *from)
{
	to->moved += from->moved;
	to->moved_huge += from->moved_huge;
	to->batches += from->batches;
	for (unsigned i = 0; i < MIGRATE_REASONS; i++)
		to->failed[i] += from->failed[i];
	for (unsigned i = 0; i < PHASE_COUNT; i++)
		to->phase[i] += from->phase[i];
}
