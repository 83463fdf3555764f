/* Litmus tests of arm64 page tables and TLBs, two threads; see single.c for what verdicts rest on. */
#include "arm64.h"
#include <kernel/smp.h>

/* ---- thread 0: changes pte(x), raises the flag --------------------------------------- */

#define WRITER(name, entry, between)                                                               \
	static void name(struct litmus_run *r)                                                     \
	{                                                                                          \
		litmus_write(r->px, entry);                                                        \
		between;                                                                           \
		litmus_write(&r->flag, 1);                                                         \
	}

/* Another page's, so that nothing of x is dropped. */
static void shoot_y(const struct litmus_run *r)
{
	dsb(ish);
	tlbi_arg(vaae1is, tlbi_operand(r->y, 0));
	dsb(ish);
}

static void flush_here(const struct litmus_run *r)
{
	dsb(ish);
	tlbi_x_local(r);
	dsb(ish);
}

static void flush_x(void *arg)
{
	flush_here(arg);
}

/* The reader's CPU flushes for itself; returns when it has. */
static void shoot_by_ipi(struct litmus_run *r)
{
	dsb(ishst);
	smp_call_one(r->cpu[1], flush_x, r);
}

WRITER(write_dmb_raise, r->B, dmb(ish))
WRITER(write_dmbst_raise, r->B, dmb(ishst))
WRITER(write_shoot_raise, r->B, shoot(r))
WRITER(write_local_raise, r->B, flush_here(r))
WRITER(write_shoot_y_raise, r->B, shoot_y(r))
WRITER(write_ipi_raise, r->B, shoot_by_ipi(r))
WRITER(map_dmb_raise, r->A, dmb(ish))
WRITER(map_shoot_raise, r->A, shoot(r))
WRITER(unmap_dsb_raise, 0, dsb(ish))
WRITER(unmap_shoot_raise, 0, shoot(r))
WRITER(protect_dsb_raise, r->A_ro, dsb(ish))
WRITER(protect_shoot_raise, r->A_ro, shoot(r))

static void raise_only(struct litmus_run *r)
{
	litmus_write(&r->flag, 1);
}

static void write_raise_ipi(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
	dsb(ishst);
	litmus_write(&r->flag, 1);
	smp_call_one(r->cpu[1], flush_x, r);
}

/* Break before make; the flag behind it. */
static void bbm(struct litmus_run *r, u64 entry)
{
	litmus_write(r->px, 0);
	dsb(ish);
	tlbi_x(r);
	dsb(ish);
	litmus_write(r->px, entry);
	dsb(ish);
}

static void bbm_raise(struct litmus_run *r)
{
	bbm(r, r->B);
	litmus_write(&r->flag, 1);
}

static void no_bbm_raise(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	dsb(ish);
	litmus_write(r->px, r->B);
	dsb(ish);
	litmus_write(&r->flag, 1);
}

static void bbm_only(struct litmus_run *r)
{
	bbm(r, r->B);
}

static void bbm_and_back(struct litmus_run *r)
{
	bbm(r, r->B);
	litmus_write(&r->flag, 1);
	litmus_await(&r->z);
	bbm(r, r->A);
	litmus_write(&r->flag2, 1);
}

static void break_shoot_y_make(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	shoot_y(r);
	litmus_write(r->px, r->B);
	dsb(ish);
}

static void write_only(struct litmus_run *r)
{
	litmus_write(r->px, r->B);
}

static void map_only(struct litmus_run *r)
{
	litmus_write(r->px, r->A);
}

static void map_and_unmap(struct litmus_run *r)
{
	litmus_write(r->px, r->A);
	litmus_write(&r->flag, 1);
	litmus_await(&r->z);
	litmus_write(r->px, 0);
	shoot(r);
	litmus_write(&r->flag2, 1);
}

/* The frame is used again: 2 is its next owner's secret. */
static void unmap_dsb_reuse(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	dsb(ish);
	litmus_write(r->a, 2);
}

static void unmap_shoot_reuse(struct litmus_run *r)
{
	litmus_write(r->px, 0);
	shoot(r);
	litmus_write(r->a, 2);
}

static void table_dsb_publish(struct litmus_run *r)
{
	litmus_write(r->leaf_b, r->leaf_B);
	dsb(ish);
	litmus_write(r->px, r->B);
}

