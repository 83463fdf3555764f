/* lwIP's interface on top of a card: frames in and out, each copied once, and the address. */
#include "net.h"
#include <kernel/clock.h>
#include <kernel/error.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <netif/ethernet.h>

#define ASK_NS 1000000000UL /* between two questions where a machine's MAC is not known */

/* All of it is the console CPU's. */
static struct netif interface;
static struct netdev *card;
static struct interface_counts counts;
static bool failed; /* the card, and that was said */

static err_t send_frame(struct netif *netif __unused, struct pbuf *p)
{
	static u8 frame[NETDEV_FRAME_MAX];
	u16_t len = pbuf_copy_partial(p, frame, sizeof(frame), 0);

	if (p->tot_len > sizeof(frame) || len < NETDEV_FRAME_MIN)
		return ERR_BUF;
	if (card->send(card, frame, len)) {
		counts.unsent++;
		return ERR_IF; /* TCP sends it again */
	}
	counts.sent++;
	return ERR_OK;
}

static err_t init_interface(struct netif *netif)
{
	netif->name[0] = 'e';
	netif->name[1] = 'n';
	netif->hostname = "tarry";
	netif->mtu = NETDEV_FRAME_MAX - NETDEV_FRAME_MIN;
	netif->hwaddr_len = NETDEV_MAC_LEN;
	memcpy(netif->hwaddr, card->mac, NETDEV_MAC_LEN);
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	netif->output = etharp_output;
	netif->linkoutput = send_frame;
	return ERR_OK;
}

void interface_describe(char *buf, size_t size)
{
	u32 ip = lwip_ntohl(netif_ip4_addr(&interface)->addr);
	u32 gw = lwip_ntohl(netif_ip4_gw(&interface)->addr);
	u32 mask = lwip_ntohl(netif_ip4_netmask(&interface)->addr);
	int n;

	if (!ip) {
		strlcpy(buf, "no address yet", size);
		return;
	}
	n = ksnprintf(buf, size, "%u.%u.%u.%u/%d", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
		      ip & 255, mask ? 32 - __builtin_ctz(mask) : 0);
	if (gw && n > 0 && (size_t)n < size)
		ksnprintf(buf + n, size - (size_t)n, " gw %u.%u.%u.%u", gw >> 24, gw >> 16 & 255,
			  gw >> 8 & 255, gw & 255);
}

/* lwIP says so whenever the address or the state has changed; only other text is news. */
static void tell_address(struct netif *netif __unused)
{
	static char told[64];
	char now[64];

	interface_describe(now, sizeof(now));
	if (strcmp(now, told)) {
		printk("net: %s\n", now);
		strlcpy(told, now, sizeof(told));
	}
}

static void follow_link(void)
{
	bool up = card->link_up(card);

	if (up == !!netif_is_link_up(&interface))
		return;
	printk("net: link %s\n", up ? "up" : "down");
	if (up)
		netif_set_link_up(&interface);
	else
		netif_set_link_down(&interface);
}

bool interface_has_address(void)
{
	return netif_is_link_up(&interface) && !ip4_addr_isany(netif_ip4_addr(&interface));
}

bool interface_reaches(u32 address)
{
	static u64 again;
	ip4_addr_t to = {address};
	const ip4_addr_t *hop = &to, *ip;
	struct eth_addr *mac;

	if (!ip4_addr_netcmp(&to, netif_ip4_addr(&interface), netif_ip4_netmask(&interface)))
		hop = netif_ip4_gw(&interface);
	if (etharp_find_addr(&interface, hop, &mac, &ip) >= 0)
		return true;
	if (clock_ns() >= again) {
		again = clock_ns() + ASK_NS;
		etharp_query(&interface, hop, NULL);
	}
	return false;
}

const char *interface_start(struct netdev *dev, const struct net_config *c)
{
	ip4_addr_t address = {lwip_htonl(c->address)}, gateway = {lwip_htonl(c->gateway)};
	ip4_addr_t name_server = {lwip_htonl(c->dns)};
	ip4_addr_t mask = {c->dhcp ? 0 : lwip_htonl(net_mask(c->bits))};

	card = dev;
	lwip_init();
	if (!netif_add(&interface, &address, &mask, &gateway, NULL, init_interface, ethernet_input))
		return "lwIP refuses the card";
	netif_set_default(&interface);
	dns_setserver(0, &name_server);
	netif_set_status_callback(&interface, tell_address);
	follow_link();
	netif_set_up(&interface);
	if (c->dhcp && dhcp_start(&interface) != ERR_OK)
		return "DHCP does not start";
	return NULL;
}

/* The card's memory is read once: what lwIP looks at is its own copy. */
static void take_frame(const void *frame, u16_t len)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW, len, PBUF_POOL);

	counts.received++;
	if (!p || pbuf_take(p, frame, len) != ERR_OK || interface.input(p, &interface) != ERR_OK) {
		counts.dropped++;
		if (p)
			pbuf_free(p);
	}
}

unsigned interface_poll(unsigned most)
{
	const void *frame;
	unsigned n = 0;
	int len = 0;

	if (failed)
		return 0;
	follow_link();
	for (; n < most && (len = card->receive(card, &frame)) >= 0; n++)
		take_frame(frame, (u16_t)len);
	counts.most = MAX(counts.most, n);
	if (len == -EIO) {
		failed = true;
		printk("net: %s: %s: it is not used any more\n", card->driver, card->failure(card));
		netif_set_link_down(&interface);
	}
	return n;
}

const struct interface_counts *interface_counts(void)
{
	return &counts;
}
