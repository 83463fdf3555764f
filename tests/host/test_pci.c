/*
 * PCI and a card on modelled configuration space and registers: lists of capabilities that never end, bridges that lead
 * back, BARs that nobody has assigned, and an e1000 that writes what it likes.
 */
#include "../../kernel/drivers/pci.c"
#include "../../kernel/drivers/net/e1000.c"
#include "check.h"
#include "random.h"

#include <kernel/panic.h>
#include <stdlib.h>

#define ECAM 0x40000000UL
#define WINDOW 0x10000000UL

enum { BUSES = 4, BAR_LEN = 0x20000 };

/* Configuration space of device 0 to 3 of each bus, function 0. */
static u8 config[BUSES][4][256];
static u32 bar_mask[2]; /* writable bits of BAR 0 and 1 of all of them */
static unsigned looks; /* at functions' ids */
static struct bootinfo bi;
const struct bootinfo *kernel_bootinfo = &bi;
struct kmem_ops kmem;
struct fake_current fake_current;
static u32 registers[BAR_LEN / 4]; /* of the card */

void panic(const char *fmt, ...)
{
	fprintf(stderr, "panic: %s\n", fmt);
	abort();
}

void printk(const char *fmt __unused, ...)
{
}

/* One CPU, and no store buffer. */
u64 fake_load(const void *p, unsigned size, enum fake_order order __unused)
{
	u64 v = 0;

	memcpy(&v, p, size);
	return v;
}

void fake_store(void *p, u64 value, unsigned size, enum fake_order order __unused)
{
	memcpy(p, &value, size);
}

void fake_mb(void)
{
}

void fake_relax(void)
{
}

/* What the card sees of the rings: what was there at the last dma_wmb(). */
static struct rx_desc seen_rx[RING];
static struct tx_desc seen_tx[RING];
/* A frame whose status is there before the rest of it, which is seen from the next dma_rmb() on. */
static struct {
	bool due;
	unsigned at;
	u16 len;
	u8 first;
} late;
/* Buffers of frames that are sent, which the card still reads, until the next dma_rmb(): then it has read this. */
static bool reading[RING];
static u8 was_read[RING];

void fake_dma_wmb(void)
{
	memcpy(seen_rx, card.shared->rx, sizeof(seen_rx));
	memcpy(seen_tx, card.shared->tx, sizeof(seen_tx));
}

void fake_dma_rmb(void)
{
	if (late.due) {
		card.shared->rx[late.at].len = late.len;
		card.shared->rx_buffers[late.at][0] = late.first;
		late.due = false;
	}
	for (unsigned i = 0; i < RING; i++) {
		if (reading[i])
			was_read[i] = card.shared->tx_buffers[i][0];
		reading[i] = false;
	}
}

/* The card is told how far a ring is ours. */
static void look_at_rings(void)
{
	CHECK(!memcmp(seen_rx, card.shared->rx, sizeof(seen_rx)));
	CHECK(!memcmp(seen_tx, card.shared->tx, sizeof(seen_tx)));
}

u64 clock_ns(void)
{
	static u64 now;

	return now += RESET_NS / 4;
}

PERCPU(struct cpu, cpu_self);

void *kmap_device(paddr_t pa, u64 len)
{
	return len <= BAR_MAPPED ? (void *)(pa + 1) : NULL;
}

/* NULL: nothing is there. */
static u8 *config_at(paddr_t pa)
{
	u64 off = pa - ECAM;
	unsigned bus = off >> 20 & 0xff, device = off >> 15 & 31;

	if (bus >= BUSES || device >= 4 || off >> 12 & 7 || (off & 0xfff) >= 256)
		return NULL;
	return &config[bus][device][off & 0xff];
}

u64 fake_mmio_read(paddr_t pa, unsigned bytes)
{
	u64 v = ~0UL;

	if (pa - WINDOW < sizeof(registers))
		return registers[(pa - WINDOW) / 4];
	looks += (pa & 0xfff) == PCI_VENDOR;
	if (config_at(pa))
		memcpy(&v, config_at(pa), bytes);
	return v;
}

void fake_mmio_write(paddr_t pa, u64 v, unsigned bytes)
{
	unsigned bar = ((pa & 0xff) - PCI_BAR0) / 4;
	u32 old;

	if (pa - WINDOW < sizeof(registers)) {
		registers[(pa - WINDOW) / 4] =
			(u32)v & (pa - WINDOW == R_CTRL ? ~(u32)CTRL_RST : ~0U);
		if (pa - WINDOW == R_RX + RING_TAIL || pa - WINDOW == R_TX + RING_TAIL)
			look_at_rings();
		return;
	}
	if (!config_at(pa))
		return;
	if (bar < 2) {
		memcpy(&old, config_at(pa), 4);
		v = (v & bar_mask[bar]) | (old & ~bar_mask[bar]);
	}
	memcpy(config_at(pa), &v, bytes);
}

static void put(unsigned bus, unsigned device, unsigned off, u64 v, unsigned bytes)
{
	memcpy(&config[bus][device][off], &v, bytes);
}

