/*
 * The whole network on the host, lwIP included, under the sanitizers: what a card hands over is made here, mostly right,
 * with bytes that are changed. Nothing may be read or written where it should not be, the services go on, and in the end
 * all of lwIP's memory is back. FUZZ_INPUTS=N: more than `make test` has time for.
 */
#include "random.h"

#include <stdio.h>
#define SSIZE_MAX INT_MAX /* lwIP would make the type again */
#include <kernel/bench.h>
#include <kernel/console.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/log.h>
#include <kernel/netdev.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/service.h>
#include <kernel/shell.h>
#include <kernel/smp.h>
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/memp.h>
#include <lwip/netif.h>
#include <lwip/prot/dhcp.h>
#include <lwip/stats.h>
#include <stdarg.h>
#include "../../kernel/net/net.h"
#include "../../kernel/net/pages.h"
#undef TEST /* of the tests in the kernel */
#include "check.h"

extern void *calloc(size_t n, size_t size);
extern void free(void *p);
extern void abort(void);

enum {
	ETH = 14,
	IP = 20,
	TCP = 20,
	UDP = 8,
	PEERS = 4,
	CONSOLE = 23,
	HTTP = 80,
	TAKER = 8000, /* TCP port of the other side that takes results */
	NTP = 123,
	DNS = 53,
	LOG = 6666,
	MS = 1000000,
	RUN_STEPS = 1500, /* between two runs that leave records */
	LEASE_STEPS = 20000, /* between two addresses that are asked for from the beginning */
};

#define US 0x0a00020fU /* 10.0.2.15 */
#define GATEWAY 0x0a000202U
#define TOKEN "0123456789abcdef"

static struct rng rng;
static u64 now = 1;
static struct console_poll *polled;
static struct console_sink *sink;
static struct console_source *source;
static unsigned sessions, typed, jobs, answers, segments, resets;
/* What was received, of each kind, and what became of it. */
static struct {
	unsigned tcp, dhcp, dns, ntp, taker;
} inputs;
static unsigned named, logged, uploads, times;
static u64 steps_done;
static char lines[256]; /* the last one of the log */
static bool stopped;

/* ---- what the network asks of the kernel ---- */

bool net_on;
void (*service_settle)(void);
bool (*service_utc)(char text[UTC_LEN]);
struct kmem_ops kmem;
struct fake_current fake_current;
PERCPU(struct cpu, cpu_self);

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	abort();
}

void printk(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(lines, sizeof(lines), fmt, ap);
	stopped |= !!strstr(lines, "has stopped");
	uploads += !!strstr(lines, " are at ");
	times += !!strstr(lines, "net: it is ");
	va_end(ap);
}

void kprintf(const char *fmt __unused, ...)
{
}

u64 clock_ns(void)
{
	return now;
}

u64 fake_cycles(void)
{
	return rng_next(&rng);
}

static void *allocate(size_t bytes, u32 node __unused)
{
	return calloc(1, bytes);
}

void console_add_poll(struct console_poll *poll)
{
	polled = poll;
}

void console_add_sink(struct console_sink *s)
{
	sink = s;
	sessions++;
}

void console_remove_sink(struct console_sink *s)
{
	sink = s == sink ? NULL : sink;
}

void console_add_source(struct console_source *s)
{
	source = s;
}

void console_remove_source(struct console_source *s)
{
	source = s == source ? NULL : source;
}

unsigned command_args(const char *cmd __unused, const struct arg *options __unused,
		      int *argc __unused, char **argv __unused, int min __unused, int max __unused)
{
	return 0;
}

unsigned shell_run(const char *line)
{
	jobs += *line != '\0';
	return 0;
}

const char *results_record(unsigned i, size_t *len)
{
	static const char record[] = "{\"a\":1}\n";

	*len = sizeof(record) - 1;
	return i < 3 && steps_done >= RUN_STEPS ? record : NULL;
}

u64 results_run(void)
{
	return steps_done / RUN_STEPS;
}

