# Tools and flags of the arm64 port.
CROSS := $(if $(filter aarch64,$(shell uname -m)),,aarch64-linux-gnu-)

# Runs on ARMv8.0 cores: no LSE atomics, and none hidden in a library call. No vector registers,
# because nothing saves them. Compiler and linker keep clear of two errata of Cortex-A53
# (arch/arm64/errata.c).
ARCH_CFLAGS := -march=armv8-a -mno-outline-atomics -mgeneral-regs-only -mbranch-protection=none \
	       -fno-pic -fno-pie -mfix-cortex-a53-835769
ARCH_LDFLAGS := -m aarch64elf -z max-page-size=4096 --fix-cortex-a53-843419
