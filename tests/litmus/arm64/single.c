/*
 * Litmus tests of arm64 page tables and TLBs, one thread. Verdicts: Arm ARM
 * (DDI 0487) D8.13-D8.16, TLB maintenance and its completion, and B2.3, the
 * memory model with translation; docs/litmus.md has the argument for each.
 */
#include "arm64.h"

/* ---- valid to valid: x shows 0 by the old entry, 1 by the new one --------------- */

static void write_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	r->out[0] = litmus_load(r->x);
}

static void write_dsb_isb_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	dsb(ish);
	isb();
	r->out[0] = litmus_load(r->x);
}

static void write_dsb_tlbi_dsb_isb_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	dsb(ish);
	tlbi_x_local(r);
	dsb(ish);
	isb();
	r->out[0] = litmus_load(r->x);
}

static void write_dsb_tlbi_dsb_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	dsb(ish);
	tlbi_x_local(r);
	dsb(ish);
	r->out[0] = litmus_load(r->x);
}

/* ---- valid to invalid ------------------------------------------------------------- */

static void unmap_dsb_isb_read(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	dsb(ish);
	isb();
	r->out[0] = litmus_load(r->x);
}

static void unmap_dsb_tlbi_dsb_read(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	dsb(ish);
	tlbi_x_local(r);
	dsb(ish);
	r->out[0] = litmus_load(r->x);
}

static void unmap_dsb_tlbi_dsb_isb_read(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	dsb(ish);
	tlbi_x_local(r);
	dsb(ish);
	isb();
	r->out[0] = litmus_load(r->x);
}

static void unmap_dsb_tlbi_dsbld_isb_read(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	dsb(ish);
	tlbi_x_local(r);
	dsb(ishld);
	isb();
	r->out[0] = litmus_load(r->x);
}

static void unmap_dsb_tlbi_dsbst_isb_read(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	dsb(ish);
	tlbi_x_local(r);
	dsb(ishst);
	isb();
	r->out[0] = litmus_load(r->x);
}

static void unmap_dsbld_tlbi_dsb_isb_read(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	dsb(ishld);
	tlbi_x_local(r);
	dsb(ish);
	isb();
	r->out[0] = litmus_load(r->x);
}

static void unmap_dsbst_tlbi_dsb_isb_read(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	dsb(ishst);
	tlbi_x_local(r);
	dsb(ish);
	isb();
	r->out[0] = litmus_load(r->x);
}

static void unmap_dsbst_dsb_isb_read(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	dsb(ishst);
	dsb(ish);
	isb();
	r->out[0] = litmus_load(r->x);
}

/* x valid for a moment, during which a walk may have cached it. */
static void map_flush_unmap_read(struct litmus_run *r)
{
	litmus_write(r->px, r->A);
	dsb(ish);
	tlbi_x_local(r);
	dsb(ish);
	litmus_write(r->px, 0);
	dsb(ish);
	r->out[0] = litmus_load(r->x);
}

/* ---- invalid to valid --------------------------------------------------------------- */

static void map_read(struct litmus_run *r)
{
	litmus_write(r->px, r->A);
	r->out[0] = litmus_load(r->x);
}

static void map_dsb_isb_read(struct litmus_run *r)
{
	litmus_write(r->px, r->A);
	dsb(ish);
	isb();
	r->out[0] = litmus_load(r->x);
}

static void map_dsb_read(struct litmus_run *r)
{
	litmus_write(r->px, r->A);
	dsb(ish);
	r->out[0] = litmus_load(r->x);
}

static void dsb_isb_read(struct litmus_run *r)
{
	dsb(ish);
	isb();
	r->out[0] = litmus_load(r->x);
}

/* ---- break before make, or not --------------------------------------------------------- */

static void bbm_to_block_read(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	dsb(ishst);
	tlbi_x_local(r);
	dsb(ish);
	litmus_write(r->px, r->block);
	dsb(ishst);
	isb();
	r->out[0] = litmus_load(r->x);
}

static void break_only_read(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	dsb(ishst);
	dsb(ish);
	isb();
	r->out[0] = litmus_load(r->x);
}

