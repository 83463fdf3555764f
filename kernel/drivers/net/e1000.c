/*
 * Intel's gigabit cards 82540EM and 82574L, which QEMU calls e1000 and e1000e (Intel 317453 and 322300-003: PCI/PCI-X
 * Family and 82574 Software Developer's Manuals). One ring each way, legacy descriptors, polled.
 *
 * Descriptor i is always buffer i, and where we are in a ring is known here: of what the card writes only a length and two
 * bits are used, and both are checked.
 */
#include <kernel/atomic.h>
#include <kernel/clock.h>
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/netdev.h>
#include <kernel/pci.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <arch/mmio.h>
#include <arch/platform.h>

enum {
	RING = 64, /* descriptors; their bytes must be a multiple of 128 */
	BUFFER = 2048, /* bytes, as RCTL says where its size bits are 0 */
	REGISTERS = 0x6000, /* bytes of BAR 0 that we use */
	R_CTRL = 0x0000,
	R_STATUS = 0x0008,
	R_IMC = 0x00d8,
	R_RCTL = 0x0100,
	R_TCTL = 0x0400,
	R_TIPG = 0x0410,
	R_RX = 0x2800, /* ring registers: base low and high, length, head, tail */
	R_TX = 0x3800,
	RING_LEN = 0x08,
	RING_HEAD = 0x10,
	RING_TAIL = 0x18,
	R_MTA = 0x5200, /* multicast table: 128 words */
	MTA_WORDS = 128,
	R_RAL = 0x5400,
	R_RAH = 0x5404,
	CTRL_ASDE = 1 << 5, /* speed as the other side has it */
	CTRL_SLU = 1 << 6, /* link up */
	CTRL_RST = 1 << 26,
	STATUS_LU = 1 << 1,
	RCTL_EN = 1 << 1,
	RCTL_BAM = 1 << 15, /* broadcasts, too */
	RCTL_SECRC = 1 << 26, /* without checksum */
	TCTL_EN = 1 << 1,
	TCTL_PSP = 1 << 3, /* short frames are filled up */
	TCTL_TIMES = 0x0f << 4 |
		     0x40 << 12, /* collisions: tries and distance, as the manuals have them */
	TIPG = 10 | 8 << 10 | 6 << 20, /* gaps between frames, the same */
	RX_DONE = 1, /* bits of a descriptor's status */
	RX_END = 2,
	TX_DONE = 1,
	TX_COMMAND = 1 | 2 | 8, /* end of frame, add the checksum, say when it is done */
	NONE = -1,
};

#define RAH_VALID (1UL << 31)
#define RESET_NS 20000000UL /* the manuals ask for 1 ms, and for the EEPROM to have been read */

struct rx_desc {
	u64 addr;
	u16 len, checksum;
	u8 status, errors;
	u16 special;
};

struct tx_desc {
	u64 addr;
	u16 len;
	u8 checksum_at, command, status, checksum_from;
	u16 special;
};

struct shared { /* the card reads and writes it */
	struct rx_desc rx[RING];
	struct tx_desc tx[RING];
	u8 rx_buffers[RING][BUFFER];
	u8 tx_buffers[RING][BUFFER];
};

/* The one card that is driven. The console's CPU's. */
static struct {
	paddr_t at;
	struct shared *shared;
	unsigned rx, tx; /* the next one of each ring */
	int shown; /* buffer in which the last frame lies, or NONE */
} card;

static void set(unsigned reg, u32 v)
{
	mmio_write32(card.at + reg, v);
}

static u32 get(unsigned reg)
{
	return mmio_read32(card.at + reg);
}

/* ---- frames ---- */

static int send(struct netdev *dev __unused, const void *frame, size_t len)
{
	struct tx_desc *d = &card.shared->tx[card.tx];

	if (!(load_relaxed(&d->status) & TX_DONE))
		return -EAGAIN;
	dma_rmb(); /* that before the buffer is used again; partner: the card stores it when it has read the buffer */
	memcpy(card.shared->tx_buffers[card.tx], frame, len);
	d->len = (u16)len;
	d->command = TX_COMMAND;
	store_relaxed(&d->status, 0);
	card.tx = (card.tx + 1) % RING;
	dma_wmb(); /* buffer and descriptor before the register; partner: the card reads them once the tail is behind them */
	set(R_TX + RING_TAIL, card.tx);
	return 0;
}

static void give_back(void)
{
	if (card.shown == NONE)
		return;
	store_relaxed(&card.shared->rx[card.shown].status, 0);
	dma_wmb(); /* as in send() */
	set(R_RX + RING_TAIL, (u32)card.shown);
	card.shown = NONE;
}

