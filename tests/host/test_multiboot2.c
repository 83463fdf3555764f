/* Multiboot2 and PVH start information, whole and broken. */
#include "check.h"
#include "tables.h"

#include <boot/multiboot2.h>
#include <boot/pvh.h>

enum { INFO = 0x10000, STRINGS = 0x20000, LIST = 0x30000, MAP = 0x40000 };

static struct bootinfo bi;
static struct phys m;

static void begin(void)
{
	memset(&bi, 0, sizeof(bi));
	phys_free(&m);
}

static bool warned(const char *text)
{
	for (unsigned i = 0; i < bi.warning_count; i++) {
		if (strstr(bi.warnings[i], text))
			return true;
	}
	return false;
}

/* What must hold of every parse, of whatever bytes. */
static bool sane(void)
{
	return !bootinfo_memory_wrong(&bi) && bi.module_count <= BOOT_MAX_MODULES &&
	       memchr(bi.cmdline, 0, sizeof(bi.cmdline));
}

/* ---- Multiboot2 ---- */

static void info_begin(struct table *t)
{
	memset(t, 0, sizeof(*t));
	table_64(t, 0);
}

static void info_tag(struct table *t, u32 type, u32 size)
{
	while (t->len % 8)
		table_8(t, 0xee); /* padding is not to be looked at */
	table_32(t, type);
	table_32(t, size);
}

static void info_memory(struct table *t, u64 base, u64 len, u32 type)
{
	table_64(t, base);
	table_64(t, len);
	table_32(t, type);
	table_32(t, 0);
}

static void info_map(struct table *t)
{
	info_tag(t, 6, 16 + 3 * 24);
	table_32(t, 24);
	table_32(t, 0);
	info_memory(t, 0x100000, 0x7ff00000, 1);
	info_memory(t, 0, 0xa0000, 1);
	info_memory(t, 0xf0000, 0x10000, 20);
}

static void info_string(struct table *t, u32 type, const char *s)
{
	info_tag(t, type, 8 + (u32)strlen(s) + 1);
	table_bytes(t, s, strlen(s) + 1);
}

static void info_module(struct table *t, u32 start, u32 end)
{
	info_tag(t, 3, 19);
	table_32(t, start);
	table_32(t, end);
	table_bytes(t, "ab", 3);
}

static void info_end(struct table *t)
{
	info_tag(t, 0, 8);
	table_set(t, 0, t->len, 4);
}

static int parse_info(const void *bytes, size_t len)
{
	begin();
	phys_add(&m, INFO, bytes, len);
	return multiboot2_parse(INFO, phys_map, &m, &bi);
}

static int parse_table(struct table *t)
{
	int err;

	info_end(t);
	err = parse_info(t->p, t->len);
	table_free(t);
	return err;
}

static void info_full(struct table *t, bool new_first)
{
	info_begin(t);
	info_string(t, 2, "a loader");
	info_string(t, 1, "tarry.run=\"list\" large=off");
	info_map(t);
	info_module(t, 0x200000, 0x201234);
	info_tag(t, new_first ? 15 : 14, new_first ? 44 : 28);
	table_zeros(t, new_first ? 36 : 20);
	info_tag(t, new_first ? 14 : 15, new_first ? 28 : 44);
	table_zeros(t, new_first ? 20 : 36);
	info_tag(t, 17, 16);
	table_zeros(t, 8);
	info_tag(t, 0xdeadbeef, 9);
	table_8(t, 0);
}

