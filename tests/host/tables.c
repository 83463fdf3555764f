/* Table builders, exact-size feeding and the invariants of struct bootinfo. */
#include "tables.h"

#include <string.h>

#include "check.h"

void table_bytes(struct table *t, const void *p, size_t len)
{
	if (t->len + len > t->cap) {
		t->cap = 2 * (t->len + len);
		t->p = realloc(t->p, t->cap);
		if (!t->p)
			abort();
	}
	memcpy(t->p + t->len, p, len);
	t->len += len;
}

void table_zeros(struct table *t, size_t len)
{
	while (len--)
		table_8(t, 0);
}

void table_8(struct table *t, u8 v)
{
	table_bytes(t, &v, sizeof(v));
}

void table_16(struct table *t, u16 v)
{
	table_bytes(t, &v, sizeof(v));
}

void table_32(struct table *t, u32 v)
{
	table_bytes(t, &v, sizeof(v));
}

void table_64(struct table *t, u64 v)
{
	table_bytes(t, &v, sizeof(v));
}

void table_set(struct table *t, size_t off, u64 v, size_t size)
{
	memcpy(t->p + off, &v, size);
}

void table_begin(struct table *t, const char *signature, u8 revision)
{
	memset(t, 0, sizeof(*t));
	table_bytes(t, signature, 4);
	table_32(t, 0);
	table_8(t, revision);
	table_8(t, 0);
	table_bytes(t, "TARRY TESTTABL\1\0\0\0TEST\1\0\0\0", 26);
}

void table_end(struct table *t)
{
	u8 sum = 0;

	table_set(t, 4, t->len, 4);
	t->p[9] = 0;
	for (size_t i = 0; i < t->len; i++)
		sum += t->p[i];
	t->p[9] = (u8)-sum;
}

void table_free(struct table *t)
{
	free(t->p);
	memset(t, 0, sizeof(*t));
}

void madt_begin(struct table *t)
{
	table_begin(t, "APIC", 5);
	table_32(t, 0xfee00000);
	table_32(t, 1);
}

void madt_lapic(struct table *t, u8 uid, u8 id, u32 flags)
{
	table_8(t, 0);
	table_8(t, 8);
	table_8(t, uid);
	table_8(t, id);
	table_32(t, flags);
}

void madt_x2apic(struct table *t, u32 uid, u32 id, u32 flags)
{
	table_8(t, 9);
	table_8(t, 16);
	table_16(t, 0);
	table_32(t, id);
	table_32(t, flags);
	table_32(t, uid);
}

void madt_gicc(struct table *t, u32 uid, u64 mpidr, u64 gicr, u32 flags)
{
	table_8(t, 11);
	table_8(t, 80);
	table_16(t, 0);
	table_32(t, uid); /* interface number */
	table_32(t, uid);
	table_32(t, flags);
	table_zeros(t, 16);
	table_64(t, 0x2c000000); /* GICC */
	table_zeros(t, 20);
	table_64(t, gicr);
	table_64(t, mpidr);
	table_32(t, 0);
}

void madt_gicd(struct table *t, u64 base, u8 version)
{
	table_8(t, 12);
	table_8(t, 24);
	table_16(t, 0);
	table_32(t, 0);
	table_64(t, base);
	table_32(t, 0);
	table_8(t, version);
	table_zeros(t, 3);
}

void srat_begin(struct table *t, u8 revision)
{
	table_begin(t, "SRAT", revision);
	table_32(t, 1);
	table_64(t, 0);
}

void srat_apic(struct table *t, u8 id, u32 domain, u32 flags)
{
	table_8(t, 0);
	table_8(t, 16);
	table_8(t, domain & 0xff);
	table_8(t, id);
	table_32(t, flags);
	table_32(t, domain & 0xffffff00);
	table_32(t, 0);
}

void srat_x2apic(struct table *t, u32 id, u32 domain, u32 flags)
{
	table_8(t, 2);
	table_8(t, 24);
	table_16(t, 0);
	table_32(t, domain);
	table_32(t, id);
	table_32(t, flags);
	table_64(t, 0);
}

void srat_gicc(struct table *t, u32 uid, u32 domain, u32 flags)
{
	table_8(t, 3);
	table_8(t, 18);
	table_32(t, domain);
	table_32(t, uid);
	table_32(t, flags);
	table_32(t, 0);
}

