/* CONTRACT: what code inside a guest of ours may do beside computing, and samples of what it may not. Such code lies in files *_guest.c: see linker.ld. */
#pragma once

#include <kernel/types.h>

/* Stop, and let the host look. On return the host has let the guest go on. */
static inline void guest_call(void);

/*
 * Instructions that stop a guest as GUEST_BROKEN wherever they are, of each kind one: guest_forbidden[] of the port.
 * GUEST_CALL_CODE is guest_call() as such a word.
 */
struct guest_forbidden {
	const char *name;
	u32 code; /* as it lies in memory, behind it what does nothing */
};

#include <asm/guest.h>
