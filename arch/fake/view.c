/*
 * Early loads (arm64 rules): which values a load may still return.
 *
 * Loads are executed in order. But memory keeps old values, and each CPU has a view:
 * the time before which its later loads may not look. A load may return any value
 * that was there at that time or later. Barriers, acquire, atomics and interrupts
 * move the view forward. Time is counted in stores that have reached memory. This is
 * how view-based models of the architecture describe reordered loads (Pulte et al.,
 * "Promising-ARM/RISC-V", PLDI 2019). Their promises are left out: here a store never
 * passes an older load.
 *
 * A load of a pointer counts as acquire, because of the address dependency: what is
 * read through the pointer is not older than it. Plain accesses see the newest value.
 */
#include "memory.h"
#include <stdlib.h>
#include <string.h>

enum {
	PAST = 4, /* replaced values remembered per place; older ones are forgotten */
	SUMS = 1 << 15, /* stores of an execution; more share the last sum */
};

static const u64 NEVER = ~0UL;

struct past {
	const void *addr;
	u64 run; /* void in other executions */
	u64 value; /* of the newest store; if memory has another one, a plain store came after it */
	u64 since;
	u64 lost; /* time of the newest store that was forgotten, as too old or as of another place in this slot */
	u64 coherent[FAKE_CPUS]; /* time of the newest value that each CPU has read or written */
	unsigned count;
	struct {
		u64 value, until;
	} older[PAST]; /* newest first */
};

/* Heap: outlives executions. */
static struct views {
	u64 run, first; /* execution; fake_write_seq at its start */
	struct past past[FAKE_PLACES];
	u64 sum[SUMS]; /* by time: of everything replaced so far, in no order */
} * views;

void fake_view_init(void)
{
	views = calloc(1, sizeof(*views));
}

void fake_view_begin(void)
{
	views->run++;
	views->first = fake_write_seq;
	views->sum[0] = 0;
	for (unsigned i = 0; i < FAKE_CPUS; i++)
		fake_cpus[i].view = (struct fake_view){.loads = fake_write_seq,
						       .seen = fake_write_seq,
						       .flushes = fake_write_seq,
						       .walks = fake_write_seq};
}

static u64 *sum_at(u64 when)
{
	return &views->sum[MIN(when - views->first, SUMS - 1UL)];
}

static struct past *past_of(const void *addr)
{
	struct past *p = &views->past[fake_place_of(addr)];
	u64 lost = p->run == views->run ? MAX(p->lost, p->since) : 0;

	if (p->run != views->run || p->addr != addr) {
		memset(p, 0, sizeof(*p));
		p->addr = addr;
		p->run = views->run;
		p->lost = lost;
	}
	return p;
}

void fake_view_stored(unsigned cpu, const void *addr, u64 old, u64 value)
{
	u64 now = fake_write_seq;

	if (!fake_live)
		return;
	*sum_at(now) = *sum_at(now - 1) + (old != value ? fake_mix((u64)addr, old) : 0);
	fake_cpus[cpu].view.own = now;
	if (!fake_config.arm64)
		return;
	struct past *p = past_of(addr);

	if (old != value) {
		p->lost = MAX(p->lost, p->older[PAST - 1].until);
		memmove(&p->older[1], &p->older[0], (PAST - 1) * sizeof(p->older[0]));
		p->older[0].value = old;
		p->older[0].until = now;
		p->count = MIN(p->count + 1, (unsigned)PAST);
	}
	p->value = value;
	p->since = p->coherent[cpu] = now;
}

/* Hash of the old values that this CPU's later loads and walks may still see. */
u64 fake_view_key(const struct fake_cpu *cpu)
{
	const struct fake_view *view = &cpu->view;
	u64 now = *sum_at(fake_write_seq);
	u64 loads = fake_mix(now - *sum_at(view->loads), now - *sum_at(view->seen));

	return fake_mix(loads + now - *sum_at(view->flushes), now - *sum_at(view->walks));
}

/* Does a newer value among the first n equal this one? Choosing it would make no difference. */
static bool is_repeated(const struct past *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (p->older[i].value == p->older[n].value)
			return true;
	return p->older[n].value == p->value;
}

static u64 since(const struct past *p, unsigned n)
{
	return n + 1 < p->count ? p->older[n + 1].until : p->lost;
}

/* Choose a value that was there between `from` and `to`: the index of an older one, or PAST for the newest. */
static unsigned choose(const struct past *p, u64 from, u64 to)
{
	unsigned option[PAST + 1], options = 0;

	if (p->since <= to)
		option[options++] = PAST;
	for (unsigned i = 0; i < p->count && p->older[i].until > from; i++)
		if (since(p, i) <= to && (to != NEVER || !is_repeated(p, i)))
			option[options++] = i;
	return options ? option[fake_pick(options)] : PAST;
}

u64 fake_view_load_between(const void *addr, u64 newest, u64 from, u64 to, bool acquire)
{
	struct fake_view *view = &fake_self->view;
	struct past *p = &views->past[fake_place_of(addr)];
	u64 when;

	if (!fake_live || !fake_config.arm64 || p->run != views->run)
		return newest; /* not written in this execution */
	if (p->addr != addr) {
		when = p->lost;
	} else if (p->value != newest) {
		when = fake_write_seq; /* a plain store that nobody knows the time of */
	} else {
		from = MAX(MAX(from, view->loads), p->coherent[fake_self->id]);
		when = p->since;
		if (unlikely(p->since > MIN(from, to))) {
			unsigned n = choose(p, from, to);

			if (n < PAST) {
				newest = p->older[n].value;
				when = since(p, n);
			}
		}
		p->coherent[fake_self->id] = MAX(p->coherent[fake_self->id], when);
	}
	view->last = when;
	view->seen = MAX(view->seen, when);
	if (acquire)
		view->loads = MAX(view->loads, when);
	return newest;
}

u64 fake_view_load(const void *addr, u64 newest, bool acquire)
{
	return fake_view_load_between(addr, newest, 0, NEVER, acquire);
}

/* An atomic operation reads the newest value. */
void fake_view_atomic(const void *addr, bool acquire)
{
	struct fake_view *view = &fake_self->view;
	const struct past *p = &views->past[fake_place_of(addr)];
	u64 when;

	if (!fake_live || !fake_config.arm64 || p->run != views->run)
		return;
	when = p->addr == addr ? p->since : p->lost;
	view->seen = MAX(view->seen, when);
	if (acquire)
		view->loads = MAX(view->loads, when);
}

void fake_view_loads_from_now(void)
{
	struct fake_view *view = &fake_self->view;

	view->loads = view->seen = view->flushes = fake_write_seq;
}

void fake_view_walks_from_now(void)
{
	fake_self->view.walks = fake_write_seq;
}

void fake_view_rmb(void)
{
	fake_self->view.loads = MAX(fake_self->view.loads, fake_self->view.seen);
}
