/*
 * What the firmware and the boot loader told us, in one form, whichever path
 * booted the machine. boot/ fills it, partly before kernel_main() and partly in
 * boot_discover(), which kernel_main() calls. It is constant after that, and
 * everybody may read it. Plain data, so that the parsers that fill it run on the
 * host too.
 */
#pragma once

#include <kernel/types.h>

enum {
	BOOT_MAX_RANGES = 256,
	BOOT_MAX_MODULES = 8,
	BOOT_MAX_WARNINGS = 48,
	BOOT_WARNING_LEN = 128,
	BOOT_CMDLINE_LEN = 16384, /* bytes; longer lines are cut, with a warning */
	BOOT_MAX_GICR = 64,
	BOOT_HYPERVISOR_LEN = 24,
	BOOT_MAX_IOAPICS = 32,
	BOOT_ISA_IRQS = 16,
	BOOT_MAX_UARTS = 8,
	BOOT_MAX_CONSOLES = 8, /* as many as Linux takes */
	BOOT_DEFAULT_CONSOLES = 2,
	BOOT_PCI_WINDOWS = 2, /* below 4 GiB, and anywhere */
	BOOT_MAX_IOMMUS = 64, /* a large server has one for each of its PCI root complexes */
	BOOT_PCI_DEVICES =
		16, /* of which firmware says what they are near to; more are not noted */
	BOOT_MAX_VIRTIO = 32, /* devices of virtio-mmio: as many as QEMU's board has places for */
};

#define BOOT_NODE_NONE 0xffffffffu /* no firmware table says which node */

struct boot_cpu {
	u64 hw_id; /* APIC id, or MPIDR affinity fields */
	u32 node; /* our dense node id, BOOT_NODE_NONE until known */
	u32 acpi_uid; /* processor UID, for tables that name CPUs by it */
	u64 gicc_base, gicr_base; /* arm64: this CPU's GIC frames, 0 = none given */
	u8 listed; /* bit per kind of table entry that named it; some firmware uses two kinds */
};

enum boot_mem_type { BOOT_MEM_RAM, BOOT_MEM_RESERVED, BOOT_MEM_ACPI, BOOT_MEM_NVS };

struct boot_range { /* from the loader's memory map: what may be used as RAM */
	paddr_t base;
	u64 len;
	enum boot_mem_type type;
};

struct boot_node_range { /* from SRAT or the device tree: which node an address is on */
	paddr_t base;
	u64 len;
	u32 node;
	bool hotplug; /* may be empty sockets: only the memory map says what is there */
};

struct boot_node {
	u32 domain; /* the firmware's number for it */
};

struct boot_module {
	paddr_t base;
	u64 len;
};

enum boot_console_type {
	BOOT_CONSOLE_UNKNOWN, /* no table says; use the port's default */
	BOOT_CONSOLE_NONE, /* a table says there is none */
	BOOT_CONSOLE_16550_IO,
	BOOT_CONSOLE_16550_MMIO,
	BOOT_CONSOLE_PL011,
	BOOT_CONSOLE_SBSA, /* PL011 subset: no baud-rate registers */
	BOOT_CONSOLE_SCREEN, /* bi->screen */
};

enum boot_screen_type { BOOT_SCREEN_NONE, BOOT_SCREEN_PIXELS, BOOT_SCREEN_TEXT };

struct boot_screen {
	enum boot_screen_type type;
	paddr_t base;
	u64 len; /* bytes */
	u32 pitch; /* bytes from one line to the next */
	u32 width, height; /* pixels, or characters */
	u32 lit; /* pixel of full red, green and blue */
	u8 pixel_bytes; /* 2 to 4 */
};

struct boot_console {
	enum boot_console_type type;
	u64 base;
	u32 baud; /* 0 = leave as the firmware set it */
	u32 clock; /* Hz that the speed is divided from, 0 = unknown */
	u8 reg_width; /* bytes per access */
	u8 reg_stride; /* bytes between registers */
};

struct boot_uart { /* that a device tree names */
	struct boot_console console;
	u32 line; /* n of ttySn or ttyAMAn */
};

