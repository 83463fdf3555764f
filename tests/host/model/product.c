/*
 * The product of operations, ways to share and page sizes: one scenario for each, in a fixed order.
 *
 * Two or three CPUs have an operation each. CPUs differ only by their node and space, so it does not
 * matter which CPU has which operation: one assignment stands for all. The exception are three CPUs
 * in two spaces, where one CPU is alone in its space. An operation that starts from hint entries runs
 * on CPU 1, which is on the other node. Left out are combinations that are impossible (fits(),
 * agree()), and those in which nothing changes.
 */
#include "product.h"

#include <kernel/string.h>
#include <stdio.h>
#include <stdlib.h>

static struct product *products; /* heap: no execution changes it */
static unsigned count, room;

/*
 * Combinations that fail, and why: known faults of mm/ that are not mended yet. They are left out
 * unless asked for by their whole name, and may stand here only as long as they fail.
 */
static const struct {
	const char *pattern, *rules, *why; /* rules NULL: both */
} left_out[] = {
	{NULL, NULL, NULL},
};

const char *product_left_out(const struct scenario *s, const char *rules)
{
	for (unsigned i = 0; left_out[i].pattern; i++)
		if (glob_match(left_out[i].pattern, s->name) &&
		    (!left_out[i].rules || !rules || !strcmp(left_out[i].rules, rules)))
			return left_out[i].why;
	return NULL;
}

/* ---- what goes together ---------------------------------------------------------------------- */

static const char *const sharing_names[] = {[PRIVATE] = "private",
					    [TWO_AREAS] = "areas2",
					    [TWO_SPACES] = "shared2",
					    [FIVE_SPACES] = "shared5"};

static bool fits(const struct operation *op, enum sharing sharing, bool large)
{
	if (op->is & (large ? OP_SMALL : OP_LARGE))
		return false;
	return !(op->is & OP_DESTROYS) || sharing >= TWO_SPACES;
}

/* One of these changes a translation. A combination without any is left out. */
enum {
	OP_CHANGES = OP_HINTED | OP_SCANS | OP_ABSENT | OP_GOES | OP_LOWERS | OP_RAISES | OP_MAPS |
		     OP_MOVES | OP_DESTROYS
};

static bool agree(const struct operation *const op[], unsigned cpus, enum sharing sharing)
{
	unsigned late = 0, early = 0, destroy = 0, change = 0;

	for (unsigned i = 0; i < cpus; i++) {
		early += !!(op[i]->is & OP_EARLY);
		late += op[i]->is & OP_HINTED && !(op[i]->is & OP_EARLY);
		destroy += !!(op[i]->is & OP_DESTROYS);
		change += !!(op[i]->is & OP_CHANGES);
	}
	/*
	 * One knob says whether hint faults are early or late; and of two spaces only the second
	 * can be destroyed, once.
	 */
	return change && !(early && late) && !(sharing == TWO_SPACES && destroy > 1);
}

/* ---- making them ----------------------------------------------------------------------------------- */

static void add(const struct operation *const op[], unsigned cpus, enum sharing sharing, bool large)
{
	struct product *p = &products[count];
	int at;

	if (count == room) {
		printf("Bail out! the product has no room\n");
		exit(2);
	}
	at = snprintf(p->name, sizeof(p->name), "p");
	for (unsigned i = 0; i < cpus; i++) {
		p->op[i] = op[i];
		p->scenario.program[i] = operations_run;
		at += snprintf(p->name + at, sizeof(p->name) - (size_t)at, "-%s", op[i]->name);
	}
	snprintf(p->name + at, sizeof(p->name) - (size_t)at, "-%s",
		 large ? "2m" : sharing_names[sharing]);
	p->sharing = sharing;
	p->scenario.name = p->name;
	p->scenario.summary = "one of the product";
	p->scenario.cpus = cpus;
	p->scenario.large = large;
	p->scenario.product = true;
	p->scenario.setup = world_setup;
	p->scenario.end = world_check;
	count++;
}

static void swap(const struct operation **a, const struct operation **b)
{
	const struct operation *was = *a;

	*a = *b;
	*b = was;
}

/* Of three CPUs in two spaces, CPU 1 is alone in its space: one scenario with each of the operations on CPU 1. */
static void add_orders(const struct operation *op[], unsigned cpus, enum sharing sharing,
		       bool large)
{
	bool alone = cpus == 3 && sharing == TWO_SPACES;

	for (unsigned i = 0; alone && i < cpus; i++)
		alone = !(op[i]->is & (OP_DESTROYS | OP_HINTED));
	for (unsigned i = 0; i < cpus; i += 2)
		if (op[i]->is & OP_HINTED && !(op[1]->is & OP_HINTED))
			swap(&op[i], &op[1]);
	add(op, cpus, sharing, large);
	if (!alone)
		return;
	if (op[0] != op[1]) {
		swap(&op[0], &op[1]);
		add(op, cpus, sharing, large);
		swap(&op[0], &op[1]);
	}
	if (op[2] != op[1]) {
		swap(&op[2], &op[1]);
		add(op, cpus, sharing, large);
		swap(&op[2], &op[1]);
	}
}

/* All sets of so many operations. */
static void add_all(unsigned cpus, enum sharing sharing, bool large)
{
	unsigned n = operation_count;

	for (unsigned i = 0; i < n * n * (cpus == 3 ? n : 1); i++) {
		const unsigned index[] = {cpus == 3 ? i / n / n : i / n,
					  cpus == 3 ? i / n % n : i % n, i % n};
		const struct operation *op[PRODUCT_CPUS];
		bool good = true;

		for (unsigned c = 0; c < cpus; c++) {
			op[c] = &operations[index[c]];
			good &= fits(op[c], sharing, large) && (!c || index[c - 1] <= index[c]);
		}
		if (good && agree(op, cpus, sharing))
			add_orders(op, cpus, sharing, large);
	}
}

void product_init(void)
{
	room = 1 << 15;
	products = calloc(room, sizeof(*products));
	for (unsigned cpus = 2; cpus <= PRODUCT_CPUS; cpus++) {
		for (enum sharing s = PRIVATE; s < SHARINGS; s++)
			add_all(cpus, s, false);
		add_all(cpus, PRIVATE, true);
	}
}

unsigned product_count(void)
{
	return count;
}

const struct scenario *product_at(unsigned i)
{
	return &products[i].scenario;
}

/* A fixed order in which neighbours have little in common. */
const struct scenario *product_shuffled(u64 i)
{
	u64 stride = count % 7919 ? 7919 : 7907; /* primes */

	return &products[i % count * stride % count].scenario;
}

void product_choose(const struct scenario *s)
{
	world_choose((const struct product *)s);
}
