/* ACPI: from the RSDP to the tables, their headers and checksums, and who parses which. */
#include <boot/acpi.h>
#include <boot/acpi_table.h>
#include <kernel/error.h>
#include <kernel/string.h>

enum {
	RSDP_V1_LEN = 20, /* ACPI 6.5 section 5.2.5.3 */
	RSDP_V2_LEN = 36,
	ROOT_MAX_ENTRIES = 1024, /* real machines have some tens */
	WALK_BUDGET = 16 << 20, /* bytes of tables: a broken root must not cost minutes */
};

struct acpi_walk {
	boot_map_fn *map;
	void *ctx;
	struct bootinfo *bi;
	u64 budget; /* bytes that may still be read */
};

struct acpi_root {
	const char *name; /* "XSDT" or "RSDT"; also its signature */
	u64 addr;
	unsigned entry_size;
	unsigned entries; /* 0: not usable */
	bool sum_ok;
};

typedef void acpi_parse_fn(const struct acpi_table *t);

static const struct acpi_kind {
	const char *signature, *name;
	acpi_parse_fn *parse; /* at once, or */
	enum boot_acpi_later later; /* in acpi_finish(), if parse is NULL */
	u16 min_len; /* with less there is nothing to use */
	bool many; /* several on one machine are normal */
} acpi_kinds[] = {
	{"APIC", "MADT", acpi_madt_parse, 0, 44, false},
	{"SRAT", "SRAT", NULL, BOOT_ACPI_SRAT, 48, false},
	{"SLIT", "SLIT", NULL, BOOT_ACPI_SLIT, 44, false},
	{"HMAT", "HMAT", NULL, BOOT_ACPI_HMAT, 40, false},
	{"SPCR", "SPCR", acpi_spcr_parse, 0, 52, false},
	{"HPET", "HPET", acpi_hpet_parse, 0, 52, true},
	{"FACP", "FADT", acpi_fadt_parse, 0, 44, false},
	{"GTDT", "GTDT", acpi_gtdt_parse, 0, 72, false},
	{"MCFG", "MCFG", acpi_mcfg_parse, 0, 60, false},
	{"DMAR", "DMAR", acpi_dmar_parse, 0, 48, false},
	{"IVRS", "IVRS", acpi_ivrs_parse, 0, 48, false},
	{"IORT", "IORT", acpi_iort_parse, 0, 48, false},
	{"WDAT", "WDAT", acpi_wdat_parse, 0, 68, false},
	{"DSDT", "DSDT", acpi_aml_parse, 0, ACPI_HEADER_LEN, false},
	{"SSDT", "SSDT", acpi_aml_parse, 0, ACPI_HEADER_LEN, true},
};

enum { KIND_MADT }; /* index into acpi_kinds */

static bool acpi_sum_ok(const u8 *bytes, u64 len)
{
	u8 sum = 0;

	while (len--)
		sum += *bytes++;
	return sum == 0;
}

/* Four characters that can be printed and put into JSON as they are. */
static const char *acpi_signature(const u8 *bytes, char name[5])
{
	for (unsigned i = 0; i < 4; i++) {
		bool plain =
			bytes[i] > ' ' && bytes[i] < 0x7f && bytes[i] != '"' && bytes[i] != '\\';

		name[i] = plain ? (char)bytes[i] : '?';
	}
	name[4] = '\0';
	return name;
}

static const struct acpi_kind *acpi_find_kind(const u8 *bytes)
{
	for (unsigned i = 0; i < ARRAY_SIZE(acpi_kinds); i++) {
		if (!memcmp(bytes, acpi_kinds[i].signature, 4))
			return &acpi_kinds[i];
	}
	return NULL;
}

/* First of its kind? Says once per kind that there are more. */
static bool acpi_take_kind(const struct acpi_kind *kind, struct bootinfo *bi)
{
	u32 bit = 1u << (kind - acpi_kinds);

	if (!(bi->acpi.seen & bit) || kind->many) {
		bi->acpi.seen |= bit;
		return true;
	}
	if (!(bi->acpi.repeated & bit))
		boot_warn(bi, "%s: more than one table, only the first is used", kind->name);
	bi->acpi.repeated |= bit;
	return false;
}

/* Length and checksum; t->len becomes what may be read. False: nothing may. */
static bool acpi_check_header(struct acpi_table *t)
{
	u64 claimed = acpi_u32(t, 4);

	if (claimed < ACPI_HEADER_LEN) {
		boot_warn(t->bi, "%s+0x4: length %lu, the header alone needs %u: table not used",
			  t->name, claimed, ACPI_HEADER_LEN);
		return false;
	}
	if (claimed > t->len) {
		boot_warn(t->bi, "%s+0x4: length %lu but only %lu bytes are there", t->name,
			  claimed, t->len);
		return true;
	}
	t->len = claimed;
	if (!acpi_sum_ok(t->bytes, t->len))
		boot_warn(t->bi, "%s+0x9: checksum 0x%x is wrong, table used all the same", t->name,
			  acpi_u8(t, 9));
	return true;
}

