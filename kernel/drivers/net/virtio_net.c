/*
 * Network cards of virtio (1.2, section 5.1), over PCI and over virtio-mmio: two rings, each buffer of which starts with a
 * header that asks for nothing. No offloads, so one buffer is one frame.
 */
#include "virtio.h"
#include <kernel/atomic.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/netdev.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <arch/mmio.h>
#include <arch/platform.h>

enum {
	STATUS_ACKNOWLEDGE = 1, /* section 2.1 */
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_FAILED = 128,
	RESET_LOOKS = 100000, /* at a device that is being reset; QEMU's is done at once */
	RX = 0, /* queues, section 5.1.2 */
	TX = 1,
	HEADER = 12, /* struct virtio_net_hdr with num_buffers, section 5.1.6 */
	CONFIG_MAC = 0, /* section 5.1.4 */
	CONFIG_STATUS = 6,
	LINK_UP = 1,
	NONE = -1,
};

#define FEATURE_MAC (1UL << 5)
#define FEATURE_STATUS (1UL << 16)
#define FEATURE_VERSION_1 (1UL << 32)

/* The one card that is driven. The console's CPU's. */
static struct card {
	struct virtio_device device;
	struct virtio_ring rx, tx;
	bool has_status;
	int shown; /* buffer of rx that the last frame lies in, or NONE */
} card;

/* ---- frames ---- */

static void tell(unsigned q)
{
	dma_wmb(); /* what was given before the register; partner: the device reads the ring once it is told */
	card.device.transport->tell(&card.device, q);
}

static void take_sent(void)
{
	u32 len;

	while (virtio_ring_take(&card.tx, &len) >= 0)
		;
}

static int send(struct netdev *dev __unused, const void *frame, size_t len)
{
	unsigned i = 0;

	take_sent();
	if (card.tx.broken)
		return -EIO;
	while (i < card.tx.size && card.tx.out[i])
		i++;
	if (i == card.tx.size)
		return -EAGAIN;
	u8 *buffer = card.tx.shared->buffers[i];

	memset(buffer, 0, HEADER);
	memcpy(buffer + HEADER, frame, len);
	virtio_ring_give(&card.tx, i, (u32)(HEADER + len));
	tell(TX);
	return 0;
}

static void give_back(void)
{
	if (card.shown == NONE)
		return;
	virtio_ring_give(&card.rx, (unsigned)card.shown, VIRTIO_BUFFER);
	tell(RX);
	card.shown = NONE;
}

static int receive(struct netdev *dev __unused, const void **frame)
{
	u32 len;

	/* What is no frame is passed over, but not for ever. */
	for (unsigned n = 0; n < VIRTIO_RING; n++) {
		give_back();
		int i = virtio_ring_take(&card.rx, &len);

		if (i < 0)
			return i;
		card.shown = i;
		if (len >= HEADER + NETDEV_FRAME_MIN && len <= HEADER + NETDEV_FRAME_MAX) {
			*frame = card.rx.shared->buffers[i] + HEADER;
			return (int)(len - HEADER);
		}
	}
	return -EAGAIN;
}

static bool link_up(struct netdev *dev __unused)
{
	return !card.has_status || mmio_read16(card.device.config + CONFIG_STATUS) & LINK_UP;
}

static const char *failure(struct netdev *dev __unused)
{
	return card.rx.broken ? card.rx.broken : card.tx.broken;
}

/* ---- start ---- */

static bool reset(struct virtio_device *v)
{
	v->transport->set_status(v, 0);
	for (unsigned i = 0; i < RESET_LOOKS; i++)
		if (!v->transport->status(v))
			return true;
	return false;
}

static u64 read_features(const struct virtio_device *v)
{
	const struct virtio_transport *t = v->transport;
	u64 low;

	mmio_write32(v->common + t->features_select, 0);
	low = mmio_read32(v->common + t->features);
	mmio_write32(v->common + t->features_select, 1);
	return low | (u64)mmio_read32(v->common + t->features) << 32;
}

