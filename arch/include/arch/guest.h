/* CONTRACT: what code inside a guest of ours may do beside computing. Such code lies in files *_guest.c: see linker.ld. */
#pragma once

/* Stop, and let the host look. On return the host has let the guest go on. */
static inline void guest_call(void);

#include <asm/guest.h>
