# Sources of boot/: SRCS += path.c, SRCS-x86_64 += path.S, SRCS-arm64 += path.S
SRCS-x86_64 += \
	boot/x86_64/entry.S boot/x86_64/trampoline.S boot/x86_64/main.c \
	boot/x86_64/discover.c
SRCS += boot/acpi.c boot/acpi_iommu.c boot/acpi_madt.c boot/acpi_numa.c boot/acpi_platform.c boot/acpi_table.c boot/bootinfo.c \
	boot/efi_map.c boot/numa.c boot/ranges.c
SRCS-x86_64 += boot/multiboot2.c boot/pvh.c
SRCS-arm64 += \
	boot/arm64/head.S boot/arm64/tables.c boot/arm64/efi.c boot/arm64/main.c \
	boot/arm64/discover.c boot/fdt.c boot/fdt_bus.c boot/fdt_distances.c boot/fdt_tree.c boot/fdt_uart.c
