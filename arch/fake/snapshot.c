/*
 * Snapshots: after each execution the machine is put back to the state in which the
 * scenario starts. That is the host program's data, the per-CPU areas, the page array
 * and RAM.
 *
 * Executions never write most of it. So each host page is write-protected until the
 * first store into it. From then on it is compared after every execution. If it has
 * stayed the same for SAME executions, it is protected again.
 */
#include <fake/machine.h>
#include <fake/start.h>
#include <kernel/percpu.h>
#include <stdlib.h>
#include <string.h>

enum {
	HOST_PAGE = 4096,
	LINE = 512, /* bytes compared at a time: most do not differ */
	SAME = 256, /* executions; a fault and a new protection cost as much as a dozen comparisons */
};

extern char __data_start[], _end[]; /* of the host's linker: all initialised and zeroed data */
extern char __start_percpu[], __stop_percpu[];

/* A host page that stores may go to, or the part of one that belongs to a stretch. */
struct written {
	char *at, *copy;
	u32 len;
	u32 same; /* how many executions in a row have left it as it was */
	bool shared; /* the host page also has data that is not restored, so it is never protected */
};

struct stretch {
	char *at, *copy; /* the copy of a page is made when it is first written */
	u64 len;
	struct written *written;
	u32 written_count;
};

enum { DATA, PERCPU, PAGES, RAM, STRETCHES };

/* Heap, like all that it points to. */
static struct snapshot {
	struct stretch stretch[STRETCHES];
} * snapshot;

static void stretch_set(struct stretch *s, void *at, u64 len)
{
	s->at = at;
	s->len = len;
	s->copy = malloc(len);
	s->written = malloc((len / HOST_PAGE + 2) * sizeof(*s->written));
}

static void add_written(struct stretch *s, char *at, u64 len, bool shared)
{
	char *copy = s->copy + (at - s->at);

	memcpy(copy, at, len);
	s->written[s->written_count++] = (struct written){at, copy, (u32)len, 0, shared};
}

static void stretch_take(struct stretch *s)
{
	char *first = (char *)ALIGN_UP((u64)s->at, (u64)HOST_PAGE);
	char *end = (char *)ALIGN_DOWN((u64)s->at + s->len, (u64)HOST_PAGE);

	if (first != s->at)
		add_written(s, s->at, (u64)(first - s->at), true);
	if (end != s->at + s->len)
		add_written(s, end, (u64)(s->at + s->len - end), true);
	if (first < end)
		fake_protect(first, (u64)(end - first), true);
}

/* The first store into a protected page; it is repeated when we return. */
static bool first_store(const char *addr)
{
	char *page = (char *)ALIGN_DOWN((u64)addr, (u64)HOST_PAGE);

	for (unsigned i = 0; i < STRETCHES; i++) {
		struct stretch *s = &snapshot->stretch[i];

		if (page < s->at || page + HOST_PAGE > s->at + s->len)
			continue;
		add_written(s, page, HOST_PAGE, false);
		fake_protect(page, HOST_PAGE, false);
		return true;
	}
	return false;
}

void fake_snapshot(void)
{
	struct snapshot *snap = calloc(1, sizeof(*snap));
	u64 stride = fake_config.cpus > 1 ? fake_cpus[1].percpu - fake_cpus[0].percpu
					  : (u64)(__stop_percpu - __start_percpu);
	u64 first = fake_first_frame(), frames = fake_last_frame() - first;

	/* Before the copies, so that a restore keeps it. */
	snapshot = snap;
	fake_catch_stores(first_store);
	stretch_set(&snap->stretch[DATA], __data_start, (u64)(_end - __data_start));
	stretch_set(&snap->stretch[PERCPU], (void *)FAKE_PERCPU_VA, stride * fake_config.cpus);
	stretch_set(&snap->stretch[PAGES], (char *)VMEMMAP_BASE + first * FAKE_PAGE_STRUCT,
		    frames * FAKE_PAGE_STRUCT);
	stretch_set(&snap->stretch[RAM], (void *)FAKE_RAM_VA, frames << PAGE_SHIFT);
	for (unsigned i = 0; i < STRETCHES; i++)
		stretch_take(&snap->stretch[i]);
}

/* True: an execution had changed it. */
static bool put_back(const struct written *w)
{
	bool changed = false;

	for (u32 line = 0; line < w->len; line += LINE) {
		u32 n = MIN((u32)LINE, w->len - line);

		if (likely(!memcmp(w->at + line, w->copy + line, n)))
			continue;
		memcpy(w->at + line, w->copy + line, n);
		changed = true;
	}
	return changed;
}

static void stretch_restore(struct stretch *s)
{
	for (u32 n = 0; n < s->written_count;) {
		struct written *w = &s->written[n];

		w->same = put_back(w) ? 0 : w->same + 1;
		if (w->same < SAME || w->shared) {
			n++;
			continue;
		}
		fake_protect(w->at, HOST_PAGE, true);
		*w = s->written[--s->written_count];
	}
}

void fake_restore(void)
{
	for (unsigned i = 0; i < STRETCHES; i++)
		stretch_restore(&snapshot->stretch[i]);
}

/* Hashes are added up, so the order in which pages were first written makes no difference. */
static u64 hash_of(const struct written *w)
{
	u64 hash = 0;

	for (u32 i = 0; i + sizeof(u64) <= w->len; i += sizeof(u64)) {
		u64 now, before;

		memcpy(&now, w->at + i, sizeof(now));
		memcpy(&before, w->copy + i, sizeof(before));
		if (now != before)
			hash += fake_mix((u64)w->at + i, now);
	}
	return hash;
}

u64 fake_state_hash(bool of_program)
{
	u64 hash = 0;

	for (unsigned i = of_program ? DATA : PERCPU; i < STRETCHES; i++) {
		const struct stretch *s = &snapshot->stretch[i];

		for (u32 n = 0; n < s->written_count; n++)
			hash += hash_of(&s->written[n]);
	}
	for (unsigned i = 0; i < fake_config.cpus; i++)
		hash = fake_mix(hash, fake_cpus[i].history);
	return hash;
}
