/* Builds flattened device trees for tests (Devicetree Specification 0.4, chapter 5). */
#include "dt.h"

#include <boot/fdt.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { BEGIN = 1, END = 2, PROP = 3, NOP = 4, FINISH = 9, HEADER = 40 };

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void add(struct dt *d, const void *bytes, size_t len)
{
	if (d->structs_len + len > sizeof(d->structs) - 8)
		abort();
	if (len)
		memcpy(d->structs + d->structs_len, bytes, len);
	d->structs_len += len;
	while (d->structs_len % 4)
		d->structs[d->structs_len++] = 0;
}

static void add32(struct dt *d, uint32_t v)
{
	uint8_t cell[4];

	put32(cell, v);
	add(d, cell, 4);
}

/* Offset of a name in the strings; each is there once. */
static uint32_t string_off(struct dt *d, const char *name)
{
	size_t at = 0, len = strlen(name) + 1;

	while (at < d->strings_len && strcmp((char *)d->strings + at, name))
		at += strlen((char *)d->strings + at) + 1;
	if (at == d->strings_len) {
		if (at + len > sizeof(d->strings))
			abort();
		memcpy(d->strings + at, name, len);
		d->strings_len += len;
	}
	return (uint32_t)at;
}

void dt_begin(struct dt *d)
{
	d->structs_len = d->strings_len = d->reservations_len = 0;
	dt_node(d, "");
}

void dt_begin_wide(struct dt *d)
{
	dt_begin(d);
	dt_cells(d, "#address-cells", 1, 2);
	dt_cells(d, "#size-cells", 1, 2);
}

void dt_node(struct dt *d, const char *name)
{
	add32(d, BEGIN);
	add(d, name, strlen(name) + 1);
}

void dt_nops(struct dt *d, unsigned n)
{
	while (n--)
		add32(d, NOP);
}

void dt_close(struct dt *d)
{
	add32(d, END);
}

void dt_bytes(struct dt *d, const char *name, const void *bytes, size_t len)
{
	add32(d, PROP);
	add32(d, (uint32_t)len);
	add32(d, string_off(d, name));
	add(d, bytes, len);
}

void dt_string(struct dt *d, const char *name, const char *s)
{
	dt_bytes(d, name, s, strlen(s) + 1);
}

void dt_cells(struct dt *d, const char *name, unsigned n, ...)
{
	uint8_t cells[4096];
	va_list ap;

	if (4 * n > sizeof(cells))
		abort();
	va_start(ap, n);
	for (unsigned i = 0; i < n; i++)
		put32(cells + 4 * i, va_arg(ap, unsigned));
	va_end(ap);
	dt_bytes(d, name, cells, 4 * n);
}

void dt_reserve(struct dt *d, uint64_t base, uint64_t len)
{
	uint8_t *p = d->reservations + d->reservations_len;

	if (d->reservations_len + 32 > sizeof(d->reservations))
		abort();
	put32(p, (uint32_t)(base >> 32));
	put32(p + 4, (uint32_t)base);
	put32(p + 8, (uint32_t)(len >> 32));
	put32(p + 12, (uint32_t)len);
	d->reservations_len += 16;
}

uint8_t *dt_finish(struct dt *d, size_t *len)
{
	size_t reservations = d->reservations_len + 16; /* the last pair is zeros */
	uint8_t *blob;

	dt_close(d);
	add32(d, FINISH);
	*len = HEADER + reservations + d->structs_len + d->strings_len;
	blob = calloc(1, *len);
	if (!blob)
		abort();
	put32(blob, 0xd00dfeed);
	put32(blob + 4, (uint32_t)*len);
	put32(blob + 8, (uint32_t)(HEADER + reservations));
	put32(blob + 12, (uint32_t)(HEADER + reservations + d->structs_len));
	put32(blob + 16, HEADER);
	put32(blob + 20, 17);
	put32(blob + 24, 16);
	put32(blob + 32, (uint32_t)d->strings_len);
	put32(blob + 36, (uint32_t)d->structs_len);
	memcpy(blob + HEADER, d->reservations, d->reservations_len);
	memcpy(blob + HEADER + reservations, d->structs, d->structs_len);
	memcpy(blob + HEADER + reservations + d->structs_len, d->strings, d->strings_len);
	return blob;
}

int dt_read(struct dt *d, struct bootinfo *bi, size_t *len)
{
	uint8_t *blob = dt_finish(d, len);
	int err = fdt_parse(blob, *len, bi);

	free(blob);
	return err;
}

void dt_device(struct dt *d, const char *name, const char *compatible, uint32_t base, uint32_t len)
{
	dt_node(d, name);
	dt_string(d, "compatible", compatible);
	dt_cells(d, "reg", 4, 0, base, 0, len);
}

void dt_psci(struct dt *d, const char *method)
{
	dt_node(d, "psci");
	dt_string(d, "compatible", "arm,psci-1.0");
	dt_string(d, "method", method);
	dt_close(d);
}
