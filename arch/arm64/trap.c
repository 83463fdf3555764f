/* Exceptions of arm64: from the vectors to the neutral handlers. */
#include <arch/cpu.h>
#include <arch/trap.h>
#include <arch/smp.h>
#include <asm/entry.h>
#include <kernel/percpu.h>
#include <kernel/printk.h>
#include <kernel/trap.h>

/* Where a frame goes when the stack has overflowed; vectors.S knows the size. */
struct emergency_stack {
	u8 bytes[8192];
} __aligned(16);
PERCPU(struct emergency_stack, arm64_emergency);

_Static_assert(sizeof(struct trapframe) == 304, "FRAME_SIZE in vectors.S");
_Static_assert(offsetof(struct trapframe, sp) == 248, "FRAME_SP in vectors.S");
_Static_assert(offsetof(struct trapframe, vector) == 288, "FRAME_VECTOR in vectors.S");

const char *trap_name(const struct trapframe *tf)
{
	if (tf->vector == VECTOR_SERROR)
		return "SError";
	if (tf->vector != VECTOR_SYNC)
		return "unexpected vector";
	switch (trap_ec(tf)) {
	case EC_UNKNOWN:
		return "undefined instruction";
	case EC_ILLEGAL_STATE:
		return "illegal execution state";
	case EC_FETCH:
		return "instruction abort";
	case EC_PC_ALIGNMENT:
		return "misaligned pc";
	case EC_DATA:
		return "data abort";
	case EC_SP_ALIGNMENT:
		return "misaligned sp";
	case EC_BRK:
		return "breakpoint";
	default:
		return "exception";
	}
}

void trap_dump(const struct trapframe *tf)
{
	printk("%s: vector %lu esr %#lx (class %#x) far %#lx\n", trap_name(tf), tf->vector, tf->esr,
	       trap_ec(tf), tf->far);
	printk("pc  %016lx sp  %016lx lr  %016lx pstate %lx\n", tf->pc, tf->sp, tf->x[30],
	       tf->pstate);
	for (unsigned i = 0; i < 30; i += 3)
		printk("x%-2u %016lx x%-2u %016lx x%-2u %016lx\n", i, tf->x[i], i + 1, tf->x[i + 1],
		       i + 2, tf->x[i + 2]);
}

/* probe.S: code that may fault, and where it goes on then, with the error in x0. */
extern const char probe_begin[], probe_end[], probe_failed[];

/* Single instructions elsewhere that may fault (asm/litmus.h), and where each goes on. */
struct extable {
	u64 pc, fixup;
};

extern const struct extable __start_extable[], __stop_extable[];

extern const char probe_execute_called[], probe_execute_failed[]; /* probe.S */

bool trap_fixup(struct trapframe *tf)
{
	if (trap_is_abort(tf) && trap_fault_is_exec(tf) && tf->x[30] == (u64)probe_execute_called) {
		tf->pc = (u64)probe_execute_failed;
		return true;
	}
	for (const struct extable *e = __start_extable; e < __stop_extable; e++) {
		if (e->pc == tf->pc) {
			tf->pc = e->fixup;
			return true;
		}
	}
	if (tf->pc < (u64)probe_begin || tf->pc >= (u64)probe_end)
		return false;
	tf->pc = (u64)probe_failed;
	return true;
}

void arm64_sync(struct trapframe *tf)
{
	/* An instruction that this CPU does not have, tried out: no business of the neutral handler. */
	if (trap_ec(tf) == EC_UNKNOWN && trap_fixup(tf))
		return;
	/* Reported with pc on the BRK; resuming must step over it. */
	if (trap_ec(tf) == EC_BRK)
		tf->pc += 4;
	trap_handle(tf);
}

static PERCPU(u64, interrupted_ip); /* written by its CPU, read by whoever suspects it */

void arm64_irq(struct trapframe *tf)
{
	store_relaxed(this_cpu_ptr(interrupted_ip), tf->pc);
	gic_handle();
}

/* Every interrupt we use can be masked, so there is only what the last one saw. */
bool cpu_sample_ip(unsigned cpu, u64 *ip)
{
	*ip = load_relaxed(cpu_ptr(cpu, interrupted_ip));
	return false;
}

void arm64_unexpected(struct trapframe *tf)
{
	trap_handle(tf);
}
