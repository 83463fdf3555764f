/*
 * Loads and stores of workloads by physical address, and copying and zeroing of
 * whole frames. Those change the frame at once. But under arm64 rules other CPUs may
 * still read the old contents until the change leaves the CPU's store buffer.
 */
#include "memory.h"
#include <stdlib.h>
#include <string.h>

enum { BEFORES = FAKE_CPUS * FAKE_STORES + 1 };

static u8 *befores; /* heap: old contents of frames whose change is still in a store buffer */
static unsigned befores_used;

void fake_frames_init(void)
{
	befores = malloc((size_t)BEFORES * PAGE_SIZE);
}

/* ---- workloads ------------------------------------------------------------------------------ */

/* The old contents, if another CPU copied or zeroed the frame and this CPU cannot see that yet; else NULL. */
static const u8 *still_before(const void *p)
{
	const void *frame = (const void *)ALIGN_DOWN((u64)p, PAGE_SIZE);

	for (unsigned i = 0; i < fake_config.cpus; i++) {
		const struct fake_cpu *c = &fake_cpus[i];

		for (unsigned n = 0; c != fake_self && n < c->store_count; n++)
			if (c->stores[n].addr == frame && c->stores[n].kind == FAKE_FRAME)
				return c->stores[n].before;
	}
	return NULL;
}

u64 fake_work_load(const u64 *word, u64 from, u64 to)
{
	const u8 *before;
	u64 value;

	if (fake_self->store_count && fake_store_forwarded(word, 8, &value))
		return value;
	fake_touch(word, false);
	before = fake_live ? still_before(word) : NULL;
	if (before)
		return fake_raw_load(before + (u64)word % PAGE_SIZE, 8);
	return fake_view_load_between(word, *word, from, to, false);
}

void fake_work_store(u64 *word, u64 value, unsigned tag)
{
	fake_store_enter((struct fake_pending){
		.kind = FAKE_WORKLOAD, .size = 8, .addr = word, .value = value, .tag = tag});
}

/* ---- frames ----------------------------------------------------------------------------------- */

/* Room for old contents that no store in a buffer uses. There is one more than stores can be under way. */
static u8 *take_before(void)
{
	for (;;) {
		u8 *at = befores + befores_used++ % BEFORES * PAGE_SIZE;
		bool kept = false;

		for (unsigned i = 0; i < fake_config.cpus; i++)
			for (unsigned n = 0; n < fake_cpus[i].store_count; n++)
				kept |= fake_cpus[i].stores[n].before == at;
		if (!kept)
			return at;
	}
}

/* The frame is about to change. Own stores to it come first; under arm64 rules others see the change only later. */
static void frame_changes(void *frame)
{
	struct fake_cpu *me = fake_self;
	struct fake_pending s = {.kind = FAKE_FRAME, .addr = frame};

	for (unsigned n = 0; n < me->store_count; n++)
		if (ALIGN_DOWN((u64)me->stores[n].addr, PAGE_SIZE) == (u64)frame) {
			fake_drain_all(me);
			break;
		}
	if (!fake_live || !fake_config.arm64 || !fake_plan->lazy)
		return;
	s.before = take_before();
	memcpy(s.before, frame, PAGE_SIZE);
	fake_store_enter(s);
}

static void fake_copy_page(void *dst, const void *src)
{
	/* Most frames of a 2 MiB page are watched by nobody, so nobody can tell whether they are copied. */
	if (fake_live && !fake_frame_used(fake_frame_of(src)))
		return;
	fake_point(13);
	for (unsigned n = 0; n < fake_self->store_count; n++)
		if (ALIGN_DOWN((u64)fake_self->stores[n].addr, PAGE_SIZE) == (u64)src) {
			fake_drain_all(fake_self);
			break;
		}
	if (fake_hooks.copied)
		fake_hooks.copied(fake_frame_of(dst), fake_frame_of(src));
	frame_changes(dst);
	memcpy(dst, src, PAGE_SIZE);
	fake_frame_use(fake_frame_of(dst)); /* it may be copied on before anybody maps it */
	fake_touch(src, false);
	fake_touch(dst, true);
}

void fake_code_sync(const void *code, size_t size)
{
	for (u64 frame = fake_frame_of(code); size && fake_hooks.code_synced; size -= PAGE_SIZE)
		fake_hooks.code_synced(frame++);
}

static void fake_zero_page(void *dst)
{
	fake_point(14);
	if (fake_hooks.zeroed)
		fake_hooks.zeroed(fake_frame_of(dst));
	frame_changes(dst);
	memset(dst, 0, PAGE_SIZE);
	fake_touch(dst, true);
}

void (*copy_page)(void *dst, const void *src) = fake_copy_page;
void (*zero_page)(void *dst) = fake_zero_page;
