/* Texts longer than an answer: records of the last run, what a job printed. Sent piece by piece from where they lie. */
#pragma once

#include <kernel/types.h>
#include <lwip/tcp.h>

enum stream_kind {
	STREAM_RECORDS, /* of the last run, a line each */
	STREAM_SEALED, /* the same, and a line that says how many, and their checksum */
	STREAM_JOB, /* what follows "records":[ in a job's description */
	STREAM_OUTPUT, /* of the last job */
};

struct stream {
	enum stream_kind kind;
	u64 of; /* run or job */
	unsigned piece; /* this one is sent next, from offset on */
	size_t offset;
	u64 left; /* bytes */
};

/* Begin to send what there is of that run or job. How many bytes it is. */
u64 stream_begin(struct stream *s, enum stream_kind kind, u64 of);
/* Hand as much to lwIP as it takes. False: what was begun with is not there any more. */
bool stream_send(struct stream *s, struct tcp_pcb *pcb);
