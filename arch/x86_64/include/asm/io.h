/* I/O ports and device registers in memory. */
#pragma once

#include <kernel/types.h>

static inline u8 inb(u16 port)
{
	u8 v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline void outb(u16 port, u8 v)
{
	asm volatile("outb %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

static inline u16 inw(u16 port)
{
	u16 v;

	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline void outw(u16 port, u16 v)
{
	asm volatile("outw %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

static inline u32 inl(u16 port)
{
	u32 v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline u8 mmio_read8(const void *p)
{
	return *(const volatile u8 *)p;
}

static inline void mmio_write8(void *p, u8 v)
{
	*(volatile u8 *)p = v;
}

static inline u32 mmio_read32(const void *p)
{
	return *(const volatile u32 *)p;
}

static inline void mmio_write32(void *p, u32 v)
{
	*(volatile u32 *)p = v;
}
