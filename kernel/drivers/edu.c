/*
 * QEMU's device `edu`: see <kernel/edu.h>. Registers as in QEMU's docs/specs/edu.txt. A transfer takes 100 ms of virtual
 * time, and happens at its end, at once.
 *
 * Its `dma_mask`, by default of 28 bits, is in no register: an address beyond it is cut, and the data go elsewhere,
 * without an error. So nothing is written to an address before it is known to be reached. First the device
 * writes eight zero bytes, from a part of its buffer that has never had anything else, to a word of the kernel's own;
 * where that is cut they do the least harm that there is. After that, whether an address is reached is asked by having the
 * device read there, which does none, and write what it found to that word. A mask is of low bits, all of them: an
 * address below twice one that was reached is reached, too.
 */
#include <kernel/clock.h>
#include <kernel/edu.h>
#include <kernel/error.h>
#include <kernel/iommu.h>
#include <kernel/pci.h>
#include <kernel/printf.h>
#include <kernel/smp.h>
#include <arch/barrier.h>
#include <arch/mmio.h>
#include <arch/platform.h>

enum {
	R_ID = 0x00,
	R_LIVE = 0x04, /* reads as the complement of what was written */
	R_DMA_FROM = 0x80, /* registers of 64 bits from here on */
	R_DMA_TO = 0x88,
	R_DMA_LEN = 0x90,
	R_DMA_COMMAND = 0x98,
	REGISTERS = 0xa0, /* bytes */
	ID_MASK = 0xff, /* above it: the version */
	ID = 0xed,
	COMMAND_RUN = 1, /* until it is over */
	COMMAND_WRITES = 2,
	BUFFER = 0x40000, /* where its 4 KiB are, in addresses of its own */
	PROBED = EDU_BYTES_MAX, /* in it: what edu_reach() asks with */
	ZEROS = 0xf00, /* nobody writes there */
};

#define DMA_NS 100000000UL /* a transfer takes as long */
#define PATIENCE_NS 10000000000UL /* a host may be busy */
#define NAP_NS 1000000UL

static struct {
	bool open, busy, writes;
	paddr_t regs;
	struct pci_function f;
	u64 started; /* ns */
	u64 reached; /* an address that its mask lets through; 0: none is known */
	char why[128];
} edu;

/* What the device writes to find out what it reaches: in the image, as far below as memory of ours is. */
static u64 word;

static int refuse(int code, const char **why, const char *text)
{
	*why = text;
	return code;
}

/* ---- transfers ------------------------------------------------------------------------ */

static void begin(paddr_t pa, u64 offset, u64 len, enum edu_direction direction)
{
	edu.writes = direction == EDU_WRITES;
	mmio_write64(edu.regs + R_DMA_FROM, edu.writes ? BUFFER + offset : pa);
	mmio_write64(edu.regs + R_DMA_TO, edu.writes ? pa : BUFFER + offset);
	mmio_write64(edu.regs + R_DMA_LEN, len);
	edu.started = clock_ns();
	edu.busy = true;
	dma_wmb(); /* what it is to read, and the last of our stores where it is to write, before its start */
	mmio_write64(edu.regs + R_DMA_COMMAND, COMMAND_RUN | (edu.writes ? COMMAND_WRITES : 0));
}

int edu_start(paddr_t pa, u64 len, enum edu_direction direction)
{
	if (!len || len > EDU_BYTES_MAX || pa % PAGE_SIZE + len > PAGE_SIZE)
		return -EINVAL;
	if (edu.busy)
		return -EBUSY;
	begin(pa, 0, len, direction);
	return 0;
}

int edu_poll(void)
{
	u64 took = clock_ns() - edu.started;

	if (!edu.busy)
		return 0;
	/* Each look ends the emulator's run of this CPU, and none is of use before. */
	if (took < DMA_NS)
		return -EAGAIN;
	if (!(mmio_read64(edu.regs + R_DMA_COMMAND) & COMMAND_RUN)) {
		dma_rmb(); /* before what it wrote is read */
		edu.busy = false;
		return 0;
	}
	if (took < PATIENCE_NS)
		return -EAGAIN;
	pci_enable(&edu.f, false);
	edu.busy = false;
	return -ETIMEDOUT;
}

int edu_wait(void)
{
	int err;

	while ((err = edu_poll()) == -EAGAIN)
		wait_nap(NAP_NS);
	return err;
}

static int transfer(paddr_t pa, u64 offset, u64 len, enum edu_direction direction, const char **why)
{
	begin(pa, offset, len, direction);
	return edu_wait() ? refuse(-ETIMEDOUT, why, "a transfer of the edu device does not end")
			  : 0;
}

