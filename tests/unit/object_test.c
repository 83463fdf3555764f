/* Objects with a store: pages that are computed, read by other CPUs while they leave, return and move. */
#include "mm_fixture.h"
#include <kernel/clock.h>
#include <kernel/error.h>
#include <kernel/smp.h>

#define RW (PROT_READ | PROT_WRITE)

enum {
	PAGES = 32,
	ROUNDS = 20,
	OTHERS =
		3, /* other CPUs that read, at most: each page that leaves interrupts all of them */
};

/* Is this one of the other CPUs that take part? */
static bool takes_part(unsigned cpu)
{
	return cpu != cpu_id() && cpu <= OTHERS;
}

/* The first word of a page says which it is; nothing else needs to be kept of what nobody writes. */
struct store {
	u32 fills, writes, closes; /* atomic */
	u32 sleepers; /* how many a fill waits for, until they sleep */
	u32 arrived; /* of them; atomic */
};

static bool others_sleep(const struct store *s)
{
	bool all = load_acquire(&s->arrived) == s->sleepers;

	for_each_online_cpu (cpu)
		all &= !takes_part(cpu) || load_relaxed(&cpu_ptr(cpu, cpu_self)->halted);
	return all;
}

static u64 pattern(u64 index)
{
	return 0x7a4440000UL + index;
}

static int fill(struct object *obj, u64 index, slot_t was, struct page *page)
{
	struct store *s = obj->store;

	u64 until = cycles_now() + ns_to_cycles(1000000000); /* with idle=poll nobody sleeps */

	atomic_fetch_add(&s->fills, 1);
	while (s->sleepers && !others_sleep(s) && cycles_now() < until)
		cpu_relax();
	if (slot_is_ref(was) && slot_ref(was) != index)
		return -EIO;
	*(u64 *)page_to_virt(page) = pattern(index);
	return 0;
}

static int write(struct object *obj, u64 index, struct page *page, u64 *ref)
{
	struct store *s = obj->store;

	atomic_fetch_add(&s->writes, 1);
	*ref = index;
	return *(const u64 *)page_to_virt(page) == pattern(index) ? 0 : -EIO;
}

static void closed(struct object *obj)
{
	atomic_fetch_add(&((struct store *)obj->store)->closes, 1);
}

static const struct object_ops ops = {
	.name = "pattern", .page_refs = 1, .fill = fill, .write = write, .close = closed};

struct reader {
	vaddr_t va;
	u32 stop, wrong; /* atomic */
};

static void read_until_stopped(void *arg)
{
	struct reader *r = arg;

	while (!load_acquire(&r->stop)) {
		for (u64 i = 0; i < PAGES; i++) {
			u64 value = 0;
			int err = probe_load64(r->va + i * PAGE_SIZE, &value);

			if (err || value != pattern(i))
				atomic_fetch_add(&r->wrong, 1);
			cpu_relax(); /* in deterministic runs nobody else gets a turn otherwise */
		}
		context_yield();
	}
}

static void leave_and_move(struct fixture *fx, struct object *obj, u32 *emptied)
{
	for (u64 round = 0, rounds = ktest_rounds(ROUNDS); round < rounds; round++) {
		for (u64 i = 0; i < PAGES; i++) {
			EXPECT_EQ(aspace_drop(fx->as, fx->va + i * PAGE_SIZE, PAGE_SIZE), 0);
			int err = object_empty(obj, i);

			EXPECT(!err || err == -EBUSY || err == -ENOENT);
			*emptied += !err;
		}
		for (u32 node = 0; node < numa_node_count(); node++)
			if (pmm_node_has_memory(node))
				fixture_migrate(fx, node, NULL);
	}
}

/* Nobody reads anything but the page's contents, whichever copy of it there is at the moment. */
TEST(object, pages_leave_and_return_under_readers)
{
	struct fixture fx = {.len = PAGES << PAGE_SHIFT};
	struct store s = {0};
	struct context *readers[MAX_CPUS] = {NULL};
	u32 emptied = 0;
	int err;

	fx.as = aspace_create("object", BOOT_NODE_NONE);
	struct object *obj = object_create_of(&ops, &s, PAGES);

	REQUIRE(fx.as && obj);
	fx.va = aspace_map(fx.as, obj, 0, 0, fx.len, RW, false, BOOT_NODE_NONE, &err);
	REQUIRE(fx.va);
	struct reader r = {.va = fx.va};

	for_each_online_cpu (cpu)
		if (takes_part(cpu))
			readers[cpu] = context_spawn(cpu, "reader", read_until_stopped, &r, fx.as);
	leave_and_move(&fx, obj, &emptied);
	store_release(&r.stop, 1);
	for_each_online_cpu (cpu)
		if (readers[cpu])
			context_join(readers[cpu]);
	EXPECT_EQ(r.wrong, 0);
	EXPECT_EQ(s.writes, emptied);
	object_put(obj);
	EXPECT_EQ(s.closes, 0);
	fixture_fini(&fx);
	EXPECT_EQ(s.closes, 1);
}

