/*
 * The product: scenarios that are generated. Each is a combination of a way to share
 * pages, a page size, and an operation for each CPU. product.c combines and names
 * them, operations.c does what they say, world.c has the spaces that they work on.
 */
#pragma once

#include "model.h"

enum sharing {
	PRIVATE, /* pages of one space */
	TWO_AREAS, /* of one space */
	TWO_SPACES, /* one object: CPU 1 is alone in the second one */
	FIVE_SPACES,
	FILE_PAGES, /* TWO_SPACES, of a file */
	COPY_ON_WRITE, /* a private mapping of a file, and one of the file itself, where CPU 0 is alone */
	DUPLICATED, /* a space and its duplicate: CPU 1 is alone in that */
	SHARINGS
};

enum { PRODUCT_CPUS = 3, PRODUCT_SPACES = 5, PRODUCT_OTHERS = 3, WORLD_PAGES = 2 };

/* What an operation needs, and what it does that other operations must reckon with. */
enum {
	OP_HINTED = 1 << 0, /* begins with hint entries, and its CPU's next fault moves the pages */
	OP_EARLY =
		1
		<< 1, /* its hint faults map the page first; without it they move the page first */
	OP_SCANS = 1 << 2, /* makes hint entries */
	OP_ABSENT = 1 << 3, /* begins without an entry for the first page */
	OP_READONLY = 1 << 4, /* begins with read-only pages */
	OP_GOES = 1 << 5, /* unmaps or drops the first page in its space */
	OP_UNMAPS = 1 << 6, /* with OP_GOES: accesses to the address are refused after that */
	OP_LOWERS = 1 << 7, /* takes rights in its space */
	OP_RAISES = 1 << 8, /* gives rights in its space */
	OP_MAPS = 1 << 9, /* maps the pages at a further address */
	OP_MOVES = 1 << 10, /* migrates pages */
	OP_DESTROYS = 1 << 11, /* destroys another space that maps the pages */
	OP_SMALL = 1 << 12, /* only for 4 KiB pages */
	OP_LARGE = 1 << 13, /* only for a 2 MiB page */
	OP_ONE_OTHER = 1 << 14, /* loads another space, which does not map the pages */
	OP_OTHERS = 1 << 15, /* loads several such spaces */
	OP_PINS = 1 << 17, /* has a reference to a page, which so stays in its object */
	OP_SPLITS = 1 << 16, /* its hint fault splits the 2 MiB page */
	OP_SWITCHES = 1 << 18, /* loads another space for a while, or none */
	OP_FILE = 1 << 19, /* only for pages of a file */
	OP_LEAVES = 1 << 20, /* takes pages out of memory: with OP_FILE those of the file */
	OP_DUPLICATES = 1 << 21, /* duplicates its space */
	OP_SWAPS = 1 << 22, /* with OP_LEAVES: anonymous ones, too, which go to swap */
};

struct operation {
	const char *name;
	void (*run)(unsigned cpu);
	unsigned is; /* OP_ */
};
struct product {
	struct scenario scenario; /* first, so that a pointer to it is one to the product */
	char name[64];
	enum sharing sharing;
	const struct operation *op[PRODUCT_CPUS];
};

/* ---- operations.c ---- */
/* A write and a read, as after a change. */
void operations_touch(unsigned cpu);
extern const struct operation operations[];
extern const unsigned operation_count;
void operations_run(unsigned cpu);

/* ---- operations_file.c ---- */
void operation_clean(unsigned cpu);
void operation_invalidate(unsigned cpu);
void operation_reclaim(unsigned cpu);
void operation_file_write(unsigned cpu);

/* ---- world.c ---- */
#define VA MODEL_VA
#define MIDDLE (MODEL_VA + 300 * PAGE_SIZE)
#define AFTER (MODEL_VA + HUGE_SIZE) /* a small page behind the 2 MiB page */

struct world {
	const struct product *it;
	vaddr_t one, next; /* the page that operations on one page use, and the other one */
	vaddr_t end; /* end of the range that has both */
	struct aspace *spaces[PRODUCT_SPACES]; /* that map the pages */
	struct aspace *others[PRODUCT_OTHERS]; /* that do not */
	struct aspace *duplicates[PRODUCT_CPUS]; /* that each CPU has made of its space */
	bool destroyed[PRODUCT_SPACES];
	struct object *object; /* of the pages; the file */
};
extern struct world world;

/* The scenario that setup_scenario() is about to set up. */
void world_choose(const struct product *p);
void world_setup(void);
void world_check(void); /* at the end */

unsigned world_spaces(void);
/* Has the CPU's operation one of these flags (OP_)? */
bool world_is(unsigned cpu, unsigned what);
/* Has the operation of any CPU? */
bool world_any(unsigned what);
/* Number of the space in which the CPU's operation works. */
unsigned world_home(unsigned cpu);
/* Number of the space that it destroys. */
unsigned world_target(unsigned cpu);
struct aspace *world_here(unsigned cpu);
/* The first page is about to be unmapped or dropped in the CPU's space. */
void world_goes(unsigned cpu);
/* End of a range from VA on that has all pages. Of a 2 MiB page that is whole, any 4 KiB of it are enough. */
vaddr_t world_range_end(void);
