/* Between the files of the network: what ip= says, the interface to the card, the services. */
#pragma once

#include <kernel/netdev.h>

enum { NET_SHOWN = 40 }; /* characters of a bad value that a message repeats */

/* ---- address.c: pure ---- */

struct net_config { /* addresses as numbers: 10.0.2.15 is 0x0a00020f */
	bool dhcp;
	u32 address, gateway, dns; /* gateway and dns 0: none */
	unsigned bits; /* of the network */
};

/* The value of ip=. NULL, or what is wrong with it; then *c is not to be used. */
const char *net_parse_ip(const char *text, struct net_config *c);
enum { NET_HOST_MAX = 63 }; /* characters of a name or an address */
/*
 * HOST or HOST:PORT in len characters: a name, or an address. *port stays where none is given. NULL, or what is wrong; then
 * neither is to be used.
 */
const char *net_parse_host(const char *text, size_t len, char host[NET_HOST_MAX + 1], u16 *port);
/* Netmask of so many bits, 1 to 32. */
u32 net_mask(unsigned bits);

/* ---- time.c ---- */

enum { NET_UTC_LEN = 32 };
/* Microseconds since 1970 as RFC 3339 has it, "2026-11-29T19:00:00.000Z". Pure. */
void net_utc(u64 us, char text[NET_UTC_LEN]);

/* ---- port.c ---- */

/* Before lwIP's timers run. Console's CPU. */
void port_calm(void);
/*
 * Call step, which may call lwIP. False: lwIP found itself wrong, that was logged, and step was left where it was: lwIP must
 * not be called again. Console's CPU.
 */
bool port_guarded(unsigned (*step)(void), unsigned *result);

/* ---- interface.c ---- */

/* Give the card to lwIP and set or ask for the address. NULL, or why not. Console's CPU, once. */
const char *interface_start(struct netdev *dev, const struct net_config *c);
/* Hand on at most so many frames. How many there were. Console's CPU, in its loop. */
unsigned interface_poll(unsigned most);
/* Is the link up, and is it known who we are? */
bool interface_has_address(void);
/* Is it known where frames to this address (in network order) go to first? Else that is asked for. */
bool interface_reaches(u32 address);
/* "10.0.2.15/24 gw 10.0.2.2", or that there is none yet. */
void interface_describe(char *buf, size_t size);

struct interface_counts {
	u64 received, sent;
	u64 dropped; /* received, and lwIP had no buffer */
	u64 unsent; /* the card had no room */
	unsigned most; /* received in one look */
};
const struct interface_counts *interface_counts(void);

/* ---- token.c: pure ---- */

enum { NET_TOKEN_MIN = 16, NET_TOKEN_MAX = 64 }; /* characters */

/*
 * Is it the token? Both are padded with zeros. Takes as long however much of it is right: all places are looked at, and
 * nothing is decided before the last.
 */
bool net_token_is(const char token[NET_TOKEN_MAX + 1], const char sent[NET_TOKEN_MAX + 1]);

/* ---- access.c ---- */

/* Read net.token= and net.open=. NULL, or why there is no token. Once, before the services start. */
const char *access_init(void);
/* May the sender of this token use the console? It is padded with zeros. */
bool access_by_token(const char sent[NET_TOKEN_MAX + 1]);
/* May its sender read what changes nothing? */
bool access_to_read(const char sent[NET_TOKEN_MAX + 1]);
/* Is there anybody who may read? */
bool access_is_possible(void);

/* ---- http.c ---- */

/* Listen where net.http= says, if it does. Console's CPU, once. */
void http_start(void);
/* Answer what was asked. Console's CPU, in its loop. */
void http_poll(void);

/* ---- netlog.c, time.c, upload.c: start what the boot line names; do what is due. Console's CPU. ---- */

void netlog_start(void);
void netlog_poll(void);
void time_start(void);
void time_poll(void);
void upload_start(void);
void upload_poll(void);
/* Have results of the last run yet to leave, and is it worth waiting for? Not for longer than 10 s after the run. */
bool upload_is_due(void);

/* ---- remote.c ---- */

/*
 * Listen where net.console= says, if it does. no_token: why there is none, or NULL. look: what polls the network, for the end
 * of a run. Console's CPU, once.
 */
void remote_start(const char *no_token, bool (*look)(void));
/* Send what was printed, close what is to be closed. idle: all that was typed was run. Console's CPU, in its loop. */
void remote_poll(bool idle);
