/*
 * Litmus tests of arm64 page tables and TLBs: three and four threads, and the
 * dirty state that hardware keeps. See single.c for what verdicts rest on.
 */
#include "arm64.h"

/* ---- a flag passed on ---------------------------------------------------------------- */

static void write_shoot_raise(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	shoot(r);
	litmus_write(&r->flag, 1);
}

static void write_dsb_isb_raise(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	dsb(ish);
	isb();
	litmus_write(&r->flag, 1);
}

static void pass_on(struct litmus_run *r)
{
	u64 flag = litmus_read(&r->flag);

	litmus_write(&r->flag2, flag);
	r->out[0] = flag;
}

static void pass_dsb_isb_on(struct litmus_run *r)
{
	u64 flag = litmus_read(&r->flag);

	dsb(ish);
	isb();
	litmus_write(&r->flag2, flag);
	r->out[0] = flag;
}

static void flag2_dsb_isb_read(struct litmus_run *r)
{
	u64 flag = litmus_read(&r->flag2);

	dsb(ish);
	isb();
	r->out[2] = litmus_load(r->x);
	r->out[1] = flag;
}

/* ---- a translation passed on: thread 1 gets through to x and says so ------------------- */

static void map_only(struct litmus_run *r)
{
	litmus_write(r->px, r->A);
}

static void read_addr_raise(struct litmus_run *r)
{
	u64 value = litmus_load(r->x);

	litmus_write_after(&r->flag2, 1, value);
	r->out[0] = value;
}

static void read_dmb_raise(struct litmus_run *r)
{
	u64 value = litmus_load(r->x);

	dmb(ish);
	litmus_write(&r->flag2, 1);
	r->out[0] = value;
}

static void read_raise(struct litmus_run *r)
{
	u64 value = litmus_load(r->x);

	litmus_write(&r->flag2, 1);
	r->out[0] = value;
}

#define SEEN_READ(name, between, access)                                                           \
	static void name(struct litmus_run *r)                                                     \
	{                                                                                          \
		u64 flag = litmus_read(&r->flag2);                                                 \
                                                                                                   \
		between;                                                                           \
		r->out[2] = access;                                                                \
		r->out[1] = flag;                                                                  \
	}

SEEN_READ(flag2_addr_read, (void)0, litmus_load_after(r->x, flag))
SEEN_READ(flag2_dmb_read, dmb(ish), litmus_load(r->x))
SEEN_READ(flag2_read, (void)0, litmus_load(r->x))
SEEN_READ(flag2_addr_read_y, (void)0, litmus_load_after(r->y, flag))

/* ---- two entries changed, two readers in opposite orders -------------------------------- */

static void shoot_page(vaddr_t va)
{
	dsb(ish);
	tlbi_arg(vaae1is, tlbi_operand(va, 0));
	dsb(ish);
}

static void map_y(struct litmus_run *r)
{
	litmus_write(r->py, r->C);
}

static void unmap_shoot_x(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	shoot_page(r->x);
}

static void unmap_shoot_y(struct litmus_run *r)
{
	litmus_write(r->py, 0);
	shoot_page(r->y);
}

/* Mapped until the reader was there: got[] says how far each thread is. */
static void map_unmap_x(struct litmus_run *r)
{
	litmus_write(r->px, r->A);
	litmus_write(&r->flag, 1);
	litmus_await(&r->got[2]);
	unmap_shoot_x(r);
	litmus_write(&r->got[0], 1);
}

static void map_unmap_y(struct litmus_run *r)
{
	litmus_write(r->py, r->C);
	litmus_write(&r->flag2, 1);
	litmus_await(&r->got[3]);
	unmap_shoot_y(r);
	litmus_write(&r->got[1], 1);
}

static void await_read_x_then_y(struct litmus_run *r)
{
	litmus_await(&r->flag);
	r->out[0] = litmus_load(r->x);
	litmus_write(&r->got[2], 1);
	litmus_await(&r->got[1]);
	r->out[1] = litmus_load(r->y);
}

static void await_read_y_then_x(struct litmus_run *r)
{
	litmus_await(&r->flag2);
	r->out[2] = litmus_load(r->y);
	litmus_write(&r->got[3], 1);
	litmus_await(&r->got[0]);
	r->out[3] = litmus_load(r->x);
}

static void unmap_shoot_raise_x(struct litmus_run *r)
{
	unmap_shoot_x(r);
	litmus_write(&r->flag, 1);
}

static void unmap_shoot_raise_y(struct litmus_run *r)
{
	unmap_shoot_y(r);
	litmus_write(&r->flag2, 1);
}

static void unmap_dsb_raise_x(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	dsb(ish);
	litmus_write(&r->flag, 1);
}

static void unmap_dsb_raise_y(struct litmus_run *r)
{
	litmus_write(r->py, 0);
	dsb(ish);
	litmus_write(&r->flag2, 1);
}

static void flag_read_y(struct litmus_run *r)
{
	u64 flag = litmus_read(&r->flag);

	dsb(ish);
	isb();
	r->out[1] = litmus_load(r->y);
	r->out[0] = flag;
}

