/* Virtual layout of the modelled machine inside the host process; fixed, so that runs repeat exactly. */
#pragma once

#define FAKE_RAM_PHYS 0x200000UL /* first byte of RAM: 2 MiB, so that frame 0 is nobody's */
#define FAKE_RAM_VA 0x200000000000UL
#define KERNEL_BASE 0x1f0000000000UL
#define DIRECT_BASE (FAKE_RAM_VA - FAKE_RAM_PHYS)
#define VMEMMAP_BASE 0x210000000000UL
#define FAKE_PERCPU_VA 0x230000000000UL
#define FAKE_STACKS_VA                                                                             \
	0x240000000000UL /* fixed, like all that executions may hash the address of */
/* No room: nothing here has a kernel stack with a guard page. */
#define KVIRT_BASE 0x220000000000UL
#define KVIRT_END KVIRT_BASE
