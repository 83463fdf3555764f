/* Machines that the boot line names, and we talk to: by address, or by a name that DNS is asked about. */
#pragma once

#include "net.h"
#include <lwip/ip_addr.h>

struct peer {
	char host[NET_HOST_MAX + 1];
	u16 port;
	ip_addr_t address; /* if it is known */
	enum { PEER_UNKNOWN, PEER_ASKED, PEER_KNOWN } state;
	u64 again; /* ns: it is not asked about before */
};

/*
 * Who is meant by len characters of an option's value; port: where it names none. False: nobody, and that was logged. *p must be
 * zero, and stays in use.
 */
bool peer_init(struct peer *p, const char *option, const char *text, size_t len, u16 port);
/* Is its address known, and have we one ourselves? Asks if not. Console's CPU, in its loop. */
bool peer_is_ready(struct peer *p);
