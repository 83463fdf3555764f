# Host programs: HOST_TESTS += NAME, NAME_SRCS := sources. Run by `make test` and `make test-host`.

BOOT_PARSERS := boot/acpi.c boot/acpi_iommu.c boot/acpi_madt.c boot/acpi_numa.c boot/acpi_platform.c boot/acpi_table.c \
		boot/bootinfo.c boot/numa.c boot/ranges.c kernel/lib/printf.c kernel/lib/utf8.c

# Sources that many programs have, and that include nothing of an architecture: compiled once, for test_acpi (see the end).
COMMON := tests/host/check.c tests/host/tables.c $(addprefix kernel/lib/,fixed.c strutil.c) $(BOOT_PARSERS)

HOST_TESTS += test_acpi
test_acpi_SRCS := tests/host/check.c tests/host/tables.c tests/host/test_acpi.c \
		  tests/host/test_acpi_numa.c tests/host/test_acpi_walk.c tests/host/test_acpi_limits.c \
		  tests/host/test_acpi_fuzz.c $(BOOT_PARSERS)

HOST_TESTS += test_fdt
test_fdt_SRCS := tests/host/check.c tests/host/tables.c tests/host/dt.c tests/host/test_fdt.c \
		 tests/host/test_fdt_fuzz.c tests/host/test_fdt_limits.c tests/host/test_fdt_slow.c \
		 boot/fdt.c boot/fdt_bus.c boot/fdt_distances.c boot/fdt_tree.c boot/fdt_uart.c $(BOOT_PARSERS)

HOST_TESTS += test_multiboot2
test_multiboot2_SRCS := tests/host/check.c tests/host/tables.c tests/host/test_multiboot2.c \
			tests/host/test_ranges.c tests/host/test_memory_maps.c tests/host/dt.c boot/efi_map.c boot/multiboot2.c boot/pvh.c \
			boot/fdt.c boot/fdt_bus.c boot/fdt_distances.c boot/fdt_tree.c boot/fdt_uart.c $(BOOT_PARSERS)

HOST_TESTS += test_lib
test_lib_SRCS := tests/host/check.c tests/host/test_lib.c kernel/lib/crc32.c kernel/lib/fixed.c \
		 kernel/lib/glob.c kernel/lib/printf.c kernel/lib/sort.c \
		 kernel/lib/strutil.c kernel/lib/utf8.c

HOST_TESTS += test_string
test_string_SRCS := tests/host/check.c tests/host/test_string.c # which includes kernel/lib/string.c

HOST_TESTS += test_shell
test_shell_SRCS := tests/host/check.c $(addprefix tests/host/,test_complete.c test_lineedit.c test_shell.c) \
		   kernel/core/hw.c kernel/core/option.c \
		   kernel/lib/args.c kernel/lib/fixed.c kernel/lib/json.c kernel/lib/printf.c \
		   kernel/lib/strutil.c kernel/lib/utf8.c \
		   $(addprefix kernel/shell/,complete.c history.c line.c lineedit.c)

HOST_TESTS += test_bench
test_bench_SRCS := tests/host/check.c tests/host/test_bench.c tests/host/test_record_lines.c \
		   kernel/bench/report/lines.c kernel/bench/load/pattern.c kernel/lib/samples.c \
		   kernel/lib/fixed.c kernel/lib/printf.c kernel/lib/sort.c kernel/lib/utf8.c

# The tables of errata are plain data of the ports.
HOST_TESTS += test_errata_arm64 test_errata_x86_64
test_errata_arm64_INCLUDES := -Iarch/arm64/include -Ikernel/include -Itests/host
test_errata_arm64_SRCS := tests/host/check.c tests/host/test_errata_arm64.c arch/arm64/errata.c
test_errata_x86_64_INCLUDES := -Iarch/x86_64/include -Ikernel/include -Itests/host
test_errata_x86_64_SRCS := tests/host/check.c tests/host/test_errata_x86_64.c arch/x86_64/errata.c

HOST_TESTS += test_guest_arm64
test_guest_arm64_INCLUDES := -Iarch/arm64/include -Iarch/include -Ikernel/include -Itests/host
test_guest_arm64_SRCS := tests/host/check.c tests/host/test_guest_arm64.c arch/arm64/stage2.c

# Performance counters, programmed on a model of each kind.
HOST_TESTS += test_pmu_x86_64 test_pmu_arm64
test_pmu_x86_64_INCLUDES := -Iarch/x86_64/include -Iarch/include -Ikernel/include -Itests/host
test_pmu_x86_64_SRCS := tests/host/check.c tests/host/test_pmu_x86_64.c arch/x86_64/pmu.c
test_pmu_arm64_INCLUDES := -Iarch/arm64/include -Iarch/include -Ikernel/include -Itests/host
test_pmu_arm64_SRCS := tests/host/check.c tests/host/test_pmu_arm64.c # which includes arch/arm64/pmu.c

