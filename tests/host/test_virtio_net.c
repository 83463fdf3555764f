/* A virtio card on a modelled device: frames go and come in order, and its registers are told only of what it can see. */
#include "../../kernel/drivers/net/virtio_net.c"
#include "check.h"

#include <kernel/panic.h>
#include <stdlib.h>

struct fake_current fake_current;
struct kmem_ops kmem;
PERCPU(struct cpu, cpu_self);

void panic(const char *fmt, ...)
{
	fprintf(stderr, "panic: %s\n", fmt);
	abort();
}

void printk(const char *fmt __unused, ...)
{
}

u64 fake_mmio_read(paddr_t pa __unused, unsigned bytes __unused)
{
	return ~0UL; /* every feature */
}

void fake_mmio_write(paddr_t pa __unused, u64 v __unused, unsigned bytes __unused)
{
}

/* ---- the device ---- */

/* The rings' indices that it sees: those of the last dma_wmb(). */
static u16 seen[2];
static unsigned tells;
static u16 done[2]; /* buffers of each ring that it gave back */

static struct virtio_ring *ring_of(unsigned q)
{
	return q == RX ? &card.rx : &card.tx;
}

void fake_dma_wmb(void)
{
	for (unsigned q = 0; q < 2; q++)
		if (ring_of(q)->shared)
			seen[q] = ring_of(q)->shared->avail.idx;
}

void fake_dma_rmb(void)
{
}

static void told(struct virtio_device *v __unused, unsigned q)
{
	CHECK_EQ(seen[q], ring_of(q)->shared->avail.idx);
	tells++;
}

/* It gives the next buffer of a ring back. */
static unsigned give(unsigned q, u32 len)
{
	struct virtio_ring *r = ring_of(q);
	unsigned id = r->shared->avail.ring[done[q] % r->size];

	r->shared->used.ring[done[q] % r->size].id = id;
	r->shared->used.ring[done[q] % r->size].len = len;
	r->shared->used.idx = ++done[q];
	return id;
}

/* A device of node 5 whose registers agree to everything. */
static u8 status_is;
static u32 asked_of; /* the node whose memory was asked for last */

static u8 read_status(struct virtio_device *v __unused)
{
	return status_is;
}

static void write_status(struct virtio_device *v __unused, u8 status)
{
	status_is = status;
}

static unsigned queue_max(struct virtio_device *v __unused, unsigned q __unused)
{
	return VIRTIO_RING;
}

static bool queue_start(struct virtio_device *v __unused, unsigned q __unused,
			unsigned size __unused, paddr_t desc __unused, paddr_t avail __unused,
			paddr_t used __unused)
{
	return true;
}

static const struct virtio_transport transport = {.status = read_status,
						  .set_status = write_status,
						  .queue_max = queue_max,
						  .queue_start = queue_start,
						  .tell = told};

static void *allocate(size_t bytes, u32 node)
{
	asked_of = node;
	return aligned_alloc(64, ALIGN_UP(bytes, 64UL));
}

int virtio_pci_find_net(struct virtio_device *v)
{
	*v = (struct virtio_device){.transport = &transport, .node = 5};
	return 0;
}

int virtio_mmio_find_net(struct virtio_device *v __unused)
{
	return -ENODEV;
}

static void begin(void)
{
	static struct virtio_shared rx, tx;

	memset(done, 0, sizeof(done));
	tells = 0;
	card = (struct card){.device.transport = &transport, .shown = NONE};
	virtio_ring_init(&card.rx, &rx, 0x100000, 4, true);
	virtio_ring_init(&card.tx, &tx, 0x200000, 4, false);
	for (unsigned i = 0; i < card.rx.size; i++)
		virtio_ring_give(&card.rx, i, VIRTIO_BUFFER);
}

TEST(rings_lie_on_the_devices_node)
{
	struct netdev dev = {0};

	kmem.alloc = allocate;
	CHECK_EQ(probe_pci(&dev), 0);
	CHECK_EQ(asked_of, 5);
	CHECK_EQ(dev.node, 5);
	free(card.rx.shared);
	free(card.tx.shared);
}

TEST(frames_come)
{
	const void *frame;

	begin();
	for (unsigned n = 0; n < 20; n++) {
		CHECK_EQ(receive(NULL, &frame), -EAGAIN);
		unsigned id = give(RX, HEADER + 60);

		card.rx.shared->buffers[id][HEADER] = (u8)n;
		CHECK_EQ(receive(NULL, &frame), 60);
		CHECK_EQ(*(const u8 *)frame, n);
		CHECK_EQ(tells,
			 n); /* of each that we had our look at, when the next one is asked for */
	}
	give(RX, HEADER + NETDEV_FRAME_MIN - 1); /* no frame: passed over */
	give(RX, HEADER + NETDEV_FRAME_MAX);
	CHECK_EQ(receive(NULL, &frame), NETDEV_FRAME_MAX);
	give(RX, HEADER + NETDEV_FRAME_MAX + 1);
	CHECK_EQ(receive(NULL, &frame), -EAGAIN);
	card.rx.shared->used.idx++; /* more than it had */
	card.rx.shared->used.idx += 4;
	CHECK_EQ(receive(NULL, &frame), -EIO);
	CHECK(failure(NULL));
}

TEST(frames_go)
{
	u8 frame[60] = {7};

	begin();
	for (unsigned n = 0; n < card.tx.size; n++) {
		CHECK_EQ(send(NULL, frame, sizeof(frame)), 0);
		CHECK_EQ(tells, n + 1);
	}
	CHECK_EQ(send(NULL, frame, sizeof(frame)), -EAGAIN); /* the device has all buffers */
	unsigned id = give(TX, 0);

	memset(card.tx.shared->buffers[id], 0xff, HEADER + sizeof(frame));
	CHECK_EQ(send(NULL, frame, sizeof(frame)), 0);
	for (unsigned i = 0; i < HEADER; i++)
		CHECK_EQ(card.tx.shared->buffers[id][i], 0); /* nothing is asked of the device */
	CHECK_EQ(card.tx.shared->buffers[id][HEADER], 7);
	CHECK_EQ(card.tx.shared->desc[id].len, HEADER + sizeof(frame));
	CHECK(!failure(NULL));
}
