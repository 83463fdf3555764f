/*
 * topology PATH - what Tarry would see on a machine whose firmware tables these
 * are: the kernel's own parsers over a folder of binary tables, one table, an
 * acpidump text or a device tree. One JSON object on standard output.
 * Exit 0, 1 = the input is broken somewhere (see "warnings"), 2 = wrong usage.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <boot/acpi.h>
#include <boot/fdt.h>
#include "acpidump.h"

enum { EXIT_BROKEN = 1, EXIT_USAGE = 2 };

#define MAX_FILE (64 << 20) /* bytes; all tables of a large server are some MiB */

/* NULL in a build without the device tree parser. */
int fdt_parse(const void *blob, size_t len, struct bootinfo *bi) __attribute__((weak));

struct buffer { /* read bytes; the parsers keep pointers into them until acpi_finish() */
	struct buffer *next;
	unsigned char *bytes;
	size_t len;
};

struct input {
	struct bootinfo *bi;
	struct buffer *buffers;
	unsigned tables;
};

static __attribute__((noreturn)) void fail(const char *path, const char *reason)
{
	fprintf(stderr, "error: topology: %s: %s\n", path, reason);
	exit(EXIT_USAGE);
}

static struct buffer *keep(struct input *in, unsigned char *bytes, size_t len)
{
	struct buffer *b = malloc(sizeof(*b));

	if (!b)
		fail("memory", "exhausted");
	b->bytes = bytes;
	b->len = len;
	b->next = in->buffers;
	in->buffers = b;
	return b;
}

static struct buffer *read_file(struct input *in, const char *path)
{
	FILE *f = fopen(path, "rb");
	unsigned char *bytes = NULL;
	size_t len = 0, got;

	if (!f)
		fail(path, strerror(errno));
	do {
		unsigned char *more = realloc(bytes, len + 65536);

		if (!more)
			fail(path, "memory exhausted");
		bytes = more;
		got = fread(bytes + len, 1, 65536, f);
		len += got;
	} while (got && len <= MAX_FILE);
	if (ferror(f))
		fail(path, strerror(errno));
	fclose(f);
	if (len > MAX_FILE)
		fail(path, "larger than 64 MiB");
	return keep(in, bytes, len);
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), slen = strlen(suffix);

	return len > slen && !strcasecmp(name + len - slen, suffix);
}

/* ---- input ---- */

static void dump_table(void *ctx, unsigned char *bytes, size_t len, unsigned line)
{
	struct input *in = ctx;

	in->tables++;
	if (!bytes) {
		boot_warn(in->bi, "line %u: a table without bytes", line);
		return;
	}
	keep(in, bytes, len);
	acpi_parse_table(bytes, len, in->bi);
}

static void dump_bad_line(void *ctx, unsigned line, const char *reason)
{
	struct input *in = ctx;

	boot_warn(in->bi, "line %u: %s: ignored", line, reason);
}

static void read_text(struct input *in, const struct buffer *b, const char *path)
{
	if (!acpidump_parse((const char *)b->bytes, b->len, dump_table, dump_bad_line, in))
		fail(path, "memory exhausted");
	if (!in->tables)
		boot_warn(in->bi, "no table in this text");
}

/* "SSDT12", as a running Linux names its tables in /sys/firmware/acpi/tables. */
static bool is_signature(const char *name)
{
	unsigned n = 0;

	while (n < 4 &&
	       ((name[n] >= 'A' && name[n] <= 'Z') || (n && name[n] >= '0' && name[n] <= '9')))
		n++;
	return n == 4 && strspn(name + 4, "0123456789") == strlen(name + 4);
}

static int is_table_file(const struct dirent *e)
{
	return has_suffix(e->d_name, ".dat") || has_suffix(e->d_name, ".aml") ||
	       is_signature(e->d_name);
}

