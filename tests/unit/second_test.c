/* The software MMU on CPUs that run at once: guests against scans, moves, pins and splits, and a guest that goes meanwhile. */
#include <arch/cpu.h>
#include <load/guest.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include "mm_fixture.h"

#define RW (PROT_READ | PROT_WRITE)

enum {
	PAGES = 8,
	GUESTS = 2, /* CPUs */
	ROUNDS = 16, /* each races four times for every page; test.rounds=N: N / 4 */
};

/* A virtual CPU: counts up a word of its own in each page, which nobody else writes. */
struct vcpu {
	struct softmmu *mmu;
	struct context *ctx;
	unsigned word;
	u64 pages; /* it uses: every `step`-th of the guest's */
	u64 step;
	u64 laps; /* through all pages; release and acquire */
	u64 wrong;
	u32 stop;
};

static void run(void *arg)
{
	struct vcpu *v = arg;

	guest_enter(v->mmu);
	while (!load_relaxed(&v->stop)) {
		for (u64 i = 0; i < v->pages; i++) {
			irqflags_t flags;
			u64 *at = guest_reach(v->mmu, i * v->step, true, &flags) + v->word;

			v->wrong += load_relaxed(at) != v->laps;
			store_relaxed(at, v->laps + 1);
			irq_restore(flags);
			cpu_relax();
		}
		store_release(&v->laps, v->laps + 1);
	}
	guest_leave(v->mmu);
}

static u64 rounds_of(u64 part)
{
	return MAX(ktest_rounds(4 * ROUNDS) / part, 1UL);
}

struct guests {
	struct softmmu mmu;
	struct vcpu vcpu[GUESTS];
	unsigned count;
};

static void start(struct guests *g, u64 pages, u64 step)
{
	*g->vcpu = (struct vcpu){0};
	g->count = 0;
	for (unsigned cpu = 1; cpu < cpu_count && g->count < GUESTS; cpu++) {
		struct vcpu *v = &g->vcpu[g->count];

		*v = (struct vcpu){.mmu = &g->mmu,
				   .word = POISON_MARK_WORDS + g->count,
				   .pages = pages,
				   .step = step};
		v->ctx = context_spawn(cpu, "guest", run, v, g->mmu.as);
		if (!v->ctx)
			break;
		g->count++;
	}
}

/* Each has gone through its pages since. */
static void wait_lap(const struct guests *g)
{
	for (unsigned i = 0; i < g->count; i++) {
		u64 from = load_acquire(&g->vcpu[i].laps);

		while (load_acquire(&g->vcpu[i].laps) == from)
			cpu_relax();
	}
}

static void stop(struct guests *g)
{
	for (unsigned i = 0; i < g->count; i++)
		store_relaxed(&g->vcpu[i].stop, 1);
	for (unsigned i = 0; i < g->count; i++)
		context_join(g->vcpu[i].ctx);
}

/* What the guests have written is in the host's pages, and they have met nothing else meanwhile. */
static void expect_kept(const struct guests *g, struct fixture *fx)
{
	for (unsigned i = 0; i < g->count; i++) {
		const struct vcpu *v = &g->vcpu[i];

		EXPECT_EQ(v->wrong, 0);
		for (u64 page = 0; page < v->pages; page++) {
			u64 value = 0;

			aspace_load(fx->as);
			EXPECT_EQ(probe_load64(fx->va + page * v->step * PAGE_SIZE + v->word * 8,
					       &value),
				  0);
			aspace_load(NULL);
			EXPECT_EQ(value, v->laps);
		}
	}
}

static void set_knob(const char *name, const char *value)
{
	char err[128];

	EXPECT_EQ(knob_set(name, value, "test", err, sizeof(err)), 0);
}

static void use_knobs(u64 round)
{
	static const char *const notify[] = {"start", "protect", "late"};

	set_knob("notify", notify[round % 3]);
	set_knob("pinned", round & 1 ? "skip" : "mark");
}

/* Two nodes and two CPUs, else skipped. */
static bool may_run(u32 *a, u32 *b)
{
	*a = numa_node_of_cpu(cpu_id());
	*b = fixture_other_node(*a);
	if (cpu_count > 1 && *b != BOOT_NODE_NONE && pmm_node_has_memory(*a))
		return true;
	ktest_skip("one CPU, or one node with memory");
	return false;
}

/* A scan under the guests, a move there and back, and a pin in between. */
static void disturb(struct fixture *fx, u32 a, u32 b, u64 round)
{
	vaddr_t va = fx->va + round % PAGES * PAGE_SIZE;
	struct page *page;

	use_knobs(round);
	hint_mark(fx->as, fx->va, fx->va + fx->len);
	fixture_migrate(fx, round & 1 ? a : b, NULL);
	EXPECT_EQ(aspace_pin(fx->as, va, true, &page), 0);
	hint_mark(fx->as, fx->va, fx->va + fx->len);
	fixture_migrate(fx, round & 1 ? b : a, NULL);
	/* Whatever the entry is now, it names the page that was pinned. */
	EXPECT_EQ(pte_pa(pte_load(aspace_entry(fx->as, va)), 0), page_to_phys(page));
	page_put(page, PAGE_PIN);
}

