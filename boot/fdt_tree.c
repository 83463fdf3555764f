/*
 * Reader of flattened device trees that trusts nothing in them.
 *
 * Why not libfdt: it takes a tree as a whole or not at all (a tree of which the
 * end is missing is refused by its check, and without the check nothing bounds
 * its reads by what is really there), while we are to use what can be read and
 * to say at which offset the rest is broken. And the distribution's library for
 * arm64 is hosted code: vector registers, stack protector, string functions of
 * a C library; it would have to be fetched for every build and could not be
 * watched by the sanitizers under which the parsers are fuzzed.
 */
#include <boot/fdt.h>
#include <boot/fdt_tree.h>
#include <kernel/string.h>

#define FDT_MAGIC 0xd00dfeedu

enum { /* header fields, byte offsets; all big-endian */
       HEADER_TOTAL = 4,
       HEADER_STRUCTS = 8,
       HEADER_STRINGS = 12,
       HEADER_VERSION = 20,
       HEADER_LAST_COMPATIBLE = 24,
       HEADER_STRINGS_SIZE = 32,
       HEADER_STRUCTS_SIZE = 36, /* since version 17 */
       HEADER_LEN = 40,
       VERSION_OLDEST = 16,
       VERSION_OURS = 17,
};

enum fdt_token { FDT_BEGIN = 1, FDT_END = 2, FDT_PROP = 3, FDT_NOP = 4, FDT_FINISH = 9 };

static u32 be32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

bool fdt_is_blob(const void *bytes)
{
	return be32(bytes) == FDT_MAGIC;
}

size_t fdt_total_size(const void *bytes)
{
	return be32((const u8 *)bytes + HEADER_TOTAL);
}

/* A block of the blob, cut to what is there. */
static u32 block_end(struct fdt_tree *t, u32 off, u32 size, const char *what)
{
	if (off <= t->len && size <= t->len - off)
		return off + size;
	boot_warn(t->bi, "device tree+%#x: %s of %u bytes end behind the %u that are there", off,
		  what, size, t->len);
	return t->len;
}

bool fdt_open(struct fdt_tree *t, const void *blob, size_t len, struct bootinfo *bi)
{
	u32 total, version;

	*t = (struct fdt_tree){.blob = blob, .bi = bi};
	if (len < HEADER_LEN || !fdt_is_blob(blob)) {
		boot_warn(bi, "device tree: %s",
			  len < HEADER_LEN ? "shorter than its header" : "wrong magic number");
		return false;
	}
	total = (u32)fdt_total_size(blob);
	t->len = (u32)MIN(len, (size_t)total);
	if (len < total)
		boot_note(bi, "device tree: %zu of %u bytes are there", len,
			  total); /* perhaps padding */
	version = be32(t->blob + HEADER_VERSION);
	if (version < VERSION_OLDEST || be32(t->blob + HEADER_LAST_COMPATIBLE) > VERSION_OURS) {
		boot_warn(bi, "device tree: version %u is not one we can read", version);
		return false;
	}
	t->structs = be32(t->blob + HEADER_STRUCTS);
	t->strings = be32(t->blob + HEADER_STRINGS);
	if (t->structs < HEADER_LEN || t->structs >= t->len) {
		boot_warn(bi, "device tree+0x8: structure at %#x of %u bytes", t->structs, t->len);
		return false;
	}
	t->structs_end = t->len;
	if (version >= VERSION_OURS)
		t->structs_end =
			block_end(t, t->structs, be32(t->blob + HEADER_STRUCTS_SIZE), "structure");
	t->strings_end = block_end(t, t->strings, be32(t->blob + HEADER_STRINGS_SIZE), "strings");
	return true;
}

/* ---- tokens -------------------------------------------------------------- */

struct token {
	enum fdt_token kind;
	u32 off;
	const char *name; /* FDT_BEGIN */
	struct fdt_prop prop; /* FDT_PROP; its name is at */
	u32 name_off; /* this offset in the strings */
};

static bool token_bad(const struct fdt_tree *t, u32 off, const char *what, bool quiet)
{
	if (!quiet)
		boot_warn(t->bi, "device tree+%#x: %s: the rest is not read", off, what);
	return false;
}

static bool read_name(const struct fdt_tree *t, u32 *pos, struct token *k, bool quiet)
{
	const u8 *name = t->blob + *pos;
	const u8 *end = memchr(name, '\0', t->structs_end - *pos);

	if (!end)
		return token_bad(t, *pos, "node name without end", quiet);
	k->name = (const char *)name;
	*pos += ALIGN_UP((u32)(end - name) + 1, 4u);
	return true;
}