static void read_folder(struct input *in, const char *path)
{
	struct dirent **list;
	int n = scandir(path, &list, is_table_file, alphasort);

	if (n < 0)
		fail(path, strerror(errno));
	if (!n)
		fail(path, "no *.dat or *.aml files in this folder, nor any named as its table");
	for (int i = 0; i < n; i++) {
		size_t size = strlen(path) + strlen(list[i]->d_name) + 2;
		char *file = malloc(size);
		struct buffer *b;

		if (!file)
			fail(path, "memory exhausted");
		snprintf(file, size, "%s/%s", path, list[i]->d_name);
		b = read_file(in, file);
		if (acpi_parse_table(b->bytes, b->len, in->bi) < 0)
			boot_warn(in->bi, "%s: not used", list[i]->d_name);
		free(file);
		free(list[i]);
	}
	free(list);
}

static bool is_device_tree(const struct buffer *b, const char *path)
{
	static const unsigned char magic[] = {0xd0, 0x0d, 0xfe, 0xed};

	return has_suffix(path, ".dtb") || (b->len >= 4 && !memcmp(b->bytes, magic, 4));
}

static void read_device_tree(struct input *in, const struct buffer *b)
{
	if (!fdt_parse) {
		fputs("error: topology: device trees are not supported by this build\n", stderr);
		exit(EXIT_USAGE);
	}
	if (fdt_parse(b->bytes, b->len, in->bi) < 0)
		in->bi->broken = true;
}

static void read_input(struct input *in, const char *path)
{
	struct stat st;
	struct buffer *b;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		read_folder(in, path);
		acpi_finish(in->bi);
		return;
	}
	b = read_file(in, path);
	if (is_device_tree(b, path)) {
		read_device_tree(in, b);
		return;
	}
	/* A table has zeros in its length at the latest, a text has none. */
	if (b->len && !memchr(b->bytes, 0, b->len))
		read_text(in, b, path);
	else
		acpi_parse_table(b->bytes, b->len, in->bi);
	acpi_finish(in->bi);
}

/* ---- output ---- */

static void print_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ' || c > '~')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static int compare_ids(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

static void print_cpus(const struct bootinfo *bi, u32 node)
{
	u64 ids[MAX_CPUS];
	unsigned n = 0;

	for (unsigned i = 0; i < bi->cpu_count; i++) {
		if (bi->cpus[i].node == node)
			ids[n++] = bi->cpus[i].hw_id;
	}
	qsort(ids, n, sizeof(ids[0]), compare_ids);
	for (unsigned i = 0; i < n; i++)
		printf("%s\"0x%lx\"", i ? "," : "", ids[i]);
}

static void print_piece(const char **comma, u64 base, u64 end)
{
	if (base >= end)
		return;
	printf("%s[\"0x%lx\",\"0x%lx\"]", *comma, base, end - base);
	*comma = ",";
}

/* The parts of a range of RAM that no table places. */
static void print_unplaced(const struct bootinfo *bi, const struct boot_range *ram,
			   const char **comma)
{
	u64 at = ram->base, end = ram->base + ram->len;

	for (unsigned i = 0; i < bi->node_range_count && at < end; i++) { /* sorted, disjoint */
		const struct boot_node_range *r = &bi->node_ranges[i];

		print_piece(comma, at, MIN(end, r->base));
		at = MAX(at, r->base + r->len);
	}
	print_piece(comma, at, end);
}

static void print_memory(const struct bootinfo *bi, u32 node)
{
	const char *comma = "";

	/* What no table places is node 0's: without nodes all of it. */
	for (unsigned i = 0; !node && i < bi->range_count; i++)
		if (bi->ranges[i].type == BOOT_MEM_RAM)
			print_unplaced(bi, &bi->ranges[i], &comma);
	for (unsigned i = 0; i < bi->node_range_count; i++) {
		const struct boot_node_range *r = &bi->node_ranges[i];

		if (r->node == node)
			print_piece(&comma, r->base, r->base + r->len);
	}
}

