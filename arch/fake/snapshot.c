/*
 * Putting the machine back to where a scenario starts: the host program's data,
 * the per-CPU areas, the page array, and the frames that an execution touched.
 *
 * Most of it no execution ever writes. Host pages are protected until the first
 * store into them; from then on they are compared after every execution.
 */
#include <fake/machine.h>
#include <fake/start.h>
#include <kernel/percpu.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_PAGE = 4096 };

extern char __data_start[], _end[]; /* of the host's linker: all initialised and zeroed data */
extern char __start_percpu[], __stop_percpu[];

enum { LINE = 1024 }; /* bytes compared at a time: most do not differ */

struct stretch {
	char *at, *copy;
	u64 len;
	u32 *written; /* its host pages that were written, as offsets */
	u32 written_count;
};

/* Heap, like all that it points to. */
static struct snapshot {
	struct stretch stretch[3];
	char *ram;
	u8 *touched; /* by frame: since the last restore */
	u32 *in_use; /* frames that were taken when the snapshot was made: anybody may write them */
	u32 in_use_count;
	u32 *list; /* the frames in `touched` */
	u32 listed;
} * snapshot;

static void stretch_take(struct stretch *s, void *at, u64 len)
{
	s->at = at;
	s->len = len;
	s->copy = malloc(len);
	s->written = malloc((len / HOST_PAGE + 2) * sizeof(u32));
}

/* Host pages that it only shares with others are never protected. */
static void stretch_protect(struct stretch *s)
{
	u64 first = ALIGN_UP((u64)s->at, (u64)HOST_PAGE);
	u64 end = ALIGN_DOWN((u64)s->at + s->len, (u64)HOST_PAGE);

	if (first != (u64)s->at)
		s->written[s->written_count++] = 0;
	if (end != (u64)s->at + s->len)
		s->written[s->written_count++] = (u32)(end - (u64)s->at);
	if (first < end)
		fake_protect((void *)first, end - first, true);
}

static bool stretch_written(struct stretch *s, const char *addr)
{
	u64 page = ALIGN_DOWN((u64)addr, (u64)HOST_PAGE);

	if ((u64)addr - (u64)s->at >= s->len || page < (u64)s->at)
		return false;
	s->written[s->written_count++] = (u32)(page - (u64)s->at);
	fake_protect((void *)page, HOST_PAGE, false);
	return true;
}

static char *written_at(const struct stretch *s, u32 n)
{
	return s->at + s->written[n];
}

static u64 written_len(const struct stretch *s, u32 n)
{
	u64 at = (u64)written_at(s, n);

	return MIN(ALIGN_UP(at + 1, (u64)HOST_PAGE), (u64)s->at + s->len) - at;
}

/* The first store into a protected page; it is repeated when we return. */
static bool first_store(const char *addr)
{
	for (unsigned i = 0; i < ARRAY_SIZE(snapshot->stretch); i++)
		if (stretch_written(&snapshot->stretch[i], addr))
			return true;
	return false;
}

static void put(char *at, const char *copy, u64 len)
{
	for (u64 line = 0; line < len; line += LINE) {
		u64 n = MIN(LINE, len - line);

		if (memcmp(at + line, copy + line, n))
			memcpy(at + line, copy + line, n);
	}
}

static u64 frame_count(void)
{
	return fake_config.nodes * fake_config.node_pages;
}

void fake_frame_touched(u64 frame)
{
	struct snapshot *snap = snapshot;
	u64 i = frame - fake_first_frame();

	if (!snap || i >= frame_count() || snap->touched[i])
		return;
	snap->touched[i] = 1;
	snap->list[snap->listed++] = (u32)i;
}

static char *frame_at(u32 i)
{
	return (char *)FAKE_RAM_VA + (u64)i * PAGE_SIZE;
}

static void put_frame(u32 i)
{
	put(frame_at(i), snapshot->ram + (u64)i * PAGE_SIZE, PAGE_SIZE);
}

static void put_frames(void)
{
	struct snapshot *snap = snapshot;

	for (u32 i = 0; i < snap->in_use_count; i++)
		put_frame(snap->in_use[i]);
	for (u32 i = 0; i < snap->listed; i++) {
		put_frame(snap->list[i]);
		snap->touched[snap->list[i]] = 0;
	}
	snap->listed = 0;
}

void fake_snapshot(bool (*in_use)(u64 frame))
{
	struct snapshot *snap = calloc(1, sizeof(*snap));
	u64 stride = fake_config.cpus > 1 ? fake_cpus[1].percpu - fake_cpus[0].percpu
					  : (u64)(__stop_percpu - __start_percpu);
	u64 first = fake_first_frame() * FAKE_PAGE_STRUCT, ram = frame_count() << PAGE_SHIFT;

	/* Before the copy, so that a restore keeps it. */
	snapshot = snap;
	fake_catch_stores(first_store);
	stretch_take(&snap->stretch[0], __data_start, (u64)(_end - __data_start));
	stretch_take(&snap->stretch[1], (void *)FAKE_PERCPU_VA, stride * fake_config.cpus);
	stretch_take(&snap->stretch[2], (char *)VMEMMAP_BASE + first,
		     fake_last_frame() * FAKE_PAGE_STRUCT - first);
	for (unsigned i = 0; i < ARRAY_SIZE(snap->stretch); i++)
		memcpy(snap->stretch[i].copy, snap->stretch[i].at, snap->stretch[i].len);
	snap->ram = malloc(ram);
	memcpy(snap->ram, (void *)FAKE_RAM_VA, ram);
	snap->touched = calloc(frame_count(), 1);
	snap->in_use = calloc(frame_count(), sizeof(u32));
	snap->list = calloc(frame_count(), sizeof(u32));
	for (u32 i = 0; i < frame_count(); i++)
		if (in_use(fake_first_frame() + i))
			snap->in_use[snap->in_use_count++] = i;
	for (unsigned i = 0; i < ARRAY_SIZE(snap->stretch); i++)
		stretch_protect(&snap->stretch[i]);
}

void fake_restore(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(snapshot->stretch); i++) {
		const struct stretch *s = &snapshot->stretch[i];

		for (u32 n = 0; n < s->written_count; n++)
			put(written_at(s, n), s->copy + s->written[n], written_len(s, n));
	}
	put_frames();
}

static u64 hash_of(u64 hash, const char *at, u64 len)
{
	for (u64 i = 0; i < len / sizeof(u64); i++)
		hash = fake_mix(hash, ((const u64 *)at)[i]);
	return hash;
}

u64 fake_state_hash(bool of_program)
{
	const struct snapshot *snap = snapshot;
	u64 hash = 0;

	for (unsigned i = of_program ? 0 : 1; i < ARRAY_SIZE(snap->stretch); i++)
		for (u32 n = 0; n < snap->stretch[i].written_count; n++)
			hash = hash_of(hash, written_at(&snap->stretch[i], n),
				       written_len(&snap->stretch[i], n));
	for (u32 i = 0; i < snap->in_use_count; i++)
		hash = hash_of(hash, frame_at(snap->in_use[i]), PAGE_SIZE);
	for (u32 i = 0; i < snap->listed; i++)
		hash = hash_of(hash, frame_at(snap->list[i]), PAGE_SIZE);
	for (unsigned i = 0; i < fake_config.cpus; i++)
		hash = fake_mix(hash, fake_cpus[i].history);
	return hash;
}
