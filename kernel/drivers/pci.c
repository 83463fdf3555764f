/*
 * PCI: functions, their capabilities and BARs. Only what a driver has asked for is looked at, when it asks.
 *
 * Firmware has assigned addresses to all BARs, or to none: QEMU's arm64 board started directly, for one. In the second
 * case a device tree says where there is room, and BARs are given addresses in the order in which drivers ask.
 */
#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <kernel/main.h>
#include <kernel/pci.h>
#include <kernel/printk.h>
#include <mm/kmap.h>
#include <arch/mmio.h>

enum {
	CONFIG_LEN = 4096,
	BUS_SHIFT = 20, /* of an address in ECAM, PCIe 6.0 table 7-1 */
	DEVICE_SHIFT = 15,
	FUNCTION_SHIFT = 12,
	DEVICES = 32,
	FUNCTIONS = 8,
	NO_VENDOR = 0xffff,
	HEADER_MULTI = 0x80,
	HEADER_KIND = 0x7f,
	HEADER_BRIDGE = 1,
	SECONDARY_BUS = 0x19, /* of a bridge */
	BAR_IO = 1,
	BAR_KIND = 6,
	BAR_64 = 4,
	BAR_FLAGS = 0xf,
	BAR_MAPPED =
		1 << 20, /* bytes: registers are at the beginning, and page tables are not free */
	COMMAND_MEMORY = 2,
	COMMAND_MASTER = 4,
	COMMAND_NO_INTX = 0x400,
	STATUS_CAPABILITIES = 0x10,
	CAPABILITY_FIRST = 0x40,
	CAPABILITIES_MAX = 48, /* of 4 bytes at least, behind the first 64 of 256 */
};

/* ---- functions ---- */

/* False: nothing is there, or it cannot be reached. */
static bool open_function(unsigned bus, unsigned device, unsigned function, struct pci_function *f)
{
	paddr_t config = kernel_bootinfo->pci.ecam.base + ((paddr_t)bus << BUS_SHIFT) +
			 ((paddr_t)device << DEVICE_SHIFT) + ((paddr_t)function << FUNCTION_SHIFT);

	if (!kmap_device(config, CONFIG_LEN))
		return false;
	*f = (struct pci_function){
		.config = config,
		.bus = (u8)bus,
		.device = (u8)device,
		.function = (u8)function,
		.vendor_id = mmio_read16(config + PCI_VENDOR),
		.device_id = mmio_read16(config + PCI_DEVICE),
	};
	return f->vendor_id != NO_VENDOR;
}

static bool is_wanted(const struct pci_id *ids, const struct pci_function *f)
{
	for (; ids->vendor; ids++)
		if (ids->vendor == f->vendor_id && ids->device == f->device_id)
			return true;
	return false;
}

struct search {
	const struct pci_id *ids;
	struct pci_function found;
	u64 buses[4]; /* bit per bus: it is to be looked at */
};

/* A bridge leads to a bus behind its own; numbers that lead back would never end. */
static void note_bridge(struct search *s, const struct pci_function *f)
{
	u8 kind = mmio_read8(f->config + PCI_HEADER_TYPE) & HEADER_KIND;
	u8 behind = kind == HEADER_BRIDGE ? mmio_read8(f->config + SECONDARY_BUS) : 0;

	if (behind > f->bus && behind <= kernel_bootinfo->pci.ecam.bus_last)
		s->buses[behind / 64] |= 1UL << behind % 64;
}

static bool search_device(struct search *s, unsigned bus, unsigned device)
{
	struct pci_function *f = &s->found;
	unsigned functions = 1;

	for (unsigned n = 0; n < functions; n++) {
		if (!open_function(bus, device, n, f))
			continue;
		if (!n && mmio_read8(f->config + PCI_HEADER_TYPE) & HEADER_MULTI)
			functions = FUNCTIONS;
		if (is_wanted(s->ids, f))
			return true;
		note_bridge(s, f);
	}
	return false;
}

int pci_find(const struct pci_id *ids, struct pci_function *f)
{
	const struct boot_pci *pci = &kernel_bootinfo->pci;
	struct search s = {.ids = ids};

	if (!pci->ecam.known)
		return -ENODEV;
	s.buses[pci->ecam.bus_first / 64] |= 1UL << pci->ecam.bus_first % 64;
	for (unsigned bus = pci->ecam.bus_first; bus <= pci->ecam.bus_last; bus++) {
		for (unsigned d = 0; s.buses[bus / 64] >> bus % 64 & 1 && d < DEVICES; d++) {
			if (search_device(&s, bus, d)) {
				*f = s.found;
				return 0;
			}
		}
	}
	return -ENODEV;
}

