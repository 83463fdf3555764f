/* ACPI SRAT (5.2.16), SLIT (5.2.17) and HMAT (5.2.29): what is near to what, and how near. */
#include <boot/acpi_table.h>

/* SRAT entry types, ACPI 6.5 table 5.60. Others are stepped over by their length. */
enum {
	SRAT_APIC = 0,
	SRAT_MEMORY = 1,
	SRAT_X2APIC = 2,
	SRAT_GICC = 3,
	SRAT_ITS = 4,
	SRAT_INITIATOR = 5,
	SRAT_TYPES,
};

static const u8 srat_min_len[SRAT_TYPES] = {
	[SRAT_APIC] = 16, [SRAT_MEMORY] = 40, [SRAT_X2APIC] = 24,
	[SRAT_GICC] = 18, [SRAT_ITS] = 12,    [SRAT_INITIATOR] = 32,
};

enum {
	SRAT_ENTRIES = 48,
	SRAT_ENABLED = 1,
	SRAT_HOTPLUG = 2,
	SRAT_HANDLE_PCI = 1,
	SLIT_MATRIX = 44,
	SLIT_MIN = 10, /* 0..9 are reserved; also the distance to oneself */
};

struct srat_cpu {
	u64 id; /* APIC id, or ACPI processor UID */
	bool is_uid;
	u32 domain;
};

/* Revision 1 had one byte for the domain and left the others reserved. */
static u32 srat_domain(const struct acpi_table *t, u32 domain)
{
	return acpi_revision(t) < 2 ? domain & 0xff : domain;
}

/* False: not a CPU, or not enabled. */
static bool srat_read_cpu(const struct acpi_table *t, const struct acpi_entry *e,
			  struct srat_cpu *c)
{
	u64 off = e->off;

	c->is_uid = e->type == SRAT_GICC;
	switch (e->type) {
	case SRAT_APIC:
		c->id = acpi_u8(t, off + 3);
		c->domain = srat_domain(t, acpi_u8(t, off + 2) | (acpi_u32(t, off + 8) & ~0xffu));
		return acpi_u32(t, off + 4) & SRAT_ENABLED;
	case SRAT_X2APIC:
		c->id = acpi_u32(t, off + 8);
		c->domain = acpi_u32(t, off + 4);
		return acpi_u32(t, off + 12) & SRAT_ENABLED;
	case SRAT_GICC:
		c->id = acpi_u32(t, off + 6);
		c->domain = acpi_u32(t, off + 2);
		return acpi_u32(t, off + 10) & SRAT_ENABLED;
	default:
		return false;
	}
}

/* Which of our CPUs an entry means. NULL is common: entries for empty sockets. */
static struct boot_cpu *srat_find_cpu(struct bootinfo *bi, const struct srat_cpu *c)
{
	for (unsigned i = 0; i < bi->cpu_count; i++) {
		u64 id = c->is_uid ? bi->cpus[i].acpi_uid : bi->cpus[i].hw_id;

		if (id == c->id)
			return &bi->cpus[i];
	}
	return NULL;
}

/* False: not memory, not enabled, or empty. */
static bool srat_read_memory(const struct acpi_table *t, const struct acpi_entry *e, u32 *domain,
			     struct boot_node_range *r)
{
	u32 flags = acpi_u32(t, e->off + 28);

	if (e->type != SRAT_MEMORY || !(flags & SRAT_ENABLED))
		return false;
	*domain = srat_domain(t, acpi_u32(t, e->off + 2));
	r->base = acpi_u64(t, e->off + 8);
	r->len = acpi_u64(t, e->off + 16);
	r->hotplug = flags & SRAT_HOTPLUG;
	return r->len > 0;
}

void acpi_srat_add_cpus(const struct acpi_table *t)
{
	struct acpi_entry e;
	struct srat_cpu c;
	u64 pos = SRAT_ENTRIES;

	while (acpi_next_entry(t, &pos, &e, srat_min_len, SRAT_TYPES, true)) {
		/* No listed bit: an SRAT may name a CPU by several entries. */
		struct boot_cpu cpu = {.node = BOOT_NODE_NONE};

		if (!srat_read_cpu(t, &e, &c) || c.is_uid)
			continue;
		cpu.hw_id = c.id;
		acpi_add_cpu(t, e.off, &cpu);
	}
}

/* First walk: which domains have something in them, so that ids are dense and ascending. */
static void srat_collect_domains(const struct acpi_table *t)
{
	struct boot_node_range r;
	struct acpi_entry e;
	struct srat_cpu c;
	u64 pos = SRAT_ENTRIES;
	bool all = true;
	u32 domain;

	while (acpi_next_entry(t, &pos, &e, srat_min_len, SRAT_TYPES, false)) {
		if (srat_read_cpu(t, &e, &c) && srat_find_cpu(t->bi, &c))
			all &= boot_add_domain(t->bi, c.domain);
		else if (srat_read_memory(t, &e, &domain, &r))
			all &= boot_add_domain(t->bi, domain);
	}
	if (!all)
		boot_warn(t->bi, "SRAT: more than %u domains: those above %u are not used",
			  MAX_NODES, t->bi->nodes[MAX_NODES - 1].domain);
}

