/* x86: the ways to flush a page, and what this CPU has of them, for tests/litmus. */
#include <arch/litmus.h>
#include <asm/features.h>
#include <kernel/option.h>
#include <kernel/smp.h>

/* CPUID Fn8000_0008 EBX bit 3: INVLPGB and TLBSYNC (APM vol. 3, appendix E). */
#define EXTENDED_SIZES 0x80000008
#define HAS_INVLPGB (1 << 3)

const char *litmus_no_pcid(void)
{
	return cr4_read() & CR4_PCIDE ? NULL : "no PCID";
}

const char *litmus_no_invpcid(void)
{
	return x86_has(X86_INVPCID) ? NULL : "no INVPCID";
}

const char *litmus_no_invlpgb(void)
{
	bool there = cpuid_or_zero(EXTENDED_SIZES, 0).ebx & HAS_INVLPGB;

	return there && !option_list_has("hw", "-invlpgb") ? NULL : "no INVLPGB";
}

const char *litmus_no_pge(void)
{
	return x86_has(X86_PGE) ? NULL : "no global pages";
}

static void by_invlpg(vaddr_t va, unsigned level __unused)
{
	litmus_invlpg(va);
}

/* Bit 63 reads as 0, so this drops the PCID that is loaded. */
static void by_cr3(vaddr_t va __unused, unsigned level __unused)
{
	cr3_write(cr3_read());
}

static void by_pge(vaddr_t va __unused, unsigned level __unused)
{
	irqflags_t flags = irq_save();

	litmus_toggle_pge();
	irq_restore(flags);
}

enum { PCID_MASK = 0xfff };

static void by_invpcid_page(vaddr_t va, unsigned level __unused)
{
	litmus_invpcid(0, cr3_read() & PCID_MASK, va);
}

static void by_invpcid_pcid(vaddr_t va __unused, unsigned level __unused)
{
	litmus_invpcid(1, cr3_read() & PCID_MASK, 0);
}

static void by_invpcid_all(vaddr_t va __unused, unsigned level __unused)
{
	litmus_invpcid(2, 0, 0);
}

static void by_invpcid_nonglobal(vaddr_t va __unused, unsigned level __unused)
{
	litmus_invpcid(3, 0, 0);
}

static void by_invlpgb(vaddr_t va, unsigned level __unused)
{
	irqflags_t flags = irq_save(); /* TLBSYNC waits for what this CPU issued */

	litmus_invlpgb(va);
	litmus_tlbsync();
	irq_restore(flags);
}

static void invlpg_here(void *arg)
{
	litmus_invlpg((vaddr_t)arg);
}

static void by_ipi(vaddr_t va, unsigned level __unused)
{
	smp_call(&cpu_online, invlpg_here, (void *)va);
}

const struct litmus_flush litmus_flushes[] = {
	{"invlpg", by_invlpg, false, NULL},
	{"cr3", by_cr3, false, NULL},
	{"pge", by_pge, false, litmus_no_pge},
	{"invpcid-page", by_invpcid_page, false, litmus_no_invpcid},
	{"invpcid-pcid", by_invpcid_pcid, false, litmus_no_invpcid},
	{"invpcid-all", by_invpcid_all, false, litmus_no_invpcid},
	{"invpcid-nonglobal", by_invpcid_nonglobal, false, litmus_no_invpcid},
	{"invlpgb", by_invlpgb, true, litmus_no_invlpgb},
	{"ipi-invlpg", by_ipi, true, NULL},
	{NULL, NULL, false, NULL},
};
