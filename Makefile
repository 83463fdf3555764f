# Tarry: build, run, test, measure. `make help` lists targets and variables.

ARCH    ?= x86_64
ARCHES  ?= x86_64 arm64
BUILD   ?= build
V       ?= 0
VERSION := 0.1.0
ORACLE  ?= yes
# Of 10 to 64; fewer than 64 only for tests (mm/generation.c).
GENERATION_BITS ?= 64
# no: without network; also where set-up could not get the sources of lwIP, and said so.
ifeq ($(origin LWIP),undefined)
LWIP    := $(if $(shell test -e $(BUILD)/deps/no-lwip && echo no),no,yes)
endif
PYTHON  ?= $(firstword $(wildcard /usr/bin/python3) python3)
HOSTCC  ?= gcc

ifeq ($(filter $(shell seq 10 64),$(GENERATION_BITS)),)
$(error GENERATION_BITS=$(GENERATION_BITS): must be from 10 to 64)
endif
ifeq ($(filter x86_64 arm64,$(ARCH)),)
$(error ARCH=$(ARCH): must be x86_64 or arm64)
endif

# What tools/launch.py reads; empty means its default. One list here, one table there.
LAUNCH_VARS := SMP NODES MEM CPU BOOT ACCEL DET SEED MACHINE GIC EL2 CMD ARGS TIMEOUT ACPITABLES NET EDU QEMU
export ARCH ARCHES BUILD ORACLE GENERATION_BITS SETUP ONLY CFG $(LAUNCH_VARS)

# A variable of the command line that the goals do not read, or that is misspelt, is refused rather than ignored.
ifeq ($(MAKELEVEL),0)
GIVEN := $(foreach v,$(.VARIABLES),$(if $(findstring command line,$(origin $v)),$v))
ifneq ($(GIVEN),)
REFUSED := $(shell $(PYTHON) tools/variables.py '$(ARCH)' '$(or $(MAKECMDGOALS),all)' $(GIVEN) 2>&1)
ifneq ($(REFUSED),)
$(error $(REFUSED))
endif
endif
endif

O    := $(BUILD)/$(ARCH)
OBJ  := $(O)/obj
HOST_OUT := $(BUILD)/host
# A machine that is there already; not what a shell calls its own.
REMOTE := $(if $(findstring command line,$(origin HOST)),$(HOST))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
Q      := $(if $(filter 0,$(V)),@)
silent := $(findstring s,$(filter-out --%,$(firstword $(MAKEFLAGS))))$(filter-out 0,$(V))
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Short lines ("  CC  file") unless V=1 (the commands) or make -s (nothing).
say     = $(if $(silent),:,printf '  %-7s %s\n' '$(1)' '$(2)')

