/*
 * The product of operations, ways to share and page sizes: one scenario for each, in a fixed order.
 *
 * Two or three CPUs have an operation each. CPUs differ only by their node and space, so it does not
 * matter which CPU has which operation: one assignment stands for all. The exception are three CPUs
 * in two spaces, where one CPU is alone in its space, and any two where one space maps a file privately.
 * Of sets of three on pages of files and of duplicates each is one scenario, with another operation alone
 * in turn: with every order there would be too many. An operation that starts from hint entries runs
 * on CPU 1, which is on the other node. Left out are combinations that are impossible (fits(),
 * agree()), and those in which nothing changes.
 *
 * Not in the product: four CPUs; a file that gets shorter, is over its budget of dirty pages, or is closed;
 * a duplicate that goes, unless it is there from the beginning; a subscriber that refuses. See docs/verification.md.
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

static const char *const sharing_names[] = {
	[PRIVATE] = "private",	   [TWO_AREAS] = "areas2", [TWO_SPACES] = "shared2",
	[FIVE_SPACES] = "shared5", [FILE_PAGES] = "file",  [COPY_ON_WRITE] = "cow",
	[DUPLICATED] = "dup"};

static bool has_two_spaces(enum sharing sharing)
{
	return sharing >= TWO_SPACES && sharing != FIVE_SPACES;
}

/* Pages of files, or of duplicates. */
static bool is_special(enum sharing sharing)
{
	return sharing > FIVE_SPACES;
}

static bool fits(const struct operation *op, enum sharing sharing, bool large)
{
	bool file = sharing == FILE_PAGES || sharing == COPY_ON_WRITE;

	if (op->is & (large ? OP_SMALL : OP_LARGE))
		return false;
	if (op->is & OP_FILE && !file)
		return false;
	/* Spaces are loaded alike, whatever their pages are. */
	if (op->is & OP_SWITCHES && is_special(sharing))
		return false;
	/* Nobody can map what a duplicate and its origin are made of. */
	if (op->is & OP_MAPS && sharing == DUPLICATED)
		return false;
	return !(op->is & OP_DESTROYS) || sharing >= TWO_SPACES;
}

/* One of these changes a translation. A combination without any is left out. */
enum {
	OP_CHANGES = OP_HINTED | OP_SCANS | OP_ABSENT | OP_GOES | OP_LOWERS | OP_RAISES | OP_MAPS |
		     OP_MOVES | OP_DESTROYS | OP_FILE | OP_DUPLICATES | OP_LEAVES
};

static bool agree(const struct operation *const op[], unsigned cpus, enum sharing sharing)
{
	unsigned late = 0, early = 0, destroy = 0, change = 0, all = 0;

	for (unsigned i = 0; i < cpus; i++) {
		early += !!(op[i]->is & OP_EARLY);
		late += op[i]->is & OP_HINTED && !(op[i]->is & OP_EARLY);
		destroy += !!(op[i]->is & OP_DESTROYS);
		change += !!(op[i]->is & OP_CHANGES);
		all |= op[i]->is;
	}
	/* As above: it may have become that before it is mapped. */
	if (sharing == PRIVATE && all & OP_MAPS && all & OP_DUPLICATES)
		return false;
	/*
	 * One knob says whether hint faults are early or late; and of two spaces only the second
	 * can be destroyed, once.
	 */
	return change && !(early && late) && !(has_two_spaces(sharing) && destroy > 1);
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

/* The CPU that is alone in its space, if it matters which operation that is; or none. */
static unsigned alone_of(const struct operation *const op[], unsigned cpus, enum sharing sharing)
{
	for (unsigned i = 0; i < cpus; i++)
		if (op[i]->is & (OP_DESTROYS | OP_HINTED))
			return PRODUCT_CPUS;
	if (sharing == COPY_ON_WRITE)
		return 0;
	return cpus == 3 && has_two_spaces(sharing) ? 1 : PRODUCT_CPUS;
}

/* One scenario with each of the operations on the CPU that is alone in its space. */
static void add_orders(const struct operation *op[], unsigned cpus, enum sharing sharing,
		       bool large)
{
	unsigned alone = alone_of(op, cpus, sharing);

	for (unsigned i = 0; i < cpus; i += 2)
		if (op[i]->is & OP_HINTED && !(op[1]->is & OP_HINTED))
			swap(&op[i], &op[1]);
	if (alone < cpus && cpus == 3 &&
	    sharing > FIVE_SPACES) { /* too many: another one in turn */
		swap(&op[count % 3], &op[alone]);
		add(op, cpus, sharing, large);
		return;
	}
	add(op, cpus, sharing, large);
	for (unsigned i = 0; alone < cpus && i < cpus; i++) {
		if (op[i] == op[alone] || (i && op[i] == op[i - 1]))
			continue;
		swap(&op[i], &op[alone]);
		add(op, cpus, sharing, large);
		swap(&op[i], &op[alone]);
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
	room = 1 << 16;
	products = calloc(room, sizeof(*products));
	for (unsigned cpus = 2; cpus <= PRODUCT_CPUS; cpus++) {
		for (enum sharing s = PRIVATE; s < SHARINGS; s++)
			add_all(cpus, s, false);
		add_all(cpus, PRIVATE, true);
	}
}

bool product_may_fit(const char *pattern)
{
	return *pattern && strchr("p*?", *pattern);
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
