/*
 * The product: scenarios that nobody wrote down one by one. Each is a way to
 * share pages, a page size, and an operation for each CPU; product.c puts them
 * together and names them, operations.c has what the operations do.
 */
#pragma once

#include "model.h"

enum sharing { PRIVATE, TWO_AREAS, TWO_SPACES, FIVE_SPACES, SHARINGS };

enum { PRODUCT_CPUS = 3, PRODUCT_SPACES = 5, PRODUCT_OTHERS = 3 };

/* What an operation needs, and does to what others expect. */
enum {
	OP_HINTED = 1 << 0, /* begins with hint entries, and its CPU's next fault moves the pages */
	OP_EARLY = 1 << 1, /* hint faults map first; the others move first */
	OP_SCANS = 1 << 2, /* makes hint entries */
	OP_ABSENT = 1 << 3, /* begins without an entry for the first page */
	OP_READONLY = 1 << 4, /* begins with read-only pages */
	OP_GOES = 1 << 5, /* the first page goes from its space */
	OP_UNMAPS = 1 << 6, /* and its address is refused */
	OP_LOWERS = 1 << 7, /* rights of its space */
	OP_RAISES = 1 << 8, /* the same */
	OP_MAPS = 1 << 9, /* the pages in another place */
	OP_MOVES = 1 << 10, /* pages */
	OP_DESTROYS = 1 << 11, /* another space that has the pages */
	OP_SMALL = 1 << 12, /* of 4 KiB pages alone */
	OP_LARGE = 1 << 13, /* of a 2 MiB page alone */
	OP_ONE_OTHER = 1 << 14, /* visits another space, which has nothing to do with the pages */
	OP_OTHERS = 1 << 15, /* several */
	OP_PINS = 1 << 17, /* a page, which stays in its object then */
	OP_SPLITS = 1 << 16, /* the hint fault is to split the 2 MiB page */
};

struct operation {
	const char *name;
	void (*run)(unsigned cpu);
	unsigned is; /* OP_ */
};
struct product {
	struct scenario scenario; /* first: a scenario's product is at the same address */
	char name[64];
	enum sharing sharing;
	const struct operation *op[PRODUCT_CPUS];
};

/* ---- operations.c ---- */
extern const struct operation operations[];
extern const unsigned operation_count;
void operations_run(unsigned cpu);

/* ---- world.c ---- */
#define VA MODEL_VA
#define MIDDLE (MODEL_VA + 300 * PAGE_SIZE)
#define AFTER (MODEL_VA + HUGE_SIZE) /* a small page behind the 2 MiB page */

struct world {
	const struct product *it;
	vaddr_t one, next; /* the page that operations on a single one take, and the other */
	vaddr_t end; /* of both */
	struct aspace *spaces[PRODUCT_SPACES]; /* that have the pages */
	struct aspace *others[PRODUCT_OTHERS];
	bool destroyed[PRODUCT_SPACES];
	struct object *object;
};
extern struct world world;

/* The scenario that setup_scenario() is about to set up. */
void world_choose(const struct product *p);
void world_setup(void);
void world_check(void); /* at the end */

unsigned world_spaces(void);
/* Has the CPU's operation one of these (OP_)? Has any? */
bool world_is(unsigned cpu, unsigned what);
bool world_any(unsigned what);
/* Number of the space in which the CPU's operation works; that it destroys. */
unsigned world_home(unsigned cpu);
unsigned world_target(unsigned cpu);
struct aspace *world_here(unsigned cpu);
/* May the first page be without a mapping at some time, so that its contents go? */
bool world_vanishes(void);
/* The first page is about to go from a space. */
void world_goes(void);
/* Of a range that starts at VA, for all: of a whole 2 MiB page, one page of the range takes all of it. */
vaddr_t world_range_end(void);
