/* A device that does DMA into memory that is scanned and moved meanwhile: QEMU's `edu`, where there is one (EDU=1). */
#include <arch/cpu.h>
#include <kernel/edu.h>
#include <kernel/error.h>
#include <kernel/smp.h>
#include <mm/deferral.h>
#include <mm/fault.h>
#include <mm/file.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include <mm/reclaim.h>
#include "mm_fixture.h"

#define RW (PROT_READ | PROT_WRITE)

enum {
	PAGES = 8,
	WORDS = 64, /* of a transfer, from word FROM of the page on */
	FROM = POISON_MARK_WORDS,
	BYTES = WORDS * sizeof(u64),
	PAIRS = 3, /* transfers out of a page and into another one; test.rounds=N: N */
	ID = 17, /* of a pattern file */
	NAP_NS = 1000000,
	HELD_MAX = 1024, /* frames that are looked through for one that was freed just before */
};

static u64 value_of(u64 i, u64 word)
{
	return (i << 32 | word) * 0x9e3779b97f4a7c15UL;
}

static u64 *words_of(const struct fixture *fx, u64 page)
{
	return (u64 *)(fx->va + page * PAGE_SIZE) + FROM;
}

static void fill(const struct fixture *fx, u64 page, u64 i)
{
	aspace_load(fx->as);
	for (u64 w = 0; w < WORDS; w++)
		store_relaxed(&words_of(fx, page)[w], i ? value_of(i, w) : 0);
	aspace_load(NULL);
}

static u64 wrong_words(const u64 *words, u64 i)
{
	u64 wrong = 0;

	for (u64 w = 0; w < WORDS; w++)
		wrong += load_relaxed(&words[w]) != (i ? value_of(i, w) : 0);
	return wrong;
}

static u64 wrong_in(const struct fixture *fx, u64 page, u64 i)
{
	aspace_load(fx->as);
	u64 wrong = wrong_words(words_of(fx, page), i);

	aspace_load(NULL);
	return wrong;
}

/* Opens the device. False: there is none, or not two CPUs and nodes; or it is there and does not work, which fails. */
static bool begin(struct fixture *fx, u32 *a, u32 *b)
{
	const char *why = "";

	*a = numa_node_of_cpu(cpu_id());
	*b = fixture_other_node(*a);
	if (cpu_count == 1 || *b == BOOT_NODE_NONE || !pmm_node_has_memory(*a)) {
		ktest_skip("one CPU, or one node with memory");
		return false;
	}
	int err = edu_open(&why);

	if (err == -ENODEV)
		ktest_skip("%s", why);
	else if (!ktest_check(!err, __FILE__, __LINE__, "%s", why))
		edu_close();
	if (err)
		return false;
	return fixture_init(fx, PAGES, RW, false, *a) &&
	       EXPECT_EQ(aspace_populate(fx->as, fx->va, fx->len, *a), PAGES);
}

static void end(struct fixture *fx)
{
	edu_close();
	fixture_fini(fx);
}

static struct page *pin(struct fixture *fx, u64 page)
{
	struct page *pinned = NULL;
	const char *why = "";

	EXPECT_EQ(aspace_pin(fx->as, fx->va + page * PAGE_SIZE, true, &pinned), 0);
	ktest_check(!edu_reach(page_to_phys(pinned), &why), __FILE__, __LINE__, "%s", why);
	return pinned;
}

static int start(const struct page *page, enum edu_direction direction)
{
	return edu_start(page_to_phys(page) + FROM * sizeof(u64), BYTES, direction);
}

static void transfer(const struct page *page, enum edu_direction direction)
{
	EXPECT_EQ(start(page, direction), 0);
	EXPECT_EQ(edu_wait(), 0);
}

/* ---- against scans and moves ---------------------------------------------------------- */

struct mover {
	struct fixture *fx;
	u32 a, b;
	u64 laps;
	struct migrate_stats stats;
	u32 stop;
};

static void scan_and_move(void *arg)
{
	struct mover *m = arg;

	while (!load_relaxed(&m->stop)) {
		hint_mark(m->fx->as, m->fx->va, m->fx->va + m->fx->len);
		fixture_migrate(m->fx, m->laps & 1 ? m->a : m->b, &m->stats);
		store_relaxed(&m->laps, m->laps + 1);
		cpu_relax();
	}
}

