/*
 * A split virtqueue (virtio 1.2, section 2.7) whose device is not believed: it has buffers of ours, numbers and lengths
 * come from it, and each is checked against what we know before it is used. Polled: no interrupts, no events.
 */
#include "virtio.h"
#include <kernel/atomic.h>
#include <kernel/error.h>
#include <kernel/panic.h>
#include <kernel/string.h>

enum { /* section 2.7.5 and 2.7.6 */
       DESC_WRITE = 2,
       AVAIL_NO_INTERRUPT = 1,
};

void virtio_ring_init(struct virtio_ring *r, struct virtio_shared *shared, paddr_t base,
		      unsigned size, bool writes)
{
	ASSERT(size && size <= VIRTIO_RING && !(size & (size - 1)));
	*r = (struct virtio_ring){.shared = shared, .base = base, .size = size, .writes = writes};
	memset(shared, 0, sizeof(*shared));
	shared->avail.flags = AVAIL_NO_INTERRUPT;
}

void virtio_ring_give(struct virtio_ring *r, unsigned i, u32 len)
{
	struct virtio_shared *s = r->shared;

	ASSERT(i < r->size && !r->out[i] && len <= VIRTIO_BUFFER);
	s->desc[i] = (struct virtio_desc){
		.addr = r->base + offsetof(struct virtio_shared, buffers) + i * VIRTIO_BUFFER,
		.len = len,
		.flags = r->writes ? DESC_WRITE : 0,
	};
	s->avail.ring[r->avail % r->size] = (u16)i;
	r->out[i] = true;
	r->avail++;
	dma_wmb(); /* all of that before the index; partner: the device reads the index first */
	store_relaxed(&s->avail.idx, r->avail);
}

static int give_up(struct virtio_ring *r, const char *why)
{
	r->broken = why;
	return -EIO;
}

int virtio_ring_take(struct virtio_ring *r, u32 *len)
{
	struct virtio_shared *s = r->shared;
	u16 done = load_relaxed(&s->used.idx);
	u32 id;

	if (r->broken)
		return -EIO;
	if (done == r->used)
		return -EAGAIN;
	if ((u16)(done - r->used) > (u16)(r->avail - r->used))
		return give_up(r, "it gave back more buffers than it had");
	dma_rmb(); /* the index before entry and buffer; partner: the device stores the index last */
	/* Each is read once: the device may change it between two reads. */
	id = load_relaxed(&s->used.ring[r->used % r->size].id);
	*len = load_relaxed(&s->used.ring[r->used % r->size].len);
	if (id >= r->size || !r->out[id])
		return give_up(r, "it gave back a buffer that it did not have");
	if (r->writes && *len > VIRTIO_BUFFER)
		return give_up(r, "it says that it wrote more than a buffer holds");
	r->out[id] = false;
	r->used++;
	return (int)id;
}