/* ---- ASIDs ------------------------------------------------------------------------------- */

static void write_aside1is_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	dsb(ishst);
	tlbi_arg(aside1is, tlbi_operand(0, litmus_asid()));
	dsb(ish);
	isb();
	r->out[0] = litmus_load(r->x);
}

static void write_aside1is_other_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	dsb(ishst);
	tlbi_arg(aside1is, tlbi_operand(0, litmus_asid() ^ 1));
	dsb(ish);
	isb();
	r->out[0] = litmus_load(r->x);
}

static void write_vae1is_other_asid_read(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	dsb(ishst);
	tlbi_arg(vae1is, tlbi_operand(r->x, litmus_asid() ^ 1));
	dsb(ish);
	isb();
	r->out[0] = litmus_load(r->x);
}

static void load_ttbr0(u64 value)
{
	sysreg_write(ttbr0_el1, value);
	isb();
}

/* The ASID of one space given to another one, in which x shows 1. */
static void asid_hand_over(struct litmus_run *r, bool flush)
{
	irqflags_t flags = irq_save();
	u64 before = sysreg_read(ttbr0_el1);

	litmus_load(r->x);
	load_ttbr0((before & 0xffffUL << 48) | r->other_root);
	if (flush) {
		tlbi_arg(aside1, tlbi_operand(0, litmus_asid()));
		dsb(nsh);
		isb();
	}
	r->out[0] = litmus_load(r->x);
	load_ttbr0(before);
	/* Nothing of the other space may stay under our ASID. */
	tlbi_arg(aside1, tlbi_operand(0, litmus_asid()));
	dsb(nsh);
	isb();
	irq_restore(flags);
}

static void asid_reuse(struct litmus_run *r)
{
	asid_hand_over(r, false);
}

static void asid_reuse_flush(struct litmus_run *r)
{
	asid_hand_over(r, true);
}

