/*
 * The log over UDP, as Linux's netconsole sends it in its extended form: "6,SEQ,USEC,-;text". SEQ is the number of the line since
 * the boot, so who listens sees what was lost: by the network, or here, where the log's ring has gone on.
 */
#include "peer.h"
#include <kernel/log.h>
#include <kernel/option.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <lwip/pbuf.h>
#include <lwip/udp.h>

enum {
	PORT = 6666, /* as netconsole's documentation has it */
	LINES_PER_LOOK = 8,
	TEXT = 1000, /* bytes of a line in one datagram */
	HEAD = 64,
	LEVEL = 6, /* "info": this log has no levels */
};

/* All of it is the console CPU's. */
static struct peer peer;
static struct udp_pcb *pcb; /* NULL: nobody listens */
static u64 pos, seq; /* what is sent next */
static bool inside; /* that is in the middle of a line */

/* "[   12.345678] " in front of a line, as microseconds; how many bytes it is, 0: there is none. */
static size_t take_stamp(const char *text, size_t len, u64 *us)
{
	size_t at = 1;

	*us = 0;
	if (!len || *text != '[')
		return 0;
	while (at < len && text[at] == ' ')
		at++;
	for (; at < len && ((text[at] >= '0' && text[at] <= '9') || text[at] == '.'); at++)
		*us = text[at] == '.' ? *us : *us * 10 + (u64)(text[at] - '0');
	return at + 1 < len && text[at] == ']' && text[at + 1] == ' ' ? at + 2 : 0;
}

static bool send(const char *text, size_t len)
{
	struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)len, PBUF_RAM);
	bool sent = p && pbuf_take(p, text, (u16_t)len) == ERR_OK &&
		    udp_sendto(pcb, p, &peer.address, peer.port) == ERR_OK;

	if (p)
		pbuf_free(p);
	return sent;
}

/* Flags: a line that goes on in the next datagram, or comes from the last one, or is whole. */
static bool send_piece(const char *text, size_t len, bool ends)
{
	static char datagram[HEAD + TEXT + 1];
	u64 us = 0;
	size_t stamp = inside ? 0 : take_stamp(text, len, &us);
	int head = ksnprintf(datagram, HEAD, "%u,%lu,%lu,%c;", LEVEL, seq, us,
			     inside ? '+'
			     : ends ? '-'
				    : 'c');

	memcpy(datagram + head, text + stamp, len - stamp);
	if (!send(datagram, (size_t)head + len - stamp))
		return false;
	inside = !ends;
	seq += ends;
	return true;
}

/* The next line, or what fits of it. False: there is none, or there is no room for it now. */
static bool send_next(void)
{
	static char text[TEXT];
	u64 at = pos;
	size_t n = log_read(&at, text, sizeof(text)), len = 0;

	if (!n)
		return false;
	if (at - n != pos) { /* the ring has gone on */
		pos = at - n;
		seq = log_line(pos);
		inside = false;
	}
	while (len < n && text[len] != '\n')
		len++;
	len += len < n;
	if (!send_piece(text, len, text[len - 1] == '\n'))
		return false;
	pos += len;
	return true;
}

void netlog_poll(void)
{
	if (!pcb || !peer_is_ready(&peer) || !interface_reaches(peer.address.addr))
		return;
	for (unsigned n = 0; n < LINES_PER_LOOK && send_next(); n++)
		;
}

BOOT_OPTION(net_log, "net.log", "HOST[:PORT]",
	    "the log as netconsole datagrams, to port 6666 if none is named");

void netlog_start(void)
{
	const char *text = option_get("net.log");

	if (!text || !peer_init(&peer, "net.log", text, strlen(text), PORT))
		return;
	pos = log_oldest();
	pcb = udp_new();
	printk("net: the log goes to %s, UDP port %u\n", peer.host, peer.port);
}
