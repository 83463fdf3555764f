/* The network's own code on the host: what ip= may say, and a ring whose device lies. */
#include "../../kernel/drivers/net/virtio.h"
#include "../../kernel/net/net.h"
#include "../../kernel/net/request.h"
#include "check.h"
#include "random.h"

#include <kernel/error.h>
#include <kernel/panic.h>
#include <arch/barrier.h>
#include <stdlib.h>

void panic(const char *fmt, ...)
{
	fprintf(stderr, "panic: %s\n", fmt);
	abort();
}

/* ---- ip= ---- */

TEST(ip_that_is_good)
{
	struct net_config c;

	CHECK(!net_parse_ip("dhcp", &c) && c.dhcp);
	CHECK(!net_parse_ip("10.0.2.15/24,gw=10.0.2.2", &c) && !c.dhcp);
	CHECK_EQ(c.address, 0x0a00020f);
	CHECK_EQ(c.gateway, 0x0a000202);
	CHECK_EQ(c.bits, 24);
	CHECK_EQ(net_mask(c.bits), 0xffffff00);
	CHECK_EQ(c.dns, 0);
	CHECK(!net_parse_ip("10.0.2.15/24,gw=10.0.2.2,dns=9.9.9.9", &c));
	CHECK_EQ(c.dns, 0x09090909);
	CHECK(!net_parse_ip("10.0.2.15/24,dns=10.0.2.3", &c) && !c.gateway);
	CHECK(!net_parse_ip("223.255.255.254/30", &c));
	CHECK_EQ(c.gateway, 0);
	CHECK(!net_parse_ip("1.0.0.1/1", &c));
}

TEST(ip_that_is_not)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"", "must be dhcp"},
		{"on", "must be dhcp"},
		{"dhcp6", "must be dhcp"},
		{"10.0.2/24", "must be dhcp"},
		{"10.0.2.256/24", "must be dhcp"},
		{"10.0.2.015/24", "must be dhcp"},
		{"10.0.2.1555/24", "bits of the network are missing"},
		{"10.0.2.15", "bits of the network are missing"},
		{"10.0.2.15.1/24", "bits of the network are missing"},
		{"10.0.2.15/", "bits of the network must be"},
		{"10.0.2.15/0", "bits of the network must be"},
		{"10.0.2.15/31", "bits of the network must be"},
		{"10.0.2.15/024", "bits of the network must be"},
		{"0.0.2.15/24", "no machine may have"},
		{"127.0.0.1/8", "no machine may have"},
		{"224.0.0.1/24", "no machine may have"},
		{"10.0.2.0/24", "address of the network or of all"},
		{"10.0.2.255/24", "address of the network or of all"},
		{"10.0.2.15/24,", "only gw="},
		{"10.0.2.15/24 gw=10.0.2.2", "only gw="},
		{"10.0.2.15/24,gw=", "gw= must be four"},
		{"10.0.2.15/24,gw=10.0.2.2,x", "gw= must be four"},
		{"10.0.2.15/24,gw=10.0.3.2", "gw= is not in the network"},
		{"10.0.2.15/24,gw=10.0.2.255", "gw= is no other machine"},
		{"10.0.2.15/24,gw=10.0.2.15", "gw= is no other machine"},
		{"10.0.2.15/24,dns=", "dns= must be"},
		{"10.0.2.15/24,dns=127.0.0.1", "dns= must be"},
		{"10.0.2.15/24,gw=10.0.2.2,dns=10.0.2.3,", "dns= must be"},
		{"10.0.2.15/24,dns=10.0.2.3,gw=10.0.2.2", "dns= must be"},
	};
	struct net_config c;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *why = net_parse_ip(bad[i].text, &c);

		if (!why || !strstr(why, bad[i].why))
			CHECK_STR(bad[i].text, why ? why : "accepted");
		CHECK(why && strstr(why, bad[i].why));
	}
}

/* ---- who is meant ---- */