# --- sources and flags -------------------------------------------------------
# lwIP, as tools/fetch.sh unpacks it, and what is compiled of it.
LWIP_SRC   := $(BUILD)/deps/lwip/src
# Compilers do not tell what is included from system headers, as which lwIP's are read.
LWIP_PORT  := $(LWIP_SRC)/include/lwip/init.h $(wildcard kernel/net/port/*.h kernel/net/port/arch/*.h)
LWIP_FILES := $(addprefix core/,def inet_chksum init ip mem memp netif pbuf stats tcp tcp_in tcp_out timeouts udp \
	      ipv4/dhcp ipv4/etharp ipv4/icmp ipv4/ip4 ipv4/ip4_addr dns) netif/ethernet apps/sntp/sntp
SRCS :=
NET_SRCS :=
HOST_TESTS :=
include kernel/files.mk mm/files.mk boot/files.mk arch/files.mk tests/unit/files.mk tests/litmus/files.mk
include arch/$(ARCH)/flags.mk
-include tests/host/files.mk

CC      := $(CROSS)gcc
LD      := $(CROSS)ld
AR      := $(CROSS)ar
NM      := $(CROSS)nm
OBJCOPY := $(CROSS)objcopy
OBJDUMP := $(CROSS)objdump

WARNINGS := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wundef
INCLUDES := -Ikernel/include -Ikernel/bench -Imm/include -Iboot/include -Iarch/include -Iarch/$(ARCH)/include
CPPFLAGS  = $(INCLUDES) -MMD -MP
# ORACLE=no: without the oracle and its evidence, only to measure what they cost (tests/scripts/oracle_cost.py).
ORACLE_CFLAGS := $(if $(filter no,$(ORACLE)),-DORACLE_BUILT=0)
GENERATION_CFLAGS := $(if $(filter-out 64,$(GENERATION_BITS)),-DGENERATION_BITS=$(GENERATION_BITS))
CFLAGS   := -std=gnu11 -O2 -g -ffreestanding -fno-stack-protector -fno-omit-frame-pointer \
	    -fno-strict-aliasing -fno-common -fno-asynchronous-unwind-tables \
	    -ffile-prefix-map=$(CURDIR)=. $(WARNINGS) $(ARCH_CFLAGS) $(ORACLE_CFLAGS) $(GENERATION_CFLAGS) $(EXTRA_CFLAGS)
ASFLAGS  := -g -ffile-prefix-map=$(CURDIR)=. -Wa,--fatal-warnings $(ARCH_CFLAGS)
LDFLAGS  := -static -nostdlib --build-id=none -z noexecstack --fatal-warnings $(ARCH_LDFLAGS)

OBJS     := $(SRCS:%=$(OBJ)/%.o) $(SRCS-$(ARCH):%=$(OBJ)/%.o)
OBJS     += $(O)/font.o
LIBS     := $(ARCH_LIBS)
# The network lies behind everything else: the kernel is linked without it, too.
NET_OBJS := $(if $(filter no,$(LWIP)),,$(NET_SRCS:%=$(OBJ)/%.o) $(O)/lwip.a)
ALL_SRCS := $(SRCS) $(SRCS-$(ARCH)) $(NET_SRCS)

IMAGES := $(O)/tarry.elf $(O)/tarry.debug $(O)/tarry.sym $(if $(filter arm64,$(ARCH)),$(O)/Image)

.PHONY: all bare asm host run exec bench test test-all test-host explore prove mutants planted figures topology check format \
	mutants-protocol mutants-generic iso clean help FORCE
all: $(IMAGES)

# --- kernel ------------------------------------------------------------------
# A changed flag rebuilds everything; an unchanged one leaves the file, and its time, alone. Warnings change no object,
# nor does where the tree lies: a copy of it goes on with the objects that are copied, too.
stamp = mkdir -p $(@D); printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' > $@
$(O)/flags: FORCE | setup-build
	@$(call stamp,$(CC) $(filter-out -ffile-prefix-map=% $(WARNINGS),$(CFLAGS)) $(INCLUDES) $(LDFLAGS) LWIP=$(LWIP))

# What this build is called, compiled into VERSION_SRC only.
VERSION_SRC ?= kernel/core/main.c
BUILD_ID := $(or $(shell git describe --always --dirty 2>/dev/null),unknown)
$(O)/build-id: FORCE
	@$(call stamp,$(VERSION) $(BUILD_ID))
$(OBJ)/$(VERSION_SRC).o: $(O)/build-id
$(OBJ)/$(VERSION_SRC).o: private CPPFLAGS += -DTARRY_VERSION='"$(VERSION)"' -DTARRY_BUILD='"$(BUILD_ID)"' \
			       -DTARRY_ARCH='"$(ARCH)"'

# What is never timed is small, so that the image stays under its limit, by folder: tests, start-up, the console,
# and of the workloads what reads their options and prints their results.
SMALL := tests/unit boot kernel/drivers kernel/net kernel/shell kernel/bench/command kernel/bench/report
$(SMALL:%=$(OBJ)/%/%): private CFLAGS += -Os
# And single files of other folders: options, knobs, tables of results, what is told of the machine.
SMALL_FILES := kernel/drivers/edu kernel/drivers/iommu kernel/drivers/pci kernel/lib/args kernel/lib/json kernel/lib/samples kernel/core/hw kernel/core/ktest kernel/core/option \
	$(addprefix kernel/bench/harness/,keep options pace trust variant) $(addprefix kernel/bench/load/,affinity guest machine memhog options vcpu) mm/demote mm/early mm/fault_populate mm/knob mm/knobs mm/nested mm/scheme mm/schemes \
	$(addprefix kernel/bench/workload/,migrate_table numa_report nested nested_vm pmbench_record pmbench_report scale_report tier tier_load tier_report vm vm_dma vm_report) \
	kernel/lib/printf kernel/lib/sort kernel/lib/strutil kernel/lib/utf8 kernel/core/command kernel/core/console kernel/core/input kernel/core/log kernel/core/main kernel/core/panic kernel/core/printk kernel/core/watchdog kernel/bench/workload/pmbench_maps mm/dup \
	$(addprefix kernel/core/,percpu skew smp copy) $(addprefix kernel/bench/harness/,bench policy series) mm/kmap mm/page_array \
	$(addprefix kernel/bench/harness/,noise pmu) $(addprefix arch/$(ARCH)/,cpuid litmus noise pmu smp tsc) arch/$(ARCH)/geometry arch/$(ARCH)/errata arch/$(ARCH)/exit arch/$(ARCH)/features arch/$(ARCH)/init arch/$(ARCH)/hypervisor arch/$(ARCH)/stage2 arch/$(ARCH)/svm arch/$(ARCH)/svm_find
# Swap, stores and splits, where what counts is the copying of pages.
SMALL_FILES += mm/file_drop mm/pmm_nodes mm/stats mm/reclaim_anon mm/reclaim_part mm/split mm/store_memory mm/store_pattern mm/store_swap mm/swap mm/swap_slot
$(SMALL_FILES:%=$(OBJ)/%.c.o): private CFLAGS += -Os

$(OBJ)/%.c.o: %.c $(O)/flags Makefile
	@mkdir -p $(@D); $(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(OBJ)/%.S.o: %.S $(O)/flags Makefile
	@mkdir -p $(@D); $(call say,AS,$<)
	$(Q)$(CC) $(CPPFLAGS) $(ASFLAGS) -c -o $@ $<

# lwIP is compiled from the sources that the distribution publishes, unchanged: our warnings are not for them, nor the checks.
LWIP_OBJS  := $(LWIP_FILES:%=$(O)/lwip/%.o)
NET_CPPFLAGS := -Ikernel/net/port -isystem $(LWIP_SRC)/include
$(LWIP_SRC)/include/lwip/init.h:
	$(Q)tools/fetch.sh lwip
$(LWIP_OBJS): $(O)/lwip/%.o: $(LWIP_PORT) $(O)/flags Makefile
	@mkdir -p $(@D); $(call say,CC,lwip/$*.c)
	$(Q)$(CC) $(CPPFLAGS) $(NET_CPPFLAGS) $(filter-out $(WARNINGS),$(CFLAGS)) -Os -c -o $@ $(LWIP_SRC)/$*.c
$(O)/lwip.a: $(LWIP_OBJS)
	$(Q)rm -f $@; $(AR) rcs $@ $^
$(OBJ)/kernel/net/%: private CPPFLAGS += $(NET_CPPFLAGS)
$(filter $(OBJ)/kernel/net/%,$(NET_OBJS)): $(LWIP_PORT)

$(OBJS): | $(LIBS)
# The glyphs of the screen console (kernel/drivers/screen.c).
$(BUILD)/deps/font.psf:
	$(Q)tools/fetch.sh console-font
$(O)/font.S: $(BUILD)/deps/font.psf tools/mkfont.py
	@mkdir -p $(@D)
	$(Q)$(PYTHON) tools/mkfont.py $< > $@
$(O)/font.o: $(O)/font.S $(O)/flags
	$(Q)$(CC) $(ASFLAGS) -c -o $@ $<

$(O)/tarry.lds: linker.ld $(O)/flags
	$(Q)$(CC) -E -P -x c -D__ASSEMBLER__=1 $(CPPFLAGS) $(ARCH_CFLAGS) -MT $@ -MF $@.d -o $@ $<

# Two passes: the second carries the function names of the first for backtraces. The table lies
# behind all code, so that it moves no function; mksyms --check holds the link to that.
# Beside the kernel, one without the network and one without tests/, too: their sizes are what limits are for, and they
# link without them.
ksyms = $(PYTHON) tools/mksyms.py --nm $(NM)
link  = $(LD) $(LDFLAGS) -T $(O)/tarry.lds -o $@ $(1) $(LIBS)
$(O)/ksyms0.S:
	@mkdir -p $(@D)
	$(Q)$(ksyms) --empty > $@
$(O)/%.ksyms.o: $(O)/%.ksyms.S $(O)/flags
	$(Q)$(CC) $(ASFLAGS) -c -o $@ $<
$(O)/ksyms0.o: $(O)/ksyms0.S $(O)/flags
	$(Q)$(CC) $(ASFLAGS) -c -o $@ $<
define image
$(O)/$(1).pass1: $(2) $(O)/ksyms0.o $(O)/tarry.lds $(LIBS)
	$$(Q)$$(call link,$(2) $(O)/ksyms0.o)
$(O)/$(1).ksyms.S: $(O)/$(1).pass1 tools/mksyms.py
	$$(Q)$$(ksyms) $$< > $$@
$(O)/$(1).debug: $(O)/$(1).ksyms.o $(O)/$(1).pass1
	@$$(call say,LD,$$@)
	$$(Q)$$(call link,$(2) $$<)
	$$(Q)$$(ksyms) --check $(O)/$(1).ksyms.S $$@
endef
$(eval $(call image,tarry,$(OBJS) $(NET_OBJS)))
$(eval $(call image,alone,$(OBJS)))
$(eval $(call image,bare,$(filter-out $(OBJ)/tests/%,$(OBJS))))

$(O)/%.elf: $(O)/%.debug
	$(Q)$(OBJCOPY) --strip-all $< $@
$(O)/Image: $(O)/tarry.debug
	$(Q)$(OBJCOPY) -O binary $< $@
$(O)/bare.Image: $(O)/bare.debug
	$(Q)$(OBJCOPY) -O binary $< $@
$(O)/alone.Image: $(O)/alone.debug
	$(Q)$(OBJCOPY) -O binary $< $@
bare: $(foreach i,alone bare,$(O)/$i.elf $(if $(filter arm64,$(ARCH)),$(O)/$i.Image))
$(O)/tarry.sym: $(O)/tarry.debug
	$(Q)$(NM) -n $< > $@
$(O)/tarry.asm: $(O)/tarry.debug
	$(Q)$(OBJDUMP) -d $< > $@
asm: $(O)/tarry.asm

# --- host programs: the parsers and mm/ under the sanitizers ------------------
# Of each NAME: NAME_SRCS; NAME_CFLAGS and EXTRA_CFLAGS are added, NAME_INCLUDES and NAME_FLAGS replace these. Those of
# the sources that are in NAME_SHARED, too, are compiled once for NAME and the program NAME_WITH, by the flags of that.
# -g1: the lines that reports name. For a debugger, EXTRA_CFLAGS=-g.
HOST_CFLAGS := -std=gnu11 -g1 -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
	       -fno-omit-frame-pointer -fno-strict-aliasing $(WARNINGS)
HOST_INCLUDES := -Iboot/include -Ikernel/include -Itests/host
host_objects = $(foreach s,$($(1)_SRCS),$(HOST_OUT)/$(if $(filter $(s),$($(1)_SHARED)),$($(1)_WITH),$(1)).obj/$(s).o)
define host_program
$(HOST_OUT)/$(1): $(call host_objects,$(1))
	@$$(call say,HOSTLD,$$@)
	$$(Q)$$(HOSTCC) $(or $($(1)_FLAGS),$$(HOST_CFLAGS)) -o $$@ $$^
$(HOST_OUT)/$(1).obj/%.c.o: %.c Makefile
	@mkdir -p $$(@D)
	$$(Q)$$(HOSTCC) $(or $($(1)_INCLUDES),$$(HOST_INCLUDES)) \
		$(or $($(1)_FLAGS),$$(HOST_CFLAGS)) $($(1)_CFLAGS) $$(EXTRA_CFLAGS) -MMD -MP -c -o $$@ $$<
-include $(patsubst %.o,%.d,$(call host_objects,$(1)))
endef
HOST_PROGRAMS := $(HOST_TESTS) $(if $(topology_SRCS),topology)
$(foreach p,$(HOST_PROGRAMS),$(eval $(call host_program,$(p))))
host: $(HOST_PROGRAMS:%=$(HOST_OUT)/%)

# --- running -----------------------------------------------------------------
# Bench and test install what they need, announced first; the others only say what is missing.
setup-%:
	@tools/setup.sh $*

jobs  = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
build = +@for a in $(1); do $(MAKE) $(jobs) SETUP=no ARCH=$$a all || exit; done

run: all
	@$(PYTHON) tools/launch.py $@
exec: $(if $(REMOTE),,all)
	@$(PYTHON) tools/launch.py $@ $(if $(REMOTE),'HOST=$(REMOTE)')
bench: setup-bench
	$(call build,$(ARCH))
	@$(PYTHON) tools/bench.py
test test-all: setup-test
	$(call build,$(ARCHES))
	+@$(MAKE) $(jobs) host
	@$(PYTHON) tests/run.py --arches '$(ARCHES)' --group $(if $(filter test,$@),test,all) \
		--only '$(CASES)' --host '$(HOST_TESTS:%=$(HOST_OUT)/%)'
test-host: setup-test
	+@$(MAKE) $(jobs) host
	@$(PYTHON) tests/run.py --group none --host '$(HOST_TESTS:%=$(HOST_OUT)/%)'

# The modelled machine. ORDERINGS=N per scheme and rule set, and as many of the product; SEED=N, SCHEME=name.
# Interrupted, the same command goes on where it was: the state file holds what is through.
orderings = $(HOST_OUT)/explore --orderings $(or $(ORDERINGS),$(1)) --bound 2 --share 95 --product all \
	    --state $(BUILD)/explore.state $(if $(SCHEME),--scheme '$(SCHEME)') \
	    $(if $(SEED),--seed $(SEED))
explore: setup-test
	+@$(MAKE) $(jobs) $(HOST_OUT)/explore
	@$(call orderings,10000000)
# And races, host tests, the scheme's own mutants, litmus tests and a migration in QEMU.
prove: setup-test
	$(if $(SCHEME),,$(error prove: SCHEME=name is missing))
	$(call build,$(ARCHES))
	+@$(MAKE) $(jobs) host
	@$(PYTHON) tools/prove.py '$(SCHEME)' $(if $(ORDERINGS),--orderings $(ORDERINGS)) \
		$(if $(SEED),--seed $(SEED)) --arches '$(ARCHES)'
# KIND=protocol: a flush, barrier, wait, ... left out of mm/; KIND=generic: small breakages anywhere, SAMPLE=N a folder.
mutants:
	$(if $(filter protocol,$(KIND)),$(if $(SAMPLE)$(SEED),$(error SAMPLE, SEED: KIND=protocol takes every place there is)))
	+@rc=0; for k in $(or $(KIND),protocol generic); do $(MAKE) mutants-$$k || rc=1; done; exit $$rc
mutants-protocol: setup-test
	@$(PYTHON) tools/mutants.py --arches '$(ARCHES)' --doc docs/runs.md
mutants-generic: setup-test
	@$(PYTHON) tools/mutants_generic.py --resume --doc docs/runs.md \
		$(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED))

# Mistakes of tools/planted.cfg; ONLY=regex.
planted: setup-test
	+@$(MAKE) $(jobs) $(HOST_OUT)/explore
	@$(PYTHON) tools/planted.py $(if $(ONLY),--only '$(ONLY)',--doc docs/runs.md)

# Figures that tests hold and documents show: renewed from their scripts. CASES=GLOB takes only some.
figures: setup-test
	$(call build,x86_64 arm64)
	@$(PYTHON) tools/figures.py --only '$(CASES)'

topology: $(HOST_OUT)/topology
	@$(HOST_OUT)/topology '$(FROM)'
check: setup-check
	@$(PYTHON) tools/check.py --arches '$(ARCHES)'
format: setup-check
	clang-format -i $$(find arch boot kernel mm tests tools -name '*.[ch]')
iso: setup-iso all
	@$(PYTHON) tools/launch.py iso

clean:
	rm -rf $(BUILD)
print-%:
	@echo '$($*)'
help:
	@cat tools/help.txt

-include $(OBJS:.o=.d) $(NET_SRCS:%=$(OBJ)/%.d) $(LWIP_OBJS:.o=.d) $(O)/tarry.lds.d
