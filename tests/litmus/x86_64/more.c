/* Litmus tests of x86 page tables and TLBs, two and three threads; see one.c for the verdicts. */
#include "x86.h"
#include <kernel/smp.h>

/* ---- several threads: thread 0 changes the entry and raises the flag ------------ */

static void invlpg_x(void *arg)
{
	const struct litmus_run *r = arg;

	litmus_invlpg(r->x);
}

/* Flush x on a thread's CPU and wait for it. */
static void ipi_invlpg(struct litmus_run *r, unsigned thread)
{
	smp_call_one(r->cpu[thread], invlpg_x, r);
}

static void raise_only(struct litmus_run *r)
{
	litmus_write(&r->flag, 1);
}

static void write_raise(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	litmus_write(&r->flag, 1);
}

static void write_ipi_raise(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	ipi_invlpg(r, 1);
	litmus_write(&r->flag, 1);
}

static void write_raise_ipi(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	litmus_write(&r->flag, 1);
	ipi_invlpg(r, 1);
}

static void write_local_raise(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	litmus_invlpg(r->x);
	litmus_write(&r->flag, 1);
}

static void write_ipi_both_raise(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	ipi_invlpg(r, 1);
	ipi_invlpg(r, 2);
	litmus_write(&r->flag, 1);
}

static void unmap_raise(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	litmus_write(&r->flag, 1);
}

static void unmap_ipi_raise(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	ipi_invlpg(r, 1);
	litmus_write(&r->flag, 1);
}

static void map_raise(struct litmus_run *r)
{
	litmus_write(r->px, r->A);
	litmus_write(&r->flag, 1);
}

static void invlpgb_raise(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	litmus_invlpgb(r->x);
	litmus_write(&r->flag, 1);
}

static void invlpgb_tlbsync_raise(struct litmus_run *r)
{
	irqflags_t flags = irq_save();

	litmus_write(r->px, r->B);
	litmus_invlpgb(r->x);
	litmus_tlbsync();
	litmus_write(&r->flag, 1);
	irq_restore(flags);
}

static void flag_read(struct litmus_run *r)
{
	r->out[0] = litmus_read(&r->flag);
	r->out[1] = litmus_load(r->x);
}

static void flag_read_twice(struct litmus_run *r)
{
	r->out[0] = litmus_read(&r->flag);
	r->out[1] = litmus_load(r->x);
	r->out[2] = litmus_load(r->x);
}

static void flag_own_invlpg_read(struct litmus_run *r)
{
	r->out[0] = litmus_read(&r->flag);
	litmus_invlpg(r->x);
	r->out[1] = litmus_load(r->x);
}

static void flag_pass_on(struct litmus_run *r)
{
	r->out[0] = litmus_read(&r->flag);
	litmus_write(&r->flag2, r->out[0]);
}

static void flag2_read(struct litmus_run *r)
{
	r->out[1] = litmus_read(&r->flag2);
	r->out[2] = litmus_load(r->x);
}

/* Permissions. */
static void protect_raise(struct litmus_run *r)
{
	litmus_write(r->px, r->A_ro);
	litmus_write(&r->flag, 1);
}

static void protect_ipi_raise(struct litmus_run *r)
{
	litmus_write(r->px, r->A_ro);
	ipi_invlpg(r, 1);
	litmus_write(&r->flag, 1);
}

static void flag_store(struct litmus_run *r)
{
	r->out[0] = litmus_read(&r->flag);
	r->out[1] = litmus_store(r->x, 1);
}

static void flag_store_twice(struct litmus_run *r)
{
	r->out[0] = litmus_read(&r->flag);
	r->out[1] = litmus_store(r->x, 1);
	r->out[2] = litmus_store(r->x, 1);
}

/* A frame is freed and used again: 2 is what its next owner writes. */
static void unmap_reuse(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	litmus_write(r->a, 2);
}

static void unmap_ipi_reuse(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	ipi_invlpg(r, 1);
	litmus_write(r->a, 2);
}

static void read_x(struct litmus_run *r)
{
	r->out[0] = litmus_load(r->x);
}

/* Dirty flag: what thread 0 saw when it took the entry away, against whether the store landed. */
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
	r->got[0] = litmus_xchg(r->px, 0);
}

static void store_x(struct litmus_run *r)
{
	r->out[0] = litmus_store(r->x, 1);
}

static void dirty_seen(struct litmus_run *r)
{
	r->out[1] = pte_is_dirty((pte_t){r->got[0]});
}

/* y becomes x's neighbour: loading it fills the walk caches, but no leaf entry for x. */
static void neighbour(struct litmus_run *r)
{
	u64 step = PT_INDEX(r->x, 0) ? -PAGE_SIZE : PAGE_SIZE;

	r->y = r->x + step;
	litmus_write(PT_INDEX(r->x, 0) ? r->leaf_a - 1 : r->leaf_a + 1, r->D);
}

