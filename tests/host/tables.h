/* Builds firmware tables for tests, and feeds them to the parsers from buffers of exact size. */
#pragma once

#include <stdlib.h>

#include <boot/acpi.h>

struct table {
	u8 *p;
	size_t len, cap;
};

void table_begin(struct table *t, const char *signature, u8 revision);
void table_8(struct table *t, u8 v);
void table_16(struct table *t, u16 v);
void table_32(struct table *t, u32 v);
void table_64(struct table *t, u64 v);
void table_bytes(struct table *t, const void *p, size_t len);
void table_zeros(struct table *t, size_t len);
/* Overwrite fields of a finished table; call table_end() again for a correct sum. */
void table_set(struct table *t, size_t off, u64 v, size_t size);
/* Length and checksum. */
void table_end(struct table *t);
void table_free(struct table *t);

/* Entries and whole tables. */
void madt_begin(struct table *t);
void madt_lapic(struct table *t, u8 uid, u8 id, u32 flags);
void madt_x2apic(struct table *t, u32 uid, u32 id, u32 flags);
void madt_gicc(struct table *t, u32 uid, u64 mpidr, u64 gicr, u32 flags);
void madt_gicd(struct table *t, u64 base, u8 version);
void srat_begin(struct table *t, u8 revision);
void srat_apic(struct table *t, u8 id, u32 domain, u32 flags);
void srat_x2apic(struct table *t, u32 id, u32 domain, u32 flags);
void srat_gicc(struct table *t, u32 uid, u32 domain, u32 flags);
void srat_memory(struct table *t, u32 domain, u64 base, u64 len, u32 flags);
/* count x count distances, row by row. */
void slit_make(struct table *t, u64 count, const u8 *matrix, size_t bytes);
void hmat_begin(struct table *t, u8 revision);
void hmat_locality(struct table *t, u8 data_type, u64 unit, u32 count, const u32 *domains,
		   const u16 *entries);
void spcr_make(struct table *t, u8 interface, u8 space, u8 width, u8 access, u64 addr, u8 baud);
void hpet_make(struct table *t, u64 addr);
void fadt_make(struct table *t, size_t len);
void gtdt_make(struct table *t, u32 virtual_intid);
void dsdt_make(struct table *t, u8 typ_a, u8 typ_b);

/* A parse under test: buffers that the parsers may point into until acpi_finish(). */
struct run {
	struct bootinfo bi;
	void *kept[64];
	unsigned kept_count;
};

void run_begin(struct run *r);
/* The first len bytes of t, in a buffer of exactly that size. */
int run_bytes(struct run *r, const void *bytes, size_t len);
int run_table(struct run *r, const struct table *t);
/* acpi_finish(), and everything that must hold whatever the input was; NULL or what does not. */
const char *run_finish(struct run *r);
/* True if a warning holds this text. */
bool run_warned(const struct run *r, const char *text);
const char *bootinfo_wrong(const struct bootinfo *bi);
const char *bootinfo_memory_wrong(const struct bootinfo *bi);

/* Physical memory for the parsers that walk it. */
struct phys {
	struct {
		u64 base;
		u8 *p;
		size_t len;
	} area[64];
	unsigned count;
	unsigned long calls;
};

void phys_add(struct phys *m, u64 base, const void *bytes, size_t len);
const void *phys_map(void *ctx, u64 phys, u64 len);
void phys_free(struct phys *m);