u64 record_boot_id(void)
{
	return 1;
}

/* A log to which a line comes now and then. */
u64 log_oldest(void)
{
	return 0;
}

u64 log_line(u64 pos)
{
	return pos / 20;
}

size_t log_read(u64 *pos, char *buf, size_t size)
{
	if (*pos >= steps_done / 50 * 20 || size < 20)
		return 0;
	memcpy(buf, "[    1.23456] hello\n", 20);
	*pos += 20;
	return 20;
}

void wait_nap(u64 ns)
{
	now += ns;
}

void console_fresh_line(void)
{
}

static long some_page(char *buf, size_t size, bool openmetrics)
{
	memset(buf, openmetrics ? 'o' : 'p', 9000);
	return size < 9000 ? -ERANGE : 9000;
}

const struct net_page *net_page_find(const char *path)
{
	static const struct net_page page = {"/metrics", "text/plain", "text/open", some_page};
	static const struct net_page results = {"/results", "x", NULL, NULL};

	return !strcmp(path, "/metrics") ? &page : !strcmp(path, "/results") ? &results : NULL;
}

/* ---- the other side ---- */

static const u8 our_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
		peer_mac[6] = {0x52, 0x55, 10, 0, 2, 2};
static u8 frame[NETDEV_FRAME_MAX];
static size_t frame_len;
static u32 dhcp_xid;
static bool dhcp_asks, dhcp_requests;

static struct peer { /* a client's end of a connection */
	u16 port, to;
	u32 seq, ack;
	bool open, narrow; /* narrow: it never has room for much */
} peers[PEERS], taker, stray; /* stray: of nobody any more: a machine answers with a reset */
static bool taker_begins;
/* What was asked last over UDP: from that port, with these bytes. */
static struct question {
	u16 port;
	size_t len; /* 0: nothing */
	u8 bytes[300];
} dns_question, ntp_question;

static void put16(u8 *p, u32 v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)v;
}

