/*
 * Device registers. One load or store instruction each, of a form that hypervisors can emulate
 * (no write-back, no pairs). Device-nGnRE memory keeps accesses to one device in order.
 */
#pragma once

#include <kernel/types.h>
#include <arch/platform.h>

#define MMIO(bits, suffix, reg)                                                                    \
	static inline u##bits mmio_read##bits(paddr_t pa)                                          \
	{                                                                                          \
		u64 v;                                                                             \
                                                                                                   \
		asm volatile("ldr" suffix " %" reg "0, [%1]"                                       \
			     : "=r"(v)                                                             \
			     : "r"(phys_to_virt(pa))                                               \
			     : "memory");                                                          \
		return (u##bits)v;                                                                 \
	}                                                                                          \
                                                                                                   \
	static inline void mmio_write##bits(paddr_t pa, u##bits v)                                 \
	{                                                                                          \
		asm volatile("str" suffix " %" reg "0, [%1]" ::"rZ"((u64)v), "r"(phys_to_virt(pa)) \
			     : "memory");                                                          \
	}

MMIO(8, "b", "w")
MMIO(16, "h", "w")
MMIO(32, "", "w")
MMIO(64, "", "x")
#undef MMIO

static inline u8 port_read8(u16 port __unused)
{
	return 0xff;
}

static inline void port_write8(u16 port __unused, u8 v __unused)
{
}
