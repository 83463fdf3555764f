/* kernel/core: locks and contexts. */
#include "core_fixture.h"
#include <kernel/spinlock.h>
#include <kernel/string.h>

static u32 flag; /* set once by the other CPU */

/* ---- locks ---- */

static struct spinlock count_lock;
static u64 counted; /* count_lock; a plain increment, so that a lost one shows */

static void count_up(void *arg __unused)
{
	for (unsigned i = core_rounds(1200); i; i--) {
		spin_lock(&count_lock);
		u64 seen = load_relaxed(&counted);

		if (i % 16 == 0)
			cpu_relax();
		store_relaxed(&counted, seen + 1);
		spin_unlock(&count_lock);
	}
}

TEST(lock, spinlock_excludes)
{
	counted = 0;
	core_run_everywhere(count_up);
	EXPECT_EQ(counted, (u64)core_rounds(1200) * cpumask_weight(&cpu_online));
	EXPECT(!spin_is_locked(&count_lock));
}

static u32 entered;

static void lock_and_enter(void *arg __unused)
{
	spin_lock(&count_lock);
	store_release(&entered, 1);
	spin_unlock(&count_lock);
}

TEST(lock, spinlock_keeps_out_while_it_is_held)
{
	struct context *ctx;

	NEED_CPUS(2);
	entered = 0;
	spin_lock(&count_lock);
	ctx = context_spawn(core_other_cpu(), "core-test", lock_and_enter, NULL, NULL);
	REQUIRE(ctx);
	REQUIRE(POLL_UNTIL(load_relaxed(&cpu_ptr(ctx->cpu, cpu_self)->current) == ctx));
	for (unsigned i = 0; i < 20000; i++)
		cpu_relax();
	EXPECT_EQ(load_acquire(&entered), 0);
	spin_unlock(&count_lock);
	context_join(ctx);
	EXPECT_EQ(entered, 1);
}

static struct rwlock rw;
static u64 left_half, right_half; /* equal whenever no writer holds rw */
static u32 torn, inside, reads;

static void read_and_write(void *arg __unused)
{
	for (unsigned i = core_rounds(1200); i; i--) {
		if ((i + cpu_id()) % 8) {
			read_lock(&rw);
			u64 seen = load_relaxed(&left_half);

			cpu_relax();
			if (load_relaxed(&right_half) != seen || load_relaxed(&inside))
				atomic_fetch_add(&torn, 1);
			atomic_fetch_add(&reads, 1);
			read_unlock(&rw);
		} else {
			write_lock(&rw);
			if (atomic_fetch_add(&inside, 1))
				atomic_fetch_add(&torn, 1);
			store_relaxed(&left_half, left_half + 1);
			cpu_relax();
			store_relaxed(&right_half, right_half + 1);
			atomic_fetch_add(&inside, -1);
			write_unlock(&rw);
		}
	}
}

TEST(lock, rwlock_excludes)
{
	rw = (struct rwlock){0};
	left_half = right_half = 0;
	torn = inside = reads = 0;
	core_run_everywhere(read_and_write);
	EXPECT_EQ(torn, 0);
	EXPECT_EQ(left_half + reads, (u64)core_rounds(1200) * cpumask_weight(&cpu_online));
	EXPECT_EQ(left_half, right_half);
	EXPECT_EQ(rw.arrived, rw.left);
	EXPECT_EQ(rw.tickets, rw.serving);
}

static void write_once(void *arg __unused)
{
	write_lock(&rw);
	store_release(&flag, 1);
	write_unlock(&rw);
}

static void read_once(void *arg __unused)
{
	read_lock(&rw);
	/* The writer came first, so it has been in. */
	if (!load_acquire(&flag))
		atomic_fetch_add(&torn, 1);
	read_unlock(&rw);
	atomic_fetch_add(&reads, 1);
}

/* Readers that come after a waiting writer wait for it, and are let in when it leaves. */
TEST(lock, waiting_writer_stops_new_readers)
{
	unsigned writer_cpu = core_other_cpu(),
		 reader_cpu = cpumask_next(&cpu_online, writer_cpu + 1);
	struct context *writer, *reader;

	NEED_CPUS(3);
	rw = (struct rwlock){0};
	flag = torn = reads = 0;
	read_lock(&rw);
	writer = context_spawn(writer_cpu, "core-test", write_once, NULL, NULL);
	REQUIRE(writer);
	REQUIRE(POLL_UNTIL(load_acquire(&rw.arrived) & RWLOCK_WRITER));
	reader = context_spawn(reader_cpu, "core-test", read_once, NULL, NULL);
	REQUIRE(reader);
	REQUIRE(POLL_UNTIL(load_acquire(&rw.arrived) >= 2 * RWLOCK_READER));
	for (unsigned i = 0; i < 10000; i++)
		cpu_relax();
	EXPECT_EQ(load_acquire(&flag), 0);
	EXPECT_EQ(load_acquire(&reads), 0);
	read_unlock(&rw);
	context_join(writer);
	context_join(reader);
	EXPECT_EQ(flag, 1);
	EXPECT_EQ(reads, 1);
	EXPECT_EQ(torn, 0);
}