static void put32(u8 *p, u32 v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static u32 get16(const u8 *p)
{
	return (u32)(p[0] << 8 | p[1]);
}

static u32 get32(const u8 *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static void note_tcp(const u8 *ip, size_t len)
{
	const u8 *tcp = ip + IP;
	u32 bytes = (u32)len - IP - (tcp[12] >> 4) * 4;
	u8 flags = tcp[13];

	segments++;
	if (get16(tcp + 2) == TAKER) {
		taker.port = TAKER;
		taker.to = (u16)get16(tcp);
		taker.ack = get32(tcp + 4) + bytes + !!(flags & 3);
		taker.seq = flags & 16 ? get32(tcp + 8) : (u32)rng_next(&rng);
		taker.open = !(flags & 4);
		taker_begins = flags & 2;
		return;
	}
	answers += bytes > 9 && !memcmp(tcp + (tcp[12] >> 4) * 4, "HTTP/1.1 ", 9);
	resets += !!(flags & 4);
	stray = (struct peer){.port = (u16)get16(tcp + 2),
			      .to = (u16)get16(tcp),
			      .seq = get32(tcp + 8),
			      .open = flags & 16 && !(flags & 4)};
	for (unsigned i = 0; i < PEERS; i++) {
		struct peer *p = &peers[i];

		if (get16(tcp + 2) != p->port)
			continue;
		stray.open = false;
		p->ack = get32(tcp + 4) + bytes + !!(flags & 3);
		p->seq = flags & 16 ? get32(tcp + 8) : p->seq;
		p->open = !(flags & 5);
	}
}

static void note_udp(const u8 *udp)
{
	u32 to = get16(udp + 2), len = get16(udp + 4) - UDP;
	struct question *q = to == DNS ? &dns_question : to == NTP ? &ntp_question : NULL;

	logged += to == LOG;
	if (!q)
		return;
	CHECK(len <= sizeof(q->bytes));
	q->port = (u16)get16(udp);
	q->len = len;
	memcpy(q->bytes, udp + UDP, len);
}

static int send_frame(struct netdev *dev __unused, const void *data, size_t len)
{
	const u8 *f = data, *ip = f + ETH;

	if (len < NETDEV_FRAME_MIN || len > NETDEV_FRAME_MAX)
		panic("a frame of %zu bytes", len);
	if (rng_below(&rng, 50) == 0)
		return -EAGAIN; /* the card has no room */
	if (get16(f + 12) != 0x0800 || len < ETH + IP + UDP)
		return 0;
	if (ip[9] == 6)
		note_tcp(ip, get16(ip + 2));
	if (ip[9] == 17)
		note_udp(ip + IP);
	if (ip[9] == 17 && get16(ip + IP + 2) == 67) {
		dhcp_xid = get32(ip + IP + UDP + 4);
		dhcp_asks = true;
		dhcp_requests = ip[IP + UDP + 240 + 2] == 3;
	}
	return 0;
}

static int receive_frame(struct netdev *dev __unused, const void **data)
{
	int len = (int)frame_len;

	if (len < NETDEV_FRAME_MIN)
		return -EAGAIN;
	*data = frame;
	frame_len = 0;
	return len;
}

static bool link_is_up(struct netdev *dev __unused)
{
	return true;
}

static int probe(struct netdev *dev)
{
	memcpy(dev->mac, our_mac, 6);
	dev->send = send_frame;
	dev->receive = receive_frame;
	dev->link_up = link_is_up;
	return 0;
}

NET_DRIVER(host_card) = {.name = "host", .probe = probe};

/* ---- frames ---- */

static u32 sum(const u8 *p, size_t len, u32 s)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		s += get16(p + i);
	return len & 1 ? s + (u32)(p[len - 1] << 8) : s;
}

static u32 fold(u32 s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s & 0xffff;
}

/* Some bytes of the last len ones are others. */
static void change(size_t len)
{
	if (rng_below(&rng, 3) || !len)
		return;
	for (u64 n = 1 + rng_below(&rng, 3); n; n--)
		frame[frame_len - 1 - rng_below(&rng, len)] = (u8)rng_next(&rng);
}

static void begin_frame(u32 type)
{
	memcpy(frame, our_mac, 6);
	memcpy(frame + 6, peer_mac, 6);
	put16(frame + 12, type);
}

/* IP in front of len bytes that are there; checksum_at: of the inner header, 0: none. */
static void wrap(u8 protocol, size_t len, size_t checksum_at)
{
	u8 *ip = frame + ETH, *inner = ip + IP;

	begin_frame(0x0800);
	frame_len = ETH + IP + len;
	change(len);
	memset(ip, 0, IP);
	ip[0] = 0x45;
	put16(ip + 2, (u32)(IP + len));
	ip[8] = 64;
	ip[9] = protocol;
	put32(ip + 12, GATEWAY);
	put32(ip + 16, US);
	if (checksum_at) {
		put16(inner + checksum_at, 0);
		put16(inner + checksum_at,
		      fold(sum(inner, len, sum(ip + 12, 8, protocol + (u32)len))));
	}
	if (!rng_below(&rng, 8)) /* more often than not such a header is not believed */
		ip[rng_below(&rng, IP)] = (u8)rng_next(&rng);
	put16(ip + 10, 0);
	put16(ip + 10, fold(sum(ip, IP, 0)));
	if (!rng_below(&rng, 16))
		frame_len = NETDEV_FRAME_MIN + rng_below(&rng, frame_len - NETDEV_FRAME_MIN + 1);
}

static void make_tcp(struct peer *p, u8 flags, const char *data)
{
	u8 *tcp = frame + ETH + IP;
	size_t len = strlen(data);

	memset(tcp, 0, TCP);
	put16(tcp, p->port);
	put16(tcp + 2, p->to);
	put32(tcp + 4, p->seq);
	put32(tcp + 8, p->ack);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	put16(tcp + 14, p->narrow || !rng_below(&rng, 4)
				? (u32)rng_below(&rng, rng_below(&rng, 2) ? 2 : 100)
				: 8192);
	memcpy(tcp + TCP, data, len);
	wrap(6, TCP + len, 16);
}

static void tcp_frame(void)
{
	static const char *const texts[] = {
		TOKEN "\n",
		"show batch\n",
		"\r\n",
		"wrong\n",
		"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /results HTTP/1.1\r\nHost: x\r\n\r\n",
		"HEAD /nix HTTP/1.0\r\n\r\n",
		"POST /api/v1/run HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " TOKEN
		"\r\nContent-Length: 11\r\n\r\n{\"cmd\":\"x\"}",
		"GET /api/v1/run/1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /metrics HT",
		"Accept: a\r\n"};
	struct peer *p = &peers[rng_below(&rng, PEERS)];

	inputs.tcp++;
	if (!p->open && rng_below(&rng, 8)) {
		*p = (struct peer){.port = (u16)(TAKER + 1 + rng_below(&rng, 50000)),
				   .to = rng_below(&rng, 2) ? CONSOLE : HTTP,
				   .seq = (u32)rng_next(&rng),
				   .open = true,
				   .narrow = !rng_below(&rng, 4)};
		make_tcp(p, 2, "");
		return;
	}
	switch (rng_below(&rng, 10)) {
	case 0:
		make_tcp(p, 17, ""); /* the end */
		break;
	case 1:
		make_tcp(p, (u8)rng_next(&rng), "x");
		break;
	case 2:
		make_tcp(p, 20, ""); /* a reset */
		break;
	case 3:
		make_tcp(p, 16, "");
		break;
	default:
		make_tcp(p, 24, texts[rng_below(&rng, ARRAY_SIZE(texts))]);
	}
}

static void dhcp_frame(void)
{
	u8 *udp = frame + ETH + IP, *d = udp + UDP, *o = d + 240;
	static const u8 options[] = {53, 1,  0,	 54, 4, 10,  0,	  2,   2, 51, 4, 0,
				     0,	 14, 16, 1,  4, 255, 255, 255, 0, 3,  4, 10,
				     0,	 2,  2,	 6,  4, 10,  0,	  2,   2, 255};

	memset(udp, 0, UDP + 240 + 60);
	put16(udp, 67);
	put16(udp + 2, 68);
	put16(udp + 4, UDP + 240 + 60);
	d[0] = 2;
	d[1] = 1;
	d[2] = 6;
	put32(d + 4, dhcp_xid);
	put32(d + 16, US);
	memcpy(d + 28, our_mac, 6);
	put32(d + 236, 0x63825363);
	memcpy(o, options, sizeof(options));
	o[2] = dhcp_requests ? 5 : 2;
	if (!rng_below(&rng, 16))
		o[2] = (u8)rng_below(&rng, 9);
	dhcp_asks = false;
	inputs.dhcp++;
	wrap(17, UDP + 240 + 60, 6);
	if (get32(frame + ETH + 16) == US) /* before there is an address it comes to everybody's */
		memset(frame, 0xff, 6);
}

/* Of len bytes that are there, from that port of the gateway's. */
static void answer_udp(u16 to, u16 from, size_t len)
{
	u8 *udp = frame + ETH + IP;

	put16(udp, from);
	put16(udp + 2, to);
	put16(udp + 4, (u32)(UDP + len));
	put16(udp + 6, 0);
	wrap(17, UDP + len, 6);
}

/* The question, and an answer or several, among them names that lead backwards. */
static void dns_frame(void)
{
	static const u8 record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 2, 2};
	u8 *d = frame + ETH + IP + UDP;
	size_t len = dns_question.len;

	memcpy(d, dns_question.bytes, len);
	put16(d + 2, rng_below(&rng, 16) ? 0x8180 : (u32)rng_next(&rng));
	put16(d + 6, 0);
	for (u64 n = rng_below(&rng, 4); n; n--) {
		memcpy(d + len, record, sizeof(record));
		if (!rng_below(&rng, 4))
			d[len + 3] = 5; /* another name for it */
		if (!rng_below(&rng, 4))
			put16(d + len, 0xc000 | (u32)rng_below(&rng, 300));
		put16(d + 6, get16(d + 6) + 1);
		len += sizeof(record);
	}
	inputs.dns++;
	dns_question.len = 0;
	answer_udp(dns_question.port, DNS, len);
}

