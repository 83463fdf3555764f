/*
 * The hypervisor of x86-64: AMD SVM with nested paging (APM vol. 2, chapter 15). What the guest does to the CPU stops
 * it: ports, MSRs, HLT, SVM's own instructions, every exception.
 *
 * Tags are ASIDs, tag + 1, as the host has 0; each CPU numbers its own, as it does with PCIDs. An INVLPGA by
 * guest-physical address does not exist: a flush is one of the ASID, or without FlushByAsid of everything, which the next VMRUN
 * carries out. Its walks come after that, and VMRUN lets earlier loads complete first (it serialises, 15.5.1).
 */
#include <arch/hypervisor.h>
#include <arch/platform.h>
#include <asm/features.h>
#include <asm/regs.h>
#include <asm/svm.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/percpu.h>
#include <kernel/smp.h>
#include <kernel/string.h>

struct vcpu {
	struct svm_registers registers;
	struct vmcb *vmcb; /* a page */
};

struct svm_cpu {
	void *save; /* a page for the host's state while a guest runs; NULL: not enabled */
	u32 flush; /* tags to be flushed when they run next */
};
static PERCPU(struct svm_cpu, svm_cpu);

/* All ones: every port (12 KiB) and every MSR (8 KiB) stops the guest. */
enum { MAPS_SIZE = 4 * PAGE_SIZE };
static void *maps;

/* ---- tables ------------------------------------------------------------------ */

/* APM vol. 2 15.25.5: a guest's accesses are a user's, and so are the walks of its own tables. */
static pte_t mk_leaf(paddr_t pa, prot_t prot, unsigned level)
{
	return pte_mk_leaf(pa, prot | PROT_USER | PROT_EXEC, level);
}

/* Two pages: the root, and a table of 1 GiB leaves, as far as it goes. */
static void fill_own(void *pages, u64 at)
{
	pte_t *root = pages, *leaves = root + PT_ENTRIES;

	memset(pages, 0, 2 * PAGE_SIZE);
	root[0] = pte_mk_table(at + PAGE_SIZE);
	for (u64 i = 0; i < PT_ENTRIES; i++)
		leaves[i] = pte_mk_leaf(i << PT_LEVEL_SHIFT(2), PROT_WRITE | PROT_EXEC, 2);
}

/* ---- CPUs ---------------------------------------------------------------------- */

static void enable_here(void *arg __unused)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, virt_to_phys(this_cpu_ptr(svm_cpu)->save));
	this_cpu_ptr(svm_cpu)->flush = ~0U;
}

static void disable_here(void *arg __unused)
{
	wrmsr(MSR_VM_HSAVE_PA, 0);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SVME);
}

static void free_pages(void)
{
	cpumask_for_each (cpu, &cpu_online) {
		struct svm_cpu *c = cpu_ptr(cpu, svm_cpu);

		if (c->save)
			kmem.free(c->save, PAGE_SIZE);
		c->save = NULL;
	}
	kmem.free(maps, MAPS_SIZE);
	maps = NULL;
}

static int enable(void)
{
	ASSERT(!maps);
	maps = kmem.alloc(MAPS_SIZE, this_cpu_ptr(cpu_self)->node);
	if (!maps)
		return -ENOMEM;
	memset(maps, 0xff, MAPS_SIZE);
	cpumask_for_each (cpu, &cpu_online) {
		struct svm_cpu *c = cpu_ptr(cpu, svm_cpu);

		c->save = kmem.alloc(PAGE_SIZE, cpu_ptr(cpu, cpu_self)->node);
		if (!c->save) {
			free_pages();
			return -ENOMEM;
		}
	}
	smp_call(&cpu_online, enable_here, NULL);
	return 0;
}

static void disable(void)
{
	smp_call(&cpu_online, disable_here, NULL);
	free_pages();
}

/* ---- virtual CPUs ---------------------------------------------------------------- */

static void fill_control(struct vmcb *c, paddr_t root)
{
	c->exceptions = ~0U;
	c->intercept3 = SVM_INTR | SVM_NMI | SVM_INVD | SVM_HLT | SVM_INVLPGA | SVM_IOIO | SVM_MSR |
			SVM_TASK_SWITCH | SVM_SHUTDOWN;
	c->intercept4 = SVM_VMRUN | SVM_VMMCALL | SVM_REST;
	c->write_cr = c->write_dr = 0xffff;
	c->iopm_base_pa = c->msrpm_base_pa = virt_to_phys(maps);
	c->v_intr = V_INTR_MASKING;
	c->np_enable = 1;
	c->n_cr3 = root;
}