static void write_features(const struct virtio_device *v, u64 features)
{
	const struct virtio_transport *t = v->transport;

	for (unsigned i = 0; i < 2; i++) {
		mmio_write32(v->common + t->driver_features_select, i);
		mmio_write32(v->common + t->driver_features, (u32)(features >> 32 * i));
	}
}

/* NULL, or what is wrong. */
static const char *agree(struct virtio_device *v)
{
	u64 offered;

	if (!reset(v))
		return "it does not come out of reset";
	v->transport->set_status(v, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	offered = read_features(v);
	if (!(offered & FEATURE_VERSION_1))
		return "it knows only virtio before version 1";
	if (!(offered & FEATURE_MAC))
		return "it has no address of its own";
	card.has_status = offered & FEATURE_STATUS;
	write_features(v, offered & (FEATURE_VERSION_1 | FEATURE_MAC | FEATURE_STATUS));
	v->transport->set_status(v, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	return v->transport->status(v) & STATUS_FEATURES_OK ? NULL
							    : "it refuses features that it offers";
}

static const char *start_queue(struct virtio_device *v, struct virtio_ring *r, unsigned q)
{
	unsigned size = VIRTIO_RING, most = v->transport->queue_max(v, q);
	struct virtio_shared *shared = kmem.alloc(sizeof(*shared), v->node);
	paddr_t base;

	if (!shared)
		return "no memory for a ring";
	while (size > most)
		size /= 2;
	if (!size) {
		kmem.free(shared, sizeof(*shared));
		return "a queue is missing";
	}
	base = virt_to_phys(shared);
	virtio_ring_init(r, shared, base, size, q == RX);
	if (!v->transport->queue_start(v, q, size, base + offsetof(struct virtio_shared, desc),
				       base + offsetof(struct virtio_shared, avail),
				       base + offsetof(struct virtio_shared, used)))
		return "a queue cannot be started";
	return NULL;
}

static const char *start(struct virtio_device *v, struct netdev *dev)
{
	const char *wrong = agree(v);

	if (!wrong)
		wrong = start_queue(v, &card.rx, RX);
	if (!wrong)
		wrong = start_queue(v, &card.tx, TX);
	if (wrong)
		return wrong;
	v->transport->set_status(v, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK |
					    STATUS_DRIVER_OK);
	for (unsigned i = 0; i < card.rx.size; i++)
		virtio_ring_give(&card.rx, i, VIRTIO_BUFFER);
	tell(RX);
	for (unsigned i = 0; i < NETDEV_MAC_LEN; i++)
		dev->mac[i] = mmio_read8(v->config + CONFIG_MAC + i);
	return NULL;
}

static int probe(struct netdev *dev, int (*find)(struct virtio_device *v))
{
	struct virtio_device *v = &card.device;
	const char *wrong;
	int err = find(v);

	if (err)
		return err;
	card.shown = NONE;
	wrong = start(v, dev);
	if (wrong) {
		v->transport->set_status(v, STATUS_FAILED);
		printk("net: %s at %s: %s\n", dev->driver, v->where, wrong);
		return -EIO;
	}
	strlcpy(dev->where, v->where, sizeof(dev->where));
	dev->node = v->node;
	dev->send = send;
	dev->receive = receive;
	dev->link_up = link_up;
	dev->failure = failure;
	return 0;
}

static int probe_pci(struct netdev *dev)
{
	return probe(dev, virtio_pci_find_net);
}

static int probe_mmio(struct netdev *dev)
{
	return probe(dev, virtio_mmio_find_net);
}

NET_DRIVER(virtio_net_pci) = {.name = "virtio-net-pci", .probe = probe_pci};
NET_DRIVER(virtio_net_mmio) = {.name = "virtio-net-mmio", .probe = probe_mmio};
