/*
 * The console over TCP, without any protocol: a client sends the token and a line feed, and from then on is a source and a
 * sink of the console as a serial line is. One client at a time.
 *
 * Output waits in a ring until the stack is polled, that is until a command has ended; what does not fit is lost, and the
 * client is told how much. So nobody who reads slowly holds up a command or another console.
 */
#include "net.h"
#include "serve.h"
#include <kernel/atomic.h>
#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/option.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/string.h>

enum {
	CONNECTIONS = 4, /* that are served, those that have yet to send the token included */
	OUTPUT = 256 << 10, /* bytes: what a long command prints */
	INPUT = 16 << 10, /* bytes, more than TCP_WND: what was sent always fits */
	KEEP_IDLE_MS = 60000, /* of silence, until a client is asked whether it is still there, */
	KEEP_AGAIN_MS = 10000, /* how long it has to answer, */
	KEEP_TRIES = 3, /* and how often it is asked */
};

#define TOKEN_NS 10000000000UL /* to send the token in */
#define WRONG_NS                                                                                   \
	1000000000UL /* how long a place is taken up by a wrong token: 4 guesses a second */
#define DRAIN_NS 500000000UL /* at the end of the run */

_Static_assert(INPUT > TCP_WND, "a window must fit");

enum state { FREE, ASKED, SESSION, ENDING };

/* Touched by the console's CPU only, but for `out`. */
static struct connection {
	enum state state;
	struct tcp_pcb *pcb; /* NULL: lwIP has given it up */
	u64 until; /* ns: ASKED: it must have sent the token; ENDING: it is closed */
	char sent[NET_TOKEN_MAX + 1]; /* instead of a token, padded with zeros */
	unsigned len; /* of it, or more than fits */
	bool over; /* SESSION: nothing more will be typed; it ends when that was run, and what it printed is sent */
} connections[CONNECTIONS];

static bool listening;
static struct connection *session; /* of the client whose console it is, or NULL */
static bool (*look_at_net)(void);

static struct {
	u8 *bytes;
	u64 head,
		tail; /* written, sent. head and lost belong to the console's owner, tail to the console's CPU */
	u64 lost; /* bytes since `head`: nothing more is written before the client was told */
} out;

static struct {
	u8 bytes[INPUT];
	unsigned head, tail; /* received, read; they run freely */
	unsigned acknowledged; /* of what was read */
} in;

/* ---- the console's sink and source ---- */

/* Any CPU, by one at a time, also in a panic: it only copies. */
static void write_out(struct console_sink *sink __unused, const char *s, size_t len)
{
	/* Acquire: bytes that were sent may be overwritten; partner: the release in send_out(). */
	u64 head = load_relaxed(&out.head), room = OUTPUT - (head - load_acquire(&out.tail));

	if (len > room || load_relaxed(&out.lost)) {
		atomic_fetch_add(&out.lost, len);
		return;
	}
	for (size_t i = 0; i < len; i++)
		out.bytes[(head + i) % OUTPUT] = (u8)s[i];
	/* Release: the bytes come before it; partner: the acquire in send_out(). */
	store_release(&out.head, head + len);
}

static bool is_sent(void)
{
	return !session || !session->pcb ||
	       (load_relaxed(&out.head) == out.tail && !session->pcb->unacked &&
		!session->pcb->unsent);
}

/* The last lines of a run, its verdict among them. Not while lwIP is at work: a panic may have come out of it. */
static void drain(struct console_sink *sink __unused)
{
	u64 end = clock_ns() + DRAIN_NS;

	while (cpu_id() == 0 && !is_sent() && clock_ns() < end)
		look_at_net();
}

static int getc(struct console_source *source __unused)
{
	return in.head == in.tail ? -EAGAIN : in.bytes[in.tail++ % INPUT];
}

static struct console_sink sink = {.write = write_out, .drain = drain, .records = true};
static struct console_source source = {.getc = getc};

static void begin_session(struct connection *c)
{
	c->state = SESSION;
	session = c;
	in.head = in.tail = in.acknowledged = 0;
	out.tail = out.head;
	out.lost = 0;
	console_add_sink(&sink);
	console_add_source(&source);
	printk("net: console: a client from %s\n", ip4addr_ntoa(&c->pcb->remote_ip));
}

static void end_session(void)
{
	session = NULL;
	console_remove_source(&source);
	console_remove_sink(&sink);
	printk("net: console: the client has gone\n");
}

/* ---- one connection ---- */

static void say(struct connection *c, const char *text)
{
	if (c->pcb)
		tcp_write(c->pcb, text, (u16_t)strlen(text), TCP_WRITE_FLAG_COPY);
}

/* Close it later, outside of lwIP's callbacks. */
static void end(struct connection *c, u64 after_ns)
{
	c->state = ENDING;
	c->until = clock_ns() + after_ns;
}

static void check_token(struct connection *c)
{
	if (c->len > NET_TOKEN_MAX || !access_by_token(c->sent)) {
		printk("net: console: a wrong token from %s\n", ip4addr_ntoa(&c->pcb->remote_ip));
		say(c, "wrong token\n");
		end(c, WRONG_NS);
	} else if (session) {
		say(c, "in use\n");
		end(c, 0);
	} else {
		begin_session(c);
	}
	memset(c->sent, 0, sizeof(c->sent));
}