static void print_nodes(const struct bootinfo *bi)
{
	for (unsigned i = 0; i < bi->node_count; i++) {
		printf("%s{\"id\":%u,\"domain\":%u,\"cpus\":[", i ? "," : "", i,
		       bi->nodes[i].domain);
		print_cpus(bi, i);
		printf("],\"memory\":[");
		print_memory(bi, i);
		printf("]}");
	}
}

static void print_distances(const struct bootinfo *bi)
{
	for (unsigned i = 0; i < bi->node_count; i++) {
		printf("%s[", i ? "," : "");
		for (unsigned j = 0; j < bi->node_count; j++)
			printf("%s%u", j ? "," : "", bi->distance[i][j]);
		printf("]");
	}
}

/* Only where the firmware has an HMAT: picoseconds and MB/s per initiator and target, 0 = not given. */
static void print_matrix(const char *name, const u32 (*of)[MAX_NODES], unsigned nodes)
{
	printf("\"%s\":[", name);
	for (unsigned i = 0; i < nodes; i++) {
		printf("%s[", i ? "," : "");
		for (unsigned j = 0; j < nodes; j++)
			printf("%s%u", j ? "," : "", of[i][j]);
		printf("]");
	}
	printf("]");
}

static void print_hmat(const struct bootinfo *bi)
{
	if (!bi->hmat_known)
		return;
	printf(",\"hmat\":{");
	print_matrix("read_latency_ps", bi->hmat.read_latency_ps, bi->node_count);
	printf(",");
	print_matrix("read_bandwidth_mbps", bi->hmat.read_bandwidth_mbps, bi->node_count);
	printf("}");
}

static void print_console(const struct boot_console *c)
{
	static const char *const types[] = {
		[BOOT_CONSOLE_16550_IO] = "16550-io",
		[BOOT_CONSOLE_16550_MMIO] = "16550-mmio",
		[BOOT_CONSOLE_PL011] = "pl011",
		[BOOT_CONSOLE_SBSA] = "sbsa",
	};

	if (c->type == BOOT_CONSOLE_UNKNOWN || c->type == BOOT_CONSOLE_NONE) {
		printf("null");
		return;
	}
	printf("{\"type\":\"%s\",\"base\":\"0x%lx\",\"baud\":%u,\"width\":%u,\"stride\":%u}",
	       types[c->type], c->base, c->baud, c->reg_width, c->reg_stride);
}

static void print_warnings(const struct bootinfo *bi)
{
	for (unsigned i = 0; i < bi->warning_count; i++) {
		if (i)
			putchar(',');
		print_string(bi->warnings[i]);
	}
	if (bi->warning_dropped)
		printf(",\"%u more warnings\"", bi->warning_dropped);
}

static void print_all(const struct bootinfo *bi)
{
	printf("{\"nodes\":[");
	print_nodes(bi);
	printf("],\"distances\":[");
	print_distances(bi);
	printf("],\"console\":");
	print_console(&bi->console);
	printf(",\"warnings\":[");
	print_warnings(bi);
	printf("]");
	print_hmat(bi);
	printf("}\n");
}

int main(int argc, char **argv)
{
	struct input in = {.bi = calloc(1, sizeof(*in.bi))};
	int rc;

	if (argc != 2 || !argv[1][0]) {
		fputs("error: topology: usage: make -s topology FROM=PATH (a folder of *.dat or "
		      "*.aml, one table, an acpidump text or a .dtb)\n",
		      stderr);
		free(in.bi);
		return EXIT_USAGE;
	}
	if (!in.bi)
		fail("memory", "exhausted");
	read_input(&in, argv[1]);
	print_all(in.bi);
	rc = in.bi->broken ? EXIT_BROKEN : 0;
	if (fflush(stdout) || ferror(stdout))
		fail("standard output", "cannot be written");
	while (in.buffers) {
		struct buffer *next = in.buffers->next;

		free(in.buffers->bytes);
		free(in.buffers);
		in.buffers = next;
	}
	free(in.bi);
	return rc;
}