static void ntp_frame(void)
{
	u8 *d = frame + ETH + IP + UDP;

	memset(d, 0, 48);
	d[0] = rng_below(&rng, 8) ? 0x24 : (u8)rng_next(&rng);
	d[1] = (u8)rng_below(&rng, 3);
	memcpy(d + 24, ntp_question.bytes + 40, 8);
	put32(d + 32, (u32)rng_next(&rng));
	put32(d + 40, (u32)rng_next(&rng));
	inputs.ntp++;
	answer_udp(ntp_question.port, NTP, rng_below(&rng, 16) ? 48 : rng_below(&rng, 60));
}

/* The server that takes results, or does not. */
static void taker_frame(void)
{
	static const char *const texts[] = {"HTTP/1.1 201 Created\r\n\r\n",
					    "HTTP/1.1 201 Created\r\n\r\n", "HTTP/1.1 503 x\r\n",
					    "HTTP/1.1 ", "x\r\n"};

	inputs.taker++;
	if (taker_begins)
		make_tcp(&taker, rng_below(&rng, 8) ? 18 : 20, "");
	else if (rng_below(&rng, 3))
		make_tcp(&taker, 16, "");
	else if (rng_below(&rng, 4))
		make_tcp(&taker, 24, texts[rng_below(&rng, ARRAY_SIZE(texts))]);
	else
		make_tcp(&taker, rng_below(&rng, 2) ? 17 : 20, "");
	taker_begins = false;
	taker.open = false;
}

