/*
 * QEMU's device `edu` (docs/specs/edu.txt there): DMA between memory and 4 KiB of its own, as a device does it that was
 * passed through to a guest. It is polled. One user at a time, and of that one CPU at a time; task context.
 *
 * The driver knows frames, and nothing of who maps them: whoever has a frame written or read keeps it pinned from
 * edu_start() until edu_poll() says that the transfer is over, or edu_close() returns (aspace_pin() in <mm/fault.h>).
 */
#pragma once

#include <kernel/types.h>

enum edu_direction { EDU_READS, EDU_WRITES }; /* memory, into its buffer or from there */

/*
 * Bytes of a transfer, all of them at the beginning of its buffer. QEMU before 10.0 ends itself where one reaches the
 * buffer's last byte, and the last words are the driver's own.
 */
enum { EDU_BYTES_MAX = 2048 };

/*
 * Look for the device and try it: 0, or a negative code and *why for people. -ENODEV: there is none. -EBUSY: it is open.
 * -EPERM: an IOMMU is on. -EIO: its registers cannot be reached, or are not as they must be. -ERANGE: its DMA does not
 * reach the kernel. -ETIMEDOUT: an older transfer does not end.
 */
int edu_open(const char **why);
/*
 * Does its DMA reach this frame, by its mask? Nobody else uses the frame's last word meanwhile, which is as it was on
 * return. 0, or -ERANGE or -ETIMEDOUT with *why. Up to 200 ms, once for each power of two.
 */
int edu_reach(paddr_t pa, const char **why);
/*
 * Begin a transfer. len: 1 to EDU_BYTES_MAX, within one frame. 0; -EINVAL: else; -EBUSY: another one is under way.
 * What was stored before is there for the device.
 */
int edu_start(paddr_t pa, u64 len, enum edu_direction direction);
/*
 * 0: no transfer is under way, and what the last one wrote can be read. -EAGAIN: it is. -ETIMEDOUT: it did not end; the
 * device reaches memory no more until it is opened again.
 */
int edu_poll(void);
/* Sleep until the transfer is over: as edu_poll(), without -EAGAIN. */
int edu_wait(void);
/* It is open. From now on the device reaches no memory, also if a transfer is under way. */
void edu_close(void);