const struct litmus_test litmus_more[] = {
	MP_ALLOWED("MP.RT", "W pte(x)=B; W flag || R flag; R x", NULL, VALID, write_raise,
		   flag_read, 0),
	MP_ALLOWED("MP.RT+invlpg", "W pte(x)=B; INVLPG x here only; W flag || R flag; R x", NULL,
		   VALID, write_local_raise, flag_read, 0),
	MP_FORBIDDEN("MP.RT+ipi", "W pte(x)=B; IPI, INVLPG x there; W flag || R flag; R x", "MP.RT",
		     NULL, VALID, write_ipi_raise, flag_read, 0),
	MP_ALLOWED("MP.RT+ipi-noack", "the flag goes up before the interrupt was answered", NULL,
		   VALID, write_raise_ipi, flag_read, 0),
	MP_FORBIDDEN("MP.RT+own-invlpg", "W pte(x)=B; W flag || R flag; INVLPG x; R x", "MP.RT",
		     NULL, VALID, write_raise, flag_own_invlpg_read, 0),
	MP_ALLOWED("MPInv", "W pte(x)=0; W flag || R flag; R x", NULL, VALID, unmap_raise,
		   flag_read, 0),
	MP_FORBIDDEN("MPInv+ipi", "W pte(x)=0; IPI, INVLPG x there; W flag || R flag; R x", "MPInv",
		     NULL, VALID, unmap_ipi_raise, flag_read, 0),
	MP_ALLOWED("MP.RTf.inv", "pte(x) not present; W pte(x)=A; W flag || R flag; R x",
		   NO_SPECULATION, INVALID, map_raise, flag_read, LITMUS_FAULT),
	{.name = "MP.RTf.inv+retry",
	 .program = "the same, reading again after the fault",
	 .thread = {map_raise, flag_read_twice},
	 .x = LITMUS_INVALID,
	 .regs = {"p1:f", "p1:r", "p1:s"},
	 .asked = {{1, 1}, {2, LITMUS_FAULT}, {3, LITMUS_FAULT}},
	 .twin = "MP.RTf.inv+retry~nowrite",
	 .weaker = "MP.RTf.inv"},
	{.name = "MP.RTf.inv+retry~nowrite",
	 .program = "the same without the write to pte(x)",
	 .thread = {raise_only, flag_read_twice},
	 .x = LITMUS_INVALID,
	 .regs = {"p1:f", "p1:r", "p1:s"},
	 .asked = {{1, 1}, {2, LITMUS_FAULT}, {3, LITMUS_FAULT}},
	 .verdict = LITMUS_BROKEN},
	{.name = "S.RT.ro",
	 .program = "W pte(x)=read-only; W flag || R flag; W x",
	 .thread = {protect_raise, flag_store},
	 .regs = {"p1:f", "p1:w"},
	 .asked = {{1, 1}, {2, 0}},
	 .verdict = LITMUS_ALLOWED,
	 .plant_store = 2},
	{.name = "S.RT.ro+ipi",
	 .program = "W pte(x)=read-only; IPI, INVLPG x there; W flag || R flag; W x",
	 .thread = {protect_ipi_raise, flag_store},
	 .slow_flag = true,
	 .regs = {"p1:f", "p1:w"},
	 .asked = {{1, 1}, {2, 0}},
	 .plant_store = 2,
	 .twin = "S.RT.ro"},
	{.name = "permchange",
	 .program = "pte(x) read-only; W pte(x)=writable; W flag || R flag; W x",
	 .thread = {map_raise, flag_store},
	 .x = LITMUS_READONLY,
	 .plant = 2,
	 .regs = {"p1:f", "p1:w"},
	 .asked = {{1, 1}, {2, LITMUS_FAULT}},
	 .verdict = LITMUS_ALLOWED,
	 .hidden = "the emulator walks again before it raises a fault"},
	{.name = "permchange+retry",
	 .program = "the same, writing again after the fault",
	 .thread = {map_raise, flag_store_twice},
	 .x = LITMUS_READONLY,
	 .plant = 2,
	 .regs = {"p1:f", "p1:w", "p1:v"},
	 .asked = {{1, 1}, {2, LITMUS_FAULT}, {3, LITMUS_FAULT}},
	 .twin = "permchange+retry~nowrite",
	 .weaker = "permchange"},
	{.name = "permchange+retry~nowrite",
	 .program = "the same without the write to pte(x)",
	 .thread = {raise_only, flag_store_twice},
	 .x = LITMUS_READONLY,
	 .plant = 2,
	 .regs = {"p1:f", "p1:w", "p1:v"},
	 .asked = {{1, 1}, {2, LITMUS_FAULT}, {3, LITMUS_FAULT}},
	 .verdict = LITMUS_BROKEN},
	{.name = "RBS",
	 .program = "W pte(x)=0; W 2 to its frame || R x",
	 .thread = {unmap_reuse, read_x},
	 .plant = 2,
	 .regs = {"p1:r"},
	 .asked = {{1, 2}},
	 .verdict = LITMUS_ALLOWED},
	{.name = "RBS+ipi",
	 .program = "W pte(x)=0; IPI, INVLPG x there; W 2 to its frame || R x",
	 .thread = {unmap_ipi_reuse, read_x},
	 .plant = 2,
	 .regs = {"p1:r"},
	 .asked = {{1, 2}},
	 .twin = "RBS"},
	{.name = "Dirty.race+store",
	 .program = "R pte(x); W pte(x)=0 || W x lands, dirty not seen",
	 .thread = {take_by_store, store_x},
	 .x = LITMUS_CLEAN,
	 .plant = 2,
	 .regs = {"p1:w", "p0:d"},
	 .asked = {{1, 0}, {2, 0}},
	 .verdict = LITMUS_ALLOWED,
	 .finish = dirty_seen},
	{.name = "Dirty.race+store~slow",
	 .program = "the same with the other thread's store in between",
	 .thread = {take_by_slow_store, await_store_x},
	 .x = LITMUS_CLEAN,
	 .plant = 2,
	 .regs = {"p1:w", "p0:d"},
	 .asked = {{1, 0}, {2, 0}},
	 .verdict = LITMUS_BROKEN,
	 .finish = dirty_seen},
	{.name = "Dirty.race+xchg",
	 .program = "XCHG pte(x)=0 || W x lands, dirty not seen",
	 .thread = {take_by_xchg, store_x},
	 .x = LITMUS_CLEAN,
	 .plant = 2,
	 .regs = {"p1:w", "p0:d"},
	 .asked = {{1, 0}, {2, 0}},
	 .finish = dirty_seen,
	 .twin = "Dirty.race+store~slow"},
	{MP("Table.free", "W pde(x)=other table; W flag || R flag; R x", VALID, write_raise,
	    flag_read, 0),
	 .verdict = LITMUS_ALLOWED, .x_level = 1},
	{MP("Table.free+ipi", "W pde(x)=other table; IPI, INVLPG x there; W flag || R flag; R x",
	    VALID, write_ipi_raise, flag_read, 0),
	 .x_level = 1, .twin = "Table.free"},
	{.name = "Table.free+leaf-only",
	 .program =
		 "the same where only a neighbour of x is cached, so that no leaf is left to flush",
	 .verdict = LITMUS_ALLOWED,
	 .hidden = NO_WALK_CACHE,
	 .thread = {write_raise, flag_read},
	 .x_level = 1,
	 .plant_y = 2,
	 .prepare = neighbour,
	 .regs = {"p1:f", "p1:r"},
	 .asked = {{1, 1}, {2, 0}}},
	{MP("INVLPGB", "W pte(x)=B; INVLPGB x; W flag || R flag; R x", VALID, invlpgb_raise,
	    flag_read, 0),
	 .verdict = LITMUS_ALLOWED, .unusable = litmus_no_invlpgb},
	{MP("INVLPGB+tlbsync", "W pte(x)=B; INVLPGB x; TLBSYNC; W flag || R flag; R x", VALID,
	    invlpgb_tlbsync_raise, flag_read, 0),
	 .unusable = litmus_no_invlpgb, .twin = "INVLPGB"},
	{.name = "WRC",
	 .program = "W pte(x)=B; W flag || R flag; W flag2 || R flag2; R x",
	 .thread = {write_raise, flag_pass_on, flag2_read},
	 .plant = 6,
	 .regs = {"p1:f", "p2:g", "p2:r"},
	 .asked = {{2, 1}, {3, 0}},
	 .verdict = LITMUS_ALLOWED},
	{.name = "WRC+ipi",
	 .program = "W pte(x)=B; IPI, INVLPG x on both; W flag || R flag; W flag2 || R "
		    "flag2; R x",
	 .thread = {write_ipi_both_raise, flag_pass_on, flag2_read},
	 .plant = 6,
	 .slow_flag = true,
	 .regs = {"p1:f", "p2:g", "p2:r"},
	 .asked = {{2, 1}, {3, 0}},
	 .twin = "WRC"},
	{.name = NULL},
};

const struct litmus_test *const litmus_sets[] = {litmus_one, litmus_more, NULL};
