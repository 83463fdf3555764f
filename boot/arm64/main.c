/*
 * First C code of the boot CPU on the boot page tables: what firmware or the
 * loader left becomes struct bootinfo. Everything is read here, before
 * kernel_main(), since the memory map and the console are needed from its
 * first line on, and both come from the same tables as the rest.
 */
#include "boot.h"
#include "efi.h"
#include <arch/platform.h>
#include <asm/layout.h>
#include <asm/mmu.h>
#include <asm/sysreg.h>
#include <boot/acpi.h>
#include <boot/fdt.h>
#include <kernel/main.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/string.h>
#include <kernel/uart.h>

enum {
	FDT_MAX = 2 << 20, /* bytes; Linux's boot protocol allows no more */
	UART_LEN = 0x1000,
};

struct bootinfo boot_info;

/* From head.S. */
void boot_main(paddr_t fdt, bool efi, unsigned entry_el) __noreturn;

/* A device tree at this address, all of it mapped; NULL: there is none. */
static const void *fdt_at(struct bootinfo *bi, paddr_t pa, size_t *len)
{
	const void *blob = pa % 8 ? NULL : boot_map_memory(pa, PAGE_SIZE);

	if (!blob || !fdt_is_blob(blob))
		return NULL;
	*len = fdt_total_size(blob);
	if (*len > FDT_MAX) {
		boot_note(bi, "device tree at %#lx: %zu bytes, only %d read", pa, *len, FDT_MAX);
		*len = FDT_MAX;
	}
	return boot_map_memory(pa, *len);
}

/*
 * Where a loader gives no address it puts the tree at the start of RAM, which
 * is a multiple of 1 GiB on the boards that do so (QEMU with an ELF image).
 */
static void read_fdt(struct bootinfo *bi, paddr_t pa)
{
	size_t len;
	const void *blob;

	if (!pa)
		pa = ALIGN_DOWN(arch_kernel_phys(), PT_LEVEL_SIZE(2));
	blob = fdt_at(bi, pa, &len);
	if (!blob) {
		boot_warn(bi, "device tree: none at %#lx", pa);
		return;
	}
	bi->fdt = pa;
	fdt_parse(blob, len, bi); /* warns about what is wrong */
}

static const void *map_acpi(void *ctx __unused, u64 pa, u64 len)
{
	return boot_map_memory(pa, len);
}

static void read_acpi(struct bootinfo *bi)
{
	acpi_parse(bi->rsdp, map_acpi, NULL, bi); /* warns about what is wrong */
	acpi_finish(bi);
}

/*
 * What tables leave out, on the one board whose memory map we know: QEMU's virt (its
 * documentation calls these addresses stable). Elsewhere nothing is guessed.
 */
static void assume_virt_board(struct bootinfo *bi)
{
	struct boot_arm64 *a = &bi->arm64;

	if (!a->qemu)
		return;
	if (bi->console.type == BOOT_CONSOLE_UNKNOWN) {
		boot_note(bi, "no console named: QEMU's UART at 0x9000000 assumed");
		bi->console = (struct boot_console){.type = BOOT_CONSOLE_PL011, .base = 0x9000000};
	}
	if (!a->gic_version) {
		boot_note(bi, "no interrupt controller named: QEMU's at 0x8000000 assumed");
		a->gic_version = id_field(sysreg_read(id_aa64pfr0_el1), 24) ? 3 : 2;
		a->gicd_base = 0x8000000;
		a->gicc_base = 0x8010000;
		a->gicr[0].base = 0x80a0000;
		a->gicr[0].len = 0xf60000;
		a->gicr_count = 1;
	}
}

/* The early allocator takes any of it; what cannot be mapped is not used. */
static void map_memory(struct bootinfo *bi)
{
	for (unsigned i = 0; i < bi->range_count;) {
		struct boot_range r = bi->ranges[i];

		if (r.type != BOOT_MEM_RAM || boot_map_memory(r.base, r.len)) {
			i++;
			continue;
		}
		boot_warn(bi, "memory map: %#lx+%#lx cannot be mapped: not used", r.base, r.len);
		memmove(&bi->ranges[i], &bi->ranges[i + 1],
			(--bi->range_count - i) * sizeof(bi->ranges[0]));
	}
}

/* For the first lines printed. One that cannot be mapped here is told of later. */
static void map_consoles(const struct bootinfo *bi)
{
	for (unsigned i = 0; i < bi->console_word_count; i++)
		if (!bi->console_words[i].refused && bi->console_words[i].console.base)
			boot_map_device(bi->console_words[i].console.base, UART_LEN);
	if (bi->console.base)
		boot_map_device(bi->console.base, UART_LEN);
	if (bi->screen.type != BOOT_SCREEN_NONE)
		boot_map_device(bi->screen.base, bi->screen.len);
}

static void boot_fail(struct bootinfo *bi)
{
	arch_init_early(bi);
	panic("boot: no memory map: %s",
	      bi->warning_count ? bi->warnings[bi->warning_count - 1] : "none given");
}

void boot_main(paddr_t fdt, bool efi, unsigned entry_el)
{
	struct bootinfo *bi = &boot_info;

	arm64_entry_el = entry_el;
	bi->phys_limit = arch_phys_limit();
	bi->loader = efi ? "efi" : "linux-image";
	if (efi)
		efi_read_handover(bi);
	if (bi->rsdp)
		read_acpi(bi);
	else
		read_fdt(bi, efi ? bi->fdt : fdt);
	assume_virt_board(bi);
	bi->default_consoles[0] = bi->console;
	option_init(bi->cmdline);
	console_words(bi, false);
	map_memory(bi);
	map_consoles(bi);
	if (!boot_has_ram(bi))
		boot_fail(bi);
	kernel_main(bi);
}
