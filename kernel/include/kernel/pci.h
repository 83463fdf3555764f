/* PCI functions by their configuration space in memory (ECAM). Task context of the console's CPU only. */
#pragma once

#include <kernel/types.h>

struct pci_function {
	paddr_t config; /* 4 KiB of registers, mapped */
	u8 bus, device, function;
	u16 vendor_id, device_id;
};

struct pci_id {
	u16 vendor, device;
};

enum { /* offsets in configuration space, PCI 3.0 section 6.1 */
       PCI_VENDOR = 0x00,
       PCI_DEVICE = 0x02,
       PCI_COMMAND = 0x04,
       PCI_STATUS = 0x06,
       PCI_HEADER_TYPE = 0x0e,
       PCI_BAR0 = 0x10,
       PCI_CAPABILITIES = 0x34,
       PCI_BARS = 6,
};

/*
 * The first function whose ids are in the list, which ends with vendor 0. Looks on the buses that firmware has numbered.
 * 0, or -ENODEV: none, or no configuration space that can be reached.
 */
int pci_find(const struct pci_id *ids, struct pci_function *f);

/*
 * A memory BAR, mapped; *len: its bytes that are, at most 1 MiB. Where firmware has assigned nothing and says where there is room, an address is
 * assigned first. 0: it is no memory BAR, or cannot be reached.
 */
paddr_t pci_map_bar(const struct pci_function *f, unsigned bar, u64 *len);

/* The node that firmware says it is near to; otherwise, if it says none. */
u32 pci_node(const struct pci_function *f, u32 otherwise);

/*
 * Let it answer at its BARs, and with dma read and write memory by itself, without it not any more; no interrupts by
 * wire. On return it is so.
 */
void pci_enable(const struct pci_function *f, bool dma);

/*
 * Offset of the n-th capability with that id, from 0 on; 0: there are not so many. Looks at no more than there is room for
 * in 256 bytes, whatever the list says.
 */
unsigned pci_capability(const struct pci_function *f, u8 id, unsigned n);