/* ---- what it reaches -------------------------------------------------------------------- */

static paddr_t word_phys(void)
{
	return arch_kernel_phys() + ((u64)&word - KERNEL_BASE);
}

/* Zeros to a word that is not. */
static int reach_kernel(const char **why)
{
	store_relaxed(&word, ~0UL);
	int err = transfer(word_phys(), ZEROS, sizeof(word), EDU_WRITES, why);

	if (!err && load_relaxed(&word)) {
		ksnprintf(edu.why, sizeof(edu.why),
			  "the edu device's DMA does not reach the kernel at %#lx: its dma_mask "
			  "is too small, or an IOMMU translates",
			  word_phys());
		return refuse(-ERANGE, why, edu.why);
	}
	if (!err)
		edu.reached = word_phys();
	return err;
}

/* Does a mask of all bits up to the highest one of an address that was reached have those of this one? */
static bool is_below(paddr_t pa)
{
	u64 both = edu.reached;

	for (unsigned shift = 1; shift < 64; shift *= 2)
		both |= both >> shift;
	return !(pa & ~both);
}

/* As it is found through the word, when the device has read it there. */
static int read_back(paddr_t at, u64 *found, const char **why)
{
	int err = transfer(at, PROBED, sizeof(word), EDU_READS, why);

	if (!err)
		err = transfer(word_phys(), PROBED, sizeof(word), EDU_WRITES, why);
	*found = load_relaxed(&word);
	return err;
}

/* As edu_reach(), of an address that nothing is known of. */
static int try_address(paddr_t at, const char **why)
{
	u64 *there = phys_to_virt(at), was = load_relaxed(there);
	u64 asked = at ^ 0x9e3779b97f4a7c15UL, found; /* nobody else's value */

	store_relaxed(there, asked);
	int err = read_back(at, &found, why);

	store_relaxed(there, was);
	if (!err && found != asked) {
		ksnprintf(edu.why, sizeof(edu.why),
			  "the edu device's DMA does not reach %#lx: its dma_mask is too small",
			  at);
		return refuse(-ERANGE, why, edu.why);
	}
	if (!err)
		edu.reached = at;
	return err;
}

int edu_reach(paddr_t pa, const char **why)
{
	paddr_t at = ALIGN_DOWN(pa, PAGE_SIZE) + PAGE_SIZE - sizeof(word);

	return is_below(at) ? 0 : try_address(at, why);
}

/* ---- open and close ----------------------------------------------------------------------- */

static int find(const char **why)
{
	static const struct pci_id ids[] = {{0x1234, 0x11e8}, {0, 0}};
	u64 len;

	if (pci_find(ids, &edu.f))
		return refuse(-ENODEV, why, "there is no edu device (EDU=1)");
	if (iommu_translates())
		return refuse(-EPERM, why,
			      "an IOMMU is on, so the edu device would not reach what it is told "
			      "to; with "
			      "ip= on the boot line it is switched off");
	edu.regs = pci_map_bar(&edu.f, 0, &len);
	if (!edu.regs || len < REGISTERS)
		return refuse(-EIO, why, "the edu device's BAR 0 has no address, or is too small");
	return 0;
}

/* Is it one, and idle? Until it is it reaches no memory: an older transfer ends in nothing. */
static int try_registers(const char **why)
{
	const u32 live = 0x5eed1234;

	pci_enable(&edu.f, false);
	mmio_write32(edu.regs + R_LIVE, live);
	if ((mmio_read32(edu.regs + R_ID) & ID_MASK) != ID ||
	    mmio_read32(edu.regs + R_LIVE) != ~live)
		return refuse(-EIO, why, "the edu device's registers are not those of one");
	for (u64 start = clock_ns(); mmio_read64(edu.regs + R_DMA_COMMAND) & COMMAND_RUN;) {
		if (clock_ns() - start > PATIENCE_NS)
			return refuse(-ETIMEDOUT, why,
				      "an older transfer of the edu device does not end");
		wait_nap(NAP_NS);
	}
	return 0;
}

int edu_open(const char **why)
{
	if (edu.open)
		return refuse(-EBUSY, why, "the edu device is in use");
	int err = find(why);

	if (!err)
		err = try_registers(why);
	if (err)
		return err;
	pci_enable(&edu.f, true);
	if (!edu.reached)
		err = reach_kernel(why);
	if (err)
		pci_enable(&edu.f, false);
	edu.open = !err;
	return err;
}

void edu_close(void)
{
	pci_enable(&edu.f, false);
	edu.busy = false;
	edu.open = false;
}