static bool read_prop(const struct fdt_tree *t, u32 *pos, struct token *k, bool quiet)
{
	u32 left = t->structs_end - *pos;

	if (left < 8)
		return token_bad(t, *pos, "cut off inside a property", quiet);
	k->prop = (struct fdt_prop){t->blob + *pos + 8, be32(t->blob + *pos), k->off};
	k->name_off = be32(t->blob + *pos + 4);
	if (k->prop.len > left - 8)
		return token_bad(t, *pos, "property longer than the tree", quiet);
	*pos += 8 + ALIGN_UP(k->prop.len, 4u);
	return true;
}

/* Reads the token at *pos and steps over it. False: the end, or broken. */
static bool next_token(const struct fdt_tree *t, u32 *pos, struct token *k, bool quiet)
{
	do {
		if (*pos > t->structs_end || t->structs_end - *pos < 4)
			return token_bad(t, *pos, "cut off", quiet);
		t->bi->fdt_steps++;
		k->off = *pos;
		k->kind = be32(t->blob + *pos);
		*pos += 4;
	} while (k->kind == FDT_NOP);
	switch (k->kind) {
	case FDT_BEGIN:
		return read_name(t, pos, k, quiet);
	case FDT_PROP:
		return read_prop(t, pos, k, quiet);
	case FDT_END:
		return true;
	case FDT_FINISH:
		return false;
	default:
		return token_bad(t, k->off, "unknown token", quiet);
	}
}

static bool string_at_is(const struct fdt_tree *t, u32 off, const char *name)
{
	size_t len = strlen(name) + 1;

	return t->strings <= t->strings_end && off < t->strings_end - t->strings &&
	       len <= t->strings_end - t->strings - off &&
	       !memcmp(t->blob + t->strings + off, name, len);
}

/*
 * The node that begins with this token; pos is behind its name. What lies before its first property
 * is stepped over once here, and not again by everybody who asks for one.
 */
static struct fdt_node read_node(const struct fdt_tree *t, const struct token *begin, u32 pos)
{
	struct fdt_node node = {.name = begin->name, .off = begin->off, .props = pos};
	const struct {
		const char *name;
		struct fdt_prop *prop;
	} wanted[] = {
		{"compatible", &node.compatible},
		{"#address-cells", &node.address_cells},
		{"#size-cells", &node.size_cells},
		{"ranges", &node.ranges},
		{"reg", &node.reg},
	};
	struct token k;

	for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++)
		wanted[i].prop->off = begin->off;
	for (bool first = true; next_token(t, &pos, &k, true); first = false) {
		if (first)
			node.props = k.off;
		if (k.kind != FDT_PROP)
			break;
		for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++)
			if (!wanted[i].prop->bytes && string_at_is(t, k.name_off, wanted[i].name))
				*wanted[i].prop = k.prop;
	}
	return node;
}

/* Level counts from 1 at the root; nodes that are too deep keep the path of their last ancestor in it. */
void fdt_walk(const struct fdt_tree *t, fdt_visit_fn *visit, void *arg, bool quiet)
{
	struct fdt_path path = {.depth = 0};
	u32 pos = t->structs, level = 0;
	struct token k;

	while (next_token(t, &pos, &k, quiet)) {
		if (k.kind == FDT_BEGIN) {
			if (level++ == FDT_DEPTH && !quiet)
				boot_note(t->bi, "device tree+%#x: deeper than %d levels: not read",
					  k.off, FDT_DEPTH);
			if (level > FDT_DEPTH)
				continue;
			path.depth = level - 1;
			path.at[path.depth] = read_node(t, &k, pos);
			visit(t, &path, arg);
		} else if (k.kind == FDT_END) {
			if (!level) {
				token_bad(t, k.off, "end of a node that did not begin", quiet);
				return;
			}
			level--;
		}
	}
}

/* ---- properties ---------------------------------------------------------- */

struct fdt_prop fdt_prop(const struct fdt_tree *t, const struct fdt_node *node, const char *name)
{
	u32 pos = node->props;
	struct token k;

	/* Properties come before child nodes. */
	while (next_token(t, &pos, &k, true) && k.kind == FDT_PROP)
		if (string_at_is(t, k.name_off, name))
			return k.prop;
	return (struct fdt_prop){NULL, 0, node->off};
}

u32 fdt_cell(const struct fdt_prop *p, u32 off)
{
	return p->len >= 4 && off <= p->len - 4 ? be32(p->bytes + off) : 0;
}

