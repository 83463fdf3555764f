/* What lwIP calls: time, random numbers, the end where it finds itself wrong, and one function of the C library. */
#include "net.h"
#include <kernel/clock.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/rng.h>
#include <arch/cpu.h>
#include <lwip/sys.h>
#include <lwip/tcp.h>
#include <lwip/prot/tcp.h>
#include <lwip/priv/tcp_priv.h>
#include <hooks.h>
#include <stdlib.h>

enum {
	NS_PER_MS = 1000000,
	FAR = 1 << 30, /* in sequence numbers: windows have up to 2^16 */
	LEFT_TICKS = 240, /* of 500 ms: two minutes of silence */
};

/* Milliseconds; wraps after 49 days, which lwIP expects. */
u32_t sys_now(void)
{
	return (u32_t)(clock_ns() / NS_PER_MS);
}

/*
 * Ports, numbers of segments, ids of DHCP: what somebody who does not see our frames should not guess. The
 * cycle counter at each call is what he does not know. No secrets are made of it.
 */
uint32_t port_random(void)
{
	static u64 state;

	state ^= cycles_now();
	return (uint32_t)(rng_splitmix64(&state) >> 32);
}

/*
 * May lwIP look at this segment of a connection? Sequence numbers are compared by the sign of their difference. At a distance
 * of 2^31 there is none, and lwIP 2.1.3 takes a segment of one byte there for an overlapping one (tcp_receive(): "insane
 * offset!"). No segment that is of use is nearly that far away.
 */
signed char port_take_segment(const struct tcp_pcb *pcb, const struct tcp_hdr *segment)
{
	s32 away;

	if (pcb->state < SYN_RCVD)
		return ERR_OK; /* nothing was received yet; where one listens there is no rcv_nxt at all */
	away = (s32)(segment->seqno - pcb->rcv_nxt);
	return away > FAR || away < -FAR ? ERR_VAL : ERR_OK;
}

/*
 * Closed by us, and nothing comes any more. lwIP 2.1.3 gives up on an other side that does not answer, but not where its
 * window had room for a part of the next segment: then it sends that part, and begins anew each time.
 */
static bool is_left(const struct tcp_pcb *pcb)
{
	return (pcb->state == FIN_WAIT_1 || pcb->state == CLOSING || pcb->state == LAST_ACK) &&
	       tcp_ticks - pcb->tmr > LEFT_TICKS;
}

/*
 * Before timers run: a connection of which nothing waits to be sent, or something is on its way, needs no probes of a closed
 * window. lwIP 2.1.3 goes on with them where a probe was the last byte, and stops with an assertion (tcp_slowtmr(): "persist
 * ticking"). And one that is left must not keep its place for ever.
 */
void port_calm(void)
{
	struct tcp_pcb *next;

	for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = next) {
		next = pcb->next;
		if (!pcb->unsent || pcb->unacked)
			pcb->persist_backoff = 0;
		if (is_left(pcb))
			tcp_abort(pcb);
	}
}

/*
 * An assertion of lwIP must neither end the machine, as anybody on the network might bring it about, nor be passed over, as
 * what comes behind it relies on it: the network ends. lwIP is called here only, and holds no lock, so it can be left.
 */
static void *resume[5];
static bool guarded;

bool port_guarded(unsigned (*step)(void), unsigned *result)
{
	if (__builtin_setjmp(resume)) {
		guarded = false;
		return false;
	}
	guarded = true;
	*result = step();
	guarded = false;
	return true;
}

void port_assert_failed(const char *what, const char *file, int line)
{
	if (!guarded) /* at the start, where nobody can have had a part in it */
		panic("lwIP: %s (%s:%d)", what, file, line);
	printk("net: lwIP: %s (%s:%d): the network has stopped\n", what, file, line);
	__builtin_longjmp(resume, 1);
}

/* The digits at the beginning; lwIP asks it about the number in an interface's name. */
int atoi(const char *s)
{
	int value = 0;

	for (; *s >= '0' && *s <= '9' && value < INT_MAX / 10 - 1; s++)
		value = value * 10 + (*s - '0');
	return value;
}