static void arp_frame(void)
{
	u8 *a = frame + ETH;

	begin_frame(0x0806);
	put32(a, 0x00010800);
	put32(a + 4, 0x06040000 | (u32)(1 + rng_below(&rng, 2)));
	memcpy(a + 8, peer_mac, 6);
	put32(a + 14, rng_below(&rng, 8) ? GATEWAY : (u32)rng_next(&rng));
	memcpy(a + 18, our_mac, 6);
	put32(a + 24, US);
	frame_len = ETH + 28;
	change(28);
}

static void any_frame(void)
{
	u8 *inner = frame + ETH + IP;

	for (unsigned i = 0; i < 64; i++)
		inner[i] = (u8)rng_next(&rng);
	inner[0] = rng_below(&rng, 2) ? 8 : inner[0]; /* an echo's request */
	wrap((u8)(rng_below(&rng, 2) ? 1 : rng_next(&rng)), rng_below(&rng, 64), 0);
}

static void got_name(const char *name __unused, const ip_addr_t *address, void *arg __unused)
{
	named += address != NULL;
}

/* Another name each time, so that it is asked about. */
static void ask_name(void)
{
	ip_addr_t address;
	char name[] = "a00000.example";

	for (unsigned i = 1; i < 6; i++)
		name[i] = (char)('0' + rng_below(&rng, 10));
	dns_gethostbyname(name, &address, got_name, NULL);
}

static void step(void)
{
	frame_len = 0;
	now += (rng_below(&rng, 200) ? rng_below(&rng, 100) : 3000) * MS;
	if (++steps_done % LEASE_STEPS == 0) { /* a lie of the DHCP server's can hold for years */
		dhcp_release_and_stop(netif_default);
		dhcp_start(netif_default);
	}
	if ((dhcp_asks && rng_below(&rng, 2)) || !rng_below(&rng, 10)) {
		dhcp_frame();
	} else if (dns_question.len && rng_below(&rng, 2)) {
		dns_frame();
	} else if (ntp_question.len &&
		   !rng_below(&rng, 12)) { /* lwIP reads what it did not ask for, too */
		ntp_frame();
	} else if (taker.open && rng_below(&rng, 2)) {
		taker_frame();
	} else if (stray.open) {
		stray.open = false;
		make_tcp(&stray, 4, "");
	} else if (rng_below(&rng, 10)) {
		tcp_frame();
	} else if (rng_below(&rng, 3)) {
		arp_frame();
	} else {
		any_frame();
	}
	polled->poll(polled, rng_below(&rng, 4));
	if (net_on && !rng_below(&rng, 8))
		ask_name();
	if (sink && !rng_below(&rng, 3))
		sink->write(sink, "some output\n", 12);
	while (source && source->getc(source) >= 0)
		typed++;
}