int acpi_parse_table(const void *bytes, u64 len, struct bootinfo *bi)
{
	struct acpi_table t = {.bytes = bytes, .len = len, .bi = bi};
	const struct acpi_kind *kind;
	char name[5];

	/* Neither has the common header; the RSDP is the caller's business. */
	if (len >= 8 && (!memcmp(bytes, "FACS", 4) || !memcmp(bytes, "RSD PTR ", 8)))
		return 0;
	if (len < ACPI_HEADER_LEN) {
		boot_warn(bi, "%s: %lu bytes are no table, the header alone needs %u",
			  len >= 4 ? acpi_signature(bytes, name) : "table", len, ACPI_HEADER_LEN);
		return -EINVAL;
	}
	kind = acpi_find_kind(bytes);
	t.name = kind ? kind->name : acpi_signature(bytes, name);
	if (!acpi_check_header(&t))
		return -EINVAL;
	if (!kind)
		return 0;
	if (t.len < kind->min_len) {
		boot_warn(bi, "%s: %lu bytes, needs %u: table not used", t.name, t.len,
			  kind->min_len);
		return -EINVAL;
	}
	if (!acpi_take_kind(kind, bi))
		return 0;
	if (kind->parse) {
		kind->parse(&t);
	} else {
		bi->acpi.later[kind->later].bytes = t.bytes;
		bi->acpi.later[kind->later].len = t.len;
	}
	return 0;
}

static bool acpi_kind_seen(const struct bootinfo *bi, unsigned kind)
{
	return bi->acpi.seen & (1u << kind);
}

/* A table kept for later; len 0 if there was none. */
static struct acpi_table acpi_later(struct bootinfo *bi, enum boot_acpi_later which,
				    const char *name)
{
	struct acpi_table t = {
		.bytes = bi->acpi.later[which].bytes,
		.len = bi->acpi.later[which].len,
		.name = name,
		.bi = bi,
	};

	return t;
}

void acpi_finish(struct bootinfo *bi)
{
	struct acpi_table srat = acpi_later(bi, BOOT_ACPI_SRAT, "SRAT");
	struct acpi_table slit = acpi_later(bi, BOOT_ACPI_SLIT, "SLIT");
	struct acpi_table hmat = acpi_later(bi, BOOT_ACPI_HMAT, "HMAT");

	if (!acpi_kind_seen(bi, KIND_MADT))
		acpi_srat_add_cpus(&srat);
	acpi_madt_finish(bi, acpi_kind_seen(bi, KIND_MADT));
	acpi_srat_parse(&srat);
	boot_finish_nodes(bi, "SRAT");
	if (!srat.len)
		boot_note(bi, "SRAT: missing: one node");
	else if (!bi->numa_known)
		boot_warn(bi, "SRAT: no enabled CPU and no memory in it: one node");
	if (bi->numa_known && slit.len)
		acpi_slit_parse(&slit);
	else if (bi->node_count > 1)
		boot_note(bi, "SLIT: missing: all distances between nodes are 20");
	if (bi->numa_known)
		acpi_hmat_parse(&hmat);
	memset(&bi->acpi.later, 0, sizeof(bi->acpi.later));
}

/* Header, length and checksum of a root table; r->entries stays 0 if it is no use. */
static void acpi_check_root(struct acpi_walk *w, struct acpi_root *r)
{
	const u8 *p = w->map(w->ctx, r->addr, ACPI_HEADER_LEN);
	u64 len;

	if (!p) {
		boot_warn(w->bi, "%s: nothing readable at 0x%lx", r->name, r->addr);
		return;
	}
	if (memcmp(p, r->name, 4)) {
		boot_warn(w->bi, "%s: no such signature at 0x%lx", r->name, r->addr);
		return;
	}
	len = boot_get32(p + 4);
	if (len < ACPI_HEADER_LEN + r->entry_size) {
		boot_warn(w->bi, "%s+0x4: length %lu leaves no entry", r->name, len);
		return;
	}
	if (len > ACPI_HEADER_LEN + r->entry_size * ROOT_MAX_ENTRIES) {
		boot_warn(w->bi, "%s+0x4: length %lu, more than %u entries", r->name, len,
			  ROOT_MAX_ENTRIES);
		return;
	}
	p = w->map(w->ctx, r->addr, len);
	if (!p) {
		boot_warn(w->bi, "%s+0x4: length %lu, not all readable", r->name, len);
		return;
	}
	r->entries = (len - ACPI_HEADER_LEN) / r->entry_size;
	r->sum_ok = acpi_sum_ok(p, len);
	if (!r->sum_ok)
		boot_warn(w->bi, "%s+0x9: checksum 0x%x is wrong", r->name, p[9]);
	else if ((len - ACPI_HEADER_LEN) % r->entry_size)
		boot_warn(w->bi, "%s+0x4: length %lu is not a whole number of entries", r->name,
			  len);
}

