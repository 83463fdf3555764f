/* Device registers of a host test: what is behind an address or a port is the test's own model. */
#pragma once

#include <kernel/types.h>

u64 fake_mmio_read(paddr_t pa, unsigned bytes);
void fake_mmio_write(paddr_t pa, u64 v, unsigned bytes);
u8 fake_port_read(u16 port);
void fake_port_write(u16 port, u8 v);

#define MMIO(bits)                                                                                 \
	static inline u##bits mmio_read##bits(paddr_t pa)                                          \
	{                                                                                          \
		return (u##bits)fake_mmio_read(pa, sizeof(u##bits));                               \
	}                                                                                          \
                                                                                                   \
	static inline void mmio_write##bits(paddr_t pa, u##bits v)                                 \
	{                                                                                          \
		fake_mmio_write(pa, v, sizeof(v));                                                 \
	}

MMIO(8)
MMIO(16)
MMIO(32)
MMIO(64)
#undef MMIO

static inline u8 port_read8(u16 port)
{
	return fake_port_read(port);
}

static inline void port_write8(u16 port, u8 v)
{
	fake_port_write(port, v);
}
