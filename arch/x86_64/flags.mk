# Tools and flags of the x86-64 port.
CROSS := $(if $(filter x86_64,$(shell uname -m)),,x86_64-linux-gnu-)

# Linked at the top 2 GiB, no red zone because interrupts use the same stack, no vector registers
# because nothing saves them, no landing pads because CET is left off.
ARCH_CFLAGS := -m64 -march=x86-64 -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
	       -fno-pic -fno-pie -fcf-protection=none
ARCH_LDFLAGS := -m elf_x86_64 -z max-page-size=4096
