/* What the parsers of single ACPI tables share: fields, entries, and the CPUs that several tables list. */
#include <boot/acpi_table.h>

u8 acpi_u8(const struct acpi_table *t, u64 off)
{
	return off < t->len ? t->bytes[off] : 0;
}

u16 acpi_u16(const struct acpi_table *t, u64 off)
{
	return t->len >= 2 && off <= t->len - 2 ? boot_get16(t->bytes + off) : 0;
}

u32 acpi_u32(const struct acpi_table *t, u64 off)
{
	return t->len >= 4 && off <= t->len - 4 ? boot_get32(t->bytes + off) : 0;
}

u64 acpi_u64(const struct acpi_table *t, u64 off)
{
	return t->len >= 8 && off <= t->len - 8 ? boot_get64(t->bytes + off) : 0;
}

u8 acpi_revision(const struct acpi_table *t)
{
	return acpi_u8(t, 8);
}

struct acpi_gas acpi_gas(const struct acpi_table *t, u64 off)
{
	struct acpi_gas gas = {
		.space = acpi_u8(t, off),
		.bit_width = acpi_u8(t, off + 1),
		.bit_offset = acpi_u8(t, off + 2),
		.access = acpi_u8(t, off + 3),
		.addr = acpi_u64(t, off + 4),
	};

	return gas;
}

bool acpi_next_entry(const struct acpi_table *t, u64 *pos, struct acpi_entry *e, const u8 *min_len,
		     unsigned types, bool quiet)
{
	while (*pos < t->len) {
		u64 left = t->len - *pos;

		e->off = *pos;
		e->type = acpi_u8(t, *pos);
		e->len = acpi_u8(t, *pos + 1);
		if (left < 2 || e->len < 2 || e->len > left) {
			if (!quiet)
				boot_warn(t->bi,
					  "%s+0x%lx: entry length %u of type %u, %lu left: stop",
					  t->name, *pos, e->len, e->type, left);
			return false;
		}
		*pos += e->len;
		if (e->type >= types || e->len >= min_len[e->type])
			return true;
		if (!quiet)
			boot_warn(t->bi, "%s+0x%lx: entry length %u of type %u, needs %u: ignored",
				  t->name, e->off, e->len, e->type, min_len[e->type]);
	}
	return false;
}

void acpi_add_cpu(const struct acpi_table *t, u64 off, const struct boot_cpu *cpu)
{
	struct bootinfo *bi = t->bi;

	for (unsigned i = 0; i < bi->cpu_count; i++) {
		if (bi->cpus[i].hw_id != cpu->hw_id)
			continue;
		if (bi->cpus[i].listed & cpu->listed)
			boot_warn(bi, "%s+0x%lx: CPU 0x%lx is listed twice", t->name, off,
				  cpu->hw_id);
		bi->cpus[i].listed |= cpu->listed;
		return;
	}
	if (bi->cpu_count == MAX_CPUS)
		bi->cpu_dropped_count++;
	else
		bi->cpus[bi->cpu_count++] = *cpu;
}
