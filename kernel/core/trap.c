/* Exceptions: memory faults go to the memory manager, probes get an error, the rest is a panic. */
#include <kernel/det.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/trap.h>
#include <arch/irq.h>
#include <arch/trap.h>

bool (*trap_page_fault_handler)(struct trapframe *tf);

static bool handle_page_fault(struct trapframe *tf)
{
	bool irqs = trap_irqs_enabled(tf), done;

	if (!trap_page_fault_handler)
		return false;
	/* The handler may wait for others, so this CPU must go on answering them. */
	if (irqs) {
		irq_enable();
		det_yield_point();
	}
	done = trap_page_fault_handler(tf);
	if (irqs)
		irq_disable();
	return done;
}

static bool is_guard(vaddr_t va)
{
	return kmem.is_guard && kmem.is_guard(va);
}

/*
 * A push onto a full stack faults just below the stack pointer, where x86 then
 * cannot push the exception either: it arrives as another kind, with the stack
 * pointer as the only witness.
 */
static bool is_stack_overflow(const struct trapframe *tf)
{
	u64 sp = trap_sp(tf);

	if (trap_kind(tf) == TRAP_PAGE_FAULT)
		return is_guard(trap_fault_va(tf));
	return is_guard(sp) || is_guard(sp - sizeof(u64));
}

static void unhandled(const struct trapframe *tf)
{
	char name[80];

	symbol_of(trap_ip(tf), name, sizeof(name));
	if (is_stack_overflow(tf))
		panic_trap(tf, "stack overflow in %s", name);
	if (trap_kind(tf) != TRAP_PAGE_FAULT)
		panic_trap(tf, "%s in %s", trap_name(tf), name);
	panic_trap(tf, "page fault: %s %#lx in %s, %s",
		   trap_fault_is_exec(tf)    ? "execution at"
		   : trap_fault_is_write(tf) ? "store to"
					     : "load from",
		   trap_fault_va(tf), name,
		   trap_fault_is_present(tf) ? "not allowed" : "not mapped");
}

void trap_handle(struct trapframe *tf)
{
	bool fault = trap_kind(tf) == TRAP_PAGE_FAULT;

	/* During a panic the locks that the handler needs may be held by a CPU that was stopped. */
	if (fault && !panic_active() && handle_page_fault(tf))
		return;
	if (fault && trap_fixup(tf))
		return;
	unhandled(tf);
}
