/*
 * Pages that owe a flush: they stay read-only while they move to and fro, so CPUs may go on to read the copies that were
 * left behind. Meanwhile somebody changes them, in each way that has to be paid for before. What he wrote he tells, page by
 * page, in numbers that rise; who was told a number must not read a smaller one any more, nor anything of a page
 * that is gone.
 */
#include "core_fixture.h"
#include "mm_fixture.h"
#include <arch/cpu.h>
#include <kernel/error.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <mm/clean.h>
#include <mm/deferral.h>
#include <mm/file.h>
#include <mm/knob.h>
#include <mm/reclaim.h>

enum {
	ROUNDS = 16,
	PAGES = 4, /* few, so that each is met in every state */
	TAIL = 16, /* of a file that gets shorter: one goes in a round */
	READERS = 2,
	WORD = 1, /* of a page: its first is its stamp, see memory_store_create() */
	RECLAIM_EVERY = 4, /* laps of the mover */
	MANY = 1000, /* rounds: of fewer perhaps nothing had to be paid */
};

static const u64 GONE =
	~0UL; /* told of a page that left its file: nothing that is read is as large */
static const char *const names[] = {"latr", "migrc", "luf", "stamp"};

struct owed {
	const struct kind *kind;
	struct fixture fx;
	struct object *file; /* NULL: the pages are anonymous */
	u32 node[2];
	u64 told[TAIL]; /* release and acquire */
	u64 end; /* of a file that gets shorter: its pages */
	u32 stop; /* atomic */
	u64 laps; /* of the mover; atomic */
	u64 reclaimed;
	struct context *mover;
	struct reader {
		struct owed *all;
		struct context *running;
		u64 reads; /* atomic */
		u64 wrong;
	} reader[READERS];
};

/* Change one page, or all, and tell it. The number is larger than all before. */
struct kind {
	void (*begin)(struct owed *o);
	void (*change)(struct owed *o, u64 number);
	enum pay_event event; /* at which something was paid */
	bool cleans, reclaims; /* what the mover does besides */
};

/* ---- who reads, and who moves ------------------------------------------------------------ */

static u64 pages_of(const struct owed *o)
{
	return o->fx.len >> PAGE_SHIFT;
}

static vaddr_t word_of(const struct owed *o, u64 page)
{
	return o->fx.va + (page << PAGE_SHIFT) + WORD * sizeof(u64);
}

static void read_page(struct reader *r, u64 page)
{
	const struct owed *o = r->all;
	u64 told = load_acquire(&o->told[page]), seen;

	if (probe_load64(word_of(o, page), &seen))
		return; /* there is no page */
	store_relaxed(&r->reads, r->reads + 1);
	/* Unless something else has come there meanwhile: that is told before it can be read. */
	r->wrong += seen < told && load_acquire(&o->told[page]) == told;
}

static void read_until_stopped(void *arg)
{
	struct reader *r = arg;

	while (!load_acquire(&r->all->stop)) {
		for (u64 page = 0; page < pages_of(r->all); page++)
			read_page(r, page);
		cpu_relax();
		context_yield();
	}
}

static void move_until_stopped(void *arg)
{
	struct owed *o = arg;

	for (u64 times = 0; !load_acquire(&o->stop); times++) {
		if (o->kind->cleans)
			file_sync(o->file);
		fixture_migrate(&o->fx, o->node[times % 2], NULL);
		if (o->kind->reclaims && times % RECLAIM_EVERY == 0)
			o->reclaimed += reclaim_pages(o->node[times % 2], pages_of(o));
		store_relaxed(&o->laps, times + 1);
		cpu_relax();
		context_yield();
	}
}

/* Until the mover has come by so often, and with RECLAIM_EVERY also reclaimed: else there would seldom be something to pay. */
static void wait_laps(const struct owed *o, u64 laps)
{
	u64 until = load_relaxed(&o->laps) + laps;

	while (load_relaxed(&o->laps) < until)
		cpu_relax();
}

/* ---- what is to be paid for --------------------------------------------------------------- */

static void tell(struct owed *o, u64 page, u64 number)
{
	store_release(&o->told[page], number);
}

static void map(struct owed *o, prot_t prot)
{
	int err;

	o->fx.va = aspace_map(o->fx.as, o->file, 0, o->fx.va, o->fx.len, prot, false,
			      BOOT_NODE_NONE, &err);
	EXPECT(o->fx.va);
}

