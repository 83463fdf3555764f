/*
 * Parts that the kernel does without: each registers how it starts, and an image without them links and runs. They
 * start last, before the console's first command.
 */
#pragma once

#include <kernel/register.h>
#include <kernel/types.h>

struct service {
	/* Does nothing unless the boot line asks for it. Task context of the console's CPU; may wait. */
	void (*start)(void);
};

#define SERVICE(ident) REGISTER(service, ident, "services")

extern const struct service *const __start_services[], *const __stop_services[];

/* Set by the network when it runs: every record says it. Console's CPU. */
extern bool net_on;
/*
 * Before a command of a line and before the machine ends by a command: does what must not wait for later, such as sending what
 * the command before has left. Bounded. Task context of the console's CPU, no command runs. NULL: there is nothing.
 */
extern void (*service_settle)(void);
/* The time of day as UTC_LEN bytes of RFC 3339, in UTC; false: nobody knows it. NULL: nobody will. */
enum { UTC_LEN = 32 };
extern bool (*service_utc)(char text[UTC_LEN]);