/* One table at a physical address. from, off: where the pointer to it stands, for warnings. */
static void acpi_walk_table(struct acpi_walk *w, u64 addr, const char *from, u64 off)
{
	const u8 *p = w->map(w->ctx, addr, ACPI_HEADER_LEN);
	u64 len;

	if (!p) {
		boot_warn(w->bi, "%s+0x%lx: nothing readable at 0x%lx", from, off, addr);
		return;
	}
	if (!memcmp(p, "XSDT", 4) || !memcmp(p, "RSDT", 4)) {
		boot_warn(w->bi, "%s+0x%lx: points to a root table: ignored", from, off);
		return;
	}
	len = MAX(boot_get32(p + 4), (u32)ACPI_HEADER_LEN);
	if (len > w->budget) {
		boot_warn(w->bi, "%s+0x%lx: table of %lu bytes at 0x%lx: not believed", from, off,
			  len, addr);
		return;
	}
	w->budget -= len;
	p = w->map(w->ctx, addr, len);
	if (p)
		acpi_parse_table(p, len, w->bi);
	else
		boot_warn(w->bi, "%s+0x%lx: table of %lu bytes at 0x%lx: not all readable", from,
			  off, len, addr);
}

static void acpi_walk_root(struct acpi_walk *w, const struct acpi_root *r)
{
	for (unsigned i = 0; i < r->entries; i++) {
		u64 off = ACPI_HEADER_LEN + (u64)i * r->entry_size;
		const u8 *p = w->map(w->ctx, r->addr + off, r->entry_size);
		u64 addr = 0;

		if (p)
			addr = r->entry_size == 8 ? boot_get64(p) : boot_get32(p);
		if (addr) /* firmware does leave empty entries */
			acpi_walk_table(w, addr, r->name, off);
	}
	if (w->bi->acpi.dsdt)
		acpi_walk_table(w, w->bi->acpi.dsdt, "FADT DSDT", 0);
}

#define RSDP_OEM_QEMU "BOCHS " /* OEM id in every root that QEMU makes */

/* Fills in the two roots; address 0 means not given. */
static int acpi_read_rsdp(struct acpi_walk *w, u64 rsdp, u64 *rsdt, u64 *xsdt)
{
	const u8 *p = w->map(w->ctx, rsdp, RSDP_V1_LEN);

	if (!p) {
		boot_warn(w->bi, "RSDP: nothing readable at 0x%lx", rsdp);
		return -EFAULT;
	}
	if (memcmp(p, "RSD PTR ", 8)) {
		boot_warn(w->bi, "RSDP: no such signature at 0x%lx", rsdp);
		return -EINVAL;
	}
	if (!acpi_sum_ok(p, RSDP_V1_LEN))
		boot_warn(w->bi, "RSDP+0x8: checksum 0x%x is wrong", p[8]);
	if (!memcmp(p + 9, RSDP_OEM_QEMU, 6))
		w->bi->arm64.qemu = true;
	*rsdt = boot_get32(p + 16);
	*xsdt = 0;
	if (p[15] < 2)
		return 0;
	p = w->map(w->ctx, rsdp, RSDP_V2_LEN);
	if (!p || boot_get32(p + 20) < RSDP_V2_LEN) {
		boot_warn(w->bi, "RSDP+0x14: too short for revision 2: XSDT not used");
		return 0;
	}
	if (!acpi_sum_ok(p, RSDP_V2_LEN))
		boot_warn(w->bi, "RSDP+0x20: extended checksum 0x%x is wrong", p[32]);
	*xsdt = boot_get64(p + 24);
	return 0;
}

int acpi_parse(u64 rsdp, boot_map_fn *map, void *ctx, struct bootinfo *bi)
{
	struct acpi_walk w = {.map = map, .ctx = ctx, .bi = bi, .budget = WALK_BUDGET};
	struct acpi_root xsdt = {.name = "XSDT", .entry_size = 8};
	struct acpi_root rsdt = {.name = "RSDT", .entry_size = 4};
	const struct acpi_root *root = &xsdt;
	int err = acpi_read_rsdp(&w, rsdp, &rsdt.addr, &xsdt.addr);

	if (err)
		return err;
	if (xsdt.addr)
		acpi_check_root(&w, &xsdt);
	if (!xsdt.sum_ok) {
		if (rsdt.addr)
			acpi_check_root(&w, &rsdt);
		if (!xsdt.entries || rsdt.sum_ok)
			root = &rsdt;
	}
	if (!root->entries) {
		boot_warn(bi, "RSDP: neither XSDT nor RSDT can be used");
		return -EIO;
	}
	if (xsdt.addr && root == &rsdt)
		boot_warn(bi, "XSDT: not usable, RSDT used instead");
	acpi_walk_root(&w, root);
	return 0;
}
