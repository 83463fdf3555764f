/* What the services over TCP share: their ports, and how a connection is closed. */
#pragma once

#include <kernel/types.h>
#include <lwip/tcp.h>

/* The port that an option of the boot line names. False: text is NULL, or it is no port, and that was logged. */
bool serve_port(const char *option, const char *text, u16_t *port);
/* Listen there. False: lwIP cannot, and that was logged. */
bool serve_start(const char *option, u16_t port, tcp_accept_fn accept);
/*
 * For an accept callback: may this connection be served? Not where the other side has no room for two full segments. lwIP 2.1.3
 * cuts what it sends to half of the largest window it was ever offered, and stops with an assertion (tcp_write(): "mss_local is
 * too small") where a queued segment, cut while nothing was offered, is larger than that. The largest window never shrinks.
 */
bool serve_accepts(const struct tcp_pcb *pcb, err_t err);
/* Close it, or reset it if there is no memory to close it; NULL: it is gone already. Not in a callback of lwIP. */
void serve_stop(struct tcp_pcb *pcb);
/* Reset it, whatever is still to be sent. The same rules. */
void serve_drop(struct tcp_pcb *pcb);
