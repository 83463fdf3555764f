/*
 * Litmus tests of x86 page tables and TLBs, one thread. Verdicts: SDM vol. 3 4.10 (caching
 * of translations), 4.8 (accessed and dirty flags), 9.2 (memory order); APM
 * vol. 2 5.5 and vol. 3 for INVLPGB and TLBSYNC. docs/litmus.md has the argument
 * for each.
 */
#include "x86.h"

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

const struct litmus_test litmus_one[] = {
	ALLOWED("CoWT", "W pte(x)=B; R x", NULL, VALID, write_read, 0),
	FORBIDDEN("CoWT+invlpg", "W pte(x)=B; INVLPG x; R x", "CoWT", NULL, VALID,
		  write_invlpg_read, 0),
	ALLOWED("CoWT+invlpg.noscope", "W pte(x)=B; INVLPG y; R x", NULL, VALID,
		write_invlpg_other_read, 0),
	FORBIDDEN("CoWT+cr3", "W pte(x)=B; reload CR3; R x", "CoWT", NULL, VALID, write_cr3_read,
		  0),
	{SINGLE("CoWT+invpcid", "W pte(x)=B; INVPCID x; R x", VALID, write_invpcid_read, 0),
	 .unusable = litmus_no_invpcid, .twin = "CoWT"},
	ALLOWED("CoWinvT", "W pte(x)=0; R x", NULL, VALID, unmap_read, 0),
	FORBIDDEN("CoWinvT+invlpg", "W pte(x)=0; INVLPG x; R x", "CoWinvT", NULL, VALID,
		  unmap_invlpg_read, 0),
	{.name = "CoWTf.inv",
	 .program = "pte(x) not present; W pte(x)=A; R x",
	 .thread = {map_read_twice},
	 .x = LITMUS_INVALID,
	 .regs = {"p0:r", "p0:s"},
	 .asked = {{1, LITMUS_FAULT}},
	 .verdict = LITMUS_ALLOWED,
	 .hidden = NO_SPECULATION},
	{.name = "CoWTf.inv+retry",
	 .program = "pte(x) not present; W pte(x)=A; R x, and again after the fault",
	 .thread = {map_read_twice},
	 .x = LITMUS_INVALID,
	 .regs = {"p0:r", "p0:s"},
	 .asked = {{1, LITMUS_FAULT}, {2, LITMUS_FAULT}},
	 .twin = "CoWTf.inv+retry~nowrite",
	 .weaker = "CoWTf.inv"},
	{.name = "CoWTf.inv+retry~nowrite",
	 .program = "the same without the write",
	 .thread = {read_twice},
	 .x = LITMUS_INVALID,
	 .regs = {"p0:r", "p0:s"},
	 .asked = {{1, LITMUS_FAULT}, {2, LITMUS_FAULT}},
	 .verdict = LITMUS_BROKEN},
	{SINGLE("Global.cr3", "pte(x) global; W pte(x)=B; reload CR3; R x", GLOBAL,
		global_write_cr3_read, 0),
	 .verdict = LITMUS_ALLOWED, .unusable = litmus_no_pge, .hidden = CR3_DROPS_ALL},
	ALLOWED("Global", "pte(x) global; W pte(x)=B; R x", NULL, GLOBAL, global_write_read, 0),
	{SINGLE("Global.pge", "pte(x) global; W pte(x)=B; toggle CR4.PGE; R x", GLOBAL,
		global_write_pge_read, 0),
	 .unusable = litmus_no_pge, .twin = "Global", .weaker = "Global.cr3"},
	{SINGLE("PCID.noflush", "R x; CR3=other; W pte(x)=B; CR3=first, bit 63; R x", VALID,
		pcid_keep, 0),
	 .verdict = LITMUS_ALLOWED, .unusable = litmus_no_pcid},
	{SINGLE("PCID.flush", "R x; CR3=other; W pte(x)=B; CR3=first; R x", VALID, pcid_drop, 0),
	 .unusable = litmus_no_pcid, .twin = "PCID.noflush"},
	{SINGLE("PCID.reuse", "R x; CR3=other space, same PCID, bit 63; R x", VALID, pcid_reuse, 0),
	 .verdict = LITMUS_ALLOWED, .unusable = litmus_no_pcid},
	{SINGLE("PCID.reuse+flush", "R x; CR3=other space, same PCID; R x", VALID, pcid_reuse_drop,
		0),
	 .unusable = litmus_no_pcid, .twin = "PCID.reuse"},
	{.name = NULL},
};