TEST(multiboot2_all_tags)
{
	for (unsigned new_first = 0; new_first < 2; new_first++) {
		struct table t;
		u32 type;

		info_full(&t, new_first);
		CHECK_EQ(parse_table(&t), 0);
		CHECK_EQ(bi.warning_count, 0);
		CHECK_STR(bi.loader, "multiboot2");
		CHECK_STR(bi.cmdline, "tarry.run=\"list\" large=off");
		CHECK_EQ(bi.module_count, 1);
		CHECK_EQ(bi.modules[0].base, 0x200000);
		CHECK_EQ(bi.modules[0].len, 0x1234);
		CHECK_EQ(bi.range_count, 5); /* RAM is cut around the module */
		CHECK_EQ(bi.ranges[1].type, BOOT_MEM_RESERVED);
		CHECK_EQ(bi.ranges[3].base, 0x200000);
		CHECK_EQ(bi.ranges[3].type, BOOT_MEM_RESERVED);
		/* The newer RSDP, wherever it stands. */
		memcpy(&type, (const u8 *)phys_map(&m, bi.rsdp - 8, 8), 4);
		CHECK_EQ(type, 15);
		CHECK(sane());
	}
	phys_free(&m);
}

TEST(multiboot2_old_rsdp_only)
{
	struct table t;

	info_begin(&t);
	info_map(&t);
	info_tag(&t, 14, 28);
	table_zeros(&t, 20);
	CHECK_EQ(parse_table(&t), 0);
	CHECK_EQ(bi.rsdp, INFO + 8 + 16 + 72 + 8);
	phys_free(&m);
}

/* A tag that is too short to be the newer one leaves the older one in force, before and behind it. */
TEST(multiboot2_old_rsdp_beside_a_broken_new_one)
{
	for (unsigned new_first = 0; new_first < 2; new_first++) {
		struct table t;
		u64 old = 0;

		info_begin(&t);
		info_map(&t);
		for (unsigned i = 0; i < 2; i++) {
			if (i == new_first) {
				old = t.len;
				info_tag(&t, 14, 28);
				table_zeros(&t, 20);
			} else {
				info_tag(&t, 15, 40);
				table_zeros(&t, 32);
			}
		}
		CHECK_EQ(parse_table(&t), 0);
		CHECK(warned("tag 15 has 40 bytes, needs 44"));
		CHECK_EQ(bi.rsdp, INFO + ALIGN_UP(old, 8UL) + 8);
	}
	phys_free(&m);
}

TEST(multiboot2_without_memory_map)
{
	struct table t;

	info_begin(&t);
	info_module(&t, 0x200000, 0x201000);
	CHECK(parse_table(&t) < 0);
	CHECK(warned("no RAM in the memory map"));
	phys_free(&m);
}

TEST(multiboot2_block_sizes)
{
	static const u32 sizes[] = {0, 7, 8, 15, 0x7fffffff, 0xffffffff, 1000};
	struct table t;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		info_begin(&t);
		info_map(&t);
		info_end(&t);
		table_set(&t, 0, sizes[i], 4);
		CHECK(parse_info(t.p, t.len) < 0);
		CHECK(warned("multiboot2+0x0: size"));
		table_free(&t);
	}
	begin();
	CHECK(multiboot2_parse(INFO, phys_map, &m, &bi) < 0);
	CHECK(warned("nothing readable"));
}

TEST(multiboot2_tags_that_break_the_chain)
{
	static const u32 sizes[] = {0, 7, 0x7fffffff, 0xffffffff};
	struct table t;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		info_begin(&t);
		info_map(&t);
		info_tag(&t, 21, sizes[i]);
		info_string(&t, 1, "lost");
		CHECK_EQ(parse_table(&t), 0); /* the map came before it */
		CHECK(warned("multiboot2+0x60: tag 21 of"));
		CHECK_STR(bi.cmdline, "");
	}
	info_begin(&t);
	info_map(&t);
	table_set(&t, 0, t.len, 4);
	CHECK_EQ(parse_info(t.p, t.len), 0);
	CHECK(warned("no end tag"));
	table_free(&t);
	phys_free(&m);
}

TEST(multiboot2_tags_that_are_too_short)
{
	static const u32 types[] = {3, 6, 8, 14, 15};
	struct table t;

	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		info_begin(&t);
		info_tag(&t, types[i], 12);
		table_32(&t, 0);
		info_map(&t);
		CHECK_EQ(parse_table(&t), 0);
		CHECK(warned("has 12 bytes, needs"));
		CHECK_EQ(bi.rsdp, 0);
	}
	phys_free(&m);
}

