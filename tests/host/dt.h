/* Builds flattened device trees for tests. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct dt {
	uint8_t structs[1 << 20], strings[4096], reservations[256];
	size_t structs_len, strings_len, reservations_len;
};

void dt_begin(struct dt *d); /* and the root node */
void dt_begin_wide(struct dt *d); /* the same, with two cells for addresses and two for sizes */
void dt_node(struct dt *d, const char *name);
void dt_close(struct dt *d); /* the innermost open node */
void dt_bytes(struct dt *d, const char *name, const void *bytes, size_t len);
void dt_string(struct dt *d, const char *name, const char *s);
/* n cells, big-endian. */
void dt_cells(struct dt *d, const char *name, unsigned n, ...);
void dt_nops(struct dt *d, unsigned n);
void dt_reserve(struct dt *d, uint64_t base, uint64_t len);
/* Closes the root; the blob is in a buffer of exactly its size, to be freed. */
uint8_t *dt_finish(struct dt *d, size_t *len);
struct bootinfo;
/* Closes the root, reads the tree, frees it. What fdt_parse() says; *len: the blob's bytes. */
int dt_read(struct dt *d, struct bootinfo *bi, size_t *len);
/* A node with these two properties, open. The register block lies at `base` (one cell of two). */
void dt_device(struct dt *d, const char *name, const char *compatible, uint32_t base, uint32_t len);
void dt_psci(struct dt *d, const char *method); /* a whole node */