/* Out of one page and into another. Each is pinned while the other CPU moves it, or tries to. */
static void copy_by_device(struct fixture *fx, struct mover *m, u64 i)
{
	u64 from = i % PAGES, to = (i + 1) % PAGES, laps = load_relaxed(&m->laps);

	fill(fx, from, i);
	fill(fx, to, 0);
	struct page *source = pin(fx, from), *target = pin(fx, to);

	transfer(source, EDU_READS);
	transfer(target, EDU_WRITES);
	EXPECT_EQ(wrong_in(fx, to, i), 0);
	EXPECT_EQ(wrong_in(fx, from, i), 0);
	page_put(source, PAGE_PIN);
	page_put(target, PAGE_PIN);
	EXPECT(load_relaxed(&m->laps) > laps);
}

TEST(device, pinned_pages_are_reached_under_scans_and_moves)
{
	struct mover m = {0};
	struct fixture fx;

	if (!begin(&fx, &m.a, &m.b))
		return;
	m.fx = &fx;
	struct context *ctx = context_spawn(1, "mover", scan_and_move, &m, NULL);

	REQUIRE(ctx);
	for (u64 i = 1, pairs = ktest_rounds(PAIRS); i <= pairs; i++)
		copy_by_device(&fx, &m, i);
	store_relaxed(&m.stop, 1);
	context_join(ctx);
	EXPECT(m.stats.moved);
	EXPECT(m.stats.failed[MIGRATE_PINNED]);
	end(&fx);
}

/* ---- what pins are for ------------------------------------------------------------------ */

/* Take frames of a node until this one is among them, so that nobody else has it. How many were taken. */
static u64 take_frame(const struct page *wanted, u32 node, struct page **held)
{
	for (u64 n = 0; n < HELD_MAX; n++) {
		held[n] = pmm_alloc(node, 0, PMM_STRICT);
		if (!held[n])
			return n;
		if (held[n] == wanted)
			return n + 1;
	}
	return HELD_MAX;
}

/* It was told of a frame whose page then moved: what it writes is in the frame, and not in the page. */
TEST(device, without_a_pin_a_page_that_moved_is_missed)
{
	static struct page *held[HELD_MAX];
	struct fixture fx;
	u32 a, b;

	if (!begin(&fx, &a, &b))
		return;
	fill(&fx, 0, 1);
	struct page *page = pin(&fx, 0);

	transfer(page, EDU_READS);
	page_put(page, PAGE_PIN);
	page = pin(&fx, 1);
	page_put(page, PAGE_PIN);
	fill(&fx, 1, 0);
	EXPECT_EQ(start(page, EDU_WRITES), 0);
	EXPECT_EQ(fixture_migrate(&fx, b, NULL), 0);
	u64 taken = take_frame(page, a, held);

	if (EXPECT(taken && held[taken - 1] == page)) {
		EXPECT_EQ(edu_wait(), 0);
		EXPECT_EQ(wrong_words((const u64 *)page_to_virt(page) + FROM, 1), 0);
		EXPECT_EQ(wrong_in(&fx, 1, 1), WORDS);
		EXPECT_EQ(wrong_in(&fx, 1, 0), 0);
	}
	end(&fx);
	while (taken)
		page_put(held[--taken], PAGE_REF);
	pmm_drain_caches();
}

/* ---- what else would take the page, or owes something of it ----------------------------- */

struct reader {
	const u64 *at;
	u64 seen, laps;
	u32 stop;
};

static void read_on(void *arg)
{
	struct reader *r = arg;

	while (!load_relaxed(&r->stop)) {
		store_relaxed(&r->seen, load_relaxed(r->at));
		store_release(&r->laps, r->laps + 1);
		cpu_relax();
	}
}

static void wait_laps(const struct reader *r)
{
	u64 from = load_acquire(&r->laps);

	while (load_acquire(&r->laps) < from + 2)
		cpu_relax();
}

static void use_deferral(const char *name)
{
	char err[128];

	EXPECT_EQ(knob_set("defer", name, "test", err, sizeof(err)), 0);
}