/* ---- framebuffer ---- */

struct framebuffer {
	u64 base;
	u32 pitch, width, height;
	u8 bits, type, colours[6];
};

static const struct framebuffer usual = {0xfd000000, 4096, 1024, 768, 32, 1, {16, 8, 8, 8, 0, 8}};

static bool parse_framebuffer(const struct framebuffer *f)
{
	struct table t;

	info_begin(&t);
	info_tag(&t, 8, f->type == 1 ? 38 : 32);
	table_64(&t, f->base);
	table_32(&t, f->pitch);
	table_32(&t, f->width);
	table_32(&t, f->height);
	table_8(&t, f->bits);
	table_8(&t, f->type);
	table_8(&t, 0xee); /* reserved */
	table_8(&t, 0xee);
	if (f->type == 1)
		table_bytes(&t, f->colours, 6);
	info_map(&t);
	return !parse_table(&t) && sane();
}

static bool is_reserved(u64 base, u64 len)
{
	for (unsigned i = 0; i < bi.range_count; i++)
		if (bi.ranges[i].type == BOOT_MEM_RESERVED && bi.ranges[i].base <= base &&
		    bi.ranges[i].base + bi.ranges[i].len >= base + len)
			return true;
	return false;
}

TEST(multiboot2_framebuffer)
{
	static const struct {
		struct framebuffer f;
		u32 lit;
		u8 bytes;
	} good[] = {
		{{0xfd000000, 4096, 1024, 768, 32, 1, {16, 8, 8, 8, 0, 8}}, 0xffffff, 4},
		{{0xc0000000, 5120, 1024, 768, 32, 1, {8, 8, 16, 8, 24, 8}}, 0xffffff00, 4},
		{{0xfd000000, 4096, 1024, 768, 32, 1, {20, 10, 10, 10, 0, 10}}, 0x3fffffff, 4},
		{{0xfd000001, 2401, 800, 600, 24, 1, {16, 8, 8, 8, 0, 8}}, 0xffffff, 3},
		{{0xfd000000, 1600, 800, 600, 16, 1, {11, 5, 5, 6, 0, 5}}, 0xffff, 2},
		{{0xfd000000, 1600, 800, 600, 15, 1, {10, 5, 5, 5, 0, 5}}, 0x7fff, 2},
		{{0x7e500000, 4096, 1024, 768, 32, 1, {16, 8, 8, 8, 0, 8}},
		 0xffffff,
		 4}, /* in RAM */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		const struct framebuffer *f = &good[i].f;

		CHECK(parse_framebuffer(f));
		CHECK_EQ(bi.warning_count, 0);
		CHECK_EQ(bi.screen.type, BOOT_SCREEN_PIXELS);
		CHECK_EQ(bi.screen.base, f->base);
		CHECK_EQ(bi.screen.pitch, f->pitch);
		CHECK_EQ(bi.screen.width, f->width);
		CHECK_EQ(bi.screen.height, f->height);
		CHECK_EQ(bi.screen.len, (u64)f->pitch * f->height);
		CHECK_EQ(bi.screen.lit, good[i].lit);
		CHECK_EQ(bi.screen.pixel_bytes, good[i].bytes);
		CHECK(is_reserved(f->base, bi.screen.len));
	}
	CHECK(parse_framebuffer(&(struct framebuffer){0xb8000, 160, 80, 25, 16, 2, {0}}));
	CHECK_EQ(bi.warning_count, 0);
	CHECK_EQ(bi.screen.type, BOOT_SCREEN_TEXT);
	CHECK_EQ(bi.screen.len, 4000);
	phys_free(&m);
}

