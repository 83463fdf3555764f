/*
 * CONTRACT: device registers, in memory and at I/O ports.
 *
 * Registers in memory are named by physical address and must be mapped (kmap_device()). Each call is one access
 * of that width, naturally aligned; accesses to one device stay in program order.
 */
#pragma once

#include <kernel/types.h>

static inline u8 mmio_read8(paddr_t pa);
static inline u16 mmio_read16(paddr_t pa);
static inline u32 mmio_read32(paddr_t pa);
static inline u64 mmio_read64(paddr_t pa);
static inline void mmio_write8(paddr_t pa, u8 v);
static inline void mmio_write16(paddr_t pa, u16 v);
static inline void mmio_write32(paddr_t pa, u32 v);
static inline void mmio_write64(paddr_t pa, u64 v);

/* An ISA without I/O ports reads all ones, as from a port where no device is, and drops writes. */
static inline u8 port_read8(u16 port);
static inline void port_write8(u16 port, u8 v);

#include <asm/mmio.h>