static void flag2_read_x(struct litmus_run *r)
{
	u64 flag = litmus_read(&r->flag2);

	dsb(ish);
	isb();
	r->out[3] = litmus_load(r->x);
	r->out[2] = flag;
}

static void write_x(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
}

static void write_y(struct litmus_run *r)
{
	litmus_write(r->py, r->D);
}

static void read_x_then_y(struct litmus_run *r)
{
	u64 first = litmus_load(r->x);

	dsb(ish);
	isb();
	r->out[1] = litmus_load(r->y);
	r->out[0] = first;
}

static void read_y_then_x(struct litmus_run *r)
{
	u64 first = litmus_load(r->y);

	dsb(ish);
	isb();
	r->out[3] = litmus_load(r->x);
	r->out[2] = first;
}

/* ---- dirty state by hardware -------------------------------------------------------------- */

static void take_by_store(struct litmus_run *r)
{
	r->got[0] = litmus_read(r->px);
	litmus_write(r->px, 0);
}

/* The same with all the time in the world between the two: the other thread's store. */
static void take_by_slow_store(struct litmus_run *r)
{
	r->got[0] = litmus_read(r->px);
	litmus_write(&r->flag, 1);
	litmus_await(&r->z);
	litmus_write(r->px, 0);
}

static void await_store_x(struct litmus_run *r)
{
	litmus_await(&r->flag);
	r->out[0] = litmus_store(r->x, 1);
	litmus_write(&r->z, 1);
}

static void take_by_xchg(struct litmus_run *r)
{
	pte_t taken = pte_xchg((pte_t *)r->px, pte_none());

	r->got[0] = taken.v;
}

static void await_store_zero(struct litmus_run *r)
{
	litmus_await(&r->flag);
	litmus_write(r->px, 0);
	litmus_write(&r->z, 1);
}

static void store_only_zero(struct litmus_run *r)
{
	litmus_write(r->px, 0);
}

static void store_x(struct litmus_run *r)
{
	r->out[0] = litmus_store(r->x, 1);
}

/* What software does that reads, thinks and writes. */
static void set_dirty_by_hand(struct litmus_run *r)
{
	u64 entry = litmus_read(r->px);

	litmus_write(&r->flag, 1);
	litmus_await(&r->z);
	litmus_write(r->px, pte_mk_dirty((pte_t){entry}).v);
	r->out[0] = 0;
}

static void dirty_seen(struct litmus_run *r)
{
	r->out[1] = pte_is_dirty((pte_t){r->got[0]});
}

static void entry_left(struct litmus_run *r)
{
	r->out[1] = litmus_read(r->px) != 0;
}

#define WRC(name_, program_, first, second, third)                                                 \
	.name = name_, .program = program_, .thread = {first, second, third}, .plant = 6,          \
	.slow_flag = true, .regs = {"p1:f", "p2:g", "p2:r"}, .asked = {{2, 1}, {3, 0}}

#define TRT(name_, program_, second, third)                                                        \
	.name = name_, .program = program_, .x = LITMUS_INVALID,                                   \
	.thread = {map_only, second, third}, .regs = {"p1:r", "p2:g", "p2:r"},                     \
	.asked = {{1, 0}, {2, 1}, {3, LITMUS_FAULT}}

/* Thread 2 holds y and thread 3 holds x, so that each may see the other's change late. */
#define IRIW(name_, program_, state, first, second, new_, old_)                                    \
	.name = name_, .program = program_, .x = LITMUS_##state, .y = LITMUS_##state,              \
	.thread = {first, second, read_x_then_y, read_y_then_x}, .plant = 8, .plant_y = 4,         \
	.regs = {"p2:x", "p2:y", "p3:y", "p3:x"},                                                  \
	.asked = {{1, new_}, {2, old_}, {3, new_}, {4, old_}}

#define IRIW_FLAGS(name_, program_, first, second)                                                 \
	.name = name_, .program = program_, .thread = {first, second, flag_read_y, flag2_read_x},  \
	.plant = 8, .plant_y = 4, .slow_flag = true, .regs = {"p2:f", "p2:y", "p3:g", "p3:x"},     \
	.asked = {{1, 1}, {2, 0}, {3, 1}, {4, 0}}

#define DIRTY(name_, program_, first, second, finish_, asked_)                                     \
	.name = name_, .program = program_, .unusable = litmus_no_hw_dirty, .x = LITMUS_CLEAN,     \
	.thread = {first, second}, .plant = 2, .finish = finish_, .regs = {"p1:w", "p0:d"},        \
	.asked = {{1, 0}, {2, asked_}}

