/*
 * Results that leave by themselves: the records of each run are put (HTTP PUT, RFC 9110 9.3.4) under the URL that net.put= names,
 * with a last line that says how many there are and their checksum. lwIP's client only gets, so this one is ours. Any answer
 * but 2xx, or none, is followed by another try, each after twice as long.
 */
#include "peer.h"
#include "serve.h"
#include "stream.h"
#include <kernel/bench.h>
#include <kernel/clock.h>
#include <kernel/option.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>

enum {
	PORT = 80,
	TRIES = 8, /* the last one is two minutes after the first */
	PATH_MAX = 127, /* characters */
	STATUS = 12, /* bytes: "HTTP/1.1 201" */
	HEAD = 512,
};

#define SECOND 1000000000UL
#define STEP_NS (30 * SECOND) /* for a connection, for all to be taken, and for an answer */
#define SETTLE_NS (10 * SECOND) /* after a run, for which a command waits */

/* All of it is the console CPU's. */
static struct upload {
	enum { IDLE, PAUSE, CONNECTING, SENDING, WAITING, OVER } state;
	struct tcp_pcb *pcb; /* NULL: lwIP has given it up, or there is none */
	u64 run; /* the last one that was begun with */
	u64 until, settle; /* ns: it is tried then, or must be done; commands wait no longer */
	unsigned tries;
	struct stream body;
	char status[STATUS + 1];
	size_t len; /* bytes of it */
} up;

static struct peer server;
static char path[PATH_MAX + 1];
static bool named;

static void set_state(unsigned state, u64 ns)
{
	up.state = state;
	up.until = clock_ns() + ns;
}

/* ---- what there is ---- */

static bool is_new(void)
{
	size_t len;

	return results_run() != up.run && results_record(0, &len);
}

/* Another run has cleared them away. */
static bool are_lost(void)
{
	size_t len;

	return up.state != IDLE && (results_run() != up.run || !results_record(0, &len));
}

/* ---- one try ---- */

static void fail(const char *why)
{
	bool last = ++up.tries == TRIES;

	serve_drop(up.pcb);
	up.pcb = NULL;
	if (up.tries == 1 || last)
		printk("net: results of run %lu do not get to %s:%u: %s; %s\n", up.run, server.host,
		       server.port, why, last ? "given up" : "tried again");
	if (last)
		set_state(IDLE, 0);
	else
		set_state(PAUSE, SECOND << (up.tries - 1));
}

static err_t received(void *arg __unused, struct tcp_pcb *pcb, struct pbuf *p, err_t err __unused)
{
	if (!p) {
		up.state = OVER;
		return ERR_OK;
	}
	up.len += pbuf_copy_partial(p, up.status + up.len, (u16_t)(STATUS - up.len), 0);
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	if (up.len == STATUS)
		up.state = OVER;
	return ERR_OK;
}

static void gone(void *arg __unused, err_t err __unused)
{
	up.pcb = NULL;
	up.state = OVER;
}

static err_t connected(void *arg __unused, struct tcp_pcb *pcb, err_t err)
{
	char head[HEAD];
	int n;

	up.state = OVER;
	if (!serve_accepts(pcb, err) || are_lost())
		return ERR_OK; /* closed in our own loop */
	n = ksnprintf(head, sizeof(head),
		      "PUT %s%016lx-%lu.jsonl HTTP/1.1\r\nHost: %s:%u\r\nContent-Type: "
		      "application/x-ndjson\r\n"
		      "Content-Length: %lu\r\nConnection: close\r\n\r\n",
		      path, record_boot_id(), up.run, server.host, server.port,
		      stream_begin(&up.body, STREAM_SEALED, up.run));
	if (tcp_write(pcb, head, (u16_t)n, TCP_WRITE_FLAG_COPY) == ERR_OK)
		set_state(SENDING, STEP_NS);
	return ERR_OK;
}

static void connect(void)
{
	struct tcp_pcb *pcb = tcp_new();

	up.len = 0;
	memset(up.status, 0, sizeof(up.status));
	if (!pcb)
		return fail("lwIP has no connection free");
	up.pcb = pcb;
	tcp_recv(pcb, received);
	tcp_err(pcb, gone);
	set_state(CONNECTING, STEP_NS);
	if (tcp_connect(pcb, &server.address, server.port, connected) != ERR_OK)
		fail("lwIP cannot connect");
}

/* It has answered, or has gone. */
static void conclude(void)
{
	bool answered =
		up.len == STATUS && !strncmp(up.status, "HTTP/1.", 7) && up.status[8] == ' ';

	if (!answered)
		return fail("no answer, or none of HTTP");
	if (up.status[9] != '2' || up.body.left)
		return fail(up.status);
	printk("net: results of run %lu are at %s:%u, %s%016lx-%lu.jsonl\n", up.run, server.host,
	       server.port, path, record_boot_id(), up.run);
	serve_stop(up.pcb);
	up.pcb = NULL;
	set_state(IDLE, 0);
}

/* ---- polling ---- */

static void give_up(void)
{
	printk("net: results of run %lu made way for another run's before they were taken\n",
	       up.run);
	serve_drop(up.pcb);
	up.pcb = NULL;
	set_state(IDLE, 0);
}

static void go_on(void)
{
	u64 now = clock_ns();

	if (up.state == PAUSE && now >= up.until && peer_is_ready(&server))
		connect();
	else if (up.state == SENDING && !stream_send(&up.body, up.pcb))
		fail("they are not whole any more");
	else if (up.state == SENDING && !up.body.left)
		set_state(WAITING, STEP_NS);
	else if (up.state == OVER)
		conclude();
	else if (up.state != IDLE && up.state != PAUSE && now >= up.until)
		fail("it takes too long");
}

void upload_poll(void)
{
	if (!named)
		return;
	if (are_lost())
		give_up();
	if (up.state == IDLE && is_new()) {
		up.run = results_run();
		up.tries = 0;
		up.settle = clock_ns() + SETTLE_NS;
		set_state(PAUSE, 0);
	}
	go_on();
}

bool upload_is_due(void)
{
	return named && (is_new() || (up.state != IDLE && clock_ns() < up.settle));
}

/* ---- start ---- */

BOOT_OPTION(net_put, "net.put", "http://HOST[:PORT]/FOLDER/",
	    "put the records of each run there, a file each");

static const char *take_url(const char *url)
{
	static const char scheme[] = "http://";
	const char *host = url + sizeof(scheme) - 1, *slash;

	if (strncmp(url, scheme, sizeof(scheme) - 1))
		return "must begin with http://";
	slash = strchr(host, '/');
	if (!slash || slash[strlen(slash) - 1] != '/' || strlen(slash) > PATH_MAX)
		return "must end with a folder of at most 127 characters, and a slash";
	for (const char *c = slash; *c; c++)
		if (*c <= ' ' || *c > '~')
			return "must have no blanks and no characters beyond ASCII";
	strlcpy(path, slash, sizeof(path));
	named = peer_init(&server, "net.put", host, (size_t)(slash - host), PORT);
	return NULL;
}

void upload_start(void)
{
	const char *url = option_get("net.put"), *wrong = url ? take_url(url) : NULL;

	if (wrong)
		printk("boot option net.put=%.*s: %s; not used\n", NET_SHOWN, url, wrong);
}
