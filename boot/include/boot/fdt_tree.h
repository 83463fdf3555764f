/*
 * Between the files of the device tree parser: tokens, properties, addresses
 * (Devicetree Specification 0.4, chapters 2 and 5).
 */
#pragma once

#include <boot/bootinfo.h>

enum {
	FDT_DEPTH = 12, /* levels; boards have up to 8. Deeper nodes are stepped over */
	FDT_MAX_RANGES =
		128, /* of a bus: each address below it is looked for in all; boards have some 20 */
};

struct fdt_tree {
	const u8 *blob;
	u32 len; /* bytes that are there and belong to it */
	u32 structs, structs_end;
	u32 strings, strings_end;
	struct bootinfo *bi;
};

struct fdt_prop {
	const u8 *bytes; /* NULL: there is none */
	u32 len;
	u32 off; /* for warnings */
};

/* What its children and most questions ask for is looked up once, when the walk comes to the node. */
struct fdt_node {
	const char *name;
	u32 off; /* of its token, for warnings */
	u32 props; /* of its first property, or of what comes instead */
	struct fdt_prop compatible, address_cells, size_cells, ranges, reg;
};

/* A node with its ancestors: at[0] is the root, at[depth] the node. */
struct fdt_path {
	struct fdt_node at[FDT_DEPTH];
	unsigned depth;
};

/* Check the header. False, with a warning: not a device tree, or nothing of it is there. */
bool fdt_open(struct fdt_tree *t, const void *blob, size_t len, struct bootinfo *bi);

/* Call visit for every node, parents first, until the tree ends or breaks off (warned unless quiet). */
typedef void fdt_visit_fn(const struct fdt_tree *t, const struct fdt_path *path, void *arg);
void fdt_walk(const struct fdt_tree *t, fdt_visit_fn *visit, void *arg, bool quiet);

struct fdt_prop fdt_prop(const struct fdt_tree *t, const struct fdt_node *node, const char *name);

/* Big-endian cell at a byte offset; 0 where the property is shorter. */
u32 fdt_cell(const struct fdt_prop *p, u32 off);
/* A property of one cell; the default if there is none. */
u32 fdt_u32(const struct fdt_tree *t, const struct fdt_node *node, const char *name, u32 def);
/* The property is a list of strings (or one), and this is one of them. */
bool fdt_has_string(const struct fdt_prop *p, const char *s);
bool fdt_compatible(const struct fdt_node *node, const char *name);
/* No status, or "okay". */
bool fdt_enabled(const struct fdt_tree *t, const struct fdt_node *node);
/* Is the node's name this, with or without a unit address? */
bool fdt_named(const struct fdt_node *node, const char *name);

/*
 * The n-th pair of `reg` of the node, as the CPU sees it: through the `ranges`
 * of all buses above. False: no such pair, or not reachable.
 */
bool fdt_reg(const struct fdt_tree *t, const struct fdt_path *path, unsigned n, u64 *base,
	     u64 *len);

/* ---- boot/fdt_distances.c ---- */
/* Fills bi->distance from the node's distance-matrix; what is impossible or missing is told, and 10 or 20 then. */
void fdt_read_distances(const struct fdt_tree *t, const struct fdt_node *node);

/* ---- boot/fdt_bus.c ---- */
/* Second walk: a PCI host bridge or a place of virtio-mmio goes to bi. */
void fdt_read_bus(const struct fdt_tree *t, const struct fdt_path *path);

/* ---- boot/fdt_uart.c ---- */
enum { FDT_MAX_CLOCKS = 32 }; /* fixed ones that are remembered; boards have up to 20 */

struct fdt_uarts { /* what is carried from one walk to the next */
	struct fdt_node aliases; /* name NULL: not there */
	struct fdt_prop stdout; /* path of the console's node; not terminated */
	bool stdout_seen; /* the second walk came to that node */
	struct {
		u32 phandle, hz;
	} clocks[FDT_MAX_CLOCKS];
	unsigned clock_count;
};

/* First walk: remember a clock that UARTs may refer to. */
void fdt_note_clock(const struct fdt_tree *t, const struct fdt_node *node, struct fdt_uarts *u);
/* Between the walks: where stdout-path leads. */
void fdt_find_stdout(const struct fdt_tree *t, const struct fdt_node *chosen, struct fdt_uarts *u);
/* Second walk: a UART that we can drive goes to bi->uarts, and to bi->console if it is the one. */
void fdt_read_uart(const struct fdt_tree *t, const struct fdt_path *path, struct fdt_uarts *u);
/* Behind the second walk: warn if stdout-path named no node that could be a UART. */
void fdt_report_stdout(const struct fdt_tree *t, const struct fdt_uarts *u);
