/* Sets of CPUs. Loops run over cpu_words words, so small machines pay for one. */
#pragma once

#include <kernel/atomic.h>

#define CPUMASK_WORDS (MAX_CPUS / 64)

struct cpumask {
	u64 bits[CPUMASK_WORDS];
};

extern unsigned cpu_words; /* words that can hold a bit: (cpu_count + 63) / 64 */
extern unsigned cpu_count; /* CPUs with an id; set before any secondary starts */
extern struct cpumask cpu_online; /* those that reached their idle loop; bits are only ever added */

static inline void cpumask_clear(struct cpumask *m)
{
	for (unsigned i = 0; i < cpu_words; i++)
		m->bits[i] = 0;
}

static inline void cpumask_set(struct cpumask *m, unsigned cpu)
{
	m->bits[cpu / 64] |= 1UL << (cpu % 64);
}

static inline void cpumask_unset(struct cpumask *m, unsigned cpu)
{
	m->bits[cpu / 64] &= ~(1UL << (cpu % 64));
}

/* Add what `from` has, which others may change meanwhile. */
static inline void cpumask_add(struct cpumask *m, const struct cpumask *from)
{
	for (unsigned w = 0; w < cpu_words; w++)
		m->bits[w] |= load_relaxed(&from->bits[w]);
}

static inline bool cpumask_test(const struct cpumask *m, unsigned cpu)
{
	return load_relaxed(&m->bits[cpu / 64]) >> (cpu % 64) & 1;
}

static inline bool cpumask_empty(const struct cpumask *m)
{
	u64 any = 0;

	for (unsigned i = 0; i < cpu_words; i++)
		any |= load_relaxed(&m->bits[i]);
	return !any;
}

static inline unsigned cpumask_weight(const struct cpumask *m)
{
	unsigned n = 0;

	/* One turn per member: the builtin would call a library that we do not link. */
	for (unsigned i = 0; i < cpu_words; i++)
		for (u64 bits = load_relaxed(&m->bits[i]); bits; bits &= bits - 1)
			n++;
	return n;
}

/* The first CPU in the set that is >= from, or cpu_count. */
static inline unsigned cpumask_next(const struct cpumask *m, unsigned from)
{
	for (unsigned w = from / 64; w < cpu_words; w++) {
		u64 bits = load_relaxed(&m->bits[w]);

		if (w == from / 64)
			bits &= ~0UL << (from % 64);
		if (bits)
			return w * 64 + (unsigned)__builtin_ctzl(bits);
	}
	return cpu_count;
}

#define cpumask_for_each(cpu, m)                                                                   \
	for (unsigned cpu = cpumask_next(m, 0); cpu < cpu_count; cpu = cpumask_next(m, cpu + 1))
#define for_each_online_cpu(cpu) cpumask_for_each (cpu, &cpu_online)

/* Atomic forms, for masks that several CPUs change; each is a full barrier. */
static inline void cpumask_set_atomic(struct cpumask *m, unsigned cpu)
{
	atomic_fetch_or(&m->bits[cpu / 64], 1UL << (cpu % 64));
}

static inline void cpumask_unset_atomic(struct cpumask *m, unsigned cpu)
{
	atomic_fetch_and(&m->bits[cpu / 64], ~(1UL << (cpu % 64)));
}