struct boot_console_word { /* a console= of the boot line */
	const char *word; /* its value */
	const char *refused; /* why it is not used; NULL: it is */
	const char *remark; /* what is not done of it, or NULL */
	struct boot_console console;
};

enum boot_iommu_kind { BOOT_IOMMU_INTEL, BOOT_IOMMU_AMD, BOOT_IOMMU_SMMU2, BOOT_IOMMU_SMMU3 };

struct boot_iommu {
	enum boot_iommu_kind kind;
	paddr_t base; /* of its registers */
};

/* One that resets the machine unless somebody tells it not to. */
enum boot_watchdog {
	BOOT_WATCHDOG_NONE,
	BOOT_WATCHDOG_OFF,
	BOOT_WATCHDOG_RUNS,
	BOOT_WATCHDOG_THERE, /* the table does not tell whether it runs */
};

struct boot_hmat { /* per initiator node and target node; 0 = not given */
	u32 read_latency_ps[MAX_NODES][MAX_NODES];
	u32 read_bandwidth_mbps[MAX_NODES][MAX_NODES];
};

struct boot_ioapic {
	paddr_t base;
	u32 id;
	u32 gsi_base; /* first global interrupt number it serves */
};

struct boot_isa_irq { /* where an ISA interrupt really arrives */
	u32 gsi;
	u16 flags; /* MPS INTI: bits 1:0 polarity, 3:2 trigger mode; 0 = as the bus has it */
	bool moved; /* false: identity, edge, active high */
};

struct boot_x86 {
	paddr_t lapic_base;
	bool has_8259; /* a pair of them is there and must be masked */
	struct boot_ioapic ioapics[BOOT_MAX_IOAPICS];
	unsigned ioapic_count;
	struct boot_isa_irq isa_irq[BOOT_ISA_IRQS];
	bool nmi_known; /* the local interrupt input that NMI is wired to */
	u8 nmi_lint;
	u16 nmi_flags;
	paddr_t hpet_base; /* 0 = none */
	u16 pm_timer_port; /* 0 = none */
	bool pm_timer_32bit;
	u16 pm1a_cnt_port; /* 0 = no ACPI power-off */
	u16 pm1b_cnt_port;
	u8 s5_typ_a, s5_typ_b;
	bool s5_known;
	bool hw_reduced; /* no PM1 registers: power off by sleep_addr */
	u8 sleep_space; /* as reset_space */
	u64 sleep_addr; /* sleep control register, 0 = none */
	u16 smi_cmd_port; /* 0 = already in ACPI mode; else write acpi_enable to it first */
	u8 acpi_enable;
	u8 reset_space; /* ACPI address space id: 0 memory, 1 I/O port */
	u64 reset_addr; /* 0 = no reset register */
	u8 reset_value;
};

struct boot_arm64 {
	u8 gic_version; /* 2 or 3; 0 = unknown */
	paddr_t gicd_base, gicc_base;
	struct {
		paddr_t base;
		u64 len;
	} gicr[BOOT_MAX_GICR];
	unsigned gicr_count;
	enum { BOOT_PSCI_NONE, BOOT_PSCI_HVC, BOOT_PSCI_SMC } psci;
	u32 timer_ppi; /* INTID of the virtual timer */
	bool qemu; /* the board is QEMU's: semihosting may be there */
};

/* A node that firmware says a device is near to; known: it says one that we have. */
struct boot_near {
	u32 node;
	bool known;
};

struct boot_pci { /* the first host bridge */
	struct boot_near near; /* to all that is behind it, but for those below */
	struct {
		struct boot_near near;
		u16 function; /* bus, device, function: 8, 5 and 3 bits */
	} device[BOOT_PCI_DEVICES];
	unsigned device_count;
	struct {
		paddr_t base; /* configuration space of bus 0, whether or not that bus is there */
		u8 bus_first, bus_last;
		bool known;
	} ecam;
	/* Where BARs may lie, from a device tree; firmware with other tables has assigned them. */
	struct boot_pci_window {
		paddr_t base;
		u64 bus_base; /* the same, as devices see it */
		u64 len; /* 0: there is none */
	} window[BOOT_PCI_WINDOWS];
};

