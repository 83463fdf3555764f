/* virtio-mmio (virtio 1.2, section 4.2), version 2, at the places that a device tree names. */
#include "virtio.h"
#include <kernel/bootinfo.h>
#include <kernel/error.h>
#include <kernel/main.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <mm/kmap.h>
#include <arch/mmio.h>

enum {
	LEN = 0x200, /* bytes of registers and configuration */
	MAGIC = 0x74726976, /* "virt" */
	VERSION = 2,
	DEVICE_NET = 1,
	R_MAGIC = 0x000, /* registers, section 4.2.2 */
	R_VERSION = 0x004,
	R_DEVICE = 0x008,
	R_FEATURES = 0x010,
	R_FEATURES_SELECT = 0x014,
	R_DRIVER_FEATURES = 0x020,
	R_DRIVER_FEATURES_SELECT = 0x024,
	R_QUEUE_SELECT = 0x030,
	R_QUEUE_MAX = 0x034,
	R_QUEUE_SIZE = 0x038,
	R_QUEUE_READY = 0x044,
	R_NOTIFY = 0x050,
	R_STATUS = 0x070,
	R_DESC = 0x080,
	R_AVAIL = 0x090,
	R_USED = 0x0a0,
	R_CONFIG = 0x100,
};

static u8 status(struct virtio_device *v)
{
	return (u8)mmio_read32(v->common + R_STATUS);
}

static void set_status(struct virtio_device *v, u8 s)
{
	mmio_write32(v->common + R_STATUS, s);
}

static unsigned queue_max(struct virtio_device *v, unsigned q)
{
	mmio_write32(v->common + R_QUEUE_SELECT, q);
	return mmio_read32(v->common + R_QUEUE_READY) ? 0 : mmio_read32(v->common + R_QUEUE_MAX);
}

static bool queue_start(struct virtio_device *v, unsigned q, unsigned size, paddr_t desc,
			paddr_t avail, paddr_t used)
{
	mmio_write32(v->common + R_QUEUE_SELECT, q);
	mmio_write32(v->common + R_QUEUE_SIZE, size);
	virtio_write64(v->common + R_DESC, desc);
	virtio_write64(v->common + R_AVAIL, avail);
	virtio_write64(v->common + R_USED, used);
	mmio_write32(v->common + R_QUEUE_READY, 1);
	return true;
}

static void tell(struct virtio_device *v, unsigned q)
{
	mmio_write32(v->common + R_NOTIFY, q);
}

static const struct virtio_transport mmio = {
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

int virtio_mmio_find_net(struct virtio_device *v)
{
	for (unsigned i = 0; i < kernel_bootinfo->virtio_mmio_count; i++) {
		const struct boot_near *near = &kernel_bootinfo->virtio_mmio_near[i];
		paddr_t at = kernel_bootinfo->virtio_mmio[i];

		if (!kmap_device(at, LEN) || mmio_read32(at + R_MAGIC) != MAGIC ||
		    mmio_read32(at + R_DEVICE) != DEVICE_NET)
			continue;
		*v = (struct virtio_device){.transport = &mmio,
					    .common = at,
					    .config = at + R_CONFIG,
					    .node = near->known ? near->node
								: this_cpu_ptr(cpu_self)->node};
		ksnprintf(v->where, sizeof(v->where), "%#lx", at);
		if (mmio_read32(at + R_VERSION) == VERSION)
			return 0;
		printk("net: virtio-mmio at %s: version %u, not %d\n", v->where,
		       mmio_read32(at + R_VERSION), VERSION);
		return -EIO;
	}
	return -ENODEV;
}