HOST_TESTS += test_geometry
test_geometry_INCLUDES := -Iarch/x86_64/include -Iarch/include -Ikernel/include -Itests/host
test_geometry_SRCS := tests/host/check.c tests/host/test_geometry.c arch/x86_64/geometry.c kernel/lib/printf.c \
		      kernel/lib/strutil.c kernel/lib/utf8.c

# Not a test: the program behind `make topology`; tests/host/test_topology.py runs it.
topology_SRCS := tools/topology/topology.c tools/topology/acpidump.c boot/fdt.c boot/fdt_bus.c boot/fdt_distances.c boot/fdt_tree.c boot/fdt_uart.c \
		 $(BOOT_PARSERS)

# The memory manager, unchanged, on the modelled machine (arch/fake).
FAKE_INCLUDES := -Iarch/fake/include/override -Iarch/fake/include -Itests/host $(HOST_INCLUDES) \
		 -Iboot/include -Ikernel/include -Imm/include -Iarch/include
FAKE_MM := $(wildcard arch/fake/*.c) \
	   $(filter-out mm/kmap.c mm/reclaim_context.c,$(wildcard mm/*.c mm/defer/*.c)) tests/host/model/start.c \
	   $(addprefix kernel/core/,alarm.c det.c option.c rwlock.c smp.c smp_call.c spinlock.c wait.c watchdog.c) \
	   $(addprefix kernel/lib/,args.c fixed.c printf.c strutil.c utf8.c)

# What UEFI is asked on arm64; its pointers and calls are C's, on any machine.
HOST_TESTS += test_efi
test_efi_INCLUDES := $(FAKE_INCLUDES)
test_efi_CFLAGS := -include arch/pgtable.h
test_efi_SRCS := tests/host/check.c tests/host/test_efi.c boot/arm64/efi.c boot/efi_map.c boot/bootinfo.c boot/ranges.c \
		 kernel/lib/printf.c kernel/lib/utf8.c

HOST_TESTS += test_discover
test_discover_INCLUDES := -Iarch/x86_64/include -Iarch/include -Iboot/include -Ikernel/include -Imm/include -Itests/host
test_discover_SRCS := tests/host/check.c tests/host/test_discover.c boot/bootinfo.c \
		      kernel/lib/printf.c kernel/lib/utf8.c # test_discover.c includes boot/x86_64/discover.c

HOST_TESTS += test_discover_arm64
test_discover_arm64_INCLUDES := $(FAKE_INCLUDES)
test_discover_arm64_CFLAGS := -include arch/pgtable.h
test_discover_arm64_SRCS := tests/host/check.c tests/host/test_discover_arm64.c boot/arm64/discover.c boot/bootinfo.c \
		 kernel/lib/printf.c kernel/lib/utf8.c

# test_boot_arm64.c includes boot/arm64/main.c
HOST_TESTS += test_boot_arm64
test_boot_arm64_INCLUDES := -Iarch/arm64/include -Iarch/include -Iboot/include -Ikernel/include -Imm/include -Itests/host
test_boot_arm64_SRCS := tests/host/check.c tests/host/test_boot_arm64.c boot/bootinfo.c boot/ranges.c \
			kernel/lib/printf.c kernel/lib/utf8.c

HOST_TESTS += test_uart
test_uart_INCLUDES := $(FAKE_INCLUDES)
test_uart_SRCS := tests/host/check.c tests/host/test_uart.c kernel/drivers/uart.c \
		  kernel/drivers/uart_16550.c kernel/drivers/uart_pl011.c kernel/lib/printf.c kernel/lib/strutil.c \
		  kernel/lib/utf8.c

HOST_TESTS += test_screen
test_screen_INCLUDES := $(FAKE_INCLUDES)
test_screen_SRCS := tests/host/check.c tests/host/test_screen.c kernel/lib/utf8.c

HOST_TESTS += test_keyboard
test_keyboard_INCLUDES := $(FAKE_INCLUDES)
test_keyboard_SRCS := tests/host/check.c tests/host/test_keyboard.c

HOST_TESTS += test_copy
test_copy_INCLUDES := $(FAKE_INCLUDES)
test_copy_SRCS := tests/host/check.c tests/host/test_copy.c kernel/core/copy.c

HOST_TESTS += test_log
test_log_INCLUDES := $(filter-out %/override,$(FAKE_INCLUDES)) # one CPU: the real atomics
test_log_SRCS := tests/host/check.c tests/host/test_log.c kernel/core/log.c kernel/core/printk.c kernel/core/console.c \
		 kernel/lib/printf.c kernel/lib/utf8.c

HOST_TESTS += test_net
test_net_INCLUDES := $(filter-out %/override,$(FAKE_INCLUDES)) # one CPU: the real atomics
test_net_SRCS := tests/host/check.c tests/host/test_net.c kernel/drivers/net/virtio_ring.c kernel/net/address.c \
		 kernel/net/request.c kernel/net/token.c kernel/lib/strutil.c

HOST_TESTS += test_virtio_net
test_virtio_net_INCLUDES := $(filter-out %/override,$(FAKE_INCLUDES)) # one CPU: the real atomics
test_virtio_net_SRCS := tests/host/check.c tests/host/test_virtio_net.c kernel/drivers/net/virtio_ring.c kernel/lib/strutil.c

HOST_TESTS += test_edu
test_edu_INCLUDES := $(FAKE_INCLUDES)
test_edu_SRCS := tests/host/check.c tests/host/test_edu.c kernel/lib/printf.c kernel/lib/strutil.c kernel/lib/utf8.c

HOST_TESTS += test_pci
test_pci_INCLUDES := $(FAKE_INCLUDES)
test_pci_SRCS := tests/host/check.c tests/host/test_pci.c kernel/lib/printf.c kernel/lib/strutil.c kernel/lib/utf8.c

# The network with lwIP, whose sources the warnings are not for; its packed structures are read where they are.
ifneq ($(LWIP),no)
HOST_TESTS += test_stack
test_stack_WITH := test_acpi
test_stack_SHARED := $(COMMON)
test_stack_FLAGS = $(filter-out $(WARNINGS),$(HOST_CFLAGS)) -fno-sanitize=alignment
test_stack_INCLUDES := -Ikernel/net/port -isystem $(LWIP_SRC)/include $(filter-out %/override,$(FAKE_INCLUDES))
test_stack_SRCS := tests/host/check.c tests/host/test_stack.c $(LWIP_FILES:%=$(LWIP_SRC)/%.c) kernel/core/option.c \
		   $(addprefix kernel/net/,access.c address.c http.c interface.c jobs.c net.c netlog.c peer.c port.c remote.c request.c serve.c stream.c time.c token.c upload.c) \
		   $(addprefix kernel/lib/,crc32.c json.c printf.c strutil.c utf8.c fixed.c)
$(test_stack_SRCS:%=$(HOST_OUT)/test_stack.obj/%.o): $(LWIP_PORT)
endif

HOST_TESTS += test_iommu
test_iommu_INCLUDES := $(FAKE_INCLUDES)
test_iommu_SRCS := tests/host/check.c tests/host/tables.c tests/host/test_iommu.c kernel/drivers/iommu.c $(BOOT_PARSERS)

HOST_TESTS += test_noise
test_noise_INCLUDES := -Ikernel/bench $(FAKE_INCLUDES) -Iarch/x86_64/include
test_noise_SRCS := tests/host/check.c tests/host/test_noise.c arch/x86_64/noise.c kernel/lib/printf.c kernel/lib/strutil.c kernel/lib/utf8.c

HOST_TESTS += test_svm_find
test_svm_find_INCLUDES := $(FAKE_INCLUDES) -Iarch/x86_64/include
test_svm_find_SRCS := tests/host/check.c tests/host/test_svm_find.c arch/x86_64/svm_find.c

HOST_TESTS += test_consoles
test_consoles_SRCS := tests/host/check.c tests/host/test_consoles.c kernel/drivers/consoles.c \
		      kernel/core/option.c kernel/lib/printf.c kernel/lib/strutil.c kernel/lib/utf8.c

HOST_TESTS += test_mm
test_mm_INCLUDES := $(FAKE_INCLUDES)
test_mm_CFLAGS = $$(LOCKS) $$(NARROW)
test_mm_SRCS := tests/host/check.c $(wildcard tests/host/mm/host_*.c) tests/host/model/work.c \
		$(filter-out %/test_arm64.c %/test_arm64_oracle.c,$(wildcard tests/host/mm/test_*.c)) $(FAKE_MM)

# What only the arm64 rules have: broadcasts, upgrades that need a flush, tags with an owner.
HOST_TESTS += test_mm_arm64
test_mm_arm64_WITH := test_mm
test_mm_arm64_SHARED := tests/host/check.c $(FAKE_MM)
test_mm_arm64_INCLUDES := $(FAKE_INCLUDES)
test_mm_arm64_CFLAGS = -DHOST_ARM64 $$(NARROW)
test_mm_arm64_SRCS := tests/host/check.c $(wildcard tests/host/mm/host_*.c) \
		$(wildcard tests/host/mm/test_arm64*.c) $(addprefix tests/host/mm/,test_rules.c test_rule_knobs.c test_schemes.c test_file.c test_clean.c test_file_drop.c test_dirty.c test_cow.c test_dup.c test_reclaim.c test_swap.c test_swap_shared.c) tests/host/mm/test_stage2.c $(FAKE_MM)

# Generations come round again and again (mm/generation.c).
NARROW_PROGRAMS := test_mm test_mm_arm64 explore explore_races
$(NARROW_PROGRAMS:%=$(HOST_OUT)/%.obj/%): NARROW := -DGENERATION_BITS=10

# Places that take locks are known by macros, which the file that defines some of the functions does without.
FAKE_PROGRAMS := test_mm explore explore_races
$(FAKE_PROGRAMS:%=$(HOST_OUT)/%.obj/kernel/core/rwlock.c.o): LOCKS := -DFAKE_LOCKS_THEMSELVES

# Scenarios of explore_races alone.
RACES_SCENARIOS := $(addprefix tests/host/model/,scenarios_context.c scenarios_lock.c)

# The explorer: the same sources without sanitizers, for speed. tests/host/model/main.c
HOST_TESTS += explore
explore_INCLUDES := $(FAKE_INCLUDES)
explore_CFLAGS = $$(LOCKS) $$(NARROW)
explore_FLAGS = -std=gnu11 -g1 -O2 -fno-pie -no-pie -fno-strict-aliasing -fno-omit-frame-pointer $(WARNINGS)
explore_SRCS := $(filter-out %/start.c $(RACES_SCENARIOS),$(wildcard tests/host/model/*.c)) kernel/lib/glob.c $(FAKE_MM)

# The same with every plain access of the kernel's sources under observation, and of a scenario whose
# memory they read: arch/fake/races.c.
HOST_TESTS += explore_races
# What is observed is compiled again; all else has the objects of explore.
OBSERVED_SRCS := $(filter mm/% kernel/core/%,$(FAKE_MM)) $(addprefix tests/host/model/,listener.c scenarios_change.c) $(RACES_SCENARIOS)
explore_races_WITH := explore
explore_races_SHARED := $(filter-out $(OBSERVED_SRCS) %/main.c %/scenario_list.c,$(explore_SRCS))
explore_races_INCLUDES := $(FAKE_INCLUDES)
explore_races_FLAGS = $(explore_FLAGS)
explore_races_CFLAGS = $$(LOCKS) $$(NARROW) $$(OBSERVED) -DMODEL_RACES
explore_races_SRCS := $(explore_SRCS) $(RACES_SCENARIOS)
$(OBSERVED_SRCS:%=$(HOST_OUT)/explore_races.obj/%.o): OBSERVED := -fsanitize=thread -fno-builtin-memset -Dmemset=fake_memset

# Litmus tests on the modelled machine, by the rules of either architecture: tests/host/litmus/main.c
LITMUS_MODEL := $(addprefix tests/host/litmus/,main.c search.c) \
		$(addprefix tests/litmus/,common.c litmus.c space.c) kernel/lib/glob.c $(FAKE_MM)
HOST_TESTS += litmus_x86_64 litmus_arm64
litmus_x86_64_WITH := explore
litmus_arm64_WITH := explore
litmus_x86_64_SHARED := $(explore_SRCS)
litmus_arm64_SHARED := $(explore_SRCS)
litmus_x86_64_INCLUDES := $(FAKE_INCLUDES)
litmus_x86_64_FLAGS = $(explore_FLAGS)
litmus_x86_64_CFLAGS := -DLITMUS_ONE_RUN
litmus_x86_64_SRCS := $(addprefix tests/litmus/x86_64/,one.c more.c) $(LITMUS_MODEL)
litmus_arm64_INCLUDES := $(FAKE_INCLUDES)
litmus_arm64_FLAGS = $(explore_FLAGS)
litmus_arm64_CFLAGS := -DLITMUS_ONE_RUN -DMODEL_ARM64
litmus_arm64_SRCS := $(addprefix tests/litmus/arm64/,single.c two.c more.c) $(LITMUS_MODEL)

# The others take the common objects of test_acpi, too, unless they have flags of their own or share with another program.
$(foreach p,$(filter-out test_acpi test_mm,$(HOST_TESTS)) topology,\
	$(if $($(p)_WITH)$($(p)_FLAGS),,$(eval $(p)_WITH := test_acpi)$(eval $(p)_SHARED := $(COMMON))))
