/*
 * The network: off unless the boot line has ip=. lwIP is polled by the console's CPU while the console waits for
 * input, and nowhere else: so never in a command, and never in a measured part.
 */
#include "net.h"
#include "jobs.h"
#include <kernel/command.h>
#include <kernel/console.h>
#include <kernel/error.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/registry.h>
#include <kernel/service.h>
#include <kernel/smp.h>
#include <lwip/stats.h>
#include <lwip/timeouts.h>

enum {
	FRAMES_PER_LOOK = 16, /* between two looks at the other consoles, whatever a sender does */
	NAP_NS = 1000000,
};

static struct netdev card;
static bool at_prompt; /* no command runs, and nothing that was typed waits */

static unsigned step(void)
{
	unsigned frames = interface_poll(FRAMES_PER_LOOK);

	port_calm();
	sys_check_timeouts();
	remote_poll(at_prompt);
	http_poll();
	netlog_poll();
	time_poll();
	upload_poll();
	return frames;
}

/* True: there were frames. Does nothing inside itself, as the end of a run may come out of it, nor once lwIP has failed. */
static bool look(void)
{
	static bool looking;
	unsigned frames;

	if (looking)
		return false;
	looking = true;
	if (!port_guarded(step, &frames))
		return false; /* and it keeps looking */
	looking = false;
	return frames;
}

static bool poll(struct console_poll *p __unused, bool idle)
{
	bool work;

	at_prompt = idle;
	work = look();
	if (idle)
		job_run();
	return work;
}

/* Results of the command before go where net.put= says before the next one has others, but nobody waits for ever. */
static void settle(void)
{
	while (upload_is_due())
		if (!look())
			wait_nap(NAP_NS);
}

static struct console_poll polled = {.poll = poll};

/* The first card that a driver finds and starts. */
static bool find_card(void)
{
	for (const struct net_driver *const *d = __start_net_drivers; d < __stop_net_drivers; d++) {
		card = (struct netdev){.driver = (*d)->name};
		if (!(*d)->probe(&card))
			return true;
	}
	return false;
}

BOOT_OPTION(ip, "ip", "dhcp|ADDRESS/BITS[,gw=ADDRESS][,dns=ADDRESS]",
	    "network, off without it; it is looked at while the console waits for input");

static void start_network(void)
{
	const char *text = option_get("ip"), *wrong;
	struct net_config config;

	if (!text)
		return;
	wrong = net_parse_ip(text, &config);
	if (wrong) {
		printk("boot option ip=%.*s: %s; no network\n", NET_SHOWN, text, wrong);
		return;
	}
	if (!find_card()) {
		printk("net: no card that can be driven; no network\n");
		return;
	}
	printk("net: %s at %s, node %u, MAC %02x:%02x:%02x:%02x:%02x:%02x\n", card.driver,
	       card.where, card.node, card.mac[0], card.mac[1], card.mac[2], card.mac[3],
	       card.mac[4], card.mac[5]);
	wrong = interface_start(&card, &config);
	if (wrong) {
		printk("net: %s; no network\n", wrong);
		return;
	}
	net_on = true;
	remote_start(access_init(), look);
	http_start();
	netlog_start();
	time_start();
	upload_start();
	service_settle = settle;
	console_add_poll(&polled);
}

SERVICE(net_service) = {.start = start_network};

/* ---- look net ---- */

static void print_pools(void)
{
	static const struct {
		const char *name;
		memp_t pool;
	} pools[] = {{"frames", MEMP_PBUF_POOL},
		     {"connections", MEMP_TCP_PCB},
		     {"segments", MEMP_TCP_SEG},
		     {"ports", MEMP_UDP_PCB}};

	kprintf("pools     ");
	for (unsigned i = 0; i < ARRAY_SIZE(pools); i++) {
		const struct stats_mem *s = lwip_stats.memp[pools[i].pool];

		kprintf("%s %u of %u %s", i ? "," : "", (unsigned)s->used, (unsigned)s->avail,
			pools[i].name);
	}
	kprintf("\n");
}

static unsigned look_net(int argc, char **argv)
{
	const struct interface_counts *c = interface_counts();
	unsigned rc = command_args("look net", NULL, &argc, argv, 0, 0);
	char address[64];

	if (rc)
		return rc;
	if (!net_on) {
		kprintf("net        off\n");
		return RC_PASS;
	}
	interface_describe(address, sizeof(address));
	kprintf("net        on\n"
		"card       %s at %s, node %u\n"
		"MAC        %02x:%02x:%02x:%02x:%02x:%02x\n"
		"link       %s\n"
		"address    %s\n"
		"frames     %lu received, %lu sent, %lu dropped, %lu not sent\n",
		card.driver, card.where, card.node, card.mac[0], card.mac[1], card.mac[2],
		card.mac[3], card.mac[4], card.mac[5], card.link_up(&card) ? "up" : "down", address,
		c->received, c->sent, c->dropped, c->unsent);
	kprintf("looks      at most %u frames in one\n", c->most);
	kprintf("memory     %lu bytes of %lu, at most %lu\n", (u64)lwip_stats.mem.used,
		(u64)lwip_stats.mem.avail, (u64)lwip_stats.mem.max);
	print_pools();
	return RC_PASS;
}

LOOK(look_net_subject) = {
	.name = "net",
	.usage = "",
	.summary = "the network: card, address, frames",
	.run = look_net,
};