static void srat_place_cpu(const struct acpi_table *t, const struct acpi_entry *e,
			   const struct srat_cpu *c)
{
	struct boot_cpu *cpu = srat_find_cpu(t->bi, c);
	u32 node = boot_domain_node(t->bi, c->domain);

	if (!cpu)
		return;
	if (cpu->node == BOOT_NODE_NONE)
		cpu->node = node;
	else if (cpu->node != node)
		boot_warn(t->bi, "SRAT+0x%lx: CPU 0x%lx in domain %u, was in %u before: ignored",
			  e->off, cpu->hw_id, c->domain, t->bi->nodes[cpu->node].domain);
}

/* A device that is near to a domain (5.2.16.6): of PCI's first segment, as network cards are looked for there. */
static void srat_note_device(const struct acpi_table *t, const struct acpi_entry *e)
{
	struct boot_pci *pci = &t->bi->pci;
	u32 node = boot_domain_node(t->bi, acpi_u32(t, e->off + 4));

	if (e->type != SRAT_INITIATOR || acpi_u8(t, e->off + 3) != SRAT_HANDLE_PCI ||
	    acpi_u16(t, e->off + 8) || !(acpi_u32(t, e->off + 24) & SRAT_ENABLED) ||
	    node == BOOT_NODE_NONE || pci->device_count == BOOT_PCI_DEVICES)
		return;
	pci->device[pci->device_count].near = (struct boot_near){.node = node, .known = true};
	pci->device[pci->device_count++].function = acpi_u16(t, e->off + 10);
}

void acpi_srat_parse(const struct acpi_table *t)
{
	struct boot_node_range r;
	struct acpi_entry e;
	struct srat_cpu c;
	u64 pos = SRAT_ENTRIES;
	u32 domain;

	srat_collect_domains(t);
	while (acpi_next_entry(t, &pos, &e, srat_min_len, SRAT_TYPES, true)) {
		if (srat_read_cpu(t, &e, &c)) {
			srat_place_cpu(t, &e, &c);
		} else if (srat_read_memory(t, &e, &domain, &r)) {
			r.node = boot_domain_node(t->bi, domain);
			if (r.node != BOOT_NODE_NONE)
				boot_add_node_range(t->bi, &r, "SRAT", e.off);
		} else {
			srat_note_device(t, &e);
		}
	}
}

/* One distance; true if it makes sense. Others leave the default in place. */
static bool slit_take(const struct acpi_table *t, u64 off, unsigned from, unsigned to)
{
	u8 value = acpi_u8(t, off);

	/* Another node is farther than oneself: firmware that says 10 for all knows nothing (Linux: slit_valid()). */
	if (value < SLIT_MIN || (from == to) != (value == SLIT_MIN))
		return false;
	t->bi->distance[from][to] = value;
	return true;
}

void acpi_slit_parse(const struct acpi_table *t)
{
	struct bootinfo *bi = t->bi;
	u64 count = acpi_u64(t, 36);
	u64 first_bad = 0, first_absent = 0;
	unsigned bad = 0, absent = 0;

	/* The first test keeps the product small enough not to wrap. */
	if (count > t->len || count * count > t->len - SLIT_MATRIX) {
		boot_warn(bi, "SLIT+0x24: %lu domains do not fit into %lu bytes: not used", count,
			  t->len);
		return;
	}
	for (unsigned i = 0; i < bi->node_count; i++) {
		for (unsigned j = 0; j < bi->node_count; j++) {
			u64 from = bi->nodes[i].domain, to = bi->nodes[j].domain;
			u64 off = SLIT_MATRIX + from * count + to;

			if (from >= count || to >= count) {
				if (!absent++)
					first_absent = MAX(from, to);
			} else if (!slit_take(t, off, i, j)) {
				if (!bad++)
					first_bad = off;
			}
		}
	}
	bi->distance_known = absent < bi->node_count * bi->node_count;
	if (bad)
		boot_warn(bi, "SLIT+0x%lx: distance %u is not valid (%u such): 10 or 20 used",
			  first_bad, acpi_u8(t, first_bad), bad);
	if (absent)
		boot_warn(bi, "SLIT+0x24: %lu domains, but the SRAT has domain %lu: 20 used", count,
			  first_absent);
	if (t->len - SLIT_MATRIX > count * count)
		boot_note(bi, "SLIT: %lu bytes behind its matrix ignored",
			  t->len - SLIT_MATRIX - count * count);
}