const struct litmus_test litmus_single[] = {
	ALLOWED("CoWT", "W pte(x)=B; R x", NULL, VALID, write_read, 0),
	ALLOWED("CoWT+dsb-isb", "W pte(x)=B; DSB; ISB; R x", NULL, VALID, write_dsb_isb_read, 0),
	FORBIDDEN("CoWT1+dsb-tlbi-dsb-isb", "W pte(x)=B; DSB; TLBI; DSB; ISB; R x", "CoWT+dsb-isb",
		  "CoWT1+dsb-tlbi-dsb", VALID, write_dsb_tlbi_dsb_isb_read, 0),
	ALLOWED("CoWT1+dsb-tlbi-dsb", "W pte(x)=B; DSB; TLBI; DSB; R x", NO_FETCH_AHEAD, VALID,
		write_dsb_tlbi_dsb_read, 0),
	ALLOWED("CoWinvT+dsb-isb", "W pte(x)=0; DSB; ISB; R x", NULL, VALID, unmap_dsb_isb_read, 0),
	ALLOWED("CoWinvT+dsb-tlbi-dsb", "W pte(x)=0; DSB; TLBI; DSB; R x", NO_FETCH_AHEAD, VALID,
		unmap_dsb_tlbi_dsb_read, 0),
	FORBIDDEN("CoWinvT+dsb-tlbi-dsb-isb", "W pte(x)=0; DSB; TLBI; DSB; ISB; R x",
		  "CoWinvT+dsb-isb", "CoWinvT+dsb-tlbi-dsb", VALID, unmap_dsb_tlbi_dsb_isb_read, 0),
	ALLOWED("V2I+dsb.ish-tlbi-dsb.ld-isb", "W pte(x)=0; DSB; TLBI; DSB LD; ISB; R x",
		TLBI_AT_ONCE, VALID, unmap_dsb_tlbi_dsbld_isb_read, 0),
	ALLOWED("V2I+dsb.ish-tlbi-dsb.st-isb", "W pte(x)=0; DSB; TLBI; DSB ST; ISB; R x",
		TLBI_AT_ONCE, VALID, unmap_dsb_tlbi_dsbst_isb_read, 0),
	ALLOWED("V2I+dsb.ld-tlbi-dsb.ish-isb", "W pte(x)=0; DSB LD; TLBI; DSB; ISB; R x", IN_ORDER,
		VALID, unmap_dsbld_tlbi_dsb_isb_read, 0),
	FORBIDDEN("V2I+dsb.st-tlbi-dsb.ish-isb", "W pte(x)=0; DSB ST; TLBI; DSB; ISB; R x",
		  "V2I+dsb.st-dsb.ish-isb", "V2I+dsb.ld-tlbi-dsb.ish-isb", VALID,
		  unmap_dsbst_tlbi_dsb_isb_read, 0),
	ALLOWED("V2I+dsb.st-dsb.ish-isb", "W pte(x)=0; DSB ST; DSB; ISB; R x", NULL, VALID,
		unmap_dsbst_dsb_isb_read, 0),
	ALLOWED("needTLBI", "pte(x)=0; W pte(x)=A; DSB; TLBI; DSB; W pte(x)=0; DSB; R x",
		"the emulator walks only for an access", INVALID, map_flush_unmap_read, 0),
	ALLOWED("CoWTf.inv+po", "pte(x)=0; W pte(x)=A; R x", IN_ORDER, INVALID, map_read,
		LITMUS_FAULT),
	FORBIDDEN("CoWTf.inv+dsb-isb", "pte(x)=0; W pte(x)=A; DSB; ISB; R x",
		  "CoWTf.inv+dsb-isb~nowrite", "CoWTf.inv+dsb", INVALID, map_dsb_isb_read,
		  LITMUS_FAULT),
	BROKEN("CoWTf.inv+dsb-isb~nowrite", "the same without the write", INVALID, dsb_isb_read,
	       LITMUS_FAULT),
	ALLOWED("CoWTf.inv+dsb", "pte(x)=0; W pte(x)=A; DSB; R x", IN_ORDER, INVALID, map_dsb_read,
		LITMUS_FAULT),
	/* Tables: the entry under test is the one above x's leaf. */
	{SINGLE("CoWT.L23", "W table entry(x)=other table; R x", VALID, write_read, 0),
	 .x_level = 1, .verdict = LITMUS_ALLOWED},
	{SINGLE("CoWT1.L23+dsb-tlbi-dsb-isb",
		"W table entry(x)=other table; DSB; TLBI; DSB; ISB; R x", VALID,
		write_dsb_tlbi_dsb_isb_read, 0),
	 .x_level = 1, .twin = "CoWT.L23"},
	{SINGLE("BBM.L23+dsb-tlbi-dsb-isb",
		"W entry(x)=0; DSB; TLBI; DSB; W entry(x)=block; DSB; ISB; R x", VALID,
		bbm_to_block_read, 0),
	 .x_level = 1, .twin = "BBM.L23~break-only"},
	{SINGLE("BBM.L23~break-only", "the same without TLBI and block", VALID, break_only_read, 0),
	 .x_level = 1, .verdict = LITMUS_BROKEN},
	FORBIDDEN("CoWT+aside1is", "W pte(x)=B; DSB ST; TLBI ASIDE1IS; DSB; ISB; R x",
		  "CoWT+dsb-isb", "CoWT+aside1is.other", VALID, write_aside1is_read, 0),
	ALLOWED("CoWT+aside1is.other", "the same for another ASID", NO_ASID_TAGS, VALID,
		write_aside1is_other_read, 0),
	ALLOWED("CoWT+vae1is.other",
		"W pte(x)=B; DSB ST; TLBI VAE1IS of another ASID; DSB; ISB; R x", NO_ASID_TAGS,
		VALID, write_vae1is_other_asid_read, 0),
	ALLOWED("ASID.reuse", "R x; TTBR0=other space, same ASID; R x", NULL, VALID, asid_reuse, 0),
	FORBIDDEN("ASID.reuse+aside1",
		  "R x; TTBR0=other space, same ASID; TLBI ASIDE1; DSB; ISB; R x", "ASID.reuse",
		  NULL, VALID, asid_reuse_flush, 0),
	{.name = NULL},
};