static void table_dmbst_publish(struct litmus_run *r)
{
	litmus_write(r->leaf_b, r->leaf_B);
	dmb(ishst);
	litmus_write(r->px, r->B);
}

static void table_publish(struct litmus_run *r)
{
	litmus_write(r->leaf_b, r->leaf_B);
	litmus_write(r->px, r->B);
}

/* x's leaf holds garbage, a page that shows 3, until it is written. */
static void garbage_leaf(struct litmus_run *r)
{
	litmus_write(r->d, 3);
	litmus_write(r->leaf_b, r->D);
}

/* ---- thread 1: reads the flag, then x ------------------------------------------------- */

#define READER(name, between, access)                                                              \
	static void name(struct litmus_run *r)                                                     \
	{                                                                                          \
		u64 flag = litmus_read(&r->flag), result;                                          \
                                                                                                   \
		between;                                                                           \
		result = access;                                                                   \
		r->out[0] = flag;                                                                  \
		r->out[1] = result;                                                                \
	}

static void dsb_isb(void)
{
	dsb(ish);
	isb();
}

static void dsbld_flush(const struct litmus_run *r)
{
	dsb(ishld);
	tlbi_x_local(r);
	dsb(ish);
	isb();
}

static void dsbst_flush(const struct litmus_run *r)
{
	dsb(ishst);
	tlbi_x_local(r);
	dsb(ish);
	isb();
}

static void ctrl_isb_flush(const struct litmus_run *r, u64 flag)
{
	litmus_branch(flag);
	isb();
	tlbi_x_local(r);
	dsb(ish);
	isb();
}

static void addr_flush(const struct litmus_run *r, u64 flag)
{
	tlbi_arg(vaae1, tlbi_operand(litmus_zero(flag) + r->x, 0));
	dsb(ish);
	isb();
}

READER(flag_read, (void)0, litmus_load(r->x))
READER(flag_dmb_read, dmb(ish), litmus_load(r->x))
READER(flag_dmbld_read, dmb(ishld), litmus_load(r->x))
READER(flag_dsb_read, dsb(ish), litmus_load(r->x))
READER(flag_dsb_isb_read, dsb_isb(), litmus_load(r->x))
READER(flag_addr_read, (void)0, litmus_load_after(r->x, flag))
READER(flag_ctrl_read, litmus_branch(flag), litmus_load(r->x))
READER(flag_dsbld_flush_read, dsbld_flush(r), litmus_load(r->x))
READER(flag_dsbst_flush_read, dsbst_flush(r), litmus_load(r->x))
READER(flag_ctrl_isb_flush_read, ctrl_isb_flush(r, flag), litmus_load(r->x))
READER(flag_addr_flush_read, addr_flush(r, flag), litmus_load(r->x))
READER(flag_dmb_store, dmb(ish), litmus_store(r->x, 1))
READER(flag_dsb_isb_store, dsb_isb(), litmus_store(r->x, 1))

static void read_x(struct litmus_run *r)
{
	r->out[0] = litmus_load(r->x);
}

#define TWO_READS(name, between)                                                                   \
	static void name(struct litmus_run *r)                                                     \
	{                                                                                          \
		u64 first = litmus_load(r->x);                                                     \
                                                                                                   \
		between;                                                                           \
		r->out[1] = litmus_load(r->x);                                                     \
		r->out[0] = first;                                                                 \
	}

TWO_READS(read_read, (void)0)
TWO_READS(read_dsb_isb_read, dsb_isb())

/* Between the two, the other thread goes on: for tests that are broken on purpose. */
static void read_await_read(struct litmus_run *r)
{
	litmus_await(&r->flag);
	r->out[0] = litmus_load(r->x);
	litmus_write(&r->z, 1);
	litmus_await(&r->flag2);
	r->out[1] = litmus_load(r->x);
}

/* The entry by a load, and x by a walk; e says whether the entry was there. */
#define ENTRY_READ(name, entry, between)                                                           \
	static void name(struct litmus_run *r)                                                     \
	{                                                                                          \
		u64 seen = litmus_read(entry);                                                     \
                                                                                                   \
		between;                                                                           \
		r->out[1] = litmus_load(r->x);                                                     \
		r->out[0] = seen != 0;                                                             \
	}
