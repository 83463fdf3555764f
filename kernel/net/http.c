/*
 * HTTP/1.1 (RFC 9112): a request is answered when its head is there and everything before has been
 * acknowledged, so the answer always fits what lwIP takes. A client that sends or reads slowly holds up nobody else.
 */
#include "net.h"
#include "jobs.h"
#include "pages.h"
#include "request.h"
#include "serve.h"
#include "stream.h"
#include <kernel/bench.h>
#include <kernel/clock.h>
#include <kernel/error.h>
#include <kernel/option.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>

enum {
	CLIENTS = 6,
	HEAD_MAX = 4096, /* bytes of a request with its body */
	COMMAND_MAX = 2048, /* bytes of that: a line of which each character is escaped */
	ANSWER_HEAD = 512,
	BODY_MAX = 22 << 10,
};

_Static_assert(ANSWER_HEAD + BODY_MAX <= TCP_SND_BUF,
	       "an answer must fit where nothing is on its way");

#define REQUEST_NS                                                                                 \
	10000000000UL /* for a request to come, also the next one of a connection that is kept */
#define ANSWER_NS 60000000000UL /* for an answer to be read */

enum state { FREE, READING, SENDING, ENDING };

/* All of it is the console CPU's. */
static struct client {
	enum state state;
	struct tcp_pcb *pcb; /* NULL: lwIP has given it up */
	u64 until; /* ns: what it does must be done */
	char head[HEAD_MAX + 1];
	size_t len; /* bytes of it */
	bool too_long; /* it was more */
	bool keep;
	bool waits_body; /* the head is there, and not all that it says will follow */
	bool is_run; /* what is asked for is the page that runs commands */
	struct stream rest; /* SENDING: what follows the answer */
} clients[CLIENTS];

static char answer[ANSWER_HEAD + BODY_MAX];
static bool listening;

static void set_state(struct client *c, enum state state, u64 ns)
{
	c->state = state;
	c->until = clock_ns() + ns;
}

/* ---- answers ---- */

