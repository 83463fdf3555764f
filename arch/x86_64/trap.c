/* Exceptions: the descriptor table, dispatch, and what the contract wants to know about a frame. */
#include <arch/trap.h>
#include <asm/apic.h>
#include <asm/port.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/trap.h>

struct gate { /* SDM vol. 3 figure 6-8 */
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, reserved;
};

enum { GATE_INTERRUPT = 0x8e }; /* present, ring 0, interrupts off on entry */

/* trap.S */
extern void (*const trap_stubs[VECTOR_EXCEPTIONS])(void);
extern void trap_ipi_tlb(void), trap_ipi_call(void), trap_ipi_wake(void), trap_timer(void);
extern void trap_spurious(void);

/* One table for all CPUs, written by the boot CPU before any other runs. */
static struct gate idt[256] __aligned(CACHE_LINE);

static void gate_set(unsigned vector, void (*entry)(void), u8 ist)
{
	u64 at = (u64)entry;

	idt[vector] = (struct gate){
		.offset_low = (u16)at,
		.selector = SEL_CODE,
		.ist = ist,
		.type = GATE_INTERRUPT,
		.offset_mid = (u16)(at >> 16),
		.offset_high = (u32)(at >> 32),
	};
}

/* Vectors without a gate cannot arrive (asm/apic.h); one that does is a protection fault. */
static void idt_fill(void)
{
	for (unsigned i = 0; i < VECTOR_EXCEPTIONS; i++)
		gate_set(i, trap_stubs[i], 0);
	gate_set(VECTOR_DOUBLE_FAULT, trap_stubs[VECTOR_DOUBLE_FAULT], 1);
	gate_set(VECTOR_NMI, trap_stubs[VECTOR_NMI], 2);
	gate_set(VECTOR_MACHINE_CHECK, trap_stubs[VECTOR_MACHINE_CHECK], 3);
	gate_set(VECTOR_IPI_BASE + IPI_TLB, trap_ipi_tlb, 0);
	gate_set(VECTOR_IPI_BASE + IPI_CALL, trap_ipi_call, 0);
	gate_set(VECTOR_IPI_BASE + IPI_WAKE, trap_ipi_wake, 0);
	gate_set(VECTOR_TIMER, trap_timer, 0);
	gate_set(VECTOR_SPURIOUS, trap_spurious, 0);
}

void idt_load(void)
{
	struct __packed {
		u16 limit;
		u64 base;
	} idtr = {sizeof(idt) - 1, (u64)idt};

	if (!idt[0].type)
		idt_fill();
	asm volatile("lidt %0" ::"m"(idtr));
}

void x86_exception(struct trapframe *tf)
{
	switch (tf->vector) {
	case VECTOR_NMI:
		if (nmi_handle(tf))
			return;
		break;
	case VECTOR_GENERAL_PROTECTION: /* a non-canonical address, or a register that is not there */
		if (trap_fixup(tf))
			return;
		break;
	}
	trap_handle(tf);
}

void x86_ipi_tlb(void)
{
	apic_eoi();
	ipi_handle(IPI_TLB);
}

void x86_ipi_call(void)
{
	apic_eoi();
	ipi_handle(IPI_CALL);
}

void x86_ipi_wake(void)
{
	apic_eoi();
	ipi_handle(IPI_WAKE);
}

struct extable { /* probe.S */
	u64 ip, fixup;
};

extern const struct extable __start_extable[], __stop_extable[];

extern const char probe_execute_called[], probe_execute_failed[]; /* probe.S */

/* The fetch at the beginning of a call by probe_execute(). */
static bool is_probed_call(const struct trapframe *tf)
{
	return tf->vector == VECTOR_PAGE_FAULT && trap_fault_is_exec(tf) && tf->cr2 == tf->rip &&
	       *(const u64 *)tf->rsp == (u64)probe_execute_called;
}

bool trap_fixup(struct trapframe *tf)
{
	if (is_probed_call(tf)) {
		tf->rsp += sizeof(u64);
		tf->rip = (u64)probe_execute_failed;
		return true;
	}
	for (const struct extable *e = __start_extable; e < __stop_extable; e++) {
		if (e->ip == tf->rip) {
			tf->rip = e->fixup;
			return true;
		}
	}
	return false;
}

const char *trap_name(const struct trapframe *tf)
{
	static const char *const names[VECTOR_EXCEPTIONS] = {
		"divide error",
		"debug",
		"NMI",
		"breakpoint",
		"overflow",
		"bound range",
		"invalid opcode",
		"device not available",
		"double fault",
		"coprocessor overrun",
		"invalid TSS",
		"segment not present",
		"stack segment fault",
		"general protection fault",
		"page fault",
		"exception 15",
		"x87 error",
		"alignment check",
		"machine check",
		"SIMD error",
		"virtualization exception",
		"control protection",
		"exception 22",
		"exception 23",
		"exception 24",
		"exception 25",
		"exception 26",
		"exception 27",
		"hypervisor injection",
		"VMM communication",
		"security exception",
		"exception 31",
	};

	return names[tf->vector % VECTOR_EXCEPTIONS];
}

void trap_dump(const struct trapframe *tf)
{
	printk("%s, vector %u, error code %#x, cr2 %#lx, cr3 %#lx, cr4 %#lx\n", trap_name(tf),
	       tf->vector, tf->error, tf->cr2, cr3_read(), cr4_read());
	printk("rip %04lx:%016lx rsp %04lx:%016lx rflags %08lx\n", tf->cs, tf->rip, tf->ss, tf->rsp,
	       tf->rflags);
	printk("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", tf->rax, tf->rbx, tf->rcx, tf->rdx);
	printk("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", tf->rsi, tf->rdi, tf->rbp, tf->r8);
	printk("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", tf->r9, tf->r10, tf->r11, tf->r12);
	printk("r13 %016lx r14 %016lx r15 %016lx\n", tf->r13, tf->r14, tf->r15);
}