/* Trying for the read side never waits: not beside a writer, nor behind one that waits. */
TEST(lock, rwlock_try)
{
	unsigned writer_cpu = core_other_cpu();
	struct context *writer;

	NEED_CPUS(2);
	rw = (struct rwlock){0};
	flag = 0;
	write_lock(&rw);
	EXPECT(!read_trylock(&rw));
	write_unlock(&rw);
	EXPECT(read_trylock(&rw));
	EXPECT(read_trylock(&rw)); /* what waits for nobody may be taken twice */
	writer = context_spawn(writer_cpu, "core-test", write_once, NULL, NULL);
	REQUIRE(writer);
	REQUIRE(POLL_UNTIL(load_acquire(&rw.arrived) & RWLOCK_WRITER));
	EXPECT(!read_trylock(&rw));
	read_unlock(&rw);
	EXPECT_EQ(load_acquire(&flag), 0);
	read_unlock(&rw);
	context_join(writer);
	EXPECT_EQ(flag, 1);
	EXPECT_EQ(rw.arrived, rw.left);
}

/* Take rw by `lock` here, let the other CPU fall asleep in fn, and let go: it must wake. */
static void release_under_a_sleeper(void (*fn)(void *), void (*lock)(struct rwlock *),
				    void (*unlock)(struct rwlock *))
{
	struct context *ctx;

	rw = (struct rwlock){0};
	flag = 1; /* for read_once() */
	lock(&rw);
	ctx = context_spawn(core_other_cpu(), "core-test", fn, NULL, NULL);
	REQUIRE(ctx);
	REQUIRE(POLL_UNTIL(core_sleeps(ctx)));
	unlock(&rw);
	context_join(ctx); /* the watchdog barks if it sleeps on */
	EXPECT_EQ(rw.arrived, rw.left);
	EXPECT_EQ(rw.tickets, rw.serving);
}

static void lock_for_reading(struct rwlock *lock)
{
	read_lock(lock);
}

static void unlock_from_reading(struct rwlock *lock)
{
	read_unlock(lock);
}

TEST(lock, whoever_leaves_wakes_the_sleepers)
{
	NEED_CPUS(2);
	if (idle_polls)
		SKIP("idle=poll");
	release_under_a_sleeper(read_once, write_lock, write_unlock);
	release_under_a_sleeper(write_once, write_lock, write_unlock);
	release_under_a_sleeper(write_once, lock_for_reading, unlock_from_reading);
}

/* ---- contexts ---- */

static char trace[64];
static unsigned trace_len; /* one CPU writes it */

static void leave_trace(void *arg)
{
	for (unsigned i = 0; i < 3; i++) {
		trace[trace_len++] = *(const char *)arg;
		context_yield();
	}
}

static void take_turns_on(unsigned cpu)
{
	struct context *a, *b;

	memset(trace, 0, sizeof(trace));
	trace_len = 0;
	/* The queue is filled while its CPU cannot take from it. */
	a = context_spawn(cpu, "core-test", leave_trace, "a", NULL);
	b = context_spawn(cpu, "core-test", leave_trace, "b", NULL);
	REQUIRE(a && b);
	context_join(a);
	context_join(b);
	EXPECT_EQ(strlen(trace), 6);
}

TEST(context, take_turns_where_they_yield)
{
	take_turns_on(cpu_id());
	EXPECT(!strcmp(trace, "ababab"));
	/* On another CPU the first may have begun before the second was there. */
	if (core_other_cpu() < cpu_count)
		take_turns_on(core_other_cpu());
	EXPECT(context_alone());
}

static void count_flag(void *arg)
{
	EXPECT_EQ(cpu_id(), (u64)arg);
	EXPECT(irqs_enabled());
	EXPECT(!strcmp(this_cpu_ptr(cpu_self)->current->name, "core-test"));
	atomic_fetch_add(&flag, 1);
}

TEST(context, run_where_they_belong)
{
	flag = 0;
	for_each_online_cpu (cpu) {
		struct context *ctx =
			context_spawn(cpu, "core-test", count_flag, (void *)(u64)cpu, NULL);

		REQUIRE(ctx);
		context_join(ctx);
	}
	EXPECT_EQ(flag, cpumask_weight(&cpu_online));
	EXPECT(!this_cpu_ptr(cpu_self)->current);
}

static void spawn_and_join(void *arg __unused)
{
	for (unsigned i = 0; i < 5; i++) {
		struct context *ctx = context_spawn(cpu_id(), "core-test", count_flag,
						    (void *)(u64)cpu_id(), NULL);

		REQUIRE(ctx);
		context_join(ctx);
	}
}

TEST(context, may_make_others)
{
	flag = 0;
	core_run_everywhere(spawn_and_join);
	EXPECT_EQ(flag, 5 * cpumask_weight(&cpu_online));
}

static struct context *ended;
static u32 restarts;

static void count_run(void *arg __unused)
{
	atomic_fetch_add(&flag, 1);
}

static void restart_often(void *arg __unused)
{
	for (unsigned n = core_rounds(2000); n; n--) {
		if (context_restart(ended, cpu_id()))
			atomic_fetch_add(&restarts, 1);
		context_yield();
	}
}

static void wait_for_the_end(void)
{
	while (!context_has_ended(ended)) {
		context_yield();
		cpu_relax();
	}
}

/* All CPUs want to, whenever it has ended: each time one of them does. */
TEST(context, is_restarted_by_one_of_several)
{
	flag = restarts = 0;
	ended = context_spawn(cpu_id(), "core-test", count_run, NULL, NULL);
	REQUIRE(ended);
	wait_for_the_end();
	core_run_everywhere(restart_often);
	wait_for_the_end();
	EXPECT(restarts > 0);
	EXPECT_EQ(flag, restarts + 1);
	context_join(ended);
}