static void take_byte(struct connection *c, u8 byte)
{
	if (c->state == SESSION) {
		in.bytes[in.head++ % INPUT] = byte;
	} else if (c->state == ASKED && byte == '\n') {
		check_token(c);
	} else if (c->state == ASKED && byte != '\r') {
		if (c->len < NET_TOKEN_MAX)
			c->sent[c->len] = (char)byte;
		c->len = MIN(c->len + 1, NET_TOKEN_MAX + 1U);
	}
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err __unused)
{
	struct connection *c = arg;
	bool was_session = c->state == SESSION;

	if (!p) {
		c->over = true;
		if (!was_session)
			end(c, 0);
		return ERR_OK;
	}
	if (was_session && INPUT - (in.head - in.tail) < p->tot_len)
		return ERR_MEM; /* lwIP keeps it and asks again */
	for (u16_t i = 0; i < p->tot_len; i++)
		take_byte(c, pbuf_get_at(p, i));
	/* What is typed makes room when it is read; a new session's first bytes count as read. */
	if (!was_session)
		tcp_recved(pcb, p->tot_len);
	if (!was_session && c->state == SESSION)
		in.acknowledged = in.head;
	pbuf_free(p);
	return ERR_OK;
}

/* lwIP has freed it. */
static void gone(void *arg, err_t err __unused)
{
	struct connection *c = arg;

	c->pcb = NULL;
	end(c, 0);
}

static err_t accepted(void *arg __unused, struct tcp_pcb *pcb, err_t err)
{
	struct connection *c = connections;

	if (!serve_accepts(pcb, err))
		return ERR_VAL; /* lwIP resets it */
	while (c < connections + CONNECTIONS && c->state != FREE)
		c++;
	if (c == connections + CONNECTIONS)
		return ERR_MEM; /* lwIP resets it */
	*c = (struct connection){.state = ASKED, .pcb = pcb, .until = clock_ns() + TOKEN_NS};
	tcp_arg(pcb, c);
	tcp_recv(pcb, received);
	tcp_err(pcb, gone);
	tcp_nagle_disable(pcb);
	pcb->so_options |= SOF_KEEPALIVE;
	pcb->keep_idle = KEEP_IDLE_MS;
	pcb->keep_intvl = KEEP_AGAIN_MS;
	pcb->keep_cnt = KEEP_TRIES;
	say(c, "token? ");
	return ERR_OK;
}

static void close(struct connection *c)
{
	if (c == session)
		end_session();
	c->state = FREE;
	serve_stop(c->pcb);
}

/* ---- polling ---- */

static void tell_lost(void)
{
	char text[64];
	u64 lost;

	if (!load_relaxed(&out.lost) || load_acquire(&out.head) != out.tail ||
	    tcp_sndbuf(session->pcb) < sizeof(text))
		return;
	lost = atomic_xchg(&out.lost, 0);
	ksnprintf(text, sizeof(text), "\n[net: %lu bytes of output lost]\n", lost);
	say(session, text);
}

static void send_out(void)
{
	struct tcp_pcb *pcb = session->pcb;
	u64 head = load_acquire(&out.head),
	    tail = out.tail; /* partner: the release in write_out() */

	while (tail != head) {
		u64 n = MIN(head - tail, OUTPUT - tail % OUTPUT);

		n = MIN(n, (u64)MIN(tcp_sndbuf(pcb), (u16_t)TCP_MSS));
		if (!n || tcp_write(pcb, out.bytes + tail % OUTPUT, (u16_t)n,
				    TCP_WRITE_FLAG_COPY) != ERR_OK)
			break;
		tail += n;
	}
	/* Release: lwIP has copied the bytes; partner: the acquire in write_out(). */
	store_release(&out.tail, tail);
	tell_lost();
	tcp_output(pcb);
}

static void acknowledge(void)
{
	unsigned read = in.tail - in.acknowledged;

	if ((int)read > 0) {
		tcp_recved(session->pcb, (u16_t)read);
		in.acknowledged = in.tail;
	}
}

void remote_poll(bool idle)
{
	u64 now;

	if (!listening)
		return;
	now = clock_ns();
	for (struct connection *c = connections; c < connections + CONNECTIONS; c++) {
		if (c->state == ASKED && now >= c->until) {
			say(c, "too late\n");
			close(c);
		} else if (c->state == ENDING && now >= c->until) {
			close(c);
		} else if (c->state == SESSION) {
			acknowledge();
			send_out();
			if (c->over && idle && in.head == in.tail && is_sent())
				end(c, 0);
		}
	}
}

/* ---- start ---- */

BOOT_OPTION(net_console, "net.console", "PORT",
	    "the console over TCP, for whoever sends the token first");

void remote_start(const char *no_token, bool (*look)(void))
{
	u16_t port;

	if (!serve_port("net.console", option_get("net.console"), &port))
		return;
	look_at_net = look;
	out.bytes = no_token ? NULL : kmem.alloc(OUTPUT, this_cpu_ptr(cpu_self)->node);
	if (out.bytes)
		listening = serve_start("net.console", port, accepted);
	else
		printk("boot option net.console=%u: %s; not used\n", port,
		       no_token ? no_token : "no memory");
}
