/* Device registers: uncached memory keeps accesses in order, and so do I/O ports. */
#pragma once

#include <kernel/types.h>
#include <arch/platform.h>
#include <asm/io.h>

#define MMIO(bits)                                                                                 \
	static inline u##bits mmio_read##bits(paddr_t pa)                                          \
	{                                                                                          \
		return *(const volatile u##bits *)phys_to_virt(pa);                                \
	}                                                                                          \
                                                                                                   \
	static inline void mmio_write##bits(paddr_t pa, u##bits v)                                 \
	{                                                                                          \
		*(volatile u##bits *)phys_to_virt(pa) = v;                                         \
	}

MMIO(8)
MMIO(16)
MMIO(32)
MMIO(64)
#undef MMIO

static inline u8 port_read8(u16 port)
{
	return inb(port);
}

static inline void port_write8(u16 port, u8 v)
{
	outb(port, v);
}
