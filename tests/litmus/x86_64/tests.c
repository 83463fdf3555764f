/*
 * Litmus tests of x86 page tables and TLBs. Verdicts: SDM vol. 3 4.10 (caching
 * of translations), 4.8 (accessed and dirty flags), 9.2 (memory order); APM
 * vol. 2 5.5 and vol. 3 for INVLPGB and TLBSYNC. docs/litmus.md has the argument
 * for each.
 */
#include "../litmus.h"
#include <kernel/smp.h>

#define NO_SPECULATION "the emulator walks only for an access, after all earlier stores"
#define NO_WALK_CACHE "the emulator caches no table entries"
#define CR3_DROPS_ALL "the emulator's CR3 load drops global entries too"

/* ---- one thread ----------------------------------------------------------------- */

static void write_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	r->out[0] = litmus_load(r->x);
}

static void write_invlpg_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	litmus_invlpg(r->x);
	r->out[0] = litmus_load(r->x);
}

static void write_invlpg_other_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	litmus_invlpg(r->y);
	r->out[0] = litmus_load(r->x);
}

static void write_cr3_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	cr3_write(cr3_read());
	r->out[0] = litmus_load(r->x);
}

static void write_invpcid_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	litmus_invpcid(0, cr3_read() & 0xfff, r->x);
	r->out[0] = litmus_load(r->x);
}

static void unmap_read(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	r->out[0] = litmus_load(r->x);
}

static void unmap_invlpg_read(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	litmus_invlpg(r->x);
	r->out[0] = litmus_load(r->x);
}

/* A fault on an entry that is there by now is answered by trying again. */
static void map_read_twice(struct litmus_run *r)
{
	litmus_write(r->px, r->A);
	r->out[0] = litmus_load(r->x);
	r->out[1] = litmus_load(r->x);
}

static void read_twice(struct litmus_run *r)
{
	r->out[0] = litmus_load(r->x);
	r->out[1] = litmus_load(r->x);
}

static void global_write_cr3_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B_global);
	cr3_write(cr3_read());
	r->out[0] = litmus_load(r->x);
}

static void global_write_pge_read(struct litmus_run *r)
{
	irqflags_t flags = irq_save();

	litmus_write(r->px, r->B_global);
	litmus_toggle_pge();
	r->out[0] = litmus_load(r->x);
	irq_restore(flags);
}

static void global_write_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B_global);
	r->out[0] = litmus_load(r->x);
}

/* PCIDs that the kernel does not use: it numbers each CPU's from 0. */
enum { PCID_ONE = 0x100, PCID_TWO = 0x101 };

/* x cached under one PCID, changed, another PCID loaded and the first one again. */
static void pcid_there_and_back(struct litmus_run *r, u64 keep)
{
	irqflags_t flags = irq_save();
	u64 before = cr3_read();

	cr3_write(r->root | PCID_ONE); /* whatever an earlier run left goes */
	litmus_load(r->x);
	cr3_write(r->other_root | PCID_TWO);
	litmus_write(r->px, r->B);
	cr3_write(r->root | PCID_ONE | keep);
	r->out[0] = litmus_load(r->x);
	cr3_write(before | CR3_NOFLUSH);
	irq_restore(flags);
}

static void pcid_keep(struct litmus_run *r)
{
	pcid_there_and_back(r, CR3_NOFLUSH);
}

static void pcid_drop(struct litmus_run *r)
{
	pcid_there_and_back(r, 0);
}

/* x cached under a PCID, then the PCID given to another address space, in which x reads 1. */
static void pcid_hand_over(struct litmus_run *r, u64 keep)
{
	irqflags_t flags = irq_save();
	u64 before = cr3_read();

	cr3_write(r->root | PCID_ONE);
	litmus_load(r->x);
	cr3_write(r->other_root | PCID_ONE | keep);
	r->out[0] = litmus_load(r->x);
	cr3_write(before | CR3_NOFLUSH);
	irq_restore(flags);
}

static void pcid_reuse(struct litmus_run *r)
{
	pcid_hand_over(r, CR3_NOFLUSH);
}

static void pcid_reuse_drop(struct litmus_run *r)
{
	pcid_hand_over(r, 0);
}

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