/* 64-bit mode, ring 0, interrupts masked. */
static void fill_state(struct vmcb *c, const struct vcpu_start *start)
{
	c->cs = (struct vmcb_segment){SEL_CODE, 0xa9b, ~0U, 0};
	c->ss = (struct vmcb_segment){SEL_DATA, 0xc93, ~0U, 0};
	c->ds = c->es = c->ss;
	c->efer = EFER_SVME | EFER_LMA | EFER_LME | (rdmsr(MSR_EFER) & EFER_NXE);
	c->cr0 = CR0_KERNEL;
	c->cr3 = start->own;
	c->cr4 = CR4_PAE;
	c->dr6 = 0xffff0ff0; /* as after reset */
	c->dr7 = 0x400;
	c->rflags = 2; /* the bit that is always set */
	c->rip = start->pc;
	c->rsp = start->sp - sizeof(u64); /* as a call leaves it */
	c->g_pat = rdmsr(MSR_PAT);
}

static struct vcpu *create(const struct vcpu_start *start, u32 node)
{
	struct vcpu *v = kmem.alloc(sizeof(*v), node);

	if (!v)
		return NULL;
	v->vmcb = kmem.alloc(sizeof(*v->vmcb), node);
	if (!v->vmcb) {
		kmem.free(v, sizeof(*v));
		return NULL;
	}
	fill_control(v->vmcb, start->root);
	fill_state(v->vmcb, start);
	v->registers.rdi = start->arg;
	return v;
}

static void destroy(struct vcpu *v)
{
	kmem.free(v->vmcb, sizeof(*v->vmcb));
	kmem.free(v, sizeof(*v));
}

static void read_exit(struct vmcb *c, struct guest_stop *stop)
{
	switch (c->exitcode) {
	case EXIT_INTR:
	case EXIT_NMI: /* taken at STGI */
		stop->why = GUEST_INTERRUPT;
		return;
	case EXIT_VMMCALL:
		c->rip += 3; /* CPUs without NRIPS do not say where the next instruction is */
		stop->why = GUEST_CALL;
		return;
	case EXIT_NPF:
		stop->why = GUEST_FAULT;
		stop->address = c->exitinfo2;
		stop->write = c->exitinfo1 & NPF_WRITE;
		return;
	}
	stop->why = GUEST_BROKEN;
	stop->code = c->exitcode;
	stop->pc = c->rip;
}

/* What TLB_CONTROL this run takes. */
static u8 flush_due(struct svm_cpu *cpu, unsigned tag, struct guest_stop *stop)
{
	if (!(cpu->flush >> tag & 1))
		return TLB_CONTROL_NOTHING;
	if (x86_has(X86_FLUSHBYASID)) {
		cpu->flush &= ~(1U << tag);
		return TLB_CONTROL_ASID;
	}
	cpu->flush = 0;
	stop->dropped_all = true;
	return TLB_CONTROL_ALL;
}

static void run(struct vcpu *v, unsigned tag, struct guest_stop *stop)
{
	struct svm_cpu *cpu = this_cpu_ptr(svm_cpu);

	*stop = (struct guest_stop){0};
	v->vmcb->asid = tag + 1;
	v->vmcb->tlb_control = flush_due(cpu, tag, stop);
	svm_switch(virt_to_phys(v->vmcb), &v->registers);
	read_exit(v->vmcb, stop);
}

static void flush(unsigned tag)
{
	this_cpu_ptr(svm_cpu)->flush |= 1U << tag;
}

const struct hypervisor svm_hypervisor = {
	.name = "AMD SVM with nested paging",
	.start_level = PT_LEVELS - 1,
	.root_entries = PT_ENTRIES,
	.mk_leaf = mk_leaf,
	.mk_table = pte_mk_table,
	.is_table = pte_is_table,
	.pa = pte_pa,
	.block_ok = pt_block_ok,
	.own_pages = 2,
	.fill_own = fill_own,
	.enable = enable,
	.disable = disable,
	.create = create,
	.destroy = destroy,
	.run = run,
	.flush = flush,
};
