/* boot/arm64/main.c on memory made up here: what the boot CPU reads, maps and assumes before the kernel begins. */
#include "check.h"

#include <asm/sysreg.h>
#undef sysreg_read
#define sysreg_read(reg) (fw.pfr0) /* the only one that is read */

#include <setjmp.h>
#include <stdarg.h>

static struct {
	u64 pfr0;
	u64 blob[2]; /* a device tree, as far as it is looked at here */
	u32 blob_size;
	u64 blob_at, blob_len; /* where it was parsed, and how much of it */
	u64 rsdp; /* where ACPI was parsed */
	bool handed_over; /* UEFI's part was read */
	bool console_found; /* by a parser */
	bool options, words; /* the boot line was read, and its consoles */
	bool early; /* the port was made ready for a panic */
	u64 refused; /* cannot be mapped */
	u64 devices[8];
	unsigned device_count, memory_count;
	char panic[160];
	jmp_buf end;
} fw;

enum { RAM = 0x40000000, UART = 0x9000000, KERNEL = 0x48200000 };

#include "../../boot/arm64/main.c"

u32 arm64_entry_el;

u64 arch_phys_limit(void)
{
	return 1UL << 40;
}

paddr_t arch_kernel_phys(void)
{
	return KERNEL;
}

void arch_init_early(struct bootinfo *bi)
{
	fw.early = bi == &boot_info;
}

void *boot_map_memory(paddr_t pa, u64 len)
{
	if (!len || ++fw.memory_count > BOOT_MAX_RANGES)
		longjmp(fw.end, 4);
	return pa == fw.refused ? NULL : fw.blob;
}

void *boot_map_device(paddr_t pa, u64 len)
{
	if (fw.device_count < ARRAY_SIZE(fw.devices))
		fw.devices[fw.device_count++] = pa;
	return len ? fw.blob : NULL;
}

bool fdt_is_blob(const void *blob)
{
	return blob == fw.blob && fw.blob_size;
}

size_t fdt_total_size(const void *blob)
{
	(void)blob;
	return fw.blob_size;
}

static void found(struct bootinfo *bi)
{
	boot_add_range(bi, RAM, 0x10000000, BOOT_MEM_RAM);
	if (fw.console_found)
		bi->console = (struct boot_console){.type = BOOT_CONSOLE_PL011, .base = 0x1000};
}

int fdt_parse(const void *blob, size_t len, struct bootinfo *bi)
{
	(void)blob;
	fw.blob_at = bi->fdt;
	fw.blob_len = len;
	found(bi);
	return 0;
}

int acpi_parse(u64 rsdp, boot_map_fn *map, void *ctx, struct bootinfo *bi)
{
	fw.rsdp = map(ctx, rsdp, 20) ? rsdp : 0;
	found(bi);
	return 0;
}

void acpi_finish(struct bootinfo *bi)
{
	(void)bi;
}

void efi_read_handover(struct bootinfo *bi)
{
	(void)bi;
	fw.handed_over = true;
}

void option_init(const char *line)
{
	CHECK(line == boot_info.cmdline);
	fw.options = true;
}

void console_words(struct bootinfo *bi, bool has_ports)
{
	CHECK(bi == &boot_info && !has_ports && fw.options);
	fw.words = true;
}

void kernel_main(struct bootinfo *bi)
{
	longjmp(fw.end, bi == &boot_info ? 1 : 2);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fw.panic, sizeof(fw.panic), fmt, ap);
	va_end(ap);
	longjmp(fw.end, 3);
}

static struct bootinfo *const bi = &boot_info;

static void begin(void)
{
	memset(&fw, 0, sizeof(fw));
	memset(bi, 0, sizeof(*bi));
	fw.refused = ~0UL;
	fw.blob_size = 0x1000;
}

/* 1: the kernel began; 3: it ended in a panic; 4: it goes on mapping memory for ever. */
static int boot(paddr_t fdt, bool efi)
{
	int how = setjmp(fw.end);

	if (!how)
		boot_main(fdt, efi, 2);
	return how;
}

static bool is_mapped(u64 device)
{
	for (unsigned i = 0; i < fw.device_count; i++)
		if (fw.devices[i] == device)
			return true;
	return false;
}

TEST(device_tree_of_the_loader)
{
	begin();
	CHECK_EQ(boot(0x4a000000, false), 1);
	CHECK_EQ(fw.blob_at, 0x4a000000);
	CHECK_EQ(fw.blob_len, 0x1000);
	CHECK_EQ(arm64_entry_el, 2);
	CHECK_EQ(bi->phys_limit, 1UL << 40);
	CHECK(!strcmp(bi->loader, "linux-image"));
	CHECK(!fw.handed_over && !fw.rsdp && !bi->warning_count && fw.words);
	begin();
	CHECK_EQ(boot(0, false), 1);
	CHECK_EQ(fw.blob_at, RAM); /* the multiple of 1 GiB below the kernel */
	begin();
	CHECK_EQ(boot(0x4a000004, false), 3); /* not aligned: not looked at */
	CHECK_EQ(fw.blob_at, 0);
}

