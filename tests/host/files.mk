# Host programs: HOST_TESTS += NAME, NAME_SRCS := sources. Run by `make test` and `make test-host`.

BOOT_PARSERS := boot/acpi.c boot/acpi_madt.c boot/acpi_numa.c boot/acpi_platform.c \
		boot/bootinfo.c boot/numa.c boot/ranges.c kernel/lib/printf.c

HOST_TESTS += test_acpi
test_acpi_SRCS := tests/host/check.c tests/host/tables.c tests/host/test_acpi.c \
		  tests/host/test_acpi_numa.c tests/host/test_acpi_walk.c \
		  tests/host/test_acpi_fuzz.c $(BOOT_PARSERS)

HOST_TESTS += test_multiboot2
test_multiboot2_SRCS := tests/host/check.c tests/host/tables.c tests/host/test_multiboot2.c \
			tests/host/test_ranges.c boot/multiboot2.c boot/pvh.c $(BOOT_PARSERS)

# Not a test: the program behind `make topology`; tests/host/test_topology.py runs it.
topology_SRCS := tools/topology/topology.c tools/topology/acpidump.c $(BOOT_PARSERS)