static void add(unsigned bus, unsigned device, u16 vendor, u16 id)
{
	memset(config[bus][device], 0, 256);
	put(bus, device, PCI_VENDOR, vendor, 2);
	put(bus, device, PCI_DEVICE, id, 2);
}

static void add_bridge(unsigned bus, unsigned device, u8 leads_to)
{
	add(bus, device, 1, 1);
	put(bus, device, PCI_HEADER_TYPE, HEADER_BRIDGE, 1);
	put(bus, device, SECONDARY_BUS, leads_to, 1);
}

static void begin(void)
{
	memset(config, 0xff, sizeof(config));
	memset(&bi, 0, sizeof(bi));
	bar_mask[0] = ~(u32)(BAR_LEN - 1);
	bar_mask[1] = 0;
	looks = 0;
	bi.pci.ecam.base = ECAM;
	bi.pci.ecam.bus_last = 255;
	bi.pci.ecam.known = true;
	bi.pci.window[0] = (struct boot_pci_window){WINDOW, WINDOW, 0x100000};
}

static const struct pci_id wanted[] = {{0x8086, 0x100e}, {0, 0}};

TEST(functions_behind_bridges)
{
	struct pci_function f;

	begin();
	CHECK_EQ(pci_find(wanted, &f), -ENODEV);
	add_bridge(0, 1, 3);
	add(3, 2, 0x8086, 0x100e);
	CHECK_EQ(pci_find(wanted, &f), 0);
	CHECK(f.bus == 3 && f.device == 2 && f.function == 0);
	bi.pci.ecam.bus_last = 2; /* there are no registers for bus 3 */
	CHECK_EQ(pci_find(wanted, &f), -ENODEV);
	bi.pci.ecam.known = false;
	CHECK_EQ(pci_find(wanted, &f), -ENODEV);
}

TEST(bridges_that_lead_back)
{
	struct pci_function f;

	begin();
	add_bridge(0, 0, 1);
	add_bridge(0, 1, 0);
	add_bridge(1, 0, 1);
	add_bridge(1, 1, 0);
	CHECK_EQ(pci_find(wanted, &f), -ENODEV);
	CHECK(looks <= 2 * 32 * 8); /* two buses, each once */
}

TEST(capabilities)
{
	struct pci_function f;

	begin();
	add(0, 0, 0x8086, 0x100e);
	CHECK_EQ(pci_find(wanted, &f), 0);
	CHECK_EQ(pci_capability(&f, 9, 0), 0); /* no list */
	put(0, 0, PCI_STATUS, STATUS_CAPABILITIES, 2);
	put(0, 0, PCI_CAPABILITIES, 0x40, 1);
	put(0, 0, 0x40, 0x5009, 2);
	put(0, 0, 0x50, 0x6005, 2);
	put(0, 0, 0x60, 0x0009, 2);
	CHECK_EQ(pci_capability(&f, 9, 0), 0x40);
	CHECK_EQ(pci_capability(&f, 9, 1), 0x60);
	CHECK_EQ(pci_capability(&f, 9, 2), 0);
	put(0, 0, 0x60, 0x4009, 2); /* it leads back */
	for (unsigned n = 0; n < 100; n++)
		CHECK_EQ(!!pci_capability(&f, 9, n), n < 32);
	put(0, 0, 0x60, 0x1009, 2); /* into the header */
	CHECK_EQ(pci_capability(&f, 9, 2), 0);
}

TEST(bars)
{
	struct pci_function f;
	u64 len;

	begin();
	add(0, 0, 0x8086, 0x100e);
	CHECK_EQ(pci_find(wanted, &f), 0);
	paddr_t first = pci_map_bar(&f, 0, &len);

	CHECK(first >= WINDOW && first + BAR_LEN <= WINDOW + 0x100000 && !(first % BAR_LEN));
	CHECK_EQ(len, BAR_LEN);
	CHECK_EQ(pci_map_bar(&f, 0, &len), first); /* it stays there */
	CHECK_EQ(pci_map_bar(&f, 6, &len), 0);
	CHECK_EQ(pci_map_bar(&f, 1, &len), 0); /* of no size */
	put(0, 0, PCI_BAR0, 1, 4);
	bar_mask[0] = 0;
	CHECK_EQ(pci_map_bar(&f, 0, &len), 0); /* ports */
	put(0, 0, PCI_BAR0, BAR_64, 4);
	bar_mask[0] = 0;
	bar_mask[1] = ~1U; /* 8 GiB: no room, as the second window is not there */
	CHECK_EQ(pci_map_bar(&f, 0, &len), 0);
	bi.pci.window[1] = (struct boot_pci_window){0x8000000000, 0x8000000000, 1UL << 35};
	CHECK_EQ(pci_map_bar(&f, 0, &len), 0x8000000000);
	CHECK_EQ(len, BAR_MAPPED);
	bi.pci.window[0].len = BAR_LEN / 2;
	put(0, 0, PCI_BAR0, 0, 4);
	bar_mask[0] = ~(u32)(BAR_LEN - 1);
	CHECK_EQ(pci_map_bar(&f, 0, &len), 0); /* too small a window */
}

