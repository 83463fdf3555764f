/* Between the files of the ACPI parser: one table's bytes and the walk over its entries. */
#pragma once

#include <boot/bootinfo.h>

enum { ACPI_HEADER_LEN = 36 };

struct acpi_table {
	const u8 *bytes;
	u64 len; /* readable bytes, at most what the header says */
	const char *name; /* for warnings */
	struct bootinfo *bi;
};

/* Little-endian fields; 0 where the table ends before the field does. */
u8 acpi_u8(const struct acpi_table *t, u64 off);
u16 acpi_u16(const struct acpi_table *t, u64 off);
u32 acpi_u32(const struct acpi_table *t, u64 off);
u64 acpi_u64(const struct acpi_table *t, u64 off);
u8 acpi_revision(const struct acpi_table *t);

struct acpi_entry { /* of MADT or SRAT: type byte, length byte, fields */
	u64 off;
	u8 type, len;
};

/*
 * acpi_next_entry - step from *pos to the next entry; false at the end, or where
 * the chain breaks. Entries shorter than min_len[type] are left out. Warns
 * unless quiet (second walk over the same table).
 */
bool acpi_next_entry(const struct acpi_table *t, u64 *pos, struct acpi_entry *e, const u8 *min_len,
		     unsigned types, bool quiet);

enum { /* ACPI 6.5 table 5.1 */
       ACPI_SPACE_MEMORY = 0,
       ACPI_SPACE_IO = 1,
};

struct acpi_gas { /* generic address structure, ACPI 6.5 section 5.2.3.2: 12 bytes */
	u8 space, bit_width, bit_offset, access;
	u64 addr;
};

struct acpi_gas acpi_gas(const struct acpi_table *t, u64 off);

enum { /* bits of boot_cpu.listed */
       ACPI_LISTED_LAPIC = 1,
       ACPI_LISTED_X2APIC = 2,
       ACPI_LISTED_GICC = 4,
};

/* One enabled CPU, unless it is known already. table and off name the entry in warnings. */
void acpi_add_cpu(const struct acpi_table *t, u64 off, const struct boot_cpu *cpu);

void acpi_madt_parse(const struct acpi_table *t);
void acpi_madt_finish(struct bootinfo *bi, bool seen);
/* CPUs as the SRAT lists them: for machines whose MADT is missing or unusable. */
void acpi_srat_add_cpus(const struct acpi_table *t);
void acpi_srat_parse(const struct acpi_table *t);
void acpi_slit_parse(const struct acpi_table *t);
void acpi_hmat_parse(const struct acpi_table *t);
void acpi_spcr_parse(const struct acpi_table *t);
void acpi_hpet_parse(const struct acpi_table *t);
void acpi_fadt_parse(const struct acpi_table *t);
void acpi_gtdt_parse(const struct acpi_table *t);
void acpi_mcfg_parse(const struct acpi_table *t);
void acpi_dmar_parse(const struct acpi_table *t);
void acpi_ivrs_parse(const struct acpi_table *t);
void acpi_iort_parse(const struct acpi_table *t);
void acpi_wdat_parse(const struct acpi_table *t);
void acpi_aml_parse(const struct acpi_table *t);
