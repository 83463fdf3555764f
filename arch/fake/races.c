/*
 * Data races between plain accesses (arm64 rules).
 *
 * In the model plain accesses take effect at once, so a missing acquire or release
 * in front of one changes nothing there. This file looks for such mistakes: two
 * CPUs access a place without an accessor, at least one writes, and no chain of
 * release and acquire, barriers, atomics or interrupts leads from one access to the
 * other. The program explore_races is built with the compiler's thread
 * instrumentation, which calls this file for each plain access; the compiler's own
 * runtime library is not used.
 *
 * A load of a pointer counts as acquire, since what is read through the pointer
 * depends on its address.
 */
#include <fake/machine.h>
#include <stdlib.h>
#include <string.h>

enum { SHADOWS = 1 << 14 }; /* places remembered per execution, by hash; the newest wins */

struct shadow {
	const void *addr;
	u64 run;
	const void *where; /* the instruction of the last write */
	struct fake_clock reads;
	u32 writer, written; /* CPU and its clock */
};

/* Heap: outlives executions. */
static struct races {
	u64 run;
	struct fake_clock now[FAKE_CPUS];
	struct fake_clock at_barrier[FAKE_CPUS]; /* what later relaxed stores publish */
	struct fake_clock to_come[FAKE_CPUS]; /* what relaxed loads saw: a barrier acquires it */
	struct fake_clock place[FAKE_PLACES];
	struct shadow shadow[SHADOWS];
} * races;

void fake_races_begin(void)
{
	if (!races)
		return;
	races->run++;
	memset(races->now, 0, offsetof(struct races, shadow) - offsetof(struct races, now));
	for (unsigned i = 0; i < FAKE_CPUS; i++)
		races->now[i].of[i] = 1;
}

static void join(struct fake_clock *to, const struct fake_clock *from)
{
	for (unsigned i = 0; i < FAKE_CPUS; i++)
		to->of[i] = MAX(to->of[i], from->of[i]);
}

void fake_races_load(unsigned place, bool acquire)
{
	unsigned me = fake_self->id;

	if (races)
		join(acquire ? &races->now[me] : &races->to_come[me], &races->place[place]);
}

struct fake_clock fake_races_publish(bool release)
{
	unsigned me = fake_self->id;
	struct fake_clock clock = {{0}};

	if (!races)
		return clock;
	clock = release ? races->now[me] : races->at_barrier[me];
	races->now[me].of[me]++;
	return clock;
}

/*
 * Clocks are joined, not replaced: another place may share this entry of the hash
 * and must not lose what it published. The price: a relaxed store does not end the
 * effect of an older release to the same place.
 */
void fake_races_stored(unsigned place, const struct fake_clock *clock)
{
	if (races)
		join(&races->place[place], clock);
}

void fake_races_barrier(bool loads, bool stores)
{
	unsigned me = fake_self->id;

	if (!races)
		return;
	if (loads)
		join(&races->now[me], &races->to_come[me]);
	if (stores)
		races->at_barrier[me] = races->now[me];
	races->now[me].of[me]++;
}

/* ---- what the compiler calls ------------------------------------------------------------- */

static struct shadow *shadow_of(const void *addr)
{
	struct shadow *s = &races->shadow[((u64)addr * 0x9e3779b97f4a7c15UL >> 40) % SHADOWS];

	if (s->addr != addr || s->run != races->run)
		*s = (struct shadow){.addr = addr, .run = races->run};
	return s;
}

static bool of_interest(const void *addr)
{
	return races && fake_live && fake_config.arm64 && !fake_on_stack(addr);
}

static void tell(const struct shadow *s, unsigned other, const void *where, const char *what)
{
	fake_fail("race: CPU %u %s what CPU %u has %s without order, at %#lx and %#lx",
		  fake_self->id, what, other, s->where ? "written" : "read", (u64)where,
		  (u64)s->where);
}

static void plain(const void *addr, bool write, const void *where)
{
	unsigned me = fake_self->id;

	if (!of_interest(addr))
		return;
	struct shadow *s = shadow_of(addr);
	const struct fake_clock *now = &races->now[me];

	if (s->written > now->of[s->writer] && s->writer != me)
		tell(s, s->writer, where, write ? "writes" : "uses");
	if (!write) {
		s->reads.of[me] = now->of[me];
		return;
	}
	for (unsigned c = 0; c < FAKE_CPUS; c++)
		if (c != me && s->reads.of[c] > now->of[c])
			tell(&(struct shadow){.addr = addr}, c, where, "writes");
	s->writer = me;
	s->written = now->of[me];
	s->where = where;
}

void fake_plain(const void *addr, bool write)
{
	plain(addr, write, __builtin_return_address(0));
}

/* An accessor reads what was written without one: a pointer, or a flag, must have led here. */
void fake_races_uses(const void *addr)
{
	if (!of_interest(addr))
		return;
	const struct shadow *s = shadow_of(addr);

	if (s->writer != fake_self->id && s->written > races->now[fake_self->id].of[s->writer])
		tell(s, s->writer, __builtin_return_address(0), "uses");
}

/* The compiler does not tell about these. */
void *fake_memset(void *to, int byte, size_t size)
{
	for (size_t i = 0; i < size; i += 8)
		plain((char *)to + i, true, __builtin_return_address(0));
	return memset(to, byte, size);
}

#define ACCESS(size)                                                                               \
	void __tsan_read##size(void *addr);                                                        \
	void __tsan_write##size(void *addr);                                                       \
	void __tsan_read##size(void *addr)                                                         \
	{                                                                                          \
		plain(addr, false, __builtin_return_address(0));                                   \
	}                                                                                          \
	void __tsan_write##size(void *addr)                                                        \
	{                                                                                          \
		plain(addr, true, __builtin_return_address(0));                                    \
	}
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

/* Structures as a whole: their first word stands for them. */
void __tsan_read_range(void *addr, long size);
void __tsan_write_range(void *addr, long size);
void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void *unused __unused);

void __tsan_read_range(void *addr, long size)
{
	for (long i = 0; i < size; i += 8)
		plain((char *)addr + i, false, __builtin_return_address(0));
}

void __tsan_write_range(void *addr, long size)
{
	for (long i = 0; i < size; i += 8)
		plain((char *)addr + i, true, __builtin_return_address(0));
}

/* Called first thing by every instrumented source: there are some. */
void __tsan_init(void)
{
	if (!races)
		races = calloc(1, sizeof(*races));
}

void __tsan_func_entry(void *caller __unused)
{
}

void __tsan_func_exit(void *unused __unused)
{
}