/* HMAT structures of type 1 and their data types, ACPI 6.5 table 5.146. */
enum {
	HMAT_STRUCTS = 40,
	HMAT_STRUCT_HEADER = 8,
	HMAT_LOCALITY = 1,
	HMAT_LOCALITY_LEN = 32, /* up to the lists */
	HMAT_LEVEL_MASK = 0xf, /* 0: memory itself, others: its caches */
	HMAT_ACCESS_LATENCY = 0,
	HMAT_READ_LATENCY = 1,
	HMAT_ACCESS_BANDWIDTH = 3,
	HMAT_READ_BANDWIDTH = 4,
	HMAT_UNREACHABLE = 0xffff,
};

struct hmat_locality {
	u64 off;
	u8 type;
	u32 initiators, targets;
	u64 unit;
};

/*
 * In our unit (ps, or MB/s); 0 = not given, as in the table. Revision 2 counts
 * in exactly these units, revision 1 in 100 ps and 0.1 MB/s. What does not fit
 * is not given either: 2^32 ps are 4 ms.
 */
static u32 hmat_scale(const struct acpi_table *t, const struct hmat_locality *l, u16 entry)
{
	bool latency = l->type == HMAT_ACCESS_LATENCY || l->type == HMAT_READ_LATENCY;
	u64 v;

	if (entry == HMAT_UNREACHABLE || l->unit > UINT32_MAX)
		return 0;
	v = l->unit * entry;
	if (acpi_revision(t) < 2)
		v = latency ? v * 100 : v / 10;
	return v > UINT32_MAX ? 0 : v;
}

static void hmat_matrix(const struct acpi_table *t, const struct hmat_locality *l,
			u32 to[MAX_NODES][MAX_NODES], bool overwrite)
{
	u64 initiators = l->off + HMAT_LOCALITY_LEN;
	u64 targets = initiators + 4ull * l->initiators;
	u64 entries = targets + 4ull * l->targets;

	for (u32 i = 0; i < l->initiators; i++) {
		u32 from = boot_domain_node(t->bi, acpi_u32(t, initiators + 4ull * i));

		for (u32 j = 0; from != BOOT_NODE_NONE && j < l->targets; j++) {
			u32 node = boot_domain_node(t->bi, acpi_u32(t, targets + 4ull * j));
			u64 off = entries + 2 * ((u64)i * l->targets + j);
			u32 value = hmat_scale(t, l, acpi_u16(t, off));

			if (node == BOOT_NODE_NONE || !value)
				continue;
			if (overwrite || !to[from][node])
				to[from][node] = value;
			t->bi->hmat_known = true;
		}
	}
}

/* A figure for reads alone is better than one for accesses in general, whichever comes first. */
static void hmat_take(const struct acpi_table *t, const struct hmat_locality *l)
{
	struct boot_hmat *h = &t->bi->hmat;

	if (l->type == HMAT_READ_LATENCY || l->type == HMAT_ACCESS_LATENCY)
		hmat_matrix(t, l, h->read_latency_ps, l->type == HMAT_READ_LATENCY);
	else if (l->type == HMAT_READ_BANDWIDTH || l->type == HMAT_ACCESS_BANDWIDTH)
		hmat_matrix(t, l, h->read_bandwidth_mbps, l->type == HMAT_READ_BANDWIDTH);
}

static void hmat_locality(const struct acpi_table *t, u64 off, u64 len)
{
	struct hmat_locality l = {
		.off = off,
		.type = acpi_u8(t, off + 9),
		.initiators = acpi_u32(t, off + 12),
		.targets = acpi_u32(t, off + 16),
		.unit = acpi_u64(t, off + 24),
	};
	u64 room = len - HMAT_LOCALITY_LEN;

	if (acpi_u8(t, off + 8) & HMAT_LEVEL_MASK)
		return;
	/* The first tests keep the product small enough not to wrap. */
	if (l.initiators > room / 4 || l.targets > room / 4 ||
	    4ull * l.initiators + 4ull * l.targets + 2ull * l.initiators * l.targets > room) {
		boot_warn(t->bi, "HMAT+0x%lx: %u initiators and %u targets do not fit: ignored",
			  off, l.initiators, l.targets);
		return;
	}
	hmat_take(t, &l);
}

void acpi_hmat_parse(const struct acpi_table *t)
{
	u64 off = HMAT_STRUCTS;

	while (off < t->len) {
		u64 left = t->len - off;
		u64 len = acpi_u32(t, off + 4);

		if (len < HMAT_STRUCT_HEADER || len > left) {
			boot_warn(t->bi, "HMAT+0x%lx: structure length %lu, %lu left: stop", off,
				  len, left);
			return;
		}
		if (acpi_u16(t, off) == HMAT_LOCALITY && len >= HMAT_LOCALITY_LEN)
			hmat_locality(t, off, len);
		else if (acpi_u16(t, off) == HMAT_LOCALITY)
			boot_warn(t->bi, "HMAT+0x%lx: structure length %lu, needs %u: ignored", off,
				  len, HMAT_LOCALITY_LEN);
		off += len;
	}
}
