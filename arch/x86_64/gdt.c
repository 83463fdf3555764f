/*
 * Segments and the task state segment, one set per CPU in its per-CPU area.
 * Long mode needs them only for the stacks of exceptions that must not run on
 * the interrupted one.
 */
#include <arch/cpu.h>
#include <asm/port.h>
#include <asm/regs.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/percpu.h>
#include <kernel/smp.h>

struct __packed tss { /* SDM vol. 3 figure 7-11 */
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 iomap; /* at or behind the limit: none */
};

enum { IST_STACKS = 3 }; /* double fault, NMI, machine check: idt_load() names them */

struct x86_segments {
	u64 gdt[5]; /* null, code, data, two words of task segment */
	struct tss tss;
};

PERCPU(struct x86_segments, x86_segments) __aligned(CACHE_LINE);

/* Until memory can be allocated, the boot CPU's three share it; nesting is fatal anyway. */
static u8 early_stack[8192] __aligned(16);

static u64 segment_tss_low(u64 base)
{
	u64 limit = sizeof(struct tss) - 1;

	/* Present, type 9: available 64-bit task segment (SDM vol. 3 figure 7-4). */
	return limit | (base & 0xffffff) << 16 | 0x89UL << 40 | (base >> 24 & 0xff) << 56;
}

void gdt_load(void)
{
	struct x86_segments *s = this_cpu_ptr(x86_segments);
	struct __packed {
		u16 limit;
		u64 base;
	} gdtr = {sizeof(s->gdt) - 1, (u64)s->gdt};

	s->gdt[SEL_CODE / 8] = GDT_CODE;
	s->gdt[SEL_DATA / 8] = GDT_DATA;
	s->gdt[SEL_TSS / 8] = segment_tss_low((u64)&s->tss);
	s->gdt[SEL_TSS / 8 + 1] = (u64)&s->tss >> 32;
	s->tss.iomap = sizeof(s->tss);
	for (unsigned i = 0; i < IST_STACKS; i++) {
		if (!s->tss.ist[i])
			s->tss.ist[i] = (u64)early_stack + sizeof(early_stack);
	}
	asm volatile("lgdt %0; ltr %w1" ::"m"(gdtr), "r"(SEL_TSS) : "memory");
}

int gdt_alloc_stacks(unsigned cpu)
{
	struct x86_segments *s = cpu_ptr(cpu, x86_segments);
	u32 node = cpu_ptr(cpu, cpu_self)->node;

	for (unsigned i = 0; i < IST_STACKS; i++) {
		char *stack = kmem.stack_alloc(node);

		if (!stack)
			return -ENOMEM;
		s->tss.ist[i] = (u64)stack + KSTACK_SIZE;
	}
	return 0;
}
