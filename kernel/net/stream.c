/* What is too long for an answer's buffer. It stays where it is; if it goes away in between, what was begun cannot be ended. */
#include "stream.h"
#include "jobs.h"
#include <kernel/bench.h>
#include <kernel/crc32.h>
#include <kernel/printf.h>
#include <kernel/string.h>

static char seal[256]; /* of the only one that sends records with it */

/* A record, or behind the last one the line that closes them. */
static const char *sealed_piece(unsigned i, size_t *len)
{
	const char *text = results_record(i, len);

	if (text || !i || !results_record(i - 1, len))
		return text;
	*len = strlen(seal);
	return seal;
}

/* Records with commas between, and an end. */
static const char *job_piece(unsigned i, size_t *len)
{
	const char *next = results_record((i + 1) / 2, len);

	if (i % 2 == 0)
		return next;
	if (!next && !results_record(i / 2, len))
		return NULL;
	*len = next ? 1 : 3;
	return next ? "," : "]}\n";
}

/* NULL behind the last one. */
static const char *piece(const struct stream *s, unsigned i, size_t *len)
{
	if (s->kind == STREAM_OUTPUT)
		return i ? NULL : job_output(s->of, len);
	if (s->of != results_run())
		return NULL;
	switch (s->kind) {
	case STREAM_SEALED:
		return sealed_piece(i, len);
	case STREAM_JOB:
		return job_piece(i, len);
	default:
		return results_record(i, len);
	}
}

static void make_seal(u64 run)
{
	unsigned n = 0;
	u64 bytes = 0;
	u32 crc = 0;
	const char *text;
	size_t len;
	int at;

	for (; (text = results_record(n, &len)); n++) {
		crc = crc32_update(crc, text, len);
		bytes += len;
	}
	at = ksnprintf(
		seal, sizeof(seal),
		"{\"schema\":\"tarry.bench/1\",\"name\":\"end\",\"boot_id\":\"%#lx\",\"run\":%lu,"
		"\"records\":%u,\"bytes\":%lu,\"sum\":\"%08x\"",
		record_boot_id(), run, n, bytes, crc);
	crc = crc32_update(0, seal, (size_t)at);
	ksnprintf(seal + at, sizeof(seal) - (size_t)at, ",\"crc\":\"%08x\"}\n", crc);
}

u64 stream_begin(struct stream *s, enum stream_kind kind, u64 of)
{
	size_t len;

	*s = (struct stream){.kind = kind, .of = of};
	if (kind == STREAM_SEALED)
		make_seal(of);
	for (unsigned i = 0; piece(s, i, &len); i++)
		s->left += len;
	return s->left;
}

bool stream_send(struct stream *s, struct tcp_pcb *pcb)
{
	while (s->left) {
		size_t len, n;
		const char *text = piece(s, s->piece, &len);

		if (!text || s->offset > len || len - s->offset > s->left)
			return false;
		n = MIN(len - s->offset, (size_t)MIN(tcp_sndbuf(pcb), (u16_t)TCP_MSS));
		if (len > s->offset && (!n || tcp_write(pcb, text + s->offset, (u16_t)n,
							TCP_WRITE_FLAG_COPY) != ERR_OK))
			break;
		s->left -= n;
		s->offset += n;
		if (s->offset == len) {
			s->piece++;
			s->offset = 0;
		}
	}
	tcp_output(pcb);
	return true;
}
