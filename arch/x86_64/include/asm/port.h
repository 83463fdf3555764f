/* Between the files of the x86-64 port that are too small for a header each. */
#pragma once

#include <kernel/types.h>

struct bootinfo;
struct trapframe;

/* gdt.c: descriptor tables and task segment of this CPU's per-CPU area. */
void gdt_load(void);
/* Stacks of the exceptions that must not use the interrupted one; task context, may allocate. */
int gdt_alloc_stacks(unsigned cpu);
/* trap.c */
void idt_load(void);
/* nmi.c: true if somebody had asked for this NMI. */
bool nmi_handle(const struct trapframe *tf);
void nmi_stop_cpu(unsigned cpu);
/* tsc.c: clock frequency, and the local APIC timer's beside it. */
void tsc_calibrate(const struct bootinfo *bi);
u64 tsc_from_ns(u64 ns);
void tsc_delay_us(unsigned us);
u64 apic_timer_hz(void);
/* timer.c */
void timer_init_cpu(void);
/* exit.c */
void exit_init(const struct bootinfo *bi);
/* Entered from trap.S. */
void x86_exception(struct trapframe *tf);
void x86_ipi_tlb(void);
void x86_ipi_call(void);
void x86_ipi_wake(void);
void x86_timer_interrupt(void);