TEST(multiboot2_framebuffers_that_cannot_be_used)
{
	struct framebuffer wrong[] = {usual, usual, usual, usual, usual, usual, usual, usual,
				      usual, usual, usual, usual, usual, usual, usual};

	wrong[0].base = 0; /* a display that only copies blocks */
	wrong[1].type = 0; /* a palette */
	wrong[2].type = 3;
	wrong[3].bits = 8;
	wrong[4].bits = 33;
	wrong[5].pitch = 4092; /* shorter than a line */
	wrong[6].pitch = 0x100004;
	wrong[7].width = 0;
	wrong[8].height = 0;
	wrong[9].colours[0] = 25; /* beyond the pixel */
	wrong[10].colours[3] = 0;
	wrong[11].base++;
	wrong[12].pitch += 2;
	wrong[13].base = UINT64_MAX - 4095;
	wrong[14] = (struct framebuffer){0xb8000, 158, 80, 25, 16, 2, {0}};
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		CHECK(parse_framebuffer(&wrong[i]));
		CHECK_EQ(bi.warning_count, 1);
		CHECK(warned("screen of type") && warned("not used"));
		CHECK(!bi.broken);
		CHECK_EQ(bi.screen.type, BOOT_SCREEN_NONE);
		CHECK(!is_reserved(0xfd000000, 1));
	}
	phys_free(&m);
}

TEST(multiboot2_memory_map_entries)
{
	struct table t;

	info_begin(&t);
	info_tag(&t, 6, 16 + 2 * 40); /* larger entries than we know */
	table_32(&t, 40);
	table_32(&t, 1);
	for (u64 i = 1; i < 3; i++) {
		info_memory(&t, i << 32, 0x1000, 1);
		table_zeros(&t, 16);
	}
	CHECK_EQ(parse_table(&t), 0);
	CHECK_EQ(bi.range_count, 2);
	CHECK_EQ(bi.ranges[1].base, 2ull << 32);
	CHECK_EQ(bi.warning_count, 0);

	info_begin(&t);
	info_tag(&t, 6, 16 + 24);
	table_32(&t, 0); /* would loop for ever */
	table_32(&t, 0);
	info_memory(&t, 0, 0x1000, 1);
	info_map(&t);
	CHECK_EQ(parse_table(&t), 0);
	CHECK(warned("memory map entries of 0 bytes"));

	info_begin(&t);
	info_tag(&t, 6, 16 + 24 + 5);
	table_32(&t, 24);
	table_32(&t, 0);
	info_memory(&t, 0, 0x1000, 1);
	table_zeros(&t, 5);
	CHECK_EQ(parse_table(&t), 0);
	CHECK_EQ(bi.range_count, 1);
	CHECK(warned("ends inside an entry"));
	phys_free(&m);
}

TEST(multiboot2_modules)
{
	struct table t;

	info_begin(&t);
	info_map(&t);
	for (u32 i = 0; i < BOOT_MAX_MODULES + 2; i++)
		info_module(&t, 0x200000 + i * 0x10000, 0x201000 + i * 0x10000);
	info_module(&t, 0x500000, 0x500000); /* empty */
	info_module(&t, 0x500000, 0x4fffff); /* backwards */
	CHECK_EQ(parse_table(&t), 0);
	CHECK_EQ(bi.module_count, BOOT_MAX_MODULES);
	CHECK_EQ(bi.warning_count, 3);
	CHECK(warned("module ends at 0x4fffff, before it starts at 0x500000"));
	CHECK(sane());
	phys_free(&m);
}

TEST(multiboot2_command_lines)
{
	struct table t;
	char *line = malloc(20001);

	CHECK(line != NULL);
	memset(line, 'x', 20000);
	line[20000] = 0;
	info_begin(&t);
	info_map(&t);
	info_string(&t, 1, line);
	CHECK_EQ(parse_table(&t), 0);
	CHECK_EQ(strlen(bi.cmdline), BOOT_CMDLINE_LEN - 1);
	CHECK(warned("command line cut to 16383 bytes"));

	line[BOOT_CMDLINE_LEN - 1] = 0; /* the longest that fits */
	info_begin(&t);
	info_map(&t);
	info_string(&t, 1, line);
	CHECK_EQ(parse_table(&t), 0);
	CHECK_EQ(strlen(bi.cmdline), BOOT_CMDLINE_LEN - 1);
	CHECK_EQ(bi.warning_count, 0);
	free(line);

	info_begin(&t);
	info_map(&t);
	info_tag(&t, 1, 8 + 3);
	table_bytes(&t, "abc", 3);
	CHECK_EQ(parse_table(&t), 0);
	CHECK_STR(bi.cmdline, "abc");
	CHECK(warned("command line has no end"));
	phys_free(&m);
}