static const char *status_text(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} texts[] = {
		{200, "OK"},
		{202, "Accepted"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{413, "Content Too Large"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{505, "HTTP Version Not Supported"},
	};
	unsigned i = 0;

	while (i + 1 < ARRAY_SIZE(texts) && texts[i].status != status)
		i++;
	return texts[i].text;
}

/* Head of an answer, and the body behind ANSWER_HEAD if it is to be sent with it. False: lwIP has no memory now. */
static bool send_answer(struct client *c, unsigned status, const char *type, u64 body_len,
			size_t sent_len)
{
	const char *allow = c->is_run ? "Allow: POST\r\n" : "Allow: GET, HEAD\r\n";
	const char *more = status == 405   ? allow
			   : status == 401 ? "WWW-Authenticate: Bearer\r\n"
					   : "";
	int n = ksnprintf(answer, ANSWER_HEAD,
			  "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %lu\r\n"
			  "Cache-Control: no-store\r\n%sConnection: %s\r\n\r\n",
			  status, status_text(status), type, body_len, more,
			  c->keep ? "keep-alive" : "close");

	memmove(answer + n, answer + ANSWER_HEAD, sent_len);
	if (tcp_write(c->pcb, answer, (u16_t)((size_t)n + sent_len), TCP_WRITE_FLAG_COPY) != ERR_OK)
		return false;
	tcp_output(c->pcb);
	return true;
}

static bool send_error(struct client *c, unsigned status)
{
	int n = ksnprintf(answer + ANSWER_HEAD, BODY_MAX, "{\"error\":\"%s\"}\n",
			  status_text(status));

	c->keep = c->keep && (status == 401 || status == 404 || status == 405 || status == 503);
	return send_answer(c, status, "application/json", (u64)n, (size_t)n);
}

/* An answer whose body is a stream, or n bytes that lie behind ANSWER_HEAD and then a stream. */
static bool send_stream(struct client *c, const char *type, size_t n, enum stream_kind kind, u64 of,
			bool with_body)
{
	u64 total = n + stream_begin(&c->rest, kind, of);

	if (!with_body)
		c->rest.left = 0;
	if (send_answer(c, 200, type, total, with_body ? n : 0))
		return true;
	c->rest.left = 0;
	return false;
}

static bool send_page(struct client *c, const struct http_request *r, const struct net_page *page)
{
	bool open = r->openmetrics && page->openmetrics_type, with_body = r->method == HTTP_GET;
	long n;

	if (!page->body)
		return send_stream(c, page->type, 0, STREAM_RECORDS, results_run(), with_body);
	n = page->body(answer + ANSWER_HEAD, BODY_MAX, open);
	if (n < 0)
		return send_error(c, 500);
	return send_answer(c, 200, open ? page->openmetrics_type : page->type, (u64)n,
			   with_body ? (size_t)n : 0);
}

/* POST /api/v1/run: what it starts runs when this answer is on its way. */
static bool submit(struct client *c, const struct http_request *r, const char *body)
{
	static char line[JOB_LINE];
	unsigned id;
	int n;

	if (r->method != HTTP_POST)
		return send_error(c, 405);
	if (!access_by_token(r->bearer))
		return send_error(c, 401);
	if (!http_parse_command(body, line, sizeof(line)))
		return send_error(c, 400);
	id = job_next();
	if (!id)
		return send_error(c, 503);
	n = ksnprintf(answer + ANSWER_HEAD, BODY_MAX, "{\"id\":%u}\n", id);
	if (!send_answer(c, 202, "application/json", (u64)n, (size_t)n))
		return false;
	job_submit(line);
	return true;
}

/* GET /api/v1/run/ID: how it stands with it, and the records that it left, if no later run has others. */
static bool send_job(struct client *c, u64 id, bool with_body)
{
	static const char none[] = ",\"records\":null}\n", some[] = ",\"records\":[";
	char *body = answer + ANSWER_HEAD;
	long n = job_describe(id, body, BODY_MAX - sizeof(none));
	u64 run = job_records(id);

	if (n < 0)
		return send_error(c, n == -ENOENT ? 404 : 500);
	strlcpy(body + n, run ? some : none, sizeof(none));
	n = (long)strlen(body);
	if (run)
		return send_stream(c, "application/json", (size_t)n, STREAM_JOB, run, with_body);
	return send_answer(c, 200, "application/json", (u64)n, with_body ? (size_t)n : 0);
}

static bool send_output(struct client *c, u64 id, bool with_body)
{
	size_t len;

	if (!job_output(id, &len))
		return send_error(c, 404);
	return send_stream(c, "text/plain; charset=utf-8", 0, STREAM_OUTPUT, id, with_body);
}

/* "/12" or "/12/output" of a job. False: neither. */
static bool parse_job(const char *path, u64 *id, bool *output)
{
	char digits[20];
	size_t len;

	if (*path++ != '/')
		return false;
	for (len = 0; path[len] && path[len] != '/' && len + 1 < sizeof(digits); len++)
		digits[len] = path[len];
	digits[len] = '\0';
	*output = !strcmp(path + len, "/output");
	return !parse_u64(digits, id) && (*output || !path[len]);
}

static bool answer_request(struct client *c, const struct http_request *r, const char *body)
{
	static const char run[] = "/api/v1/run";
	const char *job = strncmp(r->path, run, sizeof(run) - 1) ? NULL : r->path + sizeof(run) - 1;
	bool output = false, with_body = r->method == HTTP_GET;
	const struct net_page *page;
	u64 id;

	c->is_run = job && !*job;
	if (c->is_run)
		return submit(c, r, body);
	if (!access_to_read(r->bearer))
		return send_error(c, 401);
	job = job && parse_job(job, &id, &output) ? job : NULL;
	page = net_page_find(r->path);
	if (!page && !job)
		return send_error(c, 404);
	if (!with_body && r->method != HTTP_HEAD)
		return send_error(c, 405);
	if (job)
		return (output ? send_output : send_job)(c, id, with_body);
	return send_page(c, r, page);
}

/* ---- one connection ---- */

/*
 * Parsed in a copy, as it may have to be answered once more. *whole: bytes with the body, which may not all be there. 0, 413,
 * or as http_parse().
 */
static unsigned parse_request(const struct client *c, size_t len, struct http_request *r,
			      const char **body, size_t *whole)
{
	static char text[HEAD_MAX + 1];
	unsigned wrong;

	memcpy(text, c->head, c->len);
	text[c->len] = '\0';
	wrong = http_parse(text, r);
	if (!wrong &&
	    (r->length > (r->method == HTTP_POST ? COMMAND_MAX : 0) || len + r->length > HEAD_MAX))
		wrong = 413;
	*body = text + len;
	*whole = len + (wrong ? 0 : r->length);
	if (*whole <= c->len)
		text[*whole] = '\0';
	return wrong;
}

static void handle(struct client *c)
{
	size_t len = http_head_len(c->head, c->len), whole = 0;
	struct http_request r;
	const char *body;
	unsigned wrong = 431;

	if (!len && !c->too_long)
		return;
	if (len)
		wrong = parse_request(c, len, &r, &body, &whole);
	c->waits_body = whole > c->len;
	if (c->waits_body && !c->too_long)
		return;
	if (c->too_long)
		wrong = c->waits_body ? 413 : 431;
	c->rest.left = 0;
	c->keep = !wrong && r.keep;
	if (!(wrong ? send_error(c, wrong) : answer_request(c, &r, body)))
		return; /* lwIP has no memory: at the next look */
	whole = MIN(whole, c->len);
	memmove(c->head, c->head + whole, c->len - whole);
	c->len -= whole;
	set_state(c, SENDING, ANSWER_NS);
}

static void send_rest(struct client *c)
{
	if (stream_send(&c->rest, c->pcb))
		return;
	c->rest.left = 0;
	c->keep = false;
	set_state(c, ENDING, 0); /* shorter than it was said to be: the client sees that */
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err __unused)
{
	struct client *c = arg;

	if (!p) {
		set_state(c, ENDING, 0);
		return ERR_OK;
	}
	if (c->state != READING && !c->keep) {
		; /* it is over: what still comes is not read */
	} else if (c->too_long) {
		; /* nor this */
	} else if (c->len + p->tot_len > HEAD_MAX) {
		if (c->state != READING || (http_head_len(c->head, c->len) && !c->waits_body))
			return ERR_MEM; /* lwIP keeps it until there is room */
		c->too_long = true;
	} else {
		pbuf_copy_partial(p, c->head + c->len, p->tot_len, 0);
		c->len += p->tot_len;
	}
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static void gone(void *arg, err_t err __unused)
{
	struct client *c = arg;

	c->pcb = NULL;
	set_state(c, ENDING, 0);
}

static err_t accepted(void *arg __unused, struct tcp_pcb *pcb, err_t err)
{
	struct client *c = clients;

	if (!serve_accepts(pcb, err))
		return ERR_VAL; /* lwIP resets it */
	while (c < clients + CLIENTS && c->state != FREE)
		c++;
	if (c == clients + CLIENTS)
		return ERR_MEM; /* lwIP resets it */
	memset(c, 0, sizeof(*c));
	c->pcb = pcb;
	set_state(c, READING, REQUEST_NS);
	tcp_arg(pcb, c);
	tcp_recv(pcb, received);
	tcp_err(pcb, gone);
	tcp_nagle_disable(pcb);
	return ERR_OK;
}

static void look_at(struct client *c, u64 now)
{
	bool is_read = c->pcb && tcp_sndbuf(c->pcb) == TCP_SND_BUF;

	if (c->state == SENDING && c->rest.left)
		send_rest(c);
	else if (c->state == SENDING && is_read && c->keep)
		set_state(c, READING, REQUEST_NS);
	else if (c->state == SENDING && is_read)
		set_state(c, ENDING, 0);
	if (c->state == READING && is_read)
		handle(c);
	if (c->state == READING && now >= c->until && c->len) {
		c->keep = false;
		send_error(c, 408);
	}
	if (c->state != FREE && now >= c->until) {
		serve_stop(c->pcb);
		c->state = FREE;
	}
}

void http_poll(void)
{
	if (!listening)
		return;
	for (struct client *c = clients; c < clients + CLIENTS; c++)
		if (c->state != FREE)
			look_at(c, clock_ns());
}

/* ---- start ---- */

BOOT_OPTION(net_http, "net.http", "PORT",
	    "HTTP: /healthz, /metrics, /api/v1/info, topology, counters, schemes, results.jsonl "
	    "and run");

void http_start(void)
{
	u16_t port;

	if (!serve_port("net.http", option_get("net.http"), &port))
		return;
	if (!access_is_possible()) {
		printk("boot option net.http=%u: needs net.token= or net.open=read; no HTTP\n",
		       port);
		return;
	}
	jobs_start();
	listening = serve_start("net.http", port, accepted);
}