/* A CPU may go on to read the copy that a page left behind, until somebody pins the page: then it sees what the device writes. */
TEST(device, pin_pays_what_a_deferral_owes)
{
	struct fixture fx;
	u32 a, b;

	if (!begin(&fx, &a, &b))
		return;
	fill(&fx, 0, 1);
	fill(&fx, 1, 2);
	struct page *page = pin(&fx, 1);

	transfer(page, EDU_READS);
	page_put(page, PAGE_PIN);
	use_deferral("migrc");
	EXPECT_EQ(aspace_protect(fx.as, fx.va, fx.len, PROT_READ), 0);
	struct reader r = {.at = words_of(&fx, 0)};
	struct context *ctx = context_spawn(1, "reader", read_on, &r, fx.as);

	REQUIRE(ctx);
	wait_laps(&r);
	EXPECT_EQ(fixture_migrate(&fx, b, NULL), 0);
	u64 held = deferral->held();

	EXPECT(held);
	EXPECT_EQ(aspace_pin(fx.as, fx.va, false, &page), 0);
	EXPECT(deferral->held() < held);
	transfer(page, EDU_WRITES);
	wait_laps(&r);
	EXPECT_EQ(load_relaxed(&r.seen), value_of(2, 0));
	store_relaxed(&r.stop, 1);
	context_join(ctx);
	page_put(page, PAGE_PIN);
	use_deferral("none");
	end(&fx);
}

/* The device writes to a page of a file while everything is reclaimed that may be: all pages but this one. */
TEST(device, pinned_page_of_a_file_stays)
{
	struct object *file = file_create(pattern_store_create(ID, PAGES));
	struct fixture fx;
	u32 a, b;
	int err;

	REQUIRE(file);
	if (!begin(&fx, &a, &b)) {
		file_close(file);
		return;
	}
	fill(&fx, 0, 1);
	struct page *page = pin(&fx, 0);
	vaddr_t va = aspace_map(fx.as, file, 0, 0, fx.len, RW, false, a, &err);
	struct fixture of = {fx.as, va, fx.len};

	transfer(page, EDU_READS);
	page_put(page, PAGE_PIN);
	EXPECT_EQ(aspace_populate(fx.as, va, fx.len, a), PAGES);
	page = pin(&of, 0);
	EXPECT_EQ(start(page, EDU_WRITES), 0);
	u64 gone = 0;

	while (edu_poll() == -EAGAIN) {
		gone += reclaim_pages(a, PAGES) + reclaim_pages(b, PAGES);
		wait_nap(NAP_NS);
	}
	EXPECT_EQ(gone, PAGES - 1);
	EXPECT_EQ(pte_pa(pte_load(aspace_entry(fx.as, va)), 0), page_to_phys(page));
	EXPECT_EQ(wrong_in(&of, 0, 1), 0);
	page_put(page, PAGE_PIN);
	EXPECT_EQ(file_invalidate(file, 0, 1, FILE_DISCARD), 0); /* its store computes contents */
	end(&fx);
	EXPECT_EQ(file_close(file), 0);
}

TEST(device, mistakes_are_refused_and_close_ends_a_transfer)
{
	const char *why = "";
	struct fixture fx;
	u32 a, b;

	if (!begin(&fx, &a, &b))
		return;
	struct page *page = pin(&fx, 0);
	paddr_t pa = page_to_phys(page);

	EXPECT_EQ(edu_open(&why), -EBUSY);
	EXPECT_EQ(edu_start(pa, 0, EDU_WRITES), -EINVAL);
	EXPECT_EQ(edu_start(pa, EDU_BYTES_MAX + 1, EDU_WRITES), -EINVAL);
	EXPECT_EQ(edu_start(pa + PAGE_SIZE - 8, 16, EDU_WRITES), -EINVAL);
	fill(&fx, 0, 2);
	EXPECT_EQ(start(page, EDU_READS), 0);
	EXPECT_EQ(start(page, EDU_READS), -EBUSY);
	EXPECT_EQ(edu_wait(), 0);
	fill(&fx, 0, 3);
	EXPECT_EQ(start(page, EDU_WRITES), 0);
	edu_close();
	page_put(page, PAGE_PIN);
	/* This waits for the transfer to end, which reaches nothing. */
	EXPECT_EQ(edu_open(&why), 0);
	EXPECT_EQ(wrong_in(&fx, 0, 3), 0);
	end(&fx);
}