static unsigned wrong_step(void)
{
	port_assert_failed("a test", "here", 1);
}

static unsigned right_step(void)
{
	return 7;
}

TEST(an_assertion_ends_the_network_alone)
{
	unsigned result = 0;

	CHECK(port_guarded(right_step, &result) && result == 7 && !stopped);
	CHECK(!port_guarded(wrong_step, &result) && result == 7);
	CHECK(stopped && strstr(lines, "lwIP: a test (here:1)"));
	stopped = false;
}

TEST(dates)
{
	static const struct {
		u64 s;
		const char *text;
	} known[] = {
		{0, "1970-01-01T00:00:00.007Z"},	  {951782400, "2000-02-29T00:00:00.007Z"},
		{4107542399, "2100-02-28T23:59:59.007Z"}, {4107542400, "2100-03-01T00:00:00.007Z"},
		{1798761599, "2026-12-31T23:59:59.007Z"}, {1795978800, "2026-11-29T19:00:00.007Z"}};
	char text[NET_UTC_LEN];

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		net_utc(known[i].s * 1000000 + 7999, text);
		CHECK_STR(text, known[i].text);
	}
}

TEST(a_network_full_of_mistakes)
{
	u64 steps = check_inputs(150000);

	kmem.alloc = allocate;
	rng_seed(&rng, 4);
	option_init("ip=dhcp net.console=23 net.http=80 net.open=read net.log=10.0.2.2 "
		    "net.ntp=time.example "
		    "net.put=http://10.0.2.2:8000/x/ net.token=" TOKEN);
	CHECK_EQ(__stop_services - __start_services, 1);
	(*__start_services)->start();
	CHECK(net_on && polled);
	for (u64 n = 0; n < steps && !stopped; n++)
		step();
	printf("# inputs: %u segments of clients, %u DHCP, %u DNS, %u SNTP, %u of a server\n",
	       inputs.tcp, inputs.dhcp, inputs.dns, inputs.ntp, inputs.taker);
	printf("# %u names, %u uploads, %u times, %u lines of the log\n", named, uploads, times,
	       logged);
	printf("# %u sessions, %u bytes typed, %u jobs, %u answers, %u segments, %u resets; %s",
	       sessions, typed, jobs, answers, segments, resets, lines);
	CHECK(!stopped);
	/* What must have happened, or this was no test. */
	CHECK(sessions > 20 && typed > 100 && jobs > 20 && answers > 200 && segments > 10000);
	frame_len = 0;
	for (unsigned n = 0; n < 40000; n++) { /* nobody is there any more: 40000 s */
		now += 1000UL * MS;
		dhcp_asks = false;
		polled->poll(polled, true);
	}
	CHECK(named > 100 && uploads > 5 && times && logged > 100);
	CHECK(inputs.dhcp > 10000 && inputs.dns > 1000 && inputs.ntp > 1000 && inputs.taker > 1000);
	CHECK(!sink && !source);
	CHECK_EQ(lwip_stats.memp[MEMP_TCP_PCB]->used, 0);
	CHECK_EQ(lwip_stats.memp[MEMP_TCP_SEG]->used, 0);
	CHECK_EQ(lwip_stats.memp[MEMP_PBUF_POOL]->used, 0);
	CHECK_EQ(lwip_stats.memp[MEMP_TCP_PCB_LISTEN]->used, 2);
	CHECK(lwip_stats.mem.used < 1024 && !lwip_stats.mem.illegal);
}