void srat_memory(struct table *t, u32 domain, u64 base, u64 len, u32 flags)
{
	table_8(t, 1);
	table_8(t, 40);
	table_32(t, domain);
	table_16(t, 0);
	table_64(t, base);
	table_64(t, len);
	table_32(t, 0);
	table_32(t, flags);
	table_64(t, 0);
}

void slit_make(struct table *t, u64 count, const u8 *matrix, size_t bytes)
{
	table_begin(t, "SLIT", 1);
	table_64(t, count);
	table_bytes(t, matrix, bytes);
	table_end(t);
}

void hmat_begin(struct table *t, u8 revision)
{
	table_begin(t, "HMAT", revision);
	table_32(t, 0);
}

void hmat_locality(struct table *t, u8 data_type, u64 unit, u32 count, const u32 *domains,
		   const u16 *entries)
{
	table_16(t, 1);
	table_16(t, 0);
	table_32(t, 32 + 8 * count + 2 * count * count);
	table_8(t, 0);
	table_8(t, data_type);
	table_16(t, 0);
	table_32(t, count);
	table_32(t, count);
	table_32(t, 0);
	table_64(t, unit);
	table_bytes(t, domains, 4 * count);
	table_bytes(t, domains, 4 * count);
	table_bytes(t, entries, 2 * count * count);
}

void spcr_make(struct table *t, u8 interface, u8 space, u8 width, u8 access, u64 addr, u8 baud)
{
	table_begin(t, "SPCR", 2);
	table_8(t, interface);
	table_zeros(t, 3);
	table_8(t, space);
	table_8(t, width);
	table_8(t, 0);
	table_8(t, access);
	table_64(t, addr);
	table_zeros(t, 6);
	table_8(t, baud);
	table_zeros(t, 21);
	table_end(t);
}

void hpet_make(struct table *t, u64 addr)
{
	table_begin(t, "HPET", 1);
	table_32(t, 0x8086a201);
	table_32(t, 0);
	table_64(t, addr);
	table_zeros(t, 4);
	table_end(t);
}

void fadt_make(struct table *t, size_t len)
{
	table_begin(t, "FACP", 6);
	table_zeros(t, len - t->len);
	table_set(t, 48, 0xb2, 4); /* SMI command */
	table_set(t, 52, 2, 1); /* ACPI enable */
	table_set(t, 64, 0x604, 4);
	table_set(t, 76, 0x608, 4);
	table_set(t, 91, 4, 1); /* PM timer length */
	table_end(t);
}

void gtdt_make(struct table *t, u32 virtual_intid)
{
	table_begin(t, "GTDT", 2);
	table_zeros(t, 60);
	table_set(t, 64, virtual_intid, 4);
	table_end(t);
}

void dsdt_make(struct table *t, u8 typ_a, u8 typ_b)
{
	static const u8 other[] = {0x10, 0x08, '_', 'S', 'B', '_'};
	const u8 s5[] = {0x08, '_',  'S',   '5',  '_',	 0x12, 0x08,
			 0x04, 0x0a, typ_a, 0x0a, typ_b, 0x00, 0x00};

	table_begin(t, "DSDT", 2);
	table_bytes(t, other, sizeof(other));
	table_bytes(t, s5, sizeof(s5));
	table_end(t);
}

static void run_free(struct run *r)
{
	while (r->kept_count)
		free(r->kept[--r->kept_count]);
}

void run_begin(struct run *r)
{
	run_free(r);
	memset(r, 0, sizeof(*r));
}

int run_bytes(struct run *r, const void *bytes, size_t len)
{
	void *copy = malloc(len);

	if (r->kept_count == ARRAY_SIZE(r->kept) || (len && !copy))
		abort();
	if (len)
		memcpy(copy, bytes, len);
	r->kept[r->kept_count++] = copy;
	return acpi_parse_table(copy, len, &r->bi);
}

int run_table(struct run *r, const struct table *t)
{
	return run_bytes(r, t->p, t->len);
}

const char *run_finish(struct run *r)
{
	acpi_finish(&r->bi);
	run_free(r);
	return bootinfo_wrong(&r->bi);
}

bool run_warned(const struct run *r, const char *text)
{
	for (unsigned i = 0; i < r->bi.warning_count; i++) {
		if (strstr(r->bi.warnings[i], text))
			return true;
	}
	return false;
}