#define READ_ENTRY(name, entry, between)                                                           \
	static void name(struct litmus_run *r)                                                     \
	{                                                                                          \
		u64 first = litmus_load(r->x);                                                     \
                                                                                                   \
		between;                                                                           \
		r->out[1] = litmus_read(entry) != 0;                                               \
		r->out[0] = first;                                                                 \
	}

ENTRY_READ(entry_dsb_isb_read, r->px, dsb_isb())
ENTRY_READ(entry_dsb_read, r->px, dsb(ish))
ENTRY_READ(entry_of_y_read, r->py, dsb_isb())
READ_ENTRY(read_entry, r->px, (void)0)
READ_ENTRY(read_dsb_entry, r->px, dsb(ish))
READ_ENTRY(read_dsb_entry_of_y, r->py, dsb(ish))

/* ---- declarations ------------------------------------------------------------------------ */

/* Two results of thread 1, no flag. */
#define PAIR(name_, program_, x_, writer, reader, regs_, first, second)                            \
	.name = name_, .program = program_, .x = LITMUS_##x_, .thread = {writer, reader},          \
	.plant = 2, .regs = {"p1:" regs_, "p1:s"}, .asked = {{1, first}, {2, second}}

const struct litmus_test litmus_two[] = {
	MP_ALLOWED("MP.RT+dmb+dsb-isb", "W pte(x)=B; DMB; W flag || R flag; DSB; ISB; R x", NULL,
		   VALID, write_dmb_raise, flag_dsb_isb_read, OLD),
	MP_FORBIDDEN("MP+shoot+dsb-isb", "W pte(x)=B; shoot; W flag || R flag; DSB; ISB; R x",
		     "MP.RT+dmb+dsb-isb", "MP+shoot+po", VALID, write_shoot_raise,
		     flag_dsb_isb_read, OLD),
	MP_FORBIDDEN("MP+shoot+dsb", "W pte(x)=B; shoot; W flag || R flag; DSB; R x",
		     "MP.RT+dmb+dsb-isb", "MP+shoot+po", VALID, write_shoot_raise, flag_dsb_read,
		     OLD),
	MP_FORBIDDEN("MP+shoot+dmb.ld", "W pte(x)=B; shoot; W flag || R flag; DMB LD; R x",
		     "MP.RT+dmb+dsb-isb", "MP+shoot+po", VALID, write_shoot_raise, flag_dmbld_read,
		     OLD),
	MP_FORBIDDEN("MP+shoot+addr", "W pte(x)=B; shoot; W flag || R flag; R x by its address",
		     "MP.RT+dmb+dsb-isb", "MP+shoot+po", VALID, write_shoot_raise, flag_addr_read,
		     OLD),
	MP_ALLOWED("MP+shoot+po", "W pte(x)=B; shoot; W flag || R flag; R x", LOADS_IN_ORDER, VALID,
		   write_shoot_raise, flag_read, OLD),
	MP_ALLOWED("MP.RT.EL1+dsb-tlbi-dsb+dsb-isb",
		   "W pte(x)=B; DSB; TLBI here only; DSB; W flag || R flag; DSB; ISB; R x", NULL,
		   VALID, write_local_raise, flag_dsb_isb_read, OLD),
	MP_FORBIDDEN("MP.RT.EL1+dsb-tlbiis-dsb+dsb-isb",
		     "W pte(x)=B; DSB; TLBI IS; DSB; W flag || R flag; DSB; ISB; R x",
		     "MP.RT.EL1+dsb-tlbi-dsb+dsb-isb", NULL, VALID, write_shoot_raise,
		     flag_dsb_isb_read, OLD),
	MP_ALLOWED("MP.RT.EL1+dsb-tlbiis-dsb+dsb-isb.noscope", "the same for another page", NULL,
		   VALID, write_shoot_y_raise, flag_dsb_isb_read, OLD),
	MP_FORBIDDEN("MP.RT+shootdown",
		     "W pte(x)=B; IPI, TLBI there; W flag || R flag; DSB; ISB; R x",
		     "MP.RT+dmb+dsb-isb", NULL, VALID, write_ipi_raise, flag_dsb_isb_read, OLD),
	MP_ALLOWED("MP.RT+shootdown-noack", "the flag goes up before the interrupt was answered",
		   NULL, VALID, write_raise_ipi, flag_dsb_isb_read, OLD),
	MP_FORBIDDEN("MP.RTf.inv+dmb+dsb-isb",
		     "pte(x)=0; W pte(x)=A; DMB; W flag || R flag; DSB; ISB; R x",
		     "MP.RTf.inv+dmb+dsb-isb~nowrite", "MP.RTf.inv+dmbs", INVALID, map_dmb_raise,
		     flag_dsb_isb_read, LITMUS_FAULT),
	MP_BROKEN("MP.RTf.inv+dmb+dsb-isb~nowrite", "the same without the write to pte(x)", INVALID,
		  raise_only, flag_dsb_isb_read, LITMUS_FAULT),
	MP_FORBIDDEN("MP.RTf.inv+dmb+addr",
		     "pte(x)=0; W pte(x)=A; DMB; W flag || R flag; R x by its address",
		     "MP.RTf.inv+dmb+addr~nowrite", "MP.RTf.inv+dmb+po", INVALID, map_dmb_raise,
		     flag_addr_read, LITMUS_FAULT),
	MP_BROKEN("MP.RTf.inv+dmb+addr~nowrite", "the same without the write to pte(x)", INVALID,
		  raise_only, flag_addr_read, LITMUS_FAULT),
	MP_ALLOWED("MP.RTf.inv+dmb+po", "pte(x)=0; W pte(x)=A; DMB; W flag || R flag; R x",
		   LOADS_IN_ORDER, INVALID, map_dmb_raise, flag_read, LITMUS_FAULT),
	MP_ALLOWED("MP.RTf.inv+dmbs", "pte(x)=0; W pte(x)=A; DMB; W flag || R flag; DMB; R x",
		   LOADS_IN_ORDER, INVALID, map_dmb_raise, flag_dmb_read, LITMUS_FAULT),
	MP_ALLOWED("MP.RTf.inv+dmb+ctrl",
		   "pte(x)=0; W pte(x)=A; DMB; W flag || R flag; branch; R x", LOADS_IN_ORDER,
		   INVALID, map_dmb_raise, flag_ctrl_read, LITMUS_FAULT),
	MP_ALLOWED("MPInv+dsb+dsb-isb", "W pte(x)=0; DSB; W flag || R flag; DSB; ISB; R x", NULL,
		   VALID, unmap_dsb_raise, flag_dsb_isb_read, OLD),
	MP_FORBIDDEN("MPInv+shoot+dsb-isb", "W pte(x)=0; shoot; W flag || R flag; DSB; ISB; R x",
		     "MPInv+dsb+dsb-isb", NULL, VALID, unmap_shoot_raise, flag_dsb_isb_read, OLD),
	MP_FORBIDDEN("MP+bbm+dsb-isb",
		     "W pte(x)=0; shoot; W pte(x)=B; DSB; W flag || R flag; DSB; ISB; R x",
		     "MPV2I2V-no-bbm", NULL, VALID, bbm_raise, flag_dsb_isb_read, OLD),
	MP_ALLOWED("MPV2I2V-no-bbm",
		   "W pte(x)=0; DSB; W pte(x)=B; DSB; W flag || R flag; DSB; ISB; R x", NULL, VALID,
		   no_bbm_raise, flag_dsb_isb_read, OLD),
	MP_FORBIDDEN("permchange-M-shoot+dmb",
		     "pte(x) read-only; W pte(x)=writable; shoot; W flag || R flag; DMB; W x",
		     "permchange-M-shoot+dmb~nowrite", "permchange-M+dmb", READONLY,
		     map_shoot_raise, flag_dmb_store, LITMUS_FAULT),
	MP_BROKEN("permchange-M-shoot+dmb~nowrite", "the same without the write to pte(x)",
		  READONLY, raise_only, flag_dmb_store, LITMUS_FAULT),
	MP_ALLOWED("permchange-M+dmb",
		   "pte(x) read-only; W pte(x)=writable; DMB; W flag || R flag; DMB; W x",
		   WALKS_AGAIN, READONLY, map_dmb_raise, flag_dmb_store, LITMUS_FAULT),
	{MP("S.RT.ro+dsb-tlbiis-dsb+dsb-isb",
	    "W pte(x)=read-only; shoot; W flag || R flag; DSB; ISB; W x", VALID,
	    protect_shoot_raise, flag_dsb_isb_store, 0),
	 .plant_store = 2, .twin = "S.RT.ro+dsb+dsb-isb"},
	{MP("S.RT.ro+dsb+dsb-isb", "W pte(x)=read-only; DSB; W flag || R flag; DSB; ISB; W x",
	    VALID, protect_dsb_raise, flag_dsb_isb_store, 0),
	 .plant_store = 2, .verdict = LITMUS_ALLOWED},
	MP_FORBIDDEN("MP+dmb.st+dsb.ld-tlbi-dsb-isb",
		     "W pte(x)=B; DMB ST; W flag || R flag; DSB LD; TLBI; DSB; ISB; R x",
		     "MP.RT+dmb+dsb-isb", "MP+dmb.st+dsb.st-tlbi-dsb-isb", VALID, write_dmbst_raise,
		     flag_dsbld_flush_read, OLD),
	MP_ALLOWED("MP+dmb.st+dsb.st-tlbi-dsb-isb",
		   "W pte(x)=B; DMB ST; W flag || R flag; DSB ST; TLBI; DSB; ISB; R x",
		   LOADS_IN_ORDER, VALID, write_dmbst_raise, flag_dsbst_flush_read, OLD),
	MP_FORBIDDEN("MP+dmb.st+ctrl-isb-tlbi-dsb-isb",
		     "W pte(x)=B; DMB ST; W flag || R flag; branch; ISB; TLBI; DSB; ISB; R x",
		     "MP.RT+dmb+dsb-isb", "MP+dmb.st+dsb.st-tlbi-dsb-isb", VALID, write_dmbst_raise,
		     flag_ctrl_isb_flush_read, OLD),
	MP_FORBIDDEN("MP+dmb.st+addr-tlbi-dsb-isb",
		     "W pte(x)=B; DMB ST; W flag || R flag; TLBI by its address; DSB; ISB; R x",
		     "MP.RT+dmb+dsb-isb", "MP+dmb.st+dsb.st-tlbi-dsb-isb", VALID, write_dmbst_raise,
		     flag_addr_flush_read, OLD),

	/* Without a flag. */
	{PAIR("CoRpteTf.inv+dsb-isb", "pte(x)=0; W pte(x)=A || R pte(x)=A; DSB; ISB; R x", INVALID,
	      map_only, entry_dsb_isb_read, "e", 1, LITMUS_FAULT),
	 .twin = "CoRpteTf.inv+dsb-isb~other", .weaker = "CoRpteTf.inv+dsb"},
	{PAIR("CoRpteTf.inv+dsb-isb~other", "the same where the entry read is another page's",
	      INVALID, map_only, entry_of_y_read, "e", 1, LITMUS_FAULT),
	 .verdict = LITMUS_BROKEN},
	{PAIR("CoRpteTf.inv+dsb", "pte(x)=0; W pte(x)=A || R pte(x)=A; DSB; R x", INVALID, map_only,
	      entry_dsb_read, "e", 1, LITMUS_FAULT),
	 .verdict = LITMUS_ALLOWED, .hidden = LOADS_IN_ORDER},
	{PAIR("CoTRpte.inv+po", "pte(x)=0; W pte(x)=A || R x; R pte(x)=0", INVALID, map_only,
	      read_entry, "r", 0, 0),
	 .verdict = LITMUS_ALLOWED, .hidden = LOADS_IN_ORDER},
	{PAIR("CoTRpte.inv+dsb", "pte(x)=0; W pte(x)=A || R x; DSB; R pte(x)=0", INVALID, map_only,
	      read_dsb_entry, "r", 0, 0),
	 .twin = "CoTRpte.inv+dsb~other", .weaker = "CoTRpte.inv+po"},
	{PAIR("CoTRpte.inv+dsb~other", "the same where the entry read is another page's", INVALID,
	      map_only, read_dsb_entry_of_y, "r", 0, 0),
	 .y = LITMUS_INVALID, .verdict = LITMUS_BROKEN},
	{PAIR("CoTTf.inv+dsb-isb", "pte(x)=0; W pte(x)=A || R x; DSB; ISB; R x faults", INVALID,
	      map_only, read_dsb_isb_read, "r", 0, LITMUS_FAULT),
	 .twin = "CoTTf.inv+dsb-isb~unmap", .weaker = "CoTTf.inv+po"},
	{PAIR("CoTTf.inv+dsb-isb~unmap", "the same where x is unmapped again", INVALID,
	      map_and_unmap, read_await_read, "r", 0, LITMUS_FAULT),
	 .verdict = LITMUS_BROKEN},
	{PAIR("CoTTf.inv+po", "pte(x)=0; W pte(x)=A || R x; R x faults", INVALID, map_only,
	      read_read, "r", 0, LITMUS_FAULT),
	 .verdict = LITMUS_ALLOWED, .hidden = LOADS_IN_ORDER},
	{PAIR("CoTfT", "pte(x)=0; W pte(x)=A || R x faults; R x", INVALID, map_only, read_read, "r",
	      LITMUS_FAULT, 0),
	 .verdict = LITMUS_ALLOWED},
	{PAIR("coRR+bbm", "W pte(x)=0; shoot; W pte(x)=B || R x=B; R x=A", VALID, bbm_only,
	      read_read, "r", 1, 0),
	 .twin = "coRR+bbm~back", .weaker = "coRR+nobbm"},
	{PAIR("coRR+bbm~back", "the same, and back again in the same way", VALID, bbm_and_back,
	      read_await_read, "r", 1, 0),
	 .verdict = LITMUS_BROKEN},
	{PAIR("coRR+bbm.noscope", "W pte(x)=0; shoot another; W pte(x)=B || R x=B; R x=A", VALID,
	      break_shoot_y_make, read_read, "r", 1, 0),
	 .verdict = LITMUS_ALLOWED, .hidden = "the emulator keeps one entry per address"},
	{PAIR("coRR+nobbm", "W pte(x)=B || R x=B; R x=A", VALID, write_only, read_read, "r", 1, 0),
	 .verdict = LITMUS_ALLOWED, .hidden = "the emulator keeps one entry per address"},
	{.name = "nBBM",
	 .program = "W pte(x)=B || R x",
	 .verdict = LITMUS_ALLOWED,
	 .thread = {write_only, read_x},
	 .plant = 2,
	 .regs = {"p1:r"},
	 .asked = {{1, OLD}}},
	{.name = "RBS+dsb-tlbiis-dsb",
	 .program = "W pte(x)=0; shoot; W 2 to its frame || R x",
	 .twin = "RBS+dsb",
	 .thread = {unmap_shoot_reuse, read_x},
	 .plant = 2,
	 .regs = {"p1:r"},
	 .asked = {{1, 2}}},
	{.name = "RBS+dsb",
	 .program = "W pte(x)=0; DSB; W 2 to its frame || R x",
	 .verdict = LITMUS_ALLOWED,
	 .thread = {unmap_dsb_reuse, read_x},
	 .plant = 2,
	 .regs = {"p1:r"},
	 .asked = {{1, 2}}},
	{.name = "ROT.inv+dsb",
	 .program = "W leaf; DSB; W table entry || R x by what the leaf held before",
	 .twin = "ROT.inv~nowrite",
	 .weaker = "ROT.inv+po",
	 .thread = {table_dsb_publish, read_x},
	 .x = LITMUS_INVALID,
	 .x_level = 1,
	 .prepare = garbage_leaf,
	 .regs = {"p1:r"},
	 .asked = {{1, 3}}},
	{.name = "ROT.inv+dmb.st",
	 .program = "W leaf; DMB ST; W table entry || R x by what the leaf held before",
	 .twin = "ROT.inv~nowrite",
	 .weaker = "ROT.inv+po",
	 .thread = {table_dmbst_publish, read_x},
	 .x = LITMUS_INVALID,
	 .x_level = 1,
	 .prepare = garbage_leaf,
	 .regs = {"p1:r"},
	 .asked = {{1, 3}}},
	{.name = "ROT.inv+po",
	 .program = "W leaf; W table entry || R x by what the leaf held before",
	 .verdict = LITMUS_ALLOWED,
	 .hidden = IN_ORDER,
	 .thread = {table_publish, read_x},
	 .x = LITMUS_INVALID,
	 .x_level = 1,
	 .prepare = garbage_leaf,
	 .regs = {"p1:r"},
	 .asked = {{1, 3}}},
	{.name = "ROT.inv~nowrite",
	 .program = "W table entry, the leaf never || R x",
	 .verdict = LITMUS_BROKEN,
	 .thread = {write_only, read_x},
	 .x = LITMUS_INVALID,
	 .x_level = 1,
	 .prepare = garbage_leaf,
	 .regs = {"p1:r"},
	 .asked = {{1, 3}}},
	{.name = NULL},
};