const struct litmus_test litmus_more[] = {
	{WRC("WRC+shoot+dsb-isb",
	     "W pte(x)=B; shoot; W flag || R flag; W flag2 || R flag2; DSB; ISB; R x",
	     write_shoot_raise, pass_on, flag2_dsb_isb_read),
	 .twin = "WRC+dsb-isb+dsb-isb"},
	{WRC("WRC+dsb-isb+dsb-isb", "the same without TLBI, with DSB; ISB in each thread",
	     write_dsb_isb_raise, pass_dsb_isb_on, flag2_dsb_isb_read),
	 .verdict = LITMUS_ALLOWED},
	{TRT("WRC.TRTf.inv+addrs",
	     "pte(x)=0; W pte(x)=A || R x; W flag by address || R flag; R x by address",
	     read_addr_raise, flag2_addr_read),
	 .twin = "WRC.TRTf.inv+addrs~other", .weaker = "WRC.TRTf.inv+pos"},
	{TRT("WRC.TRTf.inv+addrs~other", "the same where the last read is of a page never mapped",
	     read_addr_raise, flag2_addr_read_y),
	 .y = LITMUS_INVALID, .verdict = LITMUS_BROKEN},
	{TRT("WRC.TRTf.inv+dmbs", "pte(x)=0; W pte(x)=A || R x; DMB; W flag || R flag; DMB; R x",
	     read_dmb_raise, flag2_dmb_read),
	 .verdict = LITMUS_ALLOWED, .hidden = LOADS_IN_ORDER},
	{TRT("WRC.TRTf.inv+pos", "pte(x)=0; W pte(x)=A || R x; W flag || R flag; R x", read_raise,
	     flag2_read),
	 .verdict = LITMUS_ALLOWED, .hidden = LOADS_IN_ORDER},
	{IRIW("IRIW.inv",
	      "W pte(x)=A || W pte(y)=C || R x; DSB; ISB; R y faults || R y; DSB; ISB; R x faults",
	      INVALID, map_only, map_y, 0, LITMUS_FAULT),
	 .twin = "IRIW.inv~unmap"},
	{.name = "IRIW.inv~unmap",
	 .program = "the same where both pages are unmapped again",
	 .verdict = LITMUS_BROKEN,
	 .thread = {map_unmap_x, map_unmap_y, await_read_x_then_y, await_read_y_then_x},
	 .x = LITMUS_INVALID,
	 .y = LITMUS_INVALID,
	 .regs = {"p2:x", "p2:y", "p3:y", "p3:x"},
	 .asked = {{1, 0}, {2, LITMUS_FAULT}, {3, 0}, {4, LITMUS_FAULT}}},
	/*
	 * Each thread 2 and 3 knows that one page is gone, and reads the other. Without flags the
	 * outcome is allowed: a walk may see the empty entry long before the TLBI.
	 */
	{IRIW_FLAGS("IRIW.V2I+shoots",
		    "W pte(x)=0; shoot; W flag || W pte(y)=0; shoot; W flag2 || R flag; DSB; ISB; "
		    "R y || R flag2; DSB; ISB; R x",
		    unmap_shoot_raise_x, unmap_shoot_raise_y),
	 .twin = "IRIW.V2I+dsbs"},
	{IRIW_FLAGS("IRIW.V2I+dsbs", "the same with a DSB for each shoot", unmap_dsb_raise_x,
		    unmap_dsb_raise_y),
	 .verdict = LITMUS_ALLOWED},
	{IRIW("IRIW.V2I",
	      "W pte(x)=0; shoot || W pte(y)=0; shoot || R x faults; DSB; ISB; R y || R y faults; "
	      "DSB; ISB; R x",
	      VALID, unmap_shoot_x, unmap_shoot_y, LITMUS_FAULT, 0),
	 .verdict = LITMUS_ALLOWED},
	{IRIW("IRIW.V2V",
	      "W pte(x)=B || W pte(y)=D || R x=B; DSB; ISB; R y=C || R y=D; DSB; ISB; R x=A", VALID,
	      write_x, write_y, 1, 0),
	 .verdict = LITMUS_ALLOWED},
	{DIRTY("Dirty.race+store", "R pte(x); W pte(x)=0 || W x lands, dirty not seen",
	       take_by_store, store_x, dirty_seen, 0),
	 .verdict = LITMUS_ALLOWED},
	{DIRTY("Dirty.race+store~slow", "the same with the other thread's store in between",
	       take_by_slow_store, await_store_x, dirty_seen, 0),
	 .verdict = LITMUS_BROKEN},
	{DIRTY("Dirty.race+xchg", "swap pte(x)=0 || W x lands, dirty not seen", take_by_xchg,
	       store_x, dirty_seen, 0),
	 .twin = "Dirty.race+store~slow"},
	{DIRTY("Dirty.inv+store", "W pte(x)=0 || W x sets dirty in an entry that is gone",
	       store_only_zero, store_x, entry_left, 1),
	 .twin = "Dirty.inv+store~by-hand"},
	{DIRTY("Dirty.inv+store~by-hand", "the same with dirty set by software, not atomically",
	       await_store_zero, set_dirty_by_hand, entry_left, 1),
	 .verdict = LITMUS_BROKEN},
	{.name = NULL},
};

const struct litmus_test *const litmus_sets[] = {litmus_single, litmus_two, litmus_more, NULL};