static u32 one_cell(const struct fdt_tree *t, const struct fdt_prop *p, const char *name, u32 def)
{
	if (!p->bytes)
		return def;
	if (p->len != 4) {
		boot_warn(t->bi, "device tree+%#x: %s has %u bytes, not 4", p->off, name, p->len);
		return def;
	}
	return fdt_cell(p, 0);
}

u32 fdt_u32(const struct fdt_tree *t, const struct fdt_node *node, const char *name, u32 def)
{
	struct fdt_prop p = fdt_prop(t, node, name);

	return one_cell(t, &p, name, def);
}

bool fdt_has_string(const struct fdt_prop *p, const char *s)
{
	u32 len = (u32)strlen(s) + 1;

	for (u32 at = 0; at < p->len;
	     at += (u32)strnlen((const char *)p->bytes + at, p->len - at) + 1)
		if (len <= p->len - at && !memcmp(p->bytes + at, s, len))
			return true;
	return false;
}

bool fdt_compatible(const struct fdt_node *node, const char *name)
{
	return fdt_has_string(&node->compatible, name);
}

bool fdt_enabled(const struct fdt_tree *t, const struct fdt_node *node)
{
	struct fdt_prop p = fdt_prop(t, node, "status");

	return !p.bytes || fdt_has_string(&p, "okay") || fdt_has_string(&p, "ok");
}

bool fdt_named(const struct fdt_node *node, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(node->name, name, len) &&
	       (node->name[len] == '\0' || node->name[len] == '@');
}

/* ---- addresses ----------------------------------------------------------- */

struct cells {
	u32 address, size;
};

/* How the children of a bus write addresses; defaults of section 2.3.5. */
static struct cells cells_of(const struct fdt_tree *t, const struct fdt_node *bus)
{
	return (struct cells){one_cell(t, &bus->address_cells, "#address-cells", 2),
			      one_cell(t, &bus->size_cells, "#size-cells", 1)};
}

/* A number of n cells, of which the low two fit. */
static u64 read_cells(const struct fdt_prop *p, u32 *off, u32 n)
{
	u64 v = 0;

	for (; n; n--, *off += 4)
		v = v << 32 | fdt_cell(p, *off);
	return v;
}

/* One step up: an address on a bus becomes one on the bus above. False: not visible there. */
static bool translate(const struct fdt_tree *t, const struct fdt_path *path, unsigned bus,
		      u64 *addr)
{
	struct fdt_prop p = path->at[bus].ranges;
	struct cells child = cells_of(t, &path->at[bus]), parent = cells_of(t, &path->at[bus - 1]);
	u32 entry = 4 * (child.address + parent.address + child.size);

	if (!p.bytes)
		return false;
	if (!p.len) /* the same addresses above */
		return true;
	if (child.address > 3 || parent.address > 2 || child.size > 2 || !child.size)
		return false;
	if (p.len / entry > FDT_MAX_RANGES) {
		boot_warn(t->bi, "device tree+%#x: more than %d ranges: the rest is not read",
			  p.off, FDT_MAX_RANGES);
		p.len = FDT_MAX_RANGES * entry;
	}
	for (u32 off = 0; p.len - off >= entry;) {
		t->bi->fdt_steps++;
		u64 from = read_cells(&p, &off, child.address);
		u64 to = read_cells(&p, &off, parent.address);
		u64 len = read_cells(&p, &off, child.size);

		if (*addr >= from && *addr - from < len) {
			*addr = *addr - from + to;
			return true;
		}
	}
	return false;
}

bool fdt_reg(const struct fdt_tree *t, const struct fdt_path *path, unsigned n, u64 *base, u64 *len)
{
	struct fdt_prop p = path->at[path->depth].reg;
	struct cells c;
	u32 off;

	if (!path->depth || !p.bytes)
		return false;
	c = cells_of(t, &path->at[path->depth - 1]);
	if (!c.address || c.address > 2 || c.size > 2) {
		if (!n)
			boot_warn(t->bi,
				  "device tree+%#x: addresses of %u cells, sizes of %u: not used",
				  p.off, c.address, c.size);
		return false;
	}
	off = 4 * n * (c.address + c.size);
	if (off >= p.len)
		return false;
	if (p.len - off < 4 * (c.address + c.size)) {
		boot_warn(t->bi, "device tree+%#x: reg ends inside its entry %u", p.off, n);
		return false;
	}
	*base = read_cells(&p, &off, c.address);
	*len = read_cells(&p, &off, c.size);
	for (unsigned bus = path->depth - 1; bus > 0; bus--)
		if (!translate(t, path, bus, base))
			return false;
	return true;
}
