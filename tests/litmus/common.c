/*
 * Litmus tests in the same words on every architecture, and the flush tester:
 * plant a translation on each CPU, take it down, flush in each way that this
 * CPU offers, read back, for each page size and each pair of CPUs. It is what
 * to run first on a new machine: litmus FLUSH*
 */
#include "litmus.h"
#include <kernel/atomic.h>
#include <kernel/printf.h>
#include <kernel/smp.h>
#include <mm/aspace.h>
#include <mm/tlb.h>
#include <arch/cpu.h>

/* ---- two addresses, one frame ------------------------------------------------ */

static void alias_write_read(struct litmus_run *r)
{
	litmus_store(r->x, 1);
	r->out[0] = litmus_load(r->y);
}

/* Read y first: it must not be kept for the second read. */
static void alias_read_write_read(struct litmus_run *r)
{
	r->out[0] = litmus_load(r->y);
	litmus_store(r->x, 1);
	r->out[1] = litmus_load(r->y);
}

static void alias_message_out(struct litmus_run *r)
{
	litmus_store(r->x, 1);
	smp_mb();
	litmus_write(&r->flag, 1);
}

static void alias_message_in(struct litmus_run *r)
{
	r->out[0] = litmus_read(&r->flag);
	smp_mb();
	r->out[1] = litmus_load(r->y);
}

const struct litmus_test litmus_common[] = {
	{
		.name = "WR.alias",
		.program = "W x=1; R y, where x and y name one frame",
		.twin = "WR.alias~two-frames",
		.thread = {alias_write_read},
		.y = LITMUS_SAME,
		.plant = 1,
		.plant_y = 1,
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "WR.alias~two-frames",
		.program = "the same with two frames",
		.verdict = LITMUS_BROKEN,
		.thread = {alias_write_read},
		.plant = 1,
		.plant_y = 1,
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "CoWR.alias",
		.program = "R y; W x=1; R y, where x and y name one frame",
		.twin = "CoWR.alias~two-frames",
		.thread = {alias_read_write_read},
		.y = LITMUS_SAME,
		.plant = 1,
		.plant_y = 1,
		.regs = {"p0:r", "p0:s"},
		.asked = {{2, 0}},
	},
	{
		.name = "CoWR.alias~two-frames",
		.program = "the same with two frames",
		.verdict = LITMUS_BROKEN,
		.thread = {alias_read_write_read},
		.plant = 1,
		.plant_y = 1,
		.regs = {"p0:r", "p0:s"},
		.asked = {{2, 0}},
	},
	{
		.name = "MP.alias+dmbs",
		.program =
			"W x=1; fence; W flag || R flag; fence; R y, where x and y name one frame",
		.twin = "MP.alias+dmbs~two-frames",
		.thread = {alias_message_out, alias_message_in},
		.y = LITMUS_SAME,
		.plant = 3,
		.plant_y = 3,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "MP.alias+dmbs~two-frames",
		.program = "the same with two frames",
		.verdict = LITMUS_BROKEN,
		.thread = {alias_message_out, alias_message_in},
		.plant = 3,
		.plant_y = 3,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{.name = NULL},
};

/* ---- the flush tester ----------------------------------------------------------- */

static const struct litmus_flush by_shootdown = {.name = "shootdown", .reaches_all = true};
static const struct litmus_flush by_nothing = {.name = "none"};

/* The kernel's own shootdown, whatever the transport knob says. */
static void shoot(struct litmus_run *r)
{
	struct tlb_gather g;

	tlb_gather_init(&g, &r->as->ctx, r->level);
	tlb_gather_add(&g, &r->as->ctx, ALIGN_DOWN(r->x, PT_LEVEL_SIZE(r->level)), r->level);
	tlb_gather_flush(&g);
}

static void take_down_and_flush(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	pt_publish();
	if (r->how->flush)
		r->how->flush(r->x, r->level);
	else if (r->how == &by_shootdown)
		shoot(r);
}

static void flush_self(struct litmus_run *r)
{
	take_down_and_flush(r);
	r->out[0] = litmus_load(r->x);
}

static void flush_others(struct litmus_run *r)
{
	take_down_and_flush(r);
	store_release(&r->flag, 1); /* pairs with read_back() */
	cpu_wake(r->cpu[1]);
}

static void read_back(struct litmus_run *r)
{
	/*
	 * It comes: the other thread waits for nothing but our interrupts, which are on. Halting in
	 * the end matters where the host has fewer CPUs: others have to run to answer the flush.
	 */
	wait_until_patient(load_acquire(&r->flag), "litmus flag");
	litmus_sync();
	r->out[0] = litmus_load(r->x);
}

enum {
	FLUSH_SIZES = 2, /* 4 KiB, 2 MiB: what workload addresses are mapped with */
	FLUSH_MAX = 96,
	FLUSH_NAME = 48,
};

static struct litmus_test flush_tests[FLUSH_MAX];
static char flush_names[FLUSH_MAX][FLUSH_NAME];
static unsigned flush_count;

static const char *flush_name(unsigned level, bool pair, const char *how)
{
	char *name = flush_names[flush_count];

	ksnprintf(name, FLUSH_NAME, "FLUSH.%s.%s+%s", level ? "2M" : "4K", pair ? "pair" : "self",
		  how);
	return name;
}

static void flush_add(unsigned level, bool pair, const struct litmus_flush *how, const char *twin)
{
	bool promised = how->reaches_all || (!pair && how != &by_nothing);

	if (flush_count == FLUSH_MAX)
		return;
	flush_tests[flush_count] = (struct litmus_test){
		.name = flush_name(level, pair, how->name),
		.program = pair ? "unmap x; flush; W flag || wait for flag; R x"
				: "unmap x; flush; R x",
		.verdict = how == &by_nothing ? LITMUS_BROKEN
			   : promised	      ? LITMUS_FORBIDDEN
					      : LITMUS_ALLOWED,
		.twin = promised ? twin : NULL,
		.unusable = how->unusable,
		.thread = {pair ? flush_others : flush_self, pair ? read_back : NULL},
		.x = level ? LITMUS_BLOCK : LITMUS_VALID,
		.x_level = (u8)level,
		.plant = 3,
		.every_pair = true,
		.how = how,
		.regs = {pair ? "p1:r" : "p0:r"},
		.asked = {{1, level ? 2 : 0}},
	};
	flush_count++;
}

static void flush_fill(unsigned level, bool pair)
{
	const char *twin;

	flush_add(level, pair, &by_nothing, NULL);
	twin = flush_tests[flush_count - 1].name;
	for (const struct litmus_flush *how = litmus_flushes; how->name; how++)
		flush_add(level, pair, how, twin);
	flush_add(level, pair, &by_shootdown, twin);
}

const struct litmus_test *litmus_flush_test(unsigned i)
{
	static bool filled;

	for (unsigned n = 0; !filled && n < 2 * FLUSH_SIZES; n++)
		flush_fill(n / 2, n % 2);
	filled = true;
	return i < flush_count ? &flush_tests[i] : NULL;
}
