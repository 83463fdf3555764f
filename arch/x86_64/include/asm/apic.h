/* The local APIC: this CPU's interrupts, and the way to other CPUs. Private to the port. */
#pragma once

#include <kernel/types.h>

/*
 * All our vectors lie in the highest priority class and the task priority holds
 * back everything below it, so an interrupt that firmware left enabled on some
 * device stays pending for ever instead of arriving without a handler.
 */
enum {
	VECTOR_IPI_BASE = 0xf0, /* + enum ipi; IPI_STOP travels as NMI instead */
	VECTOR_TIMER = 0xf8,
	VECTOR_SPURIOUS = 0xff,
	APIC_TASK_PRIORITY = 0xe0,
};

/* Registers, as offsets in the memory-mapped page (SDM vol. 3 table 10-1). */
enum {
	APIC_ID = 0x20,
	APIC_VERSION = 0x30,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_SVR = 0xf0,
	APIC_ESR = 0x280,
	APIC_ICR_LOW = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_THERMAL = 0x330,
	APIC_LVT_PMC = 0x340,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
};

enum {
	APIC_ICR_INIT = 0x4500, /* delivery mode INIT, level assert */
	APIC_ICR_STARTUP = 0x4600, /* low byte: page number of the code */
	APIC_ICR_NMI = 0x4400,
	APIC_ICR_FIXED = 0x4000,
	APIC_ICR_BUSY = 0x1000,
	APIC_LVT_MASKED = 0x10000,
	APIC_LVT_TIMER_DEADLINE = 0x40000,
	APIC_DIVIDE_BY_16 = 0x3,
};

struct bootinfo;

/* Boot CPU: choose the mode. */
void apic_init(const struct bootinfo *bi);
/* Each CPU, the boot CPU after apic_init(). */
void apic_init_cpu(void);
const char *apic_mode(void);

u32 apic_read(u32 reg);
void apic_write(u32 reg, u32 value);
void apic_eoi(void);
/* Interrupt command to one CPU by APIC id: delivery mode and vector as in ICR bits 0..18. */
void apic_command(u32 apic_id, u32 command);

/* Which id a CPU has. */
u32 apic_id_of(unsigned cpu);
void apic_set_id(unsigned cpu, u32 apic_id);
/* Can a command name this id in the mode we use? */
bool apic_can_reach(u64 apic_id);
