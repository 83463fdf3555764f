/* What the port's own files call of each other: vectors, interrupt controller, start of CPUs. */
#pragma once

#include <kernel/percpu.h>

struct trapframe;
struct bootinfo;

/* From vectors.S: interrupts masked, on the interrupted stack. */
void arm64_sync(struct trapframe *tf);
void arm64_irq(struct trapframe *tf);
void arm64_unexpected(struct trapframe *tf);
extern const char arm64_vectors[];

/* The distributor, then (each CPU) its own interface. */
void gic_init(const struct bootinfo *bi);
void gic_init_cpu(unsigned cpu);
void gic_handle(void); /* take what is pending */
extern PERCPU_DECLARE(paddr_t, gic_private_frame); /* registers of this CPU's private interrupts */

/* Called by gic_handle(). */
void timer_interrupt(void);
void timer_init(const struct bootinfo *bi);
unsigned timer_intid(void);

/* Firmware call by the conduit that it names (PSCI, Arm DEN 0022). Returns x0; PSCI_NOT_SUPPORTED without one. */
enum { PSCI_SUCCESS = 0, PSCI_NOT_SUPPORTED = -1, PSCI_ALREADY_ON = -4 };
#define PSCI_CPU_ON 0xc4000003u
#define PSCI_SYSTEM_OFF 0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u
long psci_call(u64 function, u64 a, u64 b, u64 c);
void psci_init(const struct bootinfo *bi);
/* Boot CPU, once, after psci_init(): what cpu_accel() answers. */
void accel_init(const struct bootinfo *bi);

/* Entry of a secondary CPU from firmware (boot/arm64/head.S) and what it finds at x0. */
struct secondary_args { /* offsets are known to head.S */
	u64 idmap, root; /* physical, for TTBR0 and TTBR1 */
	u64 stack_top;
	u64 cpu;
	u64 percpu_offset;
	u32 arrived; /* set by that CPU */
} __aligned(CACHE_LINE);
extern const char secondary_entry[];
void secondary_start(unsigned cpu) __noreturn;
