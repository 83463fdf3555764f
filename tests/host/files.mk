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

HOST_TESTS += test_lib
test_lib_SRCS := tests/host/check.c tests/host/test_lib.c kernel/lib/crc32.c kernel/lib/fixed.c \
		 kernel/lib/glob.c kernel/lib/printf.c kernel/lib/rng.c kernel/lib/sort.c \
		 kernel/lib/strutil.c

HOST_TESTS += test_shell
test_shell_SRCS := tests/host/check.c tests/host/test_shell.c kernel/core/option.c \
		   kernel/lib/args.c kernel/lib/fixed.c kernel/lib/json.c kernel/lib/printf.c \
		   kernel/lib/rng.c kernel/lib/strutil.c kernel/shell/lineedit.c

# Not a test: the program behind `make topology`; tests/host/test_topology.py runs it.
topology_SRCS := tools/topology/topology.c tools/topology/acpidump.c $(BOOT_PARSERS)