/* ---- a card ---- */

static void begin_card(void)
{
	free(card.shared);
	card.at = WINDOW;
	card.shared = aligned_alloc(
		64, ALIGN_UP(sizeof(*card.shared), 64UL)); /* the sanitizer watches its ends */
	memset(card.shared, 0, sizeof(*card.shared));
	start_rings();
}

static u32 asked_of; /* the node whose memory was asked for last */

static void *allocate(size_t bytes, u32 node)
{
	asked_of = node;
	return calloc(1, bytes);
}

/* Where the rings lie of a card at 00:02.0, on a CPU of node 0. */
static u32 node_of_rings(void)
{
	struct netdev dev = {0};
	int err;

	registers[R_RAL / 4] = 0x12005452;
	registers[R_RAH / 4] = (u32)RAH_VALID | 0x5634;
	put(0, 2, PCI_BAR0, WINDOW, 4);
	asked_of = 99;
	err = probe_82540em(&dev);
	free(card.shared);
	card.shared = NULL;
	return !err && dev.node == asked_of ? asked_of : 99;
}

TEST(rings_lie_on_the_cards_node)
{
	kmem.alloc = allocate;
	begin();
	add(0, 2, 0x8086, 0x100e);
	CHECK_EQ(node_of_rings(), 0); /* nobody says: this CPU's */
	bi.pci.near = (struct boot_near){.node = 3, .known = true};
	CHECK_EQ(node_of_rings(), 3); /* all that is behind the bridge */
	bi.pci.device[0].function = 0x11;
	bi.pci.device[0].near = (struct boot_near){.node = 1, .known = true};
	bi.pci.device[1].function = 0x10;
	bi.pci.device[1].near = (struct boot_near){.node = 2, .known = true};
	bi.pci.device_count = 2;
	CHECK_EQ(node_of_rings(), 2); /* this one by itself */
	CHECK_EQ(pci_node(&(struct pci_function){.bus = 1}, 7), 3);
	bi.pci.near.known = false;
	CHECK_EQ(pci_node(&(struct pci_function){.bus = 1}, 7), 7);
}

TEST(frames_in_order)
{
	static u8 frame_of_ours[60];
	struct netdev dev;
	const void *frame;

	begin_card();
	CHECK_EQ(registers[(R_RX + RING_TAIL) / 4], RING - 1);
	for (unsigned n = 0; n < 1000; n++) {
		unsigned i = n % RING;

		CHECK_EQ(receive(&dev, &frame), -EAGAIN);
		late.due = true;
		late.at = i;
		late.len = (u16)(60 + n % 100);
		late.first = (u8)n;
		card.shared->rx[i].status = RX_DONE | RX_END;
		CHECK_EQ(receive(&dev, &frame), 60 + (int)(n % 100));
		CHECK_EQ(*(const u8 *)frame, (u8)n);
		CHECK_EQ(send(&dev, frame, 60), 0);
		CHECK_EQ(registers[(R_TX + RING_TAIL) / 4], (n + 1) % RING);
		CHECK_EQ(card.shared->tx[i].len, 60);
		card.shared->tx[i].status = TX_DONE;
	}
	for (unsigned n = 0; n < RING; n++) {
		unsigned i = card.tx;
		u8 before = card.shared->tx_buffers[i][0];

		reading[i] = true; /* the status says that it is sent */
		memset(frame_of_ours, before + 1, sizeof(frame_of_ours));
		CHECK_EQ(send(&dev, frame_of_ours, sizeof(frame_of_ours)), 0);
		CHECK(!reading[i] && was_read[i] == before);
	}
	CHECK_EQ(send(&dev, frame, 60), -EAGAIN); /* the card has all of them */
}

TEST(a_card_that_writes_what_it_likes)
{
	struct netdev dev;
	const void *frame;
	struct rng rng;
	u64 frames = 0;

	rng_seed(&rng, 3);
	begin_card();
	for (unsigned n = 0; n < 300000; n++) {
		u8 *bytes = (u8 *)card.shared;
		int len;

		if (rng_below(&rng, 2)) {
			bytes[rng_below(&rng, offsetof(struct shared, rx_buffers))] =
				(u8)rng_next(&rng);
		} else { /* mostly as it should be */
			card.shared->rx[card.rx].len = (u16)rng_below(&rng, 1600);
			card.shared->rx[card.rx].status = (u8)rng_below(&rng, 4);
		}
		len = receive(&dev, &frame);
		CHECK(len == -EAGAIN || (len >= NETDEV_FRAME_MIN && len <= NETDEV_FRAME_MAX));
		CHECK(card.rx < RING && card.tx < RING);
		if (len < 0)
			continue;
		frames++;
		CHECK((const u8 *)frame >= card.shared->rx_buffers[0] &&
		      (const u8 *)frame + len <= card.shared->tx_buffers[0]);
		send(&dev, frame, (size_t)len);
	}
	CHECK(frames > 10000);
	free(card.shared);
	card.shared = NULL;
}