TEST(multiboot2_truncated_and_flipped)
{
	struct table t;

	info_full(&t, false);
	info_end(&t);
	for (size_t len = 0; len < t.len; len++) {
		CHECK(parse_info(t.p, len + !len) <
		      0); /* the size at its head is known to be wrong */
		CHECK(bi.broken);
		CHECK(sane());
	}
	for (u32 len = 16; len < t.len; len++) { /* the size agrees, the contents do not */
		struct table cut = {0};

		table_bytes(&cut, t.p, len);
		table_set(&cut, 0, len, 4);
		parse_info(cut.p, len);
		CHECK(bi.broken);
		CHECK(sane());
		table_free(&cut);
	}
	for (size_t at = 0; at < 8 * t.len; at++) {
		t.p[at / 8] ^= 1 << at % 8;
		parse_info(t.p, t.len);
		CHECK(sane());
		t.p[at / 8] ^= 1 << at % 8;
	}
	table_free(&t);
	phys_free(&m);
}

/* ---- PVH ---- */

static void pvh_info(u8 p[56], u32 version)
{
	const struct {
		u32 magic, version, flags, modules;
		u64 modlist, cmdline, rsdp, memmap;
		u32 memmap_entries, reserved;
	} info = {
		0x336ec578, version, 0, 1, LIST, STRINGS, 0xf5a20, MAP, 3, 0,
	};

	memcpy(p, &info, sizeof(info));
}

static void pvh_add_rest(void)
{
	struct table t = {0};

	info_memory(&t, 0, 0x9fc00, 1);
	info_memory(&t, 0x100000, 0x7ff00000, 1);
	info_memory(&t, 0xfffc0000, 0x40000, 2);
	phys_add(&m, MAP, t.p, t.len);
	table_free(&t);
	table_64(&t, 0x300000); /* module: base, length, its command line */
	table_64(&t, 0x2000);
	table_64(&t, 0);
	table_64(&t, 0);
	phys_add(&m, LIST, t.p, t.len);
	table_free(&t);
}

static int pvh_run(const u8 *info, size_t len)
{
	static const char line[BOOT_CMDLINE_LEN] = "tarry.run=\"help\"";

	begin();
	phys_add(&m, STRINGS, line, sizeof(line));
	phys_add(&m, INFO, info, len);
	pvh_add_rest();
	return pvh_parse(INFO, phys_map, &m, &bi);
}

TEST(pvh_version_1)
{
	u8 info[56];

	pvh_info(info, 1);
	CHECK_EQ(pvh_run(info, sizeof(info)), 0);
	CHECK_EQ(bi.warning_count, 0);
	CHECK_STR(bi.cmdline, "tarry.run=\"help\"");
	CHECK_STR(bi.loader, "pvh");
	CHECK_EQ(bi.rsdp, 0xf5a20);
	CHECK_EQ(bi.module_count, 1);
	CHECK_EQ(bi.modules[0].base, 0x300000);
	CHECK_EQ(bi.modules[0].len, 0x2000);
	CHECK_EQ(bi.range_count, 5);
	CHECK_EQ(bi.ranges[2].type, BOOT_MEM_RESERVED);
	CHECK(sane());
	phys_free(&m);
}

