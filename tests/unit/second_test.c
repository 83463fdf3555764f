/*
 * Second MMUs on CPUs that run at once: guests against scans, moves, pins and splits, and a guest that goes meanwhile.
 * `second` has the software MMU, `guest` the same tests with guests that the hardware runs.
 */
#include <arch/cpu.h>
#include <load/guest.h>
#include <load/machine.h>
#include <mm/hint.h>
#include <mm/knob.h>
#include "count_guest.h"
#include "mm_fixture.h"

#define RW (PROT_READ | PROT_WRITE)

enum {
	PAGES = 8,
	GUESTS = 2, /* CPUs */
	TASK_BYTES = 2 * PAGE_SIZE, /* of a guest in hardware: what it is to do, and its stack */
	ROUNDS = 16, /* each races four times for every page; test.rounds=N: N / 4 */
};

/* A virtual CPU: counts up a word of its own in each page, which nobody else writes. */
struct counter {
	struct softmmu *mmu;
	struct machine *
		machine; /* in hardware: it runs there by vcpu, and leaves what it has done in task */
	struct vcpu *vcpu;
	struct count_task *task;
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
	struct counter *v = arg;

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

static void run_in_hardware(void *arg)
{
	struct counter *v = arg;

	while (!load_relaxed(&v->stop)) {
		machine_run(v->machine, v->vcpu);
		v->wrong = v->task->wrong;
		store_release(&v->laps, v->task->laps);
	}
}

static u64 rounds_of(u64 part)
{
	return MAX(ktest_rounds(4 * ROUNDS) / part, 1UL);
}

struct guests {
	const struct hypervisor *hv; /* NULL: the software MMU */
	struct softmmu mmu;
	struct machine machine;
	struct count_task *task; /* [GUESTS], each with a stack of its own behind it */
	u64 task_at;
	struct counter counter[GUESTS];
	struct aspace *as;
	unsigned count;
};

/* A virtual CPU in hardware, for what the counter is to do. False: no memory. */
static bool prepare_vcpu(struct guests *g, struct counter *v, unsigned i)
{
	u64 at = g->task_at + i * TASK_BYTES;

	v->task = (void *)((char *)g->task + i * TASK_BYTES);
	*v->task = (struct count_task){.pages = v->pages, .step = v->step, .word = v->word};
	v->machine = &g->machine;
	v->vcpu = machine_vcpu(&g->machine, count_guest, at, at + TASK_BYTES,
			       numa_node_of_cpu(cpu_id()));
	return v->vcpu;
}

static void start(struct guests *g, u64 pages, u64 step)
{
	*g->counter = (struct counter){0};
	g->count = 0;
	for (unsigned cpu = 1; cpu < cpu_count && g->count < GUESTS; cpu++) {
		struct counter *v = &g->counter[g->count];

		*v = (struct counter){.mmu = &g->mmu,
				      .word = POISON_MARK_WORDS + g->count,
				      .pages = pages,
				      .step = step};
		if (g->hv && !prepare_vcpu(g, v, g->count))
			break;
		v->ctx = context_spawn(cpu, "guest", g->hv ? run_in_hardware : run, v, g->as);
		if (!v->ctx)
			break;
		g->count++;
	}
}

/* Each has gone through its pages since. */
static void wait_lap(const struct guests *g)
{
	for (unsigned i = 0; i < g->count; i++) {
		u64 from = load_acquire(&g->counter[i].laps);

		while (load_acquire(&g->counter[i].laps) == from)
			cpu_relax();
	}
}

static void stop(struct guests *g)
{
	for (unsigned i = 0; i < g->count; i++)
		store_relaxed(&g->counter[i].stop, 1);
	for (unsigned i = 0; i < g->count; i++) {
		context_join(g->counter[i].ctx);
		if (g->hv)
			g->hv->destroy(g->counter[i].vcpu);
	}
}

/* What the guests have written is in the host's pages, and they have met nothing else meanwhile. */
static void expect_kept(const struct guests *g, struct fixture *fx)
{
	for (unsigned i = 0; i < g->count; i++) {
		const struct counter *v = &g->counter[i];

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

/* A second MMU of this memory. False: there is no memory. */
static bool make_mmu(struct guests *g, struct aspace *as, vaddr_t va, u64 pages, u32 node)
{
	g->as = as;
	if (!g->hv)
		return !softmmu_create(&g->mmu, as, va, pages, node);
	if (machine_create(&g->machine, g->hv, as, va, pages, node))
		return false;
	g->task = machine_share(&g->machine, GUESTS * TASK_BYTES, &g->task_at, node);
	return g->task;
}

static void destroy_mmu(struct guests *g)
{
	if (g->hv)
		machine_destroy(&g->machine);
	else
		softmmu_destroy(&g->mmu);
}

/* Memory on a node, and a second MMU of all of it. False: there is no memory. */
static bool begin(struct guests *g, struct fixture *fx, u64 pages, bool huge, u32 node)
{
	if (!fixture_init(fx, pages, RW, huge, node))
		return false;
	EXPECT_EQ(aspace_populate(fx->as, fx->va, fx->len, node), pages);
	return make_mmu(g, fx->as, fx->va, pages, node);
}

static void end(struct guests *g, struct fixture *fx)
{
	stop(g);
	destroy_mmu(g);
	expect_kept(g, fx);
	fixture_fini(fx);
}

static void scan_move_and_pin(const struct hypervisor *hv)
{
	static struct guests g;
	struct fixture fx;
	u32 a, b;

	g.hv = hv;
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
static void scan_and_cut(const struct hypervisor *hv)
{
	static struct guests g;
	static struct mm_counters before, after;
	struct fixture fx;
	u32 a, b;
	u64 rounds = rounds_of(16);

	g.hv = hv;
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

/* A guest comes, goes round its pages once, and goes. */
static void visit(struct guests *g, struct fixture *fx, u64 round, u32 node)
{
	struct counter v = {.word = POISON_MARK_WORDS, .pages = PAGES, .step = 1};

	REQUIRE(make_mmu(g, fx->as, fx->va, PAGES, node));
	if (g->hv && EXPECT(prepare_vcpu(g, &v, 0))) {
		machine_run(&g->machine, v.vcpu);
		g->hv->destroy(v.vcpu);
	} else if (!g->hv) {
		guest_enter(&g->mmu);
		for (u64 page = 0; page < PAGES; page++) {
			irqflags_t flags;
			u64 *at = guest_reach(&g->mmu, page, true, &flags);

			at[POISON_MARK_WORDS] = round;
			irq_restore(flags);
		}
		guest_leave(&g->mmu);
	}
	destroy_mmu(g);
}

/* Guests that come and go here, while another CPU does nothing but scan. */
static void come_and_go(const struct hypervisor *hv)
{
	static struct guests g;
	struct scanner s = {0};
	struct fixture fx;
	u32 a, b;

	g.hv = hv;
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
	for (u64 round = 0, rounds = rounds_of(4); round < rounds; round++)
		visit(&g, &fx, round, a);
	store_relaxed(&s.stop, 1);
	context_join(ctx);
	set_knob("notify", "start");
	set_knob("pinned", "mark");
	EXPECT(!fx.as->subscribed);
	fixture_fini(&fx);
}

TEST(second, guests_are_scanned_moved_and_pinned)
{
	scan_move_and_pin(NULL);
}

TEST(second, large_page_is_scanned_and_cut)
{
	scan_and_cut(NULL);
}

/* What runs guests here, else the test is skipped. */
static const struct hypervisor *find(void)
{
	const char *why;
	const struct hypervisor *hv = hypervisor_find(&why);

	if (!hv)
		ktest_skip("%s", why);
	return hv;
}

TEST(guest, guests_are_scanned_moved_and_pinned)
{
	const struct hypervisor *hv = find();

	if (hv)
		scan_move_and_pin(hv);
}

TEST(guest, large_page_is_scanned_and_cut)
{
	const struct hypervisor *hv = find();

	if (hv)
		scan_and_cut(hv);
}

TEST(second, guests_come_and_go_under_scans)
{
	come_and_go(NULL);
}

TEST(guest, guests_come_and_go_under_scans)
{
	const struct hypervisor *hv = find();

	if (hv)
		come_and_go(hv);
}