const struct litmus_test litmus_x86[] = {
	{
		.name = "CoWT",
		.program = "W pte(x)=B; R x",
		.verdict = LITMUS_ALLOWED,
		.thread = {write_read},
		.plant = 1,
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "CoWT+invlpg",
		.program = "W pte(x)=B; INVLPG x; R x",
		.twin = "CoWT",
		.thread = {write_invlpg_read},
		.plant = 1,
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "CoWT+invlpg.noscope",
		.program = "W pte(x)=B; INVLPG y; R x",
		.verdict = LITMUS_ALLOWED,
		.thread = {write_invlpg_other_read},
		.plant = 1,
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "CoWT+cr3",
		.program = "W pte(x)=B; reload CR3; R x",
		.twin = "CoWT",
		.thread = {write_cr3_read},
		.plant = 1,
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "CoWT+invpcid",
		.program = "W pte(x)=B; INVPCID x; R x",
		.twin = "CoWT",
		.unusable = litmus_no_invpcid,
		.thread = {write_invpcid_read},
		.plant = 1,
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "CoWinvT",
		.program = "W pte(x)=0; R x",
		.verdict = LITMUS_ALLOWED,
		.thread = {unmap_read},
		.plant = 1,
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "CoWinvT+invlpg",
		.program = "W pte(x)=0; INVLPG x; R x",
		.twin = "CoWinvT",
		.thread = {unmap_invlpg_read},
		.plant = 1,
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "CoWTf.inv",
		.program = "pte(x) not present; W pte(x)=A; R x",
		.verdict = LITMUS_ALLOWED,
		.hidden = NO_SPECULATION,
		.thread = {map_read_twice},
		.x = LITMUS_INVALID,
		.regs = {"p0:r", "p0:s"},
		.asked = {{1, LITMUS_FAULT}},
	},
	{
		.name = "CoWTf.inv+retry",
		.program = "pte(x) not present; W pte(x)=A; R x, and again after the fault",
		.twin = "CoWTf.inv+retry~nowrite",
		.thread = {map_read_twice},
		.x = LITMUS_INVALID,
		.regs = {"p0:r", "p0:s"},
		.asked = {{2, LITMUS_FAULT}},
	},
	{
		.name = "CoWTf.inv+retry~nowrite",
		.program = "the same without the write",
		.verdict = LITMUS_BROKEN,
		.thread = {read_twice},
		.x = LITMUS_INVALID,
		.regs = {"p0:r", "p0:s"},
		.asked = {{2, LITMUS_FAULT}},
	},
	{
		.name = "Global.cr3",
		.program = "pte(x) global; W pte(x)=B; reload CR3; R x",
		.verdict = LITMUS_ALLOWED,
		.hidden = CR3_DROPS_ALL,
		.unusable = litmus_no_pge,
		.thread = {global_write_cr3_read},
		.x = LITMUS_GLOBAL,
		.plant = 1,
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "Global",
		.program = "pte(x) global; W pte(x)=B; R x",
		.verdict = LITMUS_ALLOWED,
		.thread = {global_write_read},
		.x = LITMUS_GLOBAL,
		.plant = 1,
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "Global.pge",
		.program = "pte(x) global; W pte(x)=B; toggle CR4.PGE; R x",
		.twin = "Global",
		.unusable = litmus_no_pge,
		.thread = {global_write_pge_read},
		.x = LITMUS_GLOBAL,
		.plant = 1,
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "PCID.noflush",
		.program = "R x; CR3=other; W pte(x)=B; CR3=first, bit 63; R x",
		.verdict = LITMUS_ALLOWED,
		.unusable = litmus_no_pcid,
		.thread = {pcid_keep},
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "PCID.flush",
		.program = "R x; CR3=other; W pte(x)=B; CR3=first; R x",
		.twin = "PCID.noflush",
		.unusable = litmus_no_pcid,
		.thread = {pcid_drop},
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "PCID.reuse",
		.program = "R x; CR3=other space, same PCID, bit 63; R x",
		.verdict = LITMUS_ALLOWED,
		.unusable = litmus_no_pcid,
		.thread = {pcid_reuse},
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "PCID.reuse+flush",
		.program = "R x; CR3=other space, same PCID; R x",
		.twin = "PCID.reuse",
		.unusable = litmus_no_pcid,
		.thread = {pcid_reuse_drop},
		.regs = {"p0:r"},
		.asked = {{1, 0}},
	},
	{
		.name = "MP.RT",
		.program = "W pte(x)=B; W flag || R flag; R x",
		.verdict = LITMUS_ALLOWED,
		.thread = {write_raise, flag_read},
		.plant = 2,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "MP.RT+invlpg",
		.program = "W pte(x)=B; INVLPG x here only; W flag || R flag; R x",
		.verdict = LITMUS_ALLOWED,
		.thread = {write_local_raise, flag_read},
		.plant = 2,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "MP.RT+ipi",
		.program = "W pte(x)=B; IPI, INVLPG x there; W flag || R flag; R x",
		.twin = "MP.RT",
		.thread = {write_ipi_raise, flag_read},
		.slow_flag = true,
		.plant = 2,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "MP.RT+ipi-noack",
		.program = "the flag goes up before the interrupt was answered",
		.verdict = LITMUS_ALLOWED,
		.thread = {write_raise_ipi, flag_read},
		.slow_flag = true,
		.plant = 2,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "MP.RT+own-invlpg",
		.program = "W pte(x)=B; W flag || R flag; INVLPG x; R x",
		.twin = "MP.RT",
		.thread = {write_raise, flag_own_invlpg_read},
		.plant = 2,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "MPInv",
		.program = "W pte(x)=0; W flag || R flag; R x",
		.verdict = LITMUS_ALLOWED,
		.thread = {unmap_raise, flag_read},
		.plant = 2,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "MPInv+ipi",
		.program = "W pte(x)=0; IPI, INVLPG x there; W flag || R flag; R x",
		.twin = "MPInv",
		.thread = {unmap_ipi_raise, flag_read},
		.slow_flag = true,
		.plant = 2,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "MP.RTf.inv",
		.program = "pte(x) not present; W pte(x)=A; W flag || R flag; R x",
		.verdict = LITMUS_ALLOWED,
		.hidden = NO_SPECULATION,
		.thread = {map_raise, flag_read},
		.x = LITMUS_INVALID,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, LITMUS_FAULT}},
	},
	{
		.name = "MP.RTf.inv+retry",
		.program = "the same, reading again after the fault",
		.twin = "MP.RTf.inv+retry~nowrite",
		.thread = {map_raise, flag_read_twice},
		.x = LITMUS_INVALID,
		.regs = {"p1:f", "p1:r", "p1:s"},
		.asked = {{1, 1}, {3, LITMUS_FAULT}},
	},
	{
		.name = "MP.RTf.inv+retry~nowrite",
		.program = "the same without the write to pte(x)",
		.verdict = LITMUS_BROKEN,
		.thread = {raise_only, flag_read_twice},
		.x = LITMUS_INVALID,
		.regs = {"p1:f", "p1:r", "p1:s"},
		.asked = {{1, 1}, {3, LITMUS_FAULT}},
	},
	{
		.name = "S.RT.ro",
		.program = "W pte(x)=read-only; W flag || R flag; W x",
		.verdict = LITMUS_ALLOWED,
		.thread = {protect_raise, flag_store},
		.plant_store = 2,
		.regs = {"p1:f", "p1:w"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "S.RT.ro+ipi",
		.program = "W pte(x)=read-only; IPI, INVLPG x there; W flag || R flag; W x",
		.twin = "S.RT.ro",
		.thread = {protect_ipi_raise, flag_store},
		.slow_flag = true,
		.plant_store = 2,
		.regs = {"p1:f", "p1:w"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "permchange",
		.program = "pte(x) read-only; W pte(x)=writable; W flag || R flag; W x",
		.verdict = LITMUS_ALLOWED,
		.hidden = "the emulator walks again before it raises a fault",
		.thread = {map_raise, flag_store},
		.x = LITMUS_READONLY,
		.plant = 2,
		.regs = {"p1:f", "p1:w"},
		.asked = {{1, 1}, {2, LITMUS_FAULT}},
	},
	{
		.name = "permchange+retry",
		.program = "the same, writing again after the fault",
		.twin = "permchange+retry~nowrite",
		.thread = {map_raise, flag_store_twice},
		.x = LITMUS_READONLY,
		.plant = 2,
		.regs = {"p1:f", "p1:w", "p1:v"},
		.asked = {{1, 1}, {3, LITMUS_FAULT}},
	},
	{
		.name = "permchange+retry~nowrite",
		.program = "the same without the write to pte(x)",
		.verdict = LITMUS_BROKEN,
		.thread = {raise_only, flag_store_twice},
		.x = LITMUS_READONLY,
		.plant = 2,
		.regs = {"p1:f", "p1:w", "p1:v"},
		.asked = {{1, 1}, {3, LITMUS_FAULT}},
	},
	{
		.name = "RBS",
		.program = "W pte(x)=0; W 2 to its frame || R x",
		.verdict = LITMUS_ALLOWED,
		.thread = {unmap_reuse, read_x},
		.plant = 2,
		.regs = {"p1:r"},
		.asked = {{1, 2}},
	},
	{
		.name = "RBS+ipi",
		.program = "W pte(x)=0; IPI, INVLPG x there; W 2 to its frame || R x",
		.twin = "RBS",
		.thread = {unmap_ipi_reuse, read_x},
		.plant = 2,
		.regs = {"p1:r"},
		.asked = {{1, 2}},
	},
	{
		.name = "Dirty.race+store",
		.program = "R pte(x); W pte(x)=0 || W x lands, dirty not seen",
		.verdict = LITMUS_ALLOWED,
		.thread = {take_by_store, store_x},
		.x = LITMUS_CLEAN,
		.plant = 2,
		.regs = {"p1:w", "p0:d"},
		.asked = {{1, 0}, {2, 0}},
		.finish = dirty_seen,
	},
	{
		.name = "Dirty.race+store~slow",
		.program = "the same with the other thread's store in between",
		.verdict = LITMUS_BROKEN,
		.thread = {take_by_slow_store, await_store_x},
		.x = LITMUS_CLEAN,
		.plant = 2,
		.regs = {"p1:w", "p0:d"},
		.asked = {{1, 0}, {2, 0}},
		.finish = dirty_seen,
	},
	{
		.name = "Dirty.race+xchg",
		.program = "XCHG pte(x)=0 || W x lands, dirty not seen",
		.twin = "Dirty.race+store~slow",
		.thread = {take_by_xchg, store_x},
		.x = LITMUS_CLEAN,
		.plant = 2,
		.regs = {"p1:w", "p0:d"},
		.asked = {{1, 0}, {2, 0}},
		.finish = dirty_seen,
	},
	{
		.name = "Table.free",
		.program = "W pde(x)=other table; W flag || R flag; R x",
		.verdict = LITMUS_ALLOWED,
		.thread = {write_raise, flag_read},
		.x_level = 1,
		.plant = 2,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "Table.free+ipi",
		.program = "W pde(x)=other table; IPI, INVLPG x there; W flag || R flag; R x",
		.twin = "Table.free",
		.thread = {write_ipi_raise, flag_read},
		.slow_flag = true,
		.x_level = 1,
		.plant = 2,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "Table.free+leaf-only",
		.program = "the same where only a neighbour of x is cached, so that no leaf is "
			   "left to flush",
		.verdict = LITMUS_ALLOWED,
		.hidden = NO_WALK_CACHE,
		.thread = {write_raise, flag_read},
		.x_level = 1,
		.plant_y = 2,
		.prepare = neighbour,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "INVLPGB",
		.program = "W pte(x)=B; INVLPGB x; W flag || R flag; R x",
		.verdict = LITMUS_ALLOWED,
		.unusable = litmus_no_invlpgb,
		.thread = {invlpgb_raise, flag_read},
		.plant = 2,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "INVLPGB+tlbsync",
		.program = "W pte(x)=B; INVLPGB x; TLBSYNC; W flag || R flag; R x",
		.twin = "INVLPGB",
		.unusable = litmus_no_invlpgb,
		.thread = {invlpgb_tlbsync_raise, flag_read},
		.plant = 2,
		.regs = {"p1:f", "p1:r"},
		.asked = {{1, 1}, {2, 0}},
	},
	{
		.name = "WRC",
		.program = "W pte(x)=B; W flag || R flag; W flag2 || R flag2; R x",
		.verdict = LITMUS_ALLOWED,
		.thread = {write_raise, flag_pass_on, flag2_read},
		.plant = 6,
		.regs = {"p1:f", "p2:g", "p2:r"},
		.asked = {{2, 1}, {3, 0}},
	},
	{
		.name = "WRC+ipi",
		.program = "W pte(x)=B; IPI, INVLPG x on both; W flag || R flag; W flag2 || R "
			   "flag2; R x",
		.twin = "WRC",
		.thread = {write_ipi_both_raise, flag_pass_on, flag2_read},
		.slow_flag = true,
		.plant = 6,
		.regs = {"p1:f", "p2:g", "p2:r"},
		.asked = {{2, 1}, {3, 0}},
	},
	{.name = NULL},
};

const struct litmus_test *const litmus_sets[] = {litmus_x86, NULL};