static void open_file(struct owed *o, u64 pages, prot_t prot)
{
	struct store *store = memory_store_create(pages, BOOT_NODE_NONE);

	o->fx.len = pages << PAGE_SHIFT;
	o->end = pages;
	o->file = store ? file_create(store) : NULL;
	if (EXPECT(o->file))
		map(o, prot);
}

static void begin_written(struct owed *o)
{
	open_file(o, PAGES, PROT_READ | PROT_WRITE);
}

static void begin_read(struct owed *o)
{
	open_file(o, PAGES, PROT_READ);
}

static void begin_shorter(struct owed *o)
{
	open_file(o, TAIL, PROT_READ);
}

static void begin_anonymous(struct owed *o)
{
	o->fx.len = PAGES << PAGE_SHIFT;
	map(o, PROT_READ);
	EXPECT_EQ(aspace_populate(o->fx.as, o->fx.va, o->fx.len, BOOT_NODE_NONE), PAGES);
}

/* If the page is clean, its entry is read-only until this. */
static void write_again(struct owed *o, u64 number)
{
	u64 page = number % PAGES;

	if (number % 2)
		wait_laps(o, 1);
	EXPECT_EQ(probe_store64(word_of(o, page), number), 0);
	tell(o, page, number);
}

static void tell_all(struct owed *o, u64 number)
{
	for (u64 page = 0; page < pages_of(o); page++)
		tell(o, page, number);
}

/* Nothing is there any more; what comes next begins with 0. */
static void unmap(struct owed *o)
{
	EXPECT_EQ(aspace_unmap(o->fx.as, o->fx.va, o->fx.len), 0);
	tell_all(o, GONE);
	cpu_relax();
	tell_all(o, 0);
}

/* At the same addresses. */
static void map_others(struct owed *o, u64 number)
{
	unmap(o);
	map(o, PROT_READ | PROT_WRITE);
	for (u64 page = 0; page < PAGES; page++)
		EXPECT_EQ(probe_store64(word_of(o, page), number), 0);
	EXPECT_EQ(aspace_protect(o->fx.as, o->fx.va, o->fx.len, PROT_READ), 0);
	tell_all(o, number);
}

/* As a device does: it knows the frame. */
static void write_pinned(struct owed *o, u64 number)
{
	u64 page = number % PAGES;
	struct page *pinned;

	if (!EXPECT_EQ(aspace_pin(o->fx.as, word_of(o, page) & ~(PAGE_SIZE - 1), false, &pinned),
		       0))
		return;
	store_relaxed((u64 *)page_to_virt(pinned) + WORD, number);
	tell(o, page, number);
	page_put(pinned, PAGE_PIN);
}

static void write_file(struct owed *o, u64 number)
{
	u64 page = number % PAGES;

	EXPECT_EQ(file_write(o->file, (page << PAGE_SHIFT) + WORD * sizeof(number), &number,
			     sizeof(number)),
		  sizeof(number));
	tell(o, page, number);
}

static void open_next(struct owed *o)
{
	unmap(o);
	int err = file_close(o->file);

	for (; err == -EBUSY; err = file_close(o->file))
		cpu_relax(); /* a reader's fault is not over yet */
	EXPECT_EQ(err, 0);
	begin_shorter(o);
}

static void cut_file(struct owed *o, u64 number)
{
	u64 page = o->end - 1;

	EXPECT_EQ(file_write(o->file, (page << PAGE_SHIFT) + WORD * sizeof(number), &number,
			     sizeof(number)),
		  sizeof(number));
	tell(o, page, number);
	if (number % 4 == 0) { /* it leaves before, owing, if it is clean */
		EXPECT_EQ(file_sync(o->file), 0);
		wait_laps(o, 2 * RECLAIM_EVERY);
	}
	EXPECT_EQ(file_truncate(o->file, page), 0);
	tell(o, page, GONE);
	o->end = page;
}

/* The last page of the file goes; and after the first, another file comes. */
static void get_shorter(struct owed *o, u64 number)
{
	cut_file(o, number);
	if (!o->end)
		open_next(o);
}

static const struct kind upgrade = {
	.begin = begin_written, .change = write_again, .event = PAY_WRITE_UPGRADE, .cleans = true};
static const struct kind remap = {
	.begin = begin_anonymous, .change = map_others, .event = PAY_UNMAP};
static const struct kind pin = {.begin = begin_anonymous, .change = write_pinned, .event = PAY_PIN};
static const struct kind file_written = {.begin = begin_read,
					 .change = write_file,
					 .event = PAY_FILE_WRITE,
					 .cleans = true,
					 .reclaims = true};