TEST(device_tree_that_is_too_long)
{
	begin();
	fw.blob_size = FDT_MAX;
	CHECK_EQ(boot(0x4a000000, false), 1);
	CHECK_EQ(fw.blob_len, FDT_MAX);
	CHECK_EQ(bi->warning_count, 0);
	begin();
	fw.blob_size = FDT_MAX + 1;
	CHECK_EQ(boot(0x4a000000, false), 1);
	CHECK_EQ(fw.blob_len, FDT_MAX);
	CHECK(bi->warning_count == 1 &&
	      strstr(bi->warnings[0], "2097153 bytes, only 2097152 read"));
}

TEST(uefi_names_tables_or_a_tree)
{
	begin();
	bi->rsdp = 0x5000;
	CHECK_EQ(boot(0x4a000000, true), 1);
	CHECK(fw.handed_over && fw.rsdp == 0x5000 && !fw.blob_at && !strcmp(bi->loader, "efi"));
	begin();
	bi->fdt = 0x4b000000;
	CHECK_EQ(boot(0x4a000000, true), 1);
	CHECK(fw.handed_over && !fw.rsdp);
	CHECK_EQ(fw.blob_at, 0x4b000000);
}

TEST(without_memory_it_says_what_it_heard_last)
{
	begin();
	fw.blob_size = 0;
	CHECK_EQ(boot(0x4a000000, false), 3);
	CHECK(fw.early);
	CHECK(!strcmp(fw.panic, "boot: no memory map: device tree: none at 0x4a000000"));
	begin();
	fw.refused = RAM;
	CHECK_EQ(boot(0x4a000000, false), 3);
	CHECK(strstr(fw.panic, "0x40000000+0x10000000 cannot be mapped: not used"));
}

TEST(memory_that_cannot_be_mapped_is_left_out)
{
	begin();
	boot_add_range(bi, 0x80000000, 0x1000000, BOOT_MEM_RAM);
	boot_add_range(bi, 0x90000000, 0x1000000, BOOT_MEM_RAM);
	boot_add_range(bi, 0xa0000000, 0x1000000, BOOT_MEM_RESERVED);
	fw.refused = 0x80000000;
	CHECK_EQ(boot(0x4a000000, false), 1);
	CHECK_EQ(bi->range_count, 3);
	CHECK_EQ(bi->ranges[0].base, RAM);
	CHECK_EQ(bi->ranges[1].base, 0x90000000);
	CHECK_EQ(bi->ranges[2].base, 0xa0000000);
	CHECK_EQ(bi->warning_count, 1);
	begin();
	boot_add_range(bi, 0xa0000000, 0x1000000, BOOT_MEM_RESERVED);
	fw.refused = 0xa0000000; /* what is reserved is not mapped, and stays */
	CHECK_EQ(boot(0x4a000000, false), 1);
	CHECK_EQ(bi->range_count, 2);
	CHECK_EQ(bi->warning_count, 0);
}

TEST(consoles_are_mapped_for_the_first_lines)
{
	begin();
	fw.console_found = true;
	bi->console_word_count = 2;
	bi->console_words[0].console.base = 0x2000;
	bi->console_words[1].console.base = 0x3000;
	bi->console_words[1].refused = "no";
	bi->console_words[2].console.base = 0x4000;
	bi->screen.type = BOOT_SCREEN_PIXELS;
	bi->screen.base = 0x5000;
	bi->screen.len = 1;
	CHECK_EQ(boot(0x4a000000, false), 1);
	CHECK(is_mapped(0x1000) && is_mapped(0x2000) && is_mapped(0x5000));
	CHECK_EQ(fw.device_count, 3);
	CHECK_EQ(bi->default_consoles[0].base, 0x1000);
	begin();
	bi->screen.base = 0x5000;
	bi->console_word_count = 1; /* a word without registers: the screen's */
	CHECK_EQ(boot(0x4a000000, false), 1);
	CHECK_EQ(fw.device_count, 0);
}

TEST(only_of_qemus_board_anything_is_assumed)
{
	begin();
	CHECK_EQ(boot(0x4a000000, false), 1);
	CHECK(bi->console.type == BOOT_CONSOLE_UNKNOWN && !bi->arm64.gic_version);
	for (unsigned v3 = 0; v3 < 2; v3++) {
		begin();
		bi->arm64.qemu = true;
		fw.pfr0 = v3 << 24 | 0xf0ffffff;
		CHECK_EQ(boot(0x4a000000, false), 1);
		CHECK(bi->console.type == BOOT_CONSOLE_PL011 && bi->console.base == UART);
		CHECK_EQ(bi->arm64.gic_version, v3 ? 3 : 2);
		CHECK_EQ(bi->arm64.gicd_base, 0x8000000);
		CHECK_EQ(bi->arm64.gicc_base, 0x8010000);
		CHECK(bi->arm64.gicr_count == 1 && bi->arm64.gicr[0].base == 0x80a0000 &&
		      bi->arm64.gicr[0].len == 0xf60000);
		CHECK_EQ(bi->warning_count, 2);
	}
	begin();
	bi->arm64.qemu = fw.console_found = true;
	bi->arm64.gic_version = 2;
	bi->arm64.gicd_base = 0x1230000;
	CHECK_EQ(boot(0x4a000000, false), 1);
	CHECK(bi->console.base == 0x1000 && bi->arm64.gicd_base == 0x1230000 &&
	      !bi->arm64.gicr_count);
	CHECK_EQ(bi->warning_count, 0);
}