/* The object's own references do not keep its pages for ever; a pin keeps one of them. */
TEST(object, closes_with_its_last_area_and_pins_outlive_it)
{
	struct store s = {0};
	struct aspace *as = aspace_create("object", BOOT_NODE_NONE);
	struct object *obj = object_create_of(&ops, &s, PAGES);
	struct page *page;
	int err;

	REQUIRE(as && obj);
	u64 before = pmm_used();
	vaddr_t va =
		aspace_map(as, obj, 0, 0, PAGES << PAGE_SHIFT, RW, false, BOOT_NODE_NONE, &err);

	object_put(obj);
	EXPECT_EQ(aspace_populate(as, va, PAGES << PAGE_SHIFT, BOOT_NODE_NONE), PAGES);
	EXPECT_EQ(s.fills, PAGES);
	EXPECT_EQ(aspace_pin(as, va, false, &page), 0);
	EXPECT_EQ(aspace_unmap(as, va, PAGES << PAGE_SHIFT), 0);
	EXPECT_EQ(s.closes, 1);
	EXPECT_EQ(page_refs(page), 1);
	EXPECT_EQ(*(const u64 *)page_to_virt(page), pattern(0));
	EXPECT(pmm_used() < before + PAGES);
	page_put(page, PAGE_PIN);
	aspace_destroy(as);
	pmm_drain_caches();
}

/*
 * One unmapping of the pages of two objects, with holes between them and some pinned: those go with
 * the pin, all others at once, and neither object is left over.
 */
TEST(object, pages_of_several_objects_go_together)
{
	enum { EACH = 24, PINNED = 5 }; /* more than one look of the oracle at single frames */
	struct aspace *as = aspace_create("object", BOOT_NODE_NONE);
	struct page *pinned[2 * PINNED];
	int err = 0;

	REQUIRE(as);
	u64 before = pmm_used();
	vaddr_t va = aspace_map(as, NULL, 0, 0, EACH << PAGE_SHIFT, RW, false, 0, &err);
	vaddr_t next = aspace_map(as, NULL, 0, va + (EACH << PAGE_SHIFT), EACH << PAGE_SHIFT, RW,
				  false, 0, &err);

	REQUIRE(va && next);
	for (u64 i = 0; i < 2 * EACH; i++)
		if (i % 7 != 3)
			EXPECT_EQ(aspace_populate(as, va + (i << PAGE_SHIFT), PAGE_SIZE, 0), 1);
	for (u64 i = 0; i < 2 * PINNED; i++)
		EXPECT_EQ(aspace_pin(as, va + (i * 4 << PAGE_SHIFT), true, &pinned[i]), 0);
	EXPECT_EQ(aspace_unmap(as, va, 2 * EACH << PAGE_SHIFT), 0);
	for (u64 i = 0; i < 2 * PINNED; i++) {
		EXPECT_EQ(page_refs(pinned[i]), 1);
		EXPECT_EQ(pinned[i]->mapcount, 0);
		EXPECT(pinned[i]->object);
	}
	for (u64 i = 0; i < 2 * PINNED; i++)
		page_put(pinned[i], PAGE_PIN);
	EXPECT(pmm_used() <= before + 4); /* tables that the space keeps */
	aspace_destroy(as);
	pmm_drain_caches();
}

struct sleeper {
	struct reader reader;
	struct store *store;
};

static void read_once(struct reader *r)
{
	u64 value = 0;

	if (probe_load64(r->va, &value) || value != pattern(0))
		atomic_fetch_add(&r->wrong, 1);
}

/* Too late to fetch the page, so it waits for whoever does. */
static void sleep_for_page(void *arg)
{
	struct sleeper *sleeper = arg;

	while (!load_acquire(&sleeper->store->fills))
		cpu_relax();
	atomic_fetch_add(&sleeper->store->arrived, 1);
	read_once(&sleeper->reader);
}

/* This CPU fetches a page from a slow store; the others fall asleep for it, and nothing else would wake them. */
TEST(object, sleepers_are_woken_when_the_page_is_there)
{
	struct store s = {.sleepers = 0};
	struct aspace *as = aspace_create("object", BOOT_NODE_NONE);
	struct object *obj = object_create_of(&ops, &s, PAGES);
	struct context *sleepers[MAX_CPUS] = {NULL};
	struct sleeper sleeper = {.store = &s};
	int err;

	REQUIRE(as && obj);
	for_each_online_cpu (cpu)
		s.sleepers += takes_part(cpu);
	sleeper.reader.va =
		aspace_map(as, obj, 0, 0, PAGES << PAGE_SHIFT, RW, false, BOOT_NODE_NONE, &err);
	object_put(obj);
	for_each_online_cpu (cpu)
		if (takes_part(cpu))
			sleepers[cpu] = context_spawn(cpu, "sleeper", sleep_for_page, &sleeper, as);
	aspace_load(as);
	read_once(&sleeper.reader);
	aspace_load(NULL);
	for_each_online_cpu (cpu)
		if (sleepers[cpu])
			context_join(sleepers[cpu]);
	EXPECT_EQ(sleeper.reader.wrong, 0);
	EXPECT_EQ(s.fills, 1);
	aspace_destroy(as);
	pmm_drain_caches();
}
