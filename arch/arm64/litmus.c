/* arm64: the ways to flush a page, and what this CPU has of them, for tests/litmus. */
#include <arch/litmus.h>
#include <arch/pgtable.h>
#include <kernel/smp.h>

const char *litmus_no_hw_dirty(void)
{
	return arm64_features.hw_dirty ? NULL : "no hardware dirty state";
}

static const char *litmus_no_tlbi_range(void)
{
	return arm64_features.tlbi_range ? NULL : "no TLBI by range";
}

static u64 asid_loaded(void)
{
	return sysreg_read(ttbr0_el1) >> 48;
}

/* This CPU only. The entry's store first: the walks behind the TLBI must see it. */
#define LOCAL(name, invalidate)                                                                    \
	static void name(vaddr_t va __unused, unsigned level __unused)                             \
	{                                                                                          \
		dsb(nshst);                                                                        \
		invalidate;                                                                        \
		dsb(nsh);                                                                          \
		isb();                                                                             \
	}

/* All CPUs of the Inner Shareable domain. */
#define BROADCAST(name, invalidate)                                                                \
	static void name(vaddr_t va __unused, unsigned level __unused)                             \
	{                                                                                          \
		dsb(ishst);                                                                        \
		invalidate;                                                                        \
		dsb(ish);                                                                          \
		isb();                                                                             \
	}

#define HERE tlbi_operand(va, (asid_t)asid_loaded())

LOCAL(by_vae1, tlbi_arg(vae1, HERE))
LOCAL(by_vale1, tlbi_arg(vale1, HERE))
LOCAL(by_vaae1, tlbi_arg(vaae1, tlbi_operand(va, 0)))
LOCAL(by_vaale1, tlbi_arg(vaale1, tlbi_operand(va, 0)))
LOCAL(by_aside1, tlbi_arg(aside1, tlbi_operand(0, (asid_t)asid_loaded())))
LOCAL(by_vmalle1, tlbi(vmalle1))
BROADCAST(by_vae1is, tlbi_arg(vae1is, HERE))
BROADCAST(by_vale1is, tlbi_arg(vale1is, HERE))
BROADCAST(by_vaae1is, tlbi_arg(vaae1is, tlbi_operand(va, 0)))
BROADCAST(by_vaale1is, tlbi_arg(vaale1is, tlbi_operand(va, 0)))
BROADCAST(by_aside1is, tlbi_arg(aside1is, tlbi_operand(0, (asid_t)asid_loaded())))
BROADCAST(by_vmalle1is, tlbi(vmalle1is))

/* Two pages, or a 2 MiB page as its 512; by the function that migration uses. */
static void by_range(vaddr_t va, unsigned level, asid_t asid)
{
	/* The entries before the TLBIs, for all walkers; partner: their walks. */
	dsb(ishst);
	tlb_bcast_range(ALIGN_DOWN(va, PT_LEVEL_SIZE(level)), level ? HUGE_PAGES : 2, asid);
	/* Complete on all CPUs, and for this CPU's next instructions. */
	dsb(ish);
	isb();
}

static void by_rvale1is(vaddr_t va, unsigned level)
{
	by_range(va, level, (asid_t)asid_loaded());
}

static void by_rvaale1is(vaddr_t va, unsigned level)
{
	by_range(va, level, ASID_KERNEL);
}

static void local_here(void *arg)
{
	by_vaae1((vaddr_t)arg, 0);
}

static void by_ipi(vaddr_t va, unsigned level __unused)
{
	/* The entry before the TLBIs of the others; partner: their walks after that. */
	dsb(ishst);
	smp_call(&cpu_online, local_here, (void *)va);
}

const struct litmus_flush litmus_flushes[] = {
	{"vae1", by_vae1, false, NULL},
	{"vale1", by_vale1, false, NULL},
	{"vaae1", by_vaae1, false, NULL},
	{"vaale1", by_vaale1, false, NULL},
	{"aside1", by_aside1, false, NULL},
	{"vmalle1", by_vmalle1, false, NULL},
	{"vae1is", by_vae1is, true, NULL},
	{"vale1is", by_vale1is, true, NULL},
	{"vaae1is", by_vaae1is, true, NULL},
	{"vaale1is", by_vaale1is, true, NULL},
	{"aside1is", by_aside1is, true, NULL},
	{"vmalle1is", by_vmalle1is, true, NULL},
	{"rvale1is", by_rvale1is, true, litmus_no_tlbi_range},
	{"rvaale1is", by_rvaale1is, true, litmus_no_tlbi_range},
	{"ipi-vaae1", by_ipi, true, NULL},
	{NULL, NULL, false, NULL},
};
