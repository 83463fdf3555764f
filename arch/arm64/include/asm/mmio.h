/*
 * Device registers. One load or store instruction each, of a form that hypervisors can emulate
 * (no write-back, no pairs). Device-nGnRE memory keeps accesses to one device in order.
 */
#pragma once

#include <kernel/types.h>
#include <arch/platform.h>

static inline u32 mmio_read32(paddr_t pa)
{
	u32 v;

	asm volatile("ldr %w0, [%1]" : "=r"(v) : "r"(phys_to_virt(pa)) : "memory");
	return v;
}

static inline void mmio_write32(paddr_t pa, u32 v)
{
	asm volatile("str %w0, [%1]" ::"rZ"(v), "r"(phys_to_virt(pa)) : "memory");
}

static inline u64 mmio_read64(paddr_t pa)
{
	u64 v;

	asm volatile("ldr %x0, [%1]" : "=r"(v) : "r"(phys_to_virt(pa)) : "memory");
	return v;
}

static inline u8 mmio_read8(paddr_t pa)
{
	u32 v;

	asm volatile("ldrb %w0, [%1]" : "=r"(v) : "r"(phys_to_virt(pa)) : "memory");
	return (u8)v;
}

static inline void mmio_write8(paddr_t pa, u8 v)
{
	asm volatile("strb %w0, [%1]" ::"rZ"(v), "r"(phys_to_virt(pa)) : "memory");
}
