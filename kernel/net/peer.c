/* Machines that the boot line names: peer.h. */
#include "peer.h"
#include <kernel/clock.h>
#include <kernel/printk.h>
#include <lwip/dns.h>

#define AGAIN_NS 10000000000UL /* after a name that nobody knew */

bool peer_init(struct peer *p, const char *option, const char *text, size_t len, u16 port)
{
	const char *wrong;

	p->port = port;
	wrong = net_parse_host(text, len, p->host, &p->port);
	if (wrong)
		printk("boot option %s=%.*s: %s; not used\n", option, NET_SHOWN, text, wrong);
	return !wrong;
}

/* lwIP has an answer, or has given up: then there is no address. */
static void found(const char *name __unused, const ip_addr_t *address, void *arg)
{
	struct peer *p = arg;

	p->state = address ? PEER_KNOWN : PEER_UNKNOWN;
	if (address)
		p->address = *address;
	else
		printk("net: %s: no such name, or nobody who knows it\n", p->host);
}

bool peer_is_ready(struct peer *p)
{
	if (!interface_has_address())
		return false;
	if (p->state == PEER_UNKNOWN && clock_ns() >= p->again) {
		err_t err = dns_gethostbyname(p->host, &p->address, found, p);

		p->again = clock_ns() + AGAIN_NS;
		if (err == ERR_OK)
			p->state = PEER_KNOWN;
		else if (err == ERR_INPROGRESS)
			p->state = PEER_ASKED;
	}
	return p->state == PEER_KNOWN;
}
