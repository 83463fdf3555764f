/*
 * The device of `vm`, QEMU's `edu`, as one that was passed through to the guest: it knows frames, goes through no table of
 * ours, and hears of no invalidation. So what it uses is pinned, from the set-up to the teardown (aspace_pin(), I10).
 *
 * A turn is a transfer from a pinned page and one of the same bytes to another one. Before it the host fills the bytes in the
 * first page, through the space, as the guest's driver would; after it the host looks for them in the second page, through the space, too.
 * If a frame were not the page's any more when the device gets to it, 100 ms after it was told, the bytes would not be there.
 * They lie in the half of the page that has no canary for readers.
 */
#include <harness/workload.h>
#include <kernel/edu.h>
#include <kernel/error.h>
#include <mm/deferral.h>
#include <mm/pmm.h>
#include "vm.h"

enum { HALF = PAGE_SIZE / sizeof(u64) / 2, FREE_FROM = POISON_MARK_WORDS }; /* words */

/* Where in the guest a transfer goes. */
struct spot {
	u64 pin, page; /* index of s->pin; of 4 KiB within it */
};

static struct spot spot_of(const struct vm_state *s, u64 n)
{
	u64 unit = s->pinned_pages / s->pinned;

	return (struct spot){n % s->pinned, n * 37 % unit};
}

/* The words of a page that are the device's: from here on HALF - FREE_FROM of them. */
static u64 *words_at(const struct vm_state *s, struct spot at)
{
	u64 page = s->pin[at.pin]->index + at.page; /* the guest's memory is all of its object */
	unsigned deep = region_deep_word(region_tag(&s->region, page));

	return region_page(&s->region, page) + (deep < HALF ? HALF : FREE_FROM);
}

enum { WORDS = HALF - FREE_FROM, BYTES = WORDS * sizeof(u64) };

static paddr_t frame_of(const struct vm_state *s, struct spot at)
{
	return page_to_phys(s->pin[at.pin]) + (at.page << PAGE_SHIFT) +
	       (u64)words_at(s, at) % PAGE_SIZE;
}

static u64 value_of(u64 turn, u64 word)
{
	return region_mix((u32)(turn * HALF + word));
}

/* ---- set-up ---------------------------------------------------------------------------- */

int vm_dma_check(struct bench *b)
{
	if (vm_options.device == DEVICE_EDU && (!vm_options.pinned || b->params.read_only))
		return bench_fail(b, -EINVAL,
				  "--device edu: it writes to pinned pages, and there are none "
				  "that are writable");
	return 0;
}

static int open_device(struct bench *b, struct vm_state *s)
{
	const char *why = NULL;
	int err = edu_open(&why);

	if (err == -ENODEV && vm_options.device == DEVICE_AUTO)
		return 0;
	s->dma.used = s->dma.open = !err;
	for (u64 i = 0; i < s->pinned && !err; i++)
		err = edu_reach(page_to_phys(s->pin[i]) +
					((s->pinned_pages / s->pinned - 1) << PAGE_SHIFT),
				&why);
	return err ? bench_fail(b, -ENOTSUP, "%s", why) : 0;
}

int vm_dma_setup(struct bench *b, struct vm_state *s)
{
	if (vm_options.device == DEVICE_NONE || !s->pinned || b->params.read_only)
		return 0;
	return open_device(b, s);
}

void vm_dma_teardown(struct vm_state *s)
{
	if (s->dma.open)
		edu_close();
	s->dma.open = false;
}

/* ---- a turn ------------------------------------------------------------------------------ */

struct turn {
	struct vm_state *s;
	u64 wrong;
};

static void fill(void *arg)
{
	struct turn *t = arg;
	u64 *words = words_at(t->s, spot_of(t->s, 2 * t->s->dma.turns));

	for (u64 i = 0; i < WORDS; i++)
		store_relaxed(&words[i], value_of(t->s->dma.turns, i));
}

/* What is there is not what the device will write, whoever has written it. */
static void clear(void *arg)
{
	struct turn *t = arg;
	u64 *words = words_at(t->s, spot_of(t->s, 2 * t->s->dma.turns + 1));

	for (u64 i = 0; i < WORDS; i++)
		store_relaxed(&words[i], 0UL);
}

static void look(void *arg)
{
	struct turn *t = arg;
	const u64 *words = words_at(t->s, spot_of(t->s, 2 * t->s->dma.turns + 1));

	for (u64 i = 0; i < WORDS; i++)
		t->wrong += load_relaxed(&words[i]) != value_of(t->s->dma.turns, i);
}

/* On the initiator's CPU. */
static int run(struct bench *b, struct aspace *as, void (*fn)(void *arg), void *arg)
{
	int rc = bench_run_on(b->params.initiator, as, fn, arg);

	return rc ? bench_fail(b, rc, "no memory for a context on CPU %u", b->params.initiator) : 0;
}

static int start(struct bench *b, struct vm_state *s, u64 n, enum edu_direction direction)
{
	int err = edu_start(frame_of(s, spot_of(s, n)), BYTES, direction);

	return err ? bench_fail(b, err, "the edu device takes no transfer") : 0;
}

/* Until the transfer is over. */
static int finish(struct bench *b, struct vm_state *s, void (*meanwhile)(void *b))
{
	int err;

	while ((err = edu_poll()) == -EAGAIN) {
		int rc = run(b, NULL, meanwhile, b);

		if (rc)
			return rc;
	}
	if (err)
		return bench_fail(b, err, "a transfer of the edu device does not end");
	s->dma.round.transfers++;
	s->dma.round.bytes += BYTES;
	return 0;
}

int vm_dma_begin(struct bench *b, struct vm_state *s)
{
	struct turn t = {.s = s};

	if (!s->dma.open)
		return 0;
	s->dma.round = (struct dma_counts){0};
	int rc = run(b, s->region.as, fill, &t);

	return rc ? rc : start(b, s, 2 * s->dma.turns, EDU_READS);
}

int vm_dma_end(struct bench *b, struct vm_state *s, void (*meanwhile)(void *b))
{
	struct turn t = {.s = s};

	if (!s->dma.open)
		return 0;
	int rc = finish(b, s, meanwhile);

	if (!rc)
		rc = run(b, s->region.as, clear, &t);
	if (!rc)
		rc = start(b, s, 2 * s->dma.turns + 1, EDU_WRITES);
	if (!rc)
		rc = finish(b, s, meanwhile);
	if (!rc)
		rc = run(b, s->region.as, look, &t);
	deferral_settle(); /* what was put off meanwhile is in no figure */
	s->dma.turns++;
	s->dma.round.wrong += t.wrong != 0;
	b->damaged += t.wrong != 0;
	return rc;
}