static int receive(struct netdev *dev __unused, const void **frame)
{
	/* What is no frame is passed over, but not for ever. */
	for (unsigned n = 0; n < RING; n++) {
		struct rx_desc *d = &card.shared->rx[card.rx];
		u8 status;
		u16 len;

		give_back();
		status = load_relaxed(&d->status);
		if (!(status & RX_DONE))
			return -EAGAIN;
		dma_rmb(); /* that before length and buffer; partner: the card stores the status last */
		len = load_relaxed(&d->len);
		card.shown = (int)card.rx;
		card.rx = (card.rx + 1) % RING;
		if (status & RX_END && len >= NETDEV_FRAME_MIN && len <= NETDEV_FRAME_MAX) {
			*frame = card.shared->rx_buffers[card.shown];
			return len;
		}
	}
	return -EAGAIN;
}

static bool link_up(struct netdev *dev __unused)
{
	return get(R_STATUS) & STATUS_LU;
}

/* Nothing that it writes can be a lie that we would notice. */
static const char *failure(struct netdev *dev __unused)
{
	return NULL;
}

/* ---- start ---- */

static bool reset(void)
{
	u64 begin = clock_ns();

	set(R_IMC, ~0U);
	set(R_CTRL, get(R_CTRL) | CTRL_RST);
	while (clock_ns() - begin < RESET_NS)
		cpu_relax();
	set(R_IMC, ~0U);
	return !(get(R_CTRL) & CTRL_RST);
}

static void start_ring(unsigned reg, paddr_t base, u32 bytes, u32 tail)
{
	set(reg, (u32)base);
	set(reg + 4, (u32)(base >> 32));
	set(reg + RING_LEN, bytes);
	set(reg + RING_HEAD, 0);
	set(reg + RING_TAIL, tail);
}

static void start_rings(void)
{
	struct shared *s = card.shared;
	paddr_t base = virt_to_phys(s);

	for (unsigned i = 0; i < RING; i++) {
		s->rx[i].addr = base + offsetof(struct shared, rx_buffers) + i * BUFFER;
		s->tx[i].addr = base + offsetof(struct shared, tx_buffers) + i * BUFFER;
		s->tx[i].status = TX_DONE;
	}
	card.rx = card.tx = 0;
	card.shown = NONE;
	dma_wmb(); /* as in send() */
	/* The card has what is before the tail: all but one, so that head and tail say what is empty. */
	start_ring(R_RX, base + offsetof(struct shared, rx), sizeof(s->rx), RING - 1);
	start_ring(R_TX, base + offsetof(struct shared, tx), sizeof(s->tx), 0);
	for (unsigned i = 0; i < MTA_WORDS; i++)
		set(R_MTA + 4 * i, 0);
	set(R_TIPG, TIPG);
	set(R_TCTL, TCTL_EN | TCTL_PSP | TCTL_TIMES);
	set(R_RCTL, RCTL_EN | RCTL_BAM | RCTL_SECRC);
	set(R_CTRL, get(R_CTRL) | CTRL_SLU | CTRL_ASDE);
}

static bool read_mac(u8 mac[NETDEV_MAC_LEN])
{
	u64 address = get(R_RAL) | (u64)get(R_RAH) << 32;

	for (unsigned i = 0; i < NETDEV_MAC_LEN; i++)
		mac[i] = (u8)(address >> 8 * i);
	return address >> 32 & RAH_VALID && !(mac[0] & 1);
}

/* NULL, or what is wrong. */
static const char *start(const struct pci_function *f, struct netdev *dev)
{
	u64 len = 0;

	card.at = pci_map_bar(f, 0, &len);
	if (!card.at || len < REGISTERS)
		return "its registers cannot be reached";
	pci_enable(f, true);
	if (!reset())
		return "it does not come out of reset";
	if (!read_mac(dev->mac))
		return "it has no address of its own";
	card.shared = kmem.alloc(sizeof(*card.shared), dev->node);
	if (!card.shared)
		return "no memory for its rings";
	start_rings();
	return NULL;
}

static int probe(struct netdev *dev, u16 device)
{
	const struct pci_id ids[] = {{0x8086, device}, {0, 0}};
	struct pci_function f;
	const char *wrong;
	int err = pci_find(ids, &f);

	if (err)
		return err;
	ksnprintf(dev->where, sizeof(dev->where), "PCI %02x:%02x.%x", f.bus, f.device, f.function);
	dev->node = pci_node(&f, this_cpu_ptr(cpu_self)->node);
	dev->send = send;
	dev->receive = receive;
	dev->link_up = link_up;
	dev->failure = failure;
	wrong = start(&f, dev);
	if (!wrong)
		return 0;
	printk("net: %s at %s: %s\n", dev->driver, dev->where, wrong);
	return -EIO;
}

static int probe_82540em(struct netdev *dev)
{
	return probe(dev, 0x100e);
}

static int probe_82574l(struct netdev *dev)
{
	return probe(dev, 0x10d3);
}

NET_DRIVER(e1000) = {.name = "e1000", .probe = probe_82540em};
NET_DRIVER(e1000e) = {.name = "e1000e", .probe = probe_82574l};