static const struct kind truncate = {
	.begin = begin_shorter, .change = get_shorter, .event = PAY_TRUNCATE, .reclaims = true};

/* ---- a race, under each deferral ------------------------------------------------------------ */

static void use_deferral(const char *name)
{
	char err[128];

	EXPECT_EQ(knob_set("defer", name, "test", err, sizeof(err)), 0);
}

/* The mover, and readers on the other CPUs: all are under way on return. */
static void start(struct owed *o)
{
	unsigned n = 0;

	for_each_online_cpu (cpu) {
		if (cpu == cpu_id())
			continue;
		if (!o->mover) {
			o->mover = context_spawn(cpu, "mover", move_until_stopped, o, NULL);
			EXPECT(o->mover);
		} else if (n < READERS) {
			struct reader *r = &o->reader[n++];

			r->all = o;
			r->running = context_spawn(cpu, "reader", read_until_stopped, r, o->fx.as);
			EXPECT(r->running);
		}
	}
	for (unsigned i = 0; i < n && o->reader[i].running; i++)
		while (!load_relaxed(&o->reader[i].reads))
			cpu_relax();
	wait_laps(o, 1);
}

static void stop(struct owed *o)
{
	store_release(&o->stop, 1U);
	if (o->mover)
		context_join(o->mover);
	for (unsigned n = 0; n < READERS && o->reader[n].running; n++) {
		context_join(o->reader[n].running);
		EXPECT_EQ(o->reader[n].wrong, 0);
	}
}

/* What was written last is there, and in the store. */
static void expect_kept(struct owed *o)
{
	u64 seen;

	for (u64 page = 0; page < pages_of(o); page++) {
		if (o->told[page] == GONE || !o->told[page])
			continue;
		EXPECT_EQ(probe_load64(word_of(o, page), &seen), 0);
		EXPECT_EQ(seen, o->told[page]);
	}
	if (!o->file)
		return;
	EXPECT_EQ(file_sync(o->file), 0);
	for (u64 page = 0; page < o->end; page++)
		EXPECT_EQ(memory_store_word(o->file->store, page, WORD), o->told[page]);
	EXPECT_EQ(memory_store_wrong(o->file->store), 0);
}

static u64 paid_at(enum pay_event event)
{
	struct mm_counters sum;

	mm_counters_read(&sum);
	return sum.forced[event];
}

static void race_under(const struct kind *kind, const char *name, struct owed *o, u64 rounds)
{
	use_deferral(name);
	u64 paid = paid_at(kind->event);

	o->kind = kind;
	o->fx.as = aspace_create("owed", BOOT_NODE_NONE);
	if (!EXPECT(o->fx.as))
		return;
	kind->begin(o);
	start(o);
	aspace_load(o->fx.as);
	for (u64 number = 1; number <= rounds && o->fx.va; number++) {
		kind->change(o, number);
		cpu_relax(); /* the others' turn */
	}
	stop(o);
	expect_kept(o);
	aspace_load(NULL);
	kprintf("# %s: %lu paid, %lu and %lu reads, %lu reclaimed\n", name,
		paid_at(kind->event) - paid, o->reader[0].reads, o->reader[1].reads, o->reclaimed);
	if (rounds >= MANY)
		EXPECT(paid_at(kind->event) > paid);
	aspace_destroy(o->fx.as);
	if (o->file)
		EXPECT_EQ(file_close(o->file), 0);
	use_deferral("none");
	pmm_drain_caches();
}

/* 10^4 rounds of each in `make test`, 10^6 in `make test-all`: shared out among the deferrals. */
static void race(const struct kind *kind)
{
	static struct owed o;
	u64 rounds = ktest_rounds(ROUNDS);

	NEED_CPUS(3);
	if (rounds < ROUNDS)
		SKIP("few rounds: the case `owed` has more");
	u32 first = pmm_node_has_memory(0) ? 0 : fixture_other_node(0);
	u32 other = fixture_other_node(first);

	if (other == BOOT_NODE_NONE)
		SKIP("one node with memory");
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		o = (struct owed){.node = {first, other}};
		race_under(kind, names[i], &o, MAX(rounds / ARRAY_SIZE(names), 1UL));
	}
}

TEST(owed, page_becomes_writable)
{
	race(&upgrade);
}

TEST(owed, other_contents_at_the_same_address)
{
	race(&remap);
}

TEST(owed, page_is_pinned)
{
	race(&pin);
}

TEST(owed, file_is_written)
{
	race(&file_written);
}

TEST(owed, file_gets_shorter)
{
	race(&truncate);
}