static const char *nodes_wrong(const struct bootinfo *bi)
{
	if (bi->node_count < 1 || bi->node_count > MAX_NODES)
		return "node_count";
	for (unsigned i = 0; i < bi->node_count; i++) {
		if (i && bi->nodes[i].domain <= bi->nodes[i - 1].domain)
			return "domains not ascending";
		for (unsigned j = 0; j < bi->node_count; j++) {
			if (bi->distance[i][j] < 10 || (i == j && bi->distance[i][j] != 10))
				return "distance";
		}
	}
	return NULL;
}

static const char *cpus_wrong(const struct bootinfo *bi)
{
	if (bi->cpu_count > MAX_CPUS)
		return "cpu_count";
	for (unsigned i = 0; i < bi->cpu_count; i++) {
		if (bi->cpus[i].node >= bi->node_count)
			return "CPU without a node";
		for (unsigned j = 0; j < i; j++) {
			if (bi->cpus[i].hw_id == bi->cpus[j].hw_id)
				return "CPU twice";
		}
	}
	return NULL;
}

const char *bootinfo_memory_wrong(const struct bootinfo *bi)
{
	u64 end = 0;

	if (bi->node_range_count > BOOT_MAX_RANGES || bi->range_count > BOOT_MAX_RANGES)
		return "range count";
	for (unsigned i = 0; i < bi->node_range_count; i++) {
		const struct boot_node_range *r = &bi->node_ranges[i];

		if (r->base < end || !r->len || r->base + r->len < r->base)
			return "node ranges overlap or are empty";
		if (r->node >= bi->node_count)
			return "memory without a node";
		end = r->base + r->len;
	}
	end = 0;
	for (unsigned i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];

		if (r->base < end || !r->len || r->base + r->len < r->base)
			return "ranges overlap or are empty";
		end = r->base + r->len;
	}
	return NULL;
}

static const char *rest_wrong(const struct bootinfo *bi)
{
	const struct boot_x86 *x = &bi->x86;

	if (bi->warning_count > BOOT_MAX_WARNINGS || bi->module_count > BOOT_MAX_MODULES)
		return "counts";
	for (unsigned i = 0; i < bi->warning_count; i++) {
		if (!memchr(bi->warnings[i], 0, BOOT_WARNING_LEN) || !bi->warnings[i][0])
			return "warning text";
	}
	if (!memchr(bi->cmdline, 0, sizeof(bi->cmdline)))
		return "command line has no end";
	if (x->ioapic_count > BOOT_MAX_IOAPICS || bi->arm64.gicr_count > BOOT_MAX_GICR)
		return "interrupt controllers";
	if (x->s5_typ_a > 7 || x->s5_typ_b > 7 || (x->nmi_known && x->nmi_lint > 1))
		return "x86 values";
	if (bi->console.type > BOOT_CONSOLE_SBSA || bi->arm64.gic_version == 1)
		return "types";
	for (unsigned i = 0; i < BOOT_ACPI_LATER; i++) {
		if (bi->acpi.later[i].bytes)
			return "pointer into a table left behind";
	}
	return NULL;
}

const char *bootinfo_wrong(const struct bootinfo *bi)
{
	const char *why = nodes_wrong(bi);

	if (!why)
		why = cpus_wrong(bi);
	if (!why)
		why = bootinfo_memory_wrong(bi);
	return why ? why : rest_wrong(bi);
}

void phys_add(struct phys *m, u64 base, const void *bytes, size_t len)
{
	u8 *copy = malloc(len);

	if (m->count == ARRAY_SIZE(m->area) || !copy)
		abort();
	memcpy(copy, bytes, len);
	m->area[m->count].base = base;
	m->area[m->count].p = copy;
	m->area[m->count++].len = len;
}

const void *phys_map(void *ctx, u64 phys, u64 len)
{
	struct phys *m = ctx;

	m->calls++;
	for (unsigned i = 0; i < m->count; i++) {
		u64 off = phys - m->area[i].base;

		if (off < m->area[i].len && len <= m->area[i].len - off)
			return m->area[i].p + off;
	}
	return NULL;
}

void phys_free(struct phys *m)
{
	while (m->count)
		free(m->area[--m->count].p);
	m->calls = 0;
}
