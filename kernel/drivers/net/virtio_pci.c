/* virtio over PCI (virtio 1.2, section 4.1): registers in BARs, found by vendor capabilities. */
#include "virtio.h"
#include <kernel/error.h>
#include <kernel/pci.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <arch/mmio.h>

enum {
	VENDOR = 0x1af4,
	DEVICE_NET = 0x1041, /* 0x1040 and the kind */
	DEVICE_NET_TRANSITIONAL = 0x1000,
	CAP_VENDOR = 9, /* section 4.1.4: a capability with these at so many bytes */
	CAP_KIND = 3,
	CAP_BAR = 4,
	CAP_OFFSET = 8,
	CAP_LEN = 12,
	CAP_NOTIFY_STEP = 16,
	KIND_COMMON = 1,
	KIND_NOTIFY = 2,
	KIND_DEVICE = 4,
	COMMON_LEN = 0x38,
	NET_CONFIG_LEN = 8, /* what we read of it */
	R_FEATURES_SELECT = 0x00, /* registers, section 4.1.4.3 */
	R_FEATURES = 0x04,
	R_DRIVER_FEATURES_SELECT = 0x08,
	R_DRIVER_FEATURES = 0x0c,
	R_STATUS = 0x14,
	R_QUEUE_SELECT = 0x16,
	R_QUEUE_SIZE = 0x18,
	R_QUEUE_ENABLE = 0x1c,
	R_QUEUE_NOTIFY = 0x1e,
	R_DESC = 0x20,
	R_AVAIL = 0x28,
	R_USED = 0x30,
};

static u8 status(struct virtio_device *v)
{
	return mmio_read8(v->common + R_STATUS);
}

static void set_status(struct virtio_device *v, u8 s)
{
	mmio_write8(v->common + R_STATUS, s);
}

static unsigned queue_max(struct virtio_device *v, unsigned q)
{
	mmio_write16(v->common + R_QUEUE_SELECT, (u16)q);
	return mmio_read16(v->common + R_QUEUE_SIZE);
}

static bool queue_start(struct virtio_device *v, unsigned q, unsigned size, paddr_t desc,
			paddr_t avail, paddr_t used)
{
	u64 offset;

	mmio_write16(v->common + R_QUEUE_SELECT, (u16)q);
	offset = (u64)mmio_read16(v->common + R_QUEUE_NOTIFY) * v->notify_step;
	if (offset + sizeof(u16) > v->notify_len || offset % sizeof(u16))
		return false;
	v->notify_at[q] = v->notify + offset;
	mmio_write16(v->common + R_QUEUE_SIZE, (u16)size);
	virtio_write64(v->common + R_DESC, desc);
	virtio_write64(v->common + R_AVAIL, avail);
	virtio_write64(v->common + R_USED, used);
	mmio_write16(v->common + R_QUEUE_ENABLE, 1);
	return true;
}

static void tell(struct virtio_device *v, unsigned q)
{
	mmio_write16(v->notify_at[q], (u16)q);
}

static const struct virtio_transport pci = {
	.status = status,
	.set_status = set_status,
	.features_select = R_FEATURES_SELECT,
	.features = R_FEATURES,
	.driver_features_select = R_DRIVER_FEATURES_SELECT,
	.driver_features = R_DRIVER_FEATURES,
	.queue_max = queue_max,
	.queue_start = queue_start,
	.tell = tell,
};

/* Where a capability's registers are, mapped; 0: not where BARs are, or fewer than len bytes. */
static paddr_t map_registers(const struct pci_function *f, unsigned cap, u64 len, u64 *there)
{
	u64 offset = mmio_read32(f->config + cap + CAP_OFFSET);
	u64 bar_len = 0;
	paddr_t bar = pci_map_bar(f, mmio_read8(f->config + cap + CAP_BAR), &bar_len);

	*there = mmio_read32(f->config + cap + CAP_LEN);
	if (!bar || *there < len || offset > bar_len || *there > bar_len - offset || offset % 4)
		return 0;
	return bar + offset;
}

/* The first of each kind counts, as the specification has it. */
static void take_capability(struct virtio_device *v, const struct pci_function *f, unsigned cap)
{
	u64 len;

	switch (mmio_read8(f->config + cap + CAP_KIND)) {
	case KIND_COMMON:
		if (!v->common)
			v->common = map_registers(f, cap, COMMON_LEN, &len);
		break;
	case KIND_NOTIFY:
		if (v->notify)
			break;
		v->notify = map_registers(f, cap, sizeof(u16), &v->notify_len);
		v->notify_step = mmio_read32(f->config + cap + CAP_NOTIFY_STEP);
		break;
	case KIND_DEVICE:
		if (!v->config)
			v->config = map_registers(f, cap, NET_CONFIG_LEN, &len);
		break;
	}
}

int virtio_pci_find_net(struct virtio_device *v)
{
	static const struct pci_id ids[] = {
		{VENDOR, DEVICE_NET}, {VENDOR, DEVICE_NET_TRANSITIONAL}, {0, 0}};
	struct pci_function f;
	unsigned cap;
	int err = pci_find(ids, &f);

	if (err)
		return err;
	*v = (struct virtio_device){.transport = &pci,
				    .node = pci_node(&f, this_cpu_ptr(cpu_self)->node)};
	ksnprintf(v->where, sizeof(v->where), "PCI %02x:%02x.%x", f.bus, f.device, f.function);
	for (unsigned n = 0; (cap = pci_capability(&f, CAP_VENDOR, n)); n++)
		take_capability(v, &f, cap);
	if (!v->common || !v->notify || !v->config) {
		printk("net: virtio at %s: its registers cannot be reached\n", v->where);
		return -EIO;
	}
	pci_enable(&f, true);
	return 0;
}
