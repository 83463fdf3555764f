/* Broken invariants end the run: registers, backtrace, other CPUs stopped, TARRY-END rc=. */
#pragma once

#include <kernel/types.h>

struct trapframe;

enum { RC_PASS = 0, RC_FAIL = 1, RC_USAGE = 2, RC_SKIP = 4, RC_PANIC = 70 };

/*
 * Ask for panic=S: reboot S seconds after a panic, 0 = stop and stay. Without it a
 * panic ends the run with RC_PANIC, as a lab wants it.
 */
void panic_init(void);
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;
/* The same with the state of an interrupted context. */
void panic_trap(const struct trapframe *tf, const char *fmt, ...) __printf(2, 3) __noreturn;
/* Print the end marker and end the run with this verdict. */
void machine_end(unsigned rc) __noreturn;
void machine_reboot(void) __noreturn;
/* The return addresses of the callers, nearest first. Returns how many, at most `max`. */
unsigned backtrace_take(u64 *ip, unsigned max);
/* "name+0x12" of a kernel address, into buf. */
const char *symbol_of(u64 ip, char *buf, size_t size);
/* IPI_STOP handler. */
void panic_stop_this_cpu(void) __noreturn;
/* Some CPU has panicked: a CPU that finds this while it polls stops. */
bool panic_active(void);

#define ASSERT(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(!(cond)))                                                             \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #cond);           \
	} while (0)