/* How long a string is shows only when it has been read. */
TEST(pvh_command_line_near_the_end_of_memory)
{
	static char page[4096] = "";
	u8 info[56];
	u64 at = STRINGS + 4096 - 17;

	memcpy(page + 4096 - 17, "tarry.run=\"list\"", 17);
	pvh_info(info, 1);
	memcpy(info + 24, &at, 8);
	begin();
	phys_add(&m, INFO, info, sizeof(info));
	phys_add(&m, STRINGS, page, sizeof(page));
	pvh_add_rest();
	CHECK_EQ(pvh_parse(INFO, phys_map, &m, &bi), 0);
	CHECK_STR(bi.cmdline, "tarry.run=\"list\"");
	CHECK_EQ(bi.warning_count, 0);
	phys_free(&m);

	page[4095] = 'x';
	begin();
	phys_add(&m, INFO, info, sizeof(info));
	phys_add(&m, STRINGS, page, sizeof(page));
	pvh_parse(INFO, phys_map, &m, &bi);
	CHECK_STR(bi.cmdline, "tarry.run=\"list\"x");
	CHECK(warned("PVH: command line has no end"));
	phys_free(&m);

	at = 0x7000000000000000;
	memcpy(info + 24, &at, 8);
	CHECK_EQ(pvh_run(info, sizeof(info)), 0);
	CHECK(warned("PVH+0x18: command line at 0x7000000000000000 is not readable"));
	phys_free(&m);
}

TEST(pvh_version_0)
{
	u8 info[56];

	pvh_info(info, 0);
	CHECK(pvh_run(info, 40) < 0);
	CHECK(warned("PVH+0x4: version 0 has no memory map"));
	CHECK_EQ(bi.rsdp, 0xf5a20);
	phys_free(&m);
}

TEST(pvh_broken)
{
	u8 info[56];
	u32 huge = 0xffffffff;

	pvh_info(info, 1);
	for (size_t len = 1; len < sizeof(info); len++) {
		CHECK(pvh_run(info, len) < 0);
		CHECK(bi.broken);
		CHECK(sane());
	}
	memcpy(info + 48, &huge, 4); /* memory ranges */
	CHECK(pvh_run(info, sizeof(info)) < 0);
	CHECK(warned("only 4096 are read"));
	CHECK(warned("is not readable"));
	pvh_info(info, 1);
	memcpy(info + 12, &huge, 4); /* modules */
	CHECK_EQ(pvh_run(info, sizeof(info)), 0);
	CHECK(warned("4294967295 modules, only 8"));
	info[0]++;
	CHECK(pvh_run(info, sizeof(info)) < 0);
	CHECK(warned("PVH+0x0: magic"));
	pvh_info(info, 1);
	for (size_t at = 0; at < 8 * sizeof(info); at++) {
		info[at / 8] ^= 1 << at % 8;
		pvh_run(info, sizeof(info));
		CHECK(sane());
		info[at / 8] ^= 1 << at % 8;
	}
	phys_free(&m);
}

/* ---- limits, from both sides ---- */

TEST(pvh_without_line_and_modules_is_no_mistake)
{
	u8 info[56];

	pvh_info(info, 1);
	memset(info + 12, 0, 4); /* modules */
	memset(info + 24, 0, 8); /* command line */
	CHECK_EQ(pvh_run(info, sizeof(info)), 0);
	CHECK_EQ(bi.warning_count, 0);
	CHECK_EQ(bi.module_count, 0);
	phys_free(&m);
}

/* Lists of as many as are taken, and of one more: those that are taken, and a word about the others. */
TEST(pvh_limits_of_lists)
{
	for (u32 more = 0; more < 2; more++) {
		struct table list = {0}, map = {0};
		u32 modules = BOOT_MAX_MODULES + more, ranges = 4096 + more;
		u8 info[56];

		pvh_info(info, 1);
		memcpy(info + 12, &modules, 4);
		memcpy(info + 48, &ranges, 4);
		begin();
		for (u32 i = 0; i < modules; i++)
			table_64(&list, 0x1000000 + 0x10000 * i), table_64(&list, 0x1000 + i),
				table_64(&list, 0), table_64(&list, 0);
		for (u32 i = 0; i < ranges;
		     i++) /* all one, but the last that is read and the one behind it */
			info_memory(&map, i < 4095 ? 0x1000 * i : 0x100000000 * i, 0x1000, 1);
		phys_add(&m, INFO, info, sizeof(info));
		phys_add(&m, STRINGS, "x", 2);
		phys_add(&m, LIST, list.p, list.len);
		phys_add(&m, MAP, map.p, map.len);
		pvh_parse(INFO, phys_map, &m, &bi);
		CHECK_EQ(bi.module_count, BOOT_MAX_MODULES);
		CHECK_EQ(bi.modules[BOOT_MAX_MODULES - 1].base,
			 0x1000000 + 0x10000 * (BOOT_MAX_MODULES - 1));
		CHECK_EQ(bi.modules[BOOT_MAX_MODULES - 1].len, 0x1000 + BOOT_MAX_MODULES - 1);
		CHECK_EQ(bi.ranges[bi.range_count - 1].base, 0x100000000 * 4095);
		CHECK_EQ(warned("9 modules, only 8 are used"), more);
		CHECK_EQ(warned("4097 memory ranges, only 4096 are read"), more);
		table_free(&list);
		table_free(&map);
		phys_free(&m);
	}
}