TEST(hosts)
{
	static const char *const bad[] = {"",
					  ":80",
					  "a_b",
					  "a b",
					  "10.0.2.2:",
					  "10.0.2.2:0",
					  "10.0.2.2:65536",
					  "a:1x",
					  "a:99999999999999999999"};
	char host[NET_HOST_MAX + 1], longest[NET_HOST_MAX + 2] = "";
	u16 port = 7;

	CHECK(!net_parse_host("lab-1.example:8080/x", 18, host, &port));
	CHECK_STR(host, "lab-1.example");
	CHECK_EQ(port, 8080);
	CHECK(!net_parse_host("10.0.2.2", 8, host, &port));
	CHECK_STR(host, "10.0.2.2");
	CHECK_EQ(port, 8080); /* none was given */
	CHECK(!net_parse_host("a:65535", 7, host, &port) && port == 65535);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		if (!net_parse_host(bad[i], strlen(bad[i]), host, &port))
			CHECK_STR(bad[i], "refused");
	}
	memset(longest, 'a', NET_HOST_MAX);
	CHECK(!net_parse_host(longest, NET_HOST_MAX, host, &port));
	longest[NET_HOST_MAX] = 'a';
	CHECK(net_parse_host(longest, NET_HOST_MAX + 1, host, &port));
}

/* ---- the token ---- */

TEST(token)
{
	char token[NET_TOKEN_MAX + 1] = "correct-horse-battery", sent[NET_TOKEN_MAX + 1];

	memcpy(sent, token, sizeof(sent));
	CHECK(net_token_is(token, sent));
	for (unsigned i = 0; i < sizeof(sent);
	     i++) { /* each place counts, the padding and its end, too */
		for (unsigned bit = 0; bit < 8; bit++) {
			sent[i] ^= (char)(1U << bit);
			CHECK(!net_token_is(token, sent));
			sent[i] ^= (char)(1U << bit);
		}
	}
	memset(sent, 0, sizeof(sent));
	CHECK(!net_token_is(token, sent));
}

/* ---- a request ---- */

static unsigned parse(const char *text, struct http_request *r)
{
	static char head[4096];

	strcpy(head, text);
	return http_parse(head, r);
}

TEST(request_that_is_good)
{
	struct http_request r;

	CHECK_EQ(parse("GET /metrics?a=b HTTP/1.1\r\nhOST: x\r\nAccept: text/*, "
		       "Application/OpenMetrics-Text;q=1\r\n"
		       "Authorization: BEARER abc \r\n\r\n",
		       &r),
		 0);
	CHECK_STR(r.path, "/metrics");
	CHECK_STR(r.bearer, "abc");
	CHECK(r.keep && r.openmetrics && r.method == HTTP_GET && !r.length);
	CHECK_EQ(parse("HEAD / HTTP/1.0\r\n\r\n", &r), 0);
	CHECK(!r.keep && !r.openmetrics && r.method == HTTP_HEAD);
	CHECK_EQ(parse("PUT / HTTP/1.1\r\nHost:\r\nConnection: x, Close\r\nContent-Length: "
		       "12\r\n\r\n",
		       &r),
		 0);
	CHECK(!r.keep && r.method == HTTP_OTHER);
	CHECK_EQ(r.length, 12);
	CHECK_EQ(http_head_len("a\r\n\r\nb", 6), 5);
	CHECK_EQ(http_head_len("a\r\n\r\nb", 4), 0);
}