u32 pci_node(const struct pci_function *f, u32 otherwise)
{
	const struct boot_pci *pci = &kernel_bootinfo->pci;
	u16 function = (u16)(f->bus << 8 | f->device << 3 | f->function);

	for (unsigned i = 0; i < pci->device_count; i++)
		if (pci->device[i].function == function)
			return pci->device[i].near.node;
	return pci->near.known ? pci->near.node : otherwise;
}

unsigned pci_capability(const struct pci_function *f, u8 id, unsigned n)
{
	unsigned at = 0;

	if (mmio_read16(f->config + PCI_STATUS) & STATUS_CAPABILITIES)
		at = mmio_read8(f->config + PCI_CAPABILITIES) & ~3U;
	for (unsigned i = 0; i < CAPABILITIES_MAX && at >= CAPABILITY_FIRST; i++) {
		if (mmio_read8(f->config + at) == id && !n--)
			return at;
		at = mmio_read8(f->config + at + 1) & ~3U;
	}
	return 0;
}

/* ---- BARs ---- */

static paddr_t bar_register(const struct pci_function *f, unsigned bar)
{
	return f->config + PCI_BAR0 + 4 * bar;
}

static u64 read_bar(const struct pci_function *f, unsigned bar, bool wide)
{
	u64 low = mmio_read32(bar_register(f, bar));

	return low | (wide ? (u64)mmio_read32(bar_register(f, bar + 1)) << 32 : 0);
}

static void write_bar(const struct pci_function *f, unsigned bar, bool wide, u64 v)
{
	mmio_write32(bar_register(f, bar), (u32)v);
	if (wide)
		mmio_write32(bar_register(f, bar + 1), (u32)(v >> 32));
}

/* Bytes that it decodes: the bits that stay 0 where ones are written. It answers nowhere meanwhile. */
static u64 bar_size(const struct pci_function *f, unsigned bar, bool wide)
{
	u16 command = mmio_read16(f->config + PCI_COMMAND);
	u64 old = read_bar(f, bar, wide), ones;

	mmio_write16(f->config + PCI_COMMAND, (u16)(command & ~COMMAND_MEMORY));
	write_bar(f, bar, wide, ~0UL);
	ones = read_bar(f, bar, wide) & ~(u64)BAR_FLAGS;
	write_bar(f, bar, wide, old);
	mmio_write16(f->config + PCI_COMMAND, command);
	return ones & -ones;
}

/* The next free address in a window, as the CPU sees it; 0: no room. */
static paddr_t assign(const struct pci_function *f, unsigned bar, bool wide, u64 size)
{
	static u64 used[BOOT_PCI_WINDOWS];
	const struct boot_pci_window *windows = kernel_bootinfo->pci.window;
	unsigned w = wide && windows[1].len;
	u64 bus = ALIGN_UP(windows[w].bus_base + used[w], size);
	u64 offset;

	bus = bus ? bus : size; /* 0 says that none is assigned */
	offset = bus - windows[w].bus_base;
	if (offset > windows[w].len || size > windows[w].len - offset || (!wide && bus >> 32))
		return 0;
	used[w] = offset + size;
	write_bar(f, bar, wide, bus);
	return windows[w].base + offset;
}

/* Windows say where the bus has what the CPU has elsewhere; without one both are the same. */
static paddr_t from_bus(u64 bus)
{
	for (unsigned i = 0; i < BOOT_PCI_WINDOWS; i++) {
		const struct boot_pci_window *w = &kernel_bootinfo->pci.window[i];

		if (bus - w->bus_base < w->len)
			return w->base + (bus - w->bus_base);
	}
	return bus;
}

paddr_t pci_map_bar(const struct pci_function *f, unsigned bar, u64 *len)
{
	u32 flags = bar < PCI_BARS ? mmio_read32(bar_register(f, bar)) : BAR_IO;
	bool wide = (flags & BAR_KIND) == BAR_64;
	u64 at;

	if (flags & BAR_IO || (wide && bar + 1 >= PCI_BARS))
		return 0;
	*len = bar_size(f, bar, wide);
	if (!*len)
		return 0;
	at = read_bar(f, bar, wide) & ~(u64)BAR_FLAGS;
	at = at ? from_bus(at) : assign(f, bar, wide, *len);
	if (!at) {
		printk("PCI %02x:%02x.%x: BAR %u of %lu bytes has no address\n", f->bus, f->device,
		       f->function, bar, *len);
		return 0;
	}
	*len = MIN(*len, (u64)BAR_MAPPED);
	return kmap_device(at, *len) ? at : 0;
}

void pci_enable(const struct pci_function *f, bool dma)
{
	u16 command = mmio_read16(f->config + PCI_COMMAND) & ~COMMAND_MASTER;

	mmio_write16(f->config + PCI_COMMAND, (u16)(command | COMMAND_MEMORY | COMMAND_NO_INTX |
						    (dma ? COMMAND_MASTER : 0)));
	mmio_read16(f->config + PCI_COMMAND); /* it has arrived */
}