/* Memory on a node, and a second MMU of all of it. False: there is no memory. */
static bool begin(struct guests *g, struct fixture *fx, u64 pages, bool huge, u32 node)
{
	if (!fixture_init(fx, pages, RW, huge, node))
		return false;
	EXPECT_EQ(aspace_populate(fx->as, fx->va, fx->len, node), pages);
	return !softmmu_create(&g->mmu, fx->as, fx->va, pages, node);
}

static void end(struct guests *g, struct fixture *fx)
{
	stop(g);
	softmmu_destroy(&g->mmu);
	expect_kept(g, fx);
	fixture_fini(fx);
}

TEST(second, guests_are_scanned_moved_and_pinned)
{
	static struct guests g;
	struct fixture fx;
	u32 a, b;

	if (!may_run(&a, &b))
		return;
	REQUIRE(begin(&g, &fx, PAGES, false, a));
	start(&g, PAGES, 1);
	for (u64 round = 0, rounds = rounds_of(4); round < rounds; round++) {
		disturb(&fx, a, b, round);
		wait_lap(&g);
	}
	end(&g, &fx);
	set_knob("notify", "start");
	set_knob("pinned", "mark");
}

/* A 2 MiB page that is scanned, and cut: the guest's entry is broken up then, and never before. */
TEST(second, large_page_is_scanned_and_cut)
{
	static struct guests g;
	static struct mm_counters before, after;
	struct fixture fx;
	u32 a, b;
	u64 rounds = rounds_of(16);

	if (!may_run(&a, &b))
		return;
	mm_counters_read(&before);
	for (u64 round = 0; round < rounds; round++) {
		REQUIRE(begin(&g, &fx, HUGE_PAGES, true, a));
		vaddr_t cut = fx.va + HUGE_SIZE / 2 + PAGE_SIZE; /* a page that no guest uses */

		use_knobs(round);
		start(&g, PAGES, HUGE_PAGES / PAGES);
		wait_lap(&g);
		hint_mark(fx.as, fx.va, fx.va + fx.len);
		wait_lap(&g);
		mm_counters_read(&after);
		EXPECT_EQ(after.secondary_broken_2m - before.secondary_broken_2m, round);
		EXPECT_EQ(aspace_protect(fx.as, cut, PAGE_SIZE, PROT_READ), 0);
		EXPECT_EQ(aspace_protect(fx.as, cut, PAGE_SIZE, RW), 0);
		hint_mark(fx.as, fx.va, fx.va + fx.len);
		wait_lap(&g);
		end(&g, &fx);
	}
	mm_counters_read(&after);
	EXPECT_EQ(after.secondary_broken_2m - before.secondary_broken_2m, rounds);
	EXPECT_EQ(after.pages_split - before.pages_split, rounds);
	EXPECT_EQ(after.secondary_rebuilt_2m, before.secondary_rebuilt_2m);
	set_knob("notify", "start");
	set_knob("pinned", "mark");
}

struct scanner {
	struct aspace *as;
	vaddr_t va;
	u64 len, scans;
	u32 stop;
};

static void scan(void *arg)
{
	struct scanner *s = arg;

	while (!load_relaxed(&s->stop)) {
		hint_mark(s->as, s->va, s->va + s->len);
		store_relaxed(&s->scans, s->scans + 1);
		cpu_relax();
	}
}

/* Guests that come and go here, while another CPU does nothing but scan. */
TEST(second, guests_come_and_go_under_scans)
{
	static struct guests g;
	struct scanner s = {0};
	struct fixture fx;
	u32 a, b;

	if (!may_run(&a, &b))
		return;
	REQUIRE(fixture_init(&fx, PAGES, RW, false, a));
	EXPECT_EQ(aspace_populate(fx.as, fx.va, fx.len, a), PAGES);
	s.as = fx.as;
	s.va = fx.va;
	s.len = fx.len;
	use_knobs(1);
	struct context *ctx = context_spawn(1, "scanner", scan, &s, NULL);

	REQUIRE(ctx);
	while (!load_relaxed(&s.scans)) /* few rounds may be over before its CPU begins */
		cpu_relax();
	for (u64 round = 0, rounds = rounds_of(4); round < rounds; round++) {
		EXPECT_EQ(softmmu_create(&g.mmu, fx.as, fx.va, PAGES, a), 0);
		guest_enter(&g.mmu);
		for (u64 page = 0; page < PAGES; page++) {
			irqflags_t flags;
			u64 *at = guest_reach(&g.mmu, page, true, &flags);

			at[POISON_MARK_WORDS] = round;
			irq_restore(flags);
		}
		guest_leave(&g.mmu);
		softmmu_destroy(&g.mmu);
	}
	store_relaxed(&s.stop, 1);
	context_join(ctx);
	set_knob("notify", "start");
	set_knob("pinned", "mark");
	EXPECT(!fx.as->subscribed);
	fixture_fini(&fx);
}