TEST(request_that_is_not)
{
	static const struct {
		const char *text;
		unsigned status;
	} bad[] = {
		{"\r\n\r\n", 400},
		{"GET\r\n\r\n", 400},
		{"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 505},
		{"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 505},
		{"GET / http/1.1\r\nHost: x\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1234567890123456789\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic eA==\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
		{"GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n", 400},
	};
	struct http_request r;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		if (parse(bad[i].text, &r) != bad[i].status)
			printf("# %s\n", bad[i].text);
		CHECK_EQ(parse(bad[i].text, &r), bad[i].status);
	}
}

TEST(commands)
{
	static const char *const bad[] = {"",
					  "{}",
					  "[]",
					  "{\"cmd\"}",
					  "{\"cmd\":}",
					  "{\"cmd\":\"\"}",
					  "{\"cmd\":\"a\"",
					  "{\"cmd\":\"a\"}}",
					  "{\"cmd\":\"a\",\"b\":1}",
					  "{\"command\":\"a\"}",
					  "{\"commandcommand\":\"a\"}",
					  "{\"cmd\":\"a\\u0041\"}",
					  "{\"cmd\":\"a\nb\"}",
					  "{\"cmd\":\"a\\",
					  "{\"cmd\":\"a",
					  "{\"cmd\":\"123456789\"}"};
	char line[9];

	CHECK(http_parse_command(" {\t\"cmd\"\r\n: \"a \\\"\\\\\\/8\" } ", line, sizeof(line)));
	CHECK_STR(line, "a \"\\/8");
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		char *body = malloc(strlen(bad[i]) + 1); /* the sanitizer watches its end */

		strcpy(body, bad[i]);
		bool taken = http_parse_command(body, line, sizeof(line));

		free(body);
		if (taken)
			printf("# %s\n", bad[i]);
		CHECK(!taken);
	}
}

/* Bytes of good requests, changed, cut and put together: the sanitizers watch the ends of each. */
TEST(requests_of_anybody)
{
	static const char *const pieces[] = {"GET ",
					     "HEAD ",
					     "POST /",
					     "/metrics",
					     " HTTP/1.1\r\n",
					     "Host: x\r\n",
					     "\r\n",
					     "\r\n\r\n",
					     "Accept: application/openmetrics-text\r\n",
					     "Authorization: Bearer 0123456789abcdef\r\n",
					     "Content-Length: 99\r\n",
					     "Connection: close\r\n",
					     "\r",
					     "\n",
					     " ",
					     ":",
					     "?"};
	unsigned good = 0, bad = 0;
	struct http_request r;
	struct rng rng;

	rng_seed(&rng, 2);
	for (u64 n = check_inputs(200000); n; n--) {
		char text[1024] = "GET / HTTP/1.1\r\nHost: x\r\n";
		size_t len = rng_below(&rng, 2) ? strlen(text) : 0;

		for (u64 more = rng_below(&rng, 10); more; more--) {
			const char *piece = pieces[rng_below(&rng, ARRAY_SIZE(pieces))];

			memcpy(text + len, piece, strlen(piece));
			len += strlen(piece);
		}
		if (len && !rng_below(&rng, 3))
			text[rng_below(&rng, len)] = (char)rng_next(&rng);
		memcpy(text + len, "\r\n\r\n", 4);
		len = http_head_len(text, len + 4);
		char *head = malloc(len + 1);

		memcpy(head, text, len);
		head[len] = '\0';
		unsigned status = http_parse(head, &r);

		if (!status) {
			good++;
			CHECK(r.path > head && r.path < head + len && *r.path == '/');
			CHECK(strlen(r.bearer) <= NET_TOKEN_MAX);
		} else {
			bad++;
			CHECK(status == 400 || status == 431 || status == 501 || status == 505);
		}
		free(head);
	}
	CHECK(good > 10000 && bad > 10000);
}

/* ---- a ring ---- */

static struct virtio_shared *shared;
static struct virtio_ring ring;
/* What the device sees, but for the index: what was there at the last dma_wmb(), and which index was. */
static struct virtio_desc seen_desc[VIRTIO_RING];
static struct virtio_avail seen;
/* An entry that is there after the index, which is seen from the next dma_rmb() on. */
static struct {
	bool due;
	unsigned at;
	u32 id, len;
} late;

void fake_dma_wmb(void)
{
	memcpy(seen_desc, shared->desc, sizeof(seen_desc));
	seen = shared->avail;
}

void fake_dma_rmb(void)
{
	if (!late.due)
		return;
	shared->used.ring[late.at].id = late.id;
	shared->used.ring[late.at].len = late.len;
	late.due = false;
}

static void begin(unsigned size, bool writes)
{
	free(shared);
	shared = aligned_alloc(
		64, ALIGN_UP(sizeof(*shared), 64UL)); /* the sanitizer watches its ends */
	virtio_ring_init(&ring, shared, 0x100000, size, writes);
	for (unsigned i = 0; writes && i < size; i++)
		virtio_ring_give(&ring, i, VIRTIO_BUFFER);
}

/* What a device does with the n-th buffer that it was given. */
static void done(u16 n, u32 id, u32 len)
{
	late.due = true;
	late.at = n % ring.size;
	late.id = id;
	late.len = len;
	shared->used.idx = (u16)(n + 1);
}

TEST(ring_goes_round)
{
	u32 len;

	begin(16, true);
	CHECK_EQ(shared->avail.idx, 16);
	CHECK_EQ(shared->avail.flags, 1);
	CHECK_EQ(virtio_ring_take(&ring, &len), -EAGAIN);
	for (unsigned n = 0; n < 200000; n++) { /* the indices wrap three times */
		unsigned id = seen.ring[n % 16];

		CHECK_EQ((u16)(seen.idx + 1),
			 shared->avail.idx); /* the index comes behind the rest */
		CHECK_EQ(seen_desc[id].addr,
			 0x100000 + offsetof(struct virtio_shared, buffers) + id * 2048);
		CHECK_EQ(seen_desc[id].len, 2048);
		CHECK_EQ(seen_desc[id].flags, 2);
		done((u16)n, id, n % 2049);
		CHECK_EQ(virtio_ring_take(&ring, &len), (int)id);
		CHECK_EQ(len, n % 2049);
		CHECK_EQ(virtio_ring_take(&ring, &len), -EAGAIN);
		virtio_ring_give(&ring, id, VIRTIO_BUFFER);
	}
	CHECK(!ring.broken);
}

TEST(ring_for_sending)
{
	u32 len;

	begin(4, false);
	virtio_ring_give(&ring, 3, 100);
	CHECK_EQ(shared->desc[3].flags, 0);
	CHECK_EQ(shared->desc[3].len, 100);
	done(0, 3, 0xffffffff); /* of what it only reads it says nothing */
	CHECK_EQ(virtio_ring_take(&ring, &len), 3);
}

static void broken_by(const char *why)
{
	u32 len;

	CHECK_EQ(virtio_ring_take(&ring, &len), -EIO);
	CHECK(ring.broken && strstr(ring.broken, why));
	done((u16)ring.used, 0, 60);
	CHECK_EQ(virtio_ring_take(&ring, &len), -EIO); /* for good */
}

TEST(ring_that_lies)
{
	u32 len;

	begin(16, true);
	done(0, 16, 60);
	broken_by("a buffer that it did not have");
	begin(16, true);
	done(0, 0xffffffff, 60);
	broken_by("a buffer that it did not have");
	begin(16, true);
	done(0, 5, 60);
	CHECK_EQ(virtio_ring_take(&ring, &len), 5);
	done(1, 5, 60); /* again */
	broken_by("a buffer that it did not have");
	begin(16, true);
	done(0, 5, VIRTIO_BUFFER + 1);
	broken_by("more than a buffer holds");
	begin(16, true);
	shared->used.idx = 17;
	broken_by("more buffers than it had");
	begin(16, true);
	shared->used.idx = 0xffff; /* backwards */
	broken_by("more buffers than it had");
	begin(16, false);
	done(0, 0, 0);
	broken_by("more buffers than it had");
}

/* Whatever it writes, and whenever: what comes back is a buffer that it had, once, and no more than fits. */
TEST(ring_of_a_hostile_device)
{
	struct rng rng;
	u64 taken = 0, broken = 0;
	u32 len;

	rng_seed(&rng, 1);
	for (unsigned round = 0; round < 20000; round++) {
		begin(1U << rng_below(&rng, 7), rng_below(&rng, 2));
		for (unsigned step = 0; step < 64 && !ring.broken; step++) {
			u8 *bytes = (u8 *)shared;
			unsigned i = (unsigned)rng_below(&rng, ring.size);

			if (!ring.out[i])
				virtio_ring_give(&ring, i, 64);
			if (rng_below(&rng, 4)) /* mostly as it should be */
				done(ring.used,
				     (u32)rng_below(&rng, ring.size + !rng_below(&rng, 16)),
				     (u32)rng_below(&rng, 2060));
			else
				bytes[rng_below(&rng, offsetof(struct virtio_shared, buffers))] =
					(u8)rng_next(&rng);
			bool had[VIRTIO_RING];

			memcpy(had, ring.out, sizeof(had));
			int id = virtio_ring_take(&ring, &len);

			CHECK(id >= 0 || id == -EAGAIN || id == -EIO);
			CHECK_EQ(id == -EIO, !!ring.broken);
			if (id < 0)
				continue;
			CHECK((unsigned)id < ring.size && had[id] && !ring.out[id]);
			CHECK(!ring.writes || len <= VIRTIO_BUFFER);
			taken++;
		}
		broken += !!ring.broken;
	}
	CHECK(taken > 10000 && broken > 10000);
	free(shared);
	shared = NULL;
}