TEST(multiboot2_limits_of_the_block)
{
	struct table t;

	/* The least block is its header and an end tag. */
	for (u32 size = 15; size <= 16; size++) {
		info_begin(&t);
		info_tag(&t, 0, 8);
		table_set(&t, 0, size, 4);
		begin();
		phys_add(&m, INFO, t.p, t.len);
		CHECK(multiboot2_parse(INFO, phys_map, &m, &bi) < 0);
		CHECK_EQ(warned("size 15 is not possible"), size == 15);
		CHECK_EQ(warned("no RAM in the memory map"), size == 16);
		table_free(&t);
		phys_free(&m);
	}
	/* 16 MiB are believed, and looked for; a byte more is not. */
	for (u32 size = 16 << 20; size <= (16 << 20) + 1; size++) {
		info_begin(&t);
		info_tag(&t, 0, 8);
		table_set(&t, 0, size, 4);
		begin();
		phys_add(&m, INFO, t.p, t.len);
		CHECK(multiboot2_parse(INFO, phys_map, &m, &bi) < 0);
		CHECK_EQ(warned("not all readable"), size == 16 << 20);
		CHECK_EQ(warned("is not possible"), size != 16 << 20);
		table_free(&t);
		phys_free(&m);
	}
}

/* A module may be empty, which is none; one that ends before it begins is told. */
TEST(multiboot2_limits_of_modules)
{
	for (u32 end = 0x1fffff; end <= 0x200001; end++) {
		struct table t;

		info_begin(&t);
		info_map(&t);
		info_module(&t, 0x200000, end);
		info_tag(&t, 0, 8);
		table_set(&t, 0, t.len, 4);
		begin();
		phys_add(&m, INFO, t.p, t.len);
		CHECK_EQ(multiboot2_parse(INFO, phys_map, &m, &bi), 0);
		CHECK_EQ(bi.module_count, end > 0x200000);
		CHECK_EQ(warned("module ends at 0x1fffff, before it starts at 0x200000"),
			 end < 0x200000);
		CHECK(!bi.module_count ||
		      (bi.modules[0].base == 0x200000 && bi.modules[0].len == 1));
		table_free(&t);
		phys_free(&m);
	}
}

TEST(command_lines_of_the_greatest_length)
{
	static char line[BOOT_CMDLINE_LEN + 2];

	memset(line, 'x', sizeof(line));
	for (size_t len = BOOT_CMDLINE_LEN - 2; len <= BOOT_CMDLINE_LEN + 1; len++) {
		begin();
		line[len] = '\0';
		boot_set_cmdline(&bi, line, len + 1, "test");
		CHECK_EQ(strlen(bi.cmdline), MIN(len, (size_t)BOOT_CMDLINE_LEN - 1));
		CHECK_EQ(warned("command line cut to"), len >= BOOT_CMDLINE_LEN);
		CHECK_EQ(bi.warning_count, len >= BOOT_CMDLINE_LEN);
		line[len] = 'x';
	}
	begin();
	boot_set_cmdline(&bi, "abc", 3, "test");
	CHECK_STR(bi.cmdline, "abc");
	CHECK(warned("test: command line has no end"));
}
