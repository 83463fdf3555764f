/*
 * A plan says how an execution differs from the default one, in which each CPU
 * runs until it waits. It is what gets explored, printed and replayed.
 */
#pragma once

#include <kernel/types.h>

enum fake_action {
	FAKE_SWITCH, /* c: go on on CPU arg */
	FAKE_DRAIN, /* d: a store of CPU arg / 32, the arg % 32-th that may, reaches memory */
	FAKE_LATE, /* h: interrupts to this CPU are late */
	FAKE_RUSH, /* r: this wait goes straight to its halt */
	FAKE_CHOOSE, /* p: alternative arg of a choice */
	FAKE_PARK, /* w: wait until nobody else can go on; first comes CPU arg */
};

struct fake_deviation {
	u32 step;
	u16 action, arg;
};

enum { FAKE_DEVIATIONS = 192, FAKE_RECORDED = 16384 };

struct fake_plan {
	/* The plan, read. */
	bool lazy; /* stores stay in the buffer until something drains it; else they go at once */
	unsigned count;
	struct fake_deviation deviation[FAKE_DEVIATIONS];

	/* Beyond the plan, at random: written back to it, so that it can be replayed. */
	bool random;
	unsigned
		gap; /* mean steps between two deviations; 0: any length, each power of two as likely */
	u64 seed;

	/* Where in the plan the execution is. */
	unsigned next; /* deviation */
	u32 next_step; /* at which something happens */
	u64 chance; /* state of the random sequence */

	/* Recorded, for the systematic search; from which step on. */
	bool record;
	u32 steps; /* of the execution */
	u8 others[FAKE_RECORDED]; /* CPUs that could have gone on instead */
	u8 options[FAKE_RECORDED]; /* of a choice, or drainable stores: 2 bits per CPU */
	u8 flags[FAKE_RECORDED]; /* FAKE_CAN_* */
	/* Give the execution up if this says so; called when recording. */
	bool (*seen)(u64 key);
	u64 limit; /* steps after which an execution counts as endless */
};

enum { FAKE_CAN_DELAY = 1, FAKE_CAN_RUSH = 2, FAKE_IS_CHOICE = 4 };

extern struct fake_plan *fake_plan;

/* ---- plan.c ---- */
/* The plan as text, cut off at the size of buf. */
void fake_plan_print(const struct fake_plan *p, char *buf, size_t size);
/* The reverse. False: the text is no plan. */
bool fake_plan_parse(struct fake_plan *p, const char *text);