/*
 * Between acpi_parse*() and acpi_finish(): tables that can only be read once
 * all CPUs are known. The pointers are the caller's bytes; cleared at the end.
 */
enum boot_acpi_later { BOOT_ACPI_SRAT, BOOT_ACPI_SLIT, BOOT_ACPI_HMAT, BOOT_ACPI_LATER };

struct boot_acpi {
	u32 seen; /* bit per kind of table already taken */
	u32 repeated; /* bit per kind found again, and ignored */
	paddr_t dsdt;
	struct {
		const void *bytes;
		u64 len;
	} later[BOOT_ACPI_LATER];
};

struct bootinfo {
	const char *loader; /* "multiboot2", "pvh", "linux-image", "efi" */
	char cmdline[BOOT_CMDLINE_LEN];
	paddr_t rsdp; /* 0 = no ACPI */
	paddr_t fdt; /* 0 = no device tree */
	u64 fdt_steps; /* tokens and ranges looked at: what reading it cost */

	struct boot_cpu cpus[MAX_CPUS]; /* enabled CPUs only; [0] need not be the boot CPU */
	unsigned cpu_count;
	unsigned cpu_disabled_count; /* listed but not enabled */
	unsigned cpu_dropped_count; /* enabled but more than MAX_CPUS */

	/*
	 * No range reaches beyond: what neither the CPU can address nor the kernel map; 0 = no
	 * limit. Set before parsing.
	 */
	u64 phys_limit;
	struct boot_range ranges[BOOT_MAX_RANGES]; /* sorted by base, not overlapping */
	unsigned range_count;

	struct boot_node nodes[MAX_NODES];
	unsigned node_count; /* at least 1 once parsing is done */
	struct boot_node_range node_ranges[BOOT_MAX_RANGES];
	unsigned node_range_count;
	u8 distance[MAX_NODES][MAX_NODES]; /* SLIT units: 10 = local */
	bool distance_known;
	bool numa_known; /* false: one node, because no table said otherwise */
	struct boot_hmat hmat;
	bool hmat_known;

	struct boot_module modules[BOOT_MAX_MODULES];
	unsigned module_count;
	struct boot_console console; /* the one that firmware names */
	struct boot_console default_consoles
		[BOOT_DEFAULT_CONSOLES]; /* UARTs that the port expects; where no console= is given */
	struct boot_screen screen;
	struct boot_uart uarts[BOOT_MAX_UARTS];
	unsigned uart_count;
	struct boot_console_word console_words[BOOT_MAX_CONSOLES];
	unsigned console_word_count;
	unsigned console_words_dropped;
	char hypervisor
		[BOOT_HYPERVISOR_LEN]; /* what the firmware's tables say we run under; "" = nothing */
	struct boot_x86 x86;
	struct boot_arm64 arm64;
	struct boot_acpi acpi;
	struct boot_pci pci;
	struct boot_iommu iommus[BOOT_MAX_IOMMUS];
	unsigned iommu_count, iommus_dropped;
	u8 dmar_flags; /* bit 0: interrupts can be remapped, 1: no x2APIC please, 2: keep the IOMMU on */
	enum boot_watchdog watchdog; /* as WDAT or GTDT say */
	paddr_t virtio_mmio[BOOT_MAX_VIRTIO]; /* registers; most have no device behind them */
	struct boot_near virtio_mmio_near[BOOT_MAX_VIRTIO];
	unsigned virtio_mmio_count;

	char warnings[BOOT_MAX_WARNINGS][BOOT_WARNING_LEN];
	unsigned warning_count; /* stored */
	unsigned warning_dropped; /* found after the table of warnings was full */
	bool broken; /* a warning was about broken input, not only about something absent */
};

/*
 * boot_warn - remember something wrong with the firmware's tables.
 * Cuts at BOOT_WARNING_LEN; never fails. Names table and offset, e.g.
 * "SRAT+0x40: entry length 0".
 */
void boot_warn(struct bootinfo *bi, const char *fmt, ...) __printf(2, 3);
