/* Between the files of the virtio drivers: rings, and how a device is reached (virtio 1.2). */
#pragma once

#include <kernel/types.h>
#include <arch/mmio.h>

/* ---- virtio_ring.c ---- */

enum {
	VIRTIO_RING = 64, /* buffers of a ring: what a card may hold of ours */
	VIRTIO_BUFFER = 2048, /* bytes of each */
};

struct virtio_desc { /* section 2.7.5 */
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct virtio_avail { /* section 2.7.6 */
	u16 flags, idx, ring[VIRTIO_RING];
};

struct virtio_used { /* section 2.7.8 */
	u16 flags, idx;
	struct {
		u32 id, len;
	} ring[VIRTIO_RING];
};

/* What the device reads and writes. It may write anything anywhere here, at any time. */
struct virtio_shared {
	struct virtio_desc desc[VIRTIO_RING];
	struct virtio_avail avail;
	struct virtio_used used __aligned(8);
	u8 buffers[VIRTIO_RING][VIRTIO_BUFFER] __aligned(16);
};

/*
 * A split ring in which descriptor i is always buffer i: no chains that the device could bend. What is known of the
 * buffers is kept here, and nothing that the device can write is believed unchecked.
 */
struct virtio_ring {
	struct virtio_shared *shared;
	paddr_t base; /* of *shared, as the device sees it */
	unsigned size; /* a power of two, at most VIRTIO_RING */
	bool writes; /* the device writes the buffers, else it reads them */
	u16 avail, used; /* how many were ever given and taken back */
	bool out[VIRTIO_RING]; /* the device has it */
	const char *broken; /* what it did wrong; nothing is taken any more. NULL: nothing */
};

/* All buffers are ours. */
void virtio_ring_init(struct virtio_ring *r, struct virtio_shared *shared, paddr_t base,
		      unsigned size, bool writes);
/* Give buffer i, which must be ours, with len bytes to read, or to write at most. Tell the device afterwards. */
void virtio_ring_give(struct virtio_ring *r, unsigned i, u32 len);
/*
 * Take a buffer back. Its number; *len: bytes that were written, at most VIRTIO_BUFFER. -EAGAIN: none is done, or -EIO: the
 * ring is broken, by this or an earlier lie.
 */
int virtio_ring_take(struct virtio_ring *r, u32 *len);

/* ---- how a device is reached: virtio_pci.c, virtio_mmio.c ---- */

struct virtio_device {
	char where[24];
	u32 node; /* for its rings: what firmware says, or this CPU's */
	const struct virtio_transport *transport;
	paddr_t common; /* registers of the device */
	paddr_t config, notify; /* of its kind; where a queue is told of */
	u64 notify_len;
	u32 notify_step; /* bytes between the addresses of queues */
	paddr_t notify_at[2]; /* of each queue */
};

struct virtio_transport {
	u8 (*status)(struct virtio_device *v);
	void (*set_status)(struct virtio_device *v, u8 status);
	/* Offsets of registers: which half of the features is meant, and that half. */
	u16 features_select, features;
	u16 driver_features_select, driver_features;
	/* Entries at most of queue q; 0: there is no such queue. */
	unsigned (*queue_max)(struct virtio_device *v, unsigned q);
	/* Start queue q. False: what the device says about it is impossible. */
	bool (*queue_start)(struct virtio_device *v, unsigned q, unsigned size, paddr_t desc,
			    paddr_t avail, paddr_t used);
	void (*tell)(struct virtio_device *v, unsigned q);
};

/* A register of 64 bits: the specification wants two halves. */
static inline void virtio_write64(paddr_t at, u64 v)
{
	mmio_write32(at, (u32)v);
	mmio_write32(at + 4, (u32)(v >> 32));
}

/* The first network device there. 0, -ENODEV, or -EIO after it was said what is wrong with it. */
int virtio_pci_find_net(struct virtio_device *v);
int virtio_mmio_find_net(struct virtio_device *v);
