/*
 * The screen console on a modelled screen: pixel formats, VGA text, scrolling, control characters,
 * and that nothing is drawn beside it, read back from it, or drawn twice. The driver is part of this
 * file, so that each test begins with one that is not in use.
 */
#include "../../kernel/drivers/screen.c"
#include "check.h"
#include <stdlib.h>

enum { BASE = 0x10000, SIZE = 1 << 20, WIDTH = 328, HEIGHT = 170, COLUMNS = 41, ROWS = 10 };

/* No two glyphs alike, in all pixels. */
#define GLYPH_ROW(g, y) ((u8)((g) == 0 ? 0 : (((g) >> ((y) % 7)) & 1 ? 0xa5 : 0x18) + (y)))

const u8 screen_font[FONT_ASCII + 2][FONT_HEIGHT] = {
#define ROWS_OF(g)                                                                                 \
	{                                                                                          \
		GLYPH_ROW(g, 0), GLYPH_ROW(g, 1), GLYPH_ROW(g, 2), GLYPH_ROW(g, 3),                \
			GLYPH_ROW(g, 4), GLYPH_ROW(g, 5), GLYPH_ROW(g, 6), GLYPH_ROW(g, 7),        \
			GLYPH_ROW(g, 8), GLYPH_ROW(g, 9), GLYPH_ROW(g, 10), GLYPH_ROW(g, 11),      \
			GLYPH_ROW(g, 12), GLYPH_ROW(g, 13), GLYPH_ROW(g, 14), GLYPH_ROW(g, 15)     \
	}
#define TEN(g)                                                                                     \
	ROWS_OF(g), ROWS_OF(g + 1), ROWS_OF(g + 2), ROWS_OF(g + 3), ROWS_OF(g + 4),                \
		ROWS_OF(g + 5), ROWS_OF(g + 6), ROWS_OF(g + 7), ROWS_OF(g + 8), ROWS_OF(g + 9)
	TEN(0),	     TEN(10),	  TEN(20),     TEN(30),	    TEN(40),	 TEN(50),
	TEN(60),     TEN(70),	  TEN(80),     ROWS_OF(90), ROWS_OF(91), ROWS_OF(92),
	ROWS_OF(93), ROWS_OF(94), ROWS_OF(95), ROWS_OF(96),
};

static u8 memory[SIZE];
static bool outside, looked; /* a write beside the screen's lines; a read */
static unsigned long writes;
static u8 vga_cursor, vga_index;
static struct console_sink *sink;

u64 fake_mmio_read(paddr_t pa __unused, unsigned bytes __unused)
{
	looked = true;
	return ~0UL;
}

void fake_mmio_write(paddr_t pa, u64 v, unsigned bytes)
{
	const struct boot_screen *s = &screen.at;
	u64 off = pa - BASE;
	u64 line = s->type == BOOT_SCREEN_TEXT ? 2UL * s->width : (u64)s->width * s->pixel_bytes;

	writes++;
	if (pa < BASE || off + bytes > s->len || off % s->pitch + bytes > line || pa % bytes) {
		outside = true;
		return;
	}
	memcpy(memory + off, &v, bytes);
}

u8 fake_port_read(u16 port __unused)
{
	return 0xff;
}

void fake_port_write(u16 port, u8 v)
{
	if (port == 0x3d4)
		vga_index = v;
	else if (port == 0x3d5 && vga_index == 0x0a)
		vga_cursor = v;
}

void console_add_sink(struct console_sink *s)
{
	sink = s;
}

static bool begin(const struct boot_screen *s)
{
	memset(&screen, 0, sizeof(screen));
	memset(memory, 0x5a, sizeof(memory)); /* what firmware left there */
	sink = NULL;
	outside = looked = false;
	vga_cursor = 0;
	return screen_add(s);
}

static const struct boot_screen pixels = {
	.type = BOOT_SCREEN_PIXELS,
	.base = BASE,
	.pitch = WIDTH * 4 + 64,
	.width = WIDTH,
	.height = HEIGHT,
	.len = (WIDTH * 4 + 64) * HEIGHT,
	.lit = 0xffffff,
	.pixel_bytes = 4,
};

static void print(const char *s)
{
	sink->write(sink, s, strlen(s));
}

static u32 pixel(unsigned x, unsigned y)
{
	u32 v = 0;

	memcpy(&v, memory + (u64)y * screen.at.pitch + (u64)x * screen.at.pixel_bytes,
	       screen.at.pixel_bytes);
	return v;
}

static bool is_glyph(unsigned row, unsigned column, unsigned glyph)
{
	for (unsigned y = 0; y < FONT_HEIGHT; y++)
		for (unsigned x = 0; x < FONT_WIDTH; x++)
			if (pixel(column * FONT_WIDTH + x, row * FONT_HEIGHT + y) !=
			    (GLYPH_ROW(glyph, y) & (0x80 >> x) ? screen.at.lit : 0))
				return false;
	return true;
}

/* The line as it is on the screen; ~ is plus-minus, ^ is times, # is no glyph at all. */
static const char *shown(unsigned row)
{
	static char text[COLUMNS_MAX + 1];
	unsigned len = 0;

	for (unsigned column = 0; column < screen.columns; column++) {
		unsigned glyph = 0;

		while (glyph < FONT_ASCII + 2U && !is_glyph(row, column, glyph))
			glyph++;
		text[column] = glyph < FONT_ASCII	   ? (char)(' ' + glyph)
			       : glyph == GLYPH_PLUS_MINUS ? '~'
			       : glyph == GLYPH_TIMES	   ? '^'
							   : '#';
		if (text[column] != ' ')
			len = column + 1;
	}
	text[len] = '\0';
	return text;
}

TEST(text_is_drawn_in_every_format_of_pixels)
{
	static const struct {
		u8 bytes;
		u32 lit;
	} formats[] = {{4, 0x00ffffff}, {4, 0xffffff00}, {4, 0x3fffffff},
		       {3, 0xffffff},	{2, 0xffff},	 {2, 0x7fff}};

	for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct boot_screen s = pixels;

		s.pixel_bytes = formats[i].bytes;
		s.lit = formats[i].lit;
		CHECK(begin(&s));
		CHECK_STR(shown(ROWS - 1), "");
		print("Tarry\n ~!\n");
		CHECK_STR(shown(0), "Tarry");
		CHECK_STR(shown(1), " ~!");
		CHECK_STR(shown(2), "_");
		CHECK(!outside && !looked);
	}
}

TEST(lines_wrap_and_the_screen_moves_by_half)
{
	char line[COLUMNS + 3];

	CHECK(begin(&pixels));
	memset(line, 'x', sizeof(line));
	line[COLUMNS + 2] = '\0';
	print(line);
	CHECK_STR(shown(1), "xx_");
	line[COLUMNS] = '\0';
	print("\n");
	print(line); /* as long as a line is: the next one begins with what comes */
	print("\nnext");
	CHECK_STR(shown(2) + COLUMNS - 1, "x");
	CHECK_STR(shown(3), "next_");
	print("\n4\n5\n6\n7\n8\n9");
	CHECK_STR(shown(ROWS - 1), "9_");
	print("\n");
	CHECK_STR(shown(ROWS / 2 - 1), "9");
	CHECK_STR(shown(ROWS / 2 - 2), "8");
	CHECK_STR(shown(0), "5");
	CHECK_STR(shown(ROWS / 2), "_");
	CHECK_STR(shown(ROWS - 1), "");
	CHECK(!outside && !looked);
}

TEST(only_what_changes_is_drawn)
{
	enum { CELL = FONT_WIDTH * FONT_HEIGHT };

	CHECK(begin(&pixels));
	writes = 0;
	print("a");
	CHECK_EQ(writes, 3 * CELL); /* it, and the cursor before and after */
	for (unsigned i = 0; i < ROWS - 1; i++)
		print("\nsame");
	writes = 0;
	/* Half of the lines go, four letters each, the first one changes; none of the others. */
	print("\n");
	CHECK_EQ(writes, (4 * ROWS / 2 + 4 + 2) * CELL);
	CHECK_STR(shown(0), "same");
}

TEST(control_characters)
{
	CHECK(begin(&pixels));
	print("abc\b\bX\tT\rx");
	CHECK_STR(shown(0), "x_c     T");
	print("\a\x7f\x01");
	CHECK_STR(shown(0), "x?_     T");
	print("\b\b\b\b=\n");
	CHECK_STR(shown(0), "=?c     T");
	print("\033[1;31mred\033[0m\033Zgreen");
	CHECK_STR(shown(1), "redgreen_");
	print("\033[H\033[2Jnew");
	CHECK_STR(shown(0), "new_");
	CHECK_STR(shown(1), "");
	for (unsigned i = 0; i < COLUMNS; i++)
		print("\t");
	print("t");
	CHECK_STR(shown(1), "t_");
}

TEST(characters_beyond_ascii)
{
	CHECK(begin(&pixels));
	print("\xc2\xb1"
	      "3 \xc3\x97"
	      "5\xe2\x88\x92\xf0\x9f\x98\x80z");
	CHECK_STR(shown(0), "~3 ^5??z_");
	print("\r\xff\xb1\xc2");
	print("\xb1");
	CHECK_STR(shown(0), "?~_^5??z");
}

TEST(vga_text)
{
	const struct boot_screen s = {.type = BOOT_SCREEN_TEXT,
				      .base = BASE,
				      .pitch = 160,
				      .width = 80,
				      .height = 25,
				      .len = 4000};

	CHECK(begin(&s));
	CHECK_EQ(vga_cursor, 0x20);
	print("a\xc2\xb1\xc3\x97\n");
	CHECK(!memcmp(memory, "a\7\xf1\7x\7 \7", 8));
	CHECK(!memcmp(memory + 160, "_\7 \7", 4));
	for (unsigned i = 0; i < 30; i++)
		print("y\n");
	CHECK(!memcmp(memory, "y\7 \7", 4));
	CHECK(!memcmp(memory + 12 * 160 - 160, "y\7 \7", 4));
	CHECK(!outside && !looked);
}

TEST(a_lost_screen_remembers)
{
	CHECK(begin(&pixels));
	print("before\n");
	screen_lose();
	writes = 0;
	print("meanwhile\n");
	CHECK_EQ(writes, 0);
	sink = NULL;
	CHECK(screen_add(&pixels) && !sink);
	CHECK_STR(shown(0), "before");
	CHECK_STR(shown(1), "meanwhile");
}

TEST(what_is_too_small_or_large)
{
	static struct boot_screen s;
	unsigned columns, rows;

	CHECK(!begin(&s));
	screen_size(&columns, &rows);
	CHECK(!columns && !rows);
	s = pixels;
	s.width = 8 * 40 - 1;
	CHECK(!begin(&s));
	s = pixels;
	s.height = 159;
	CHECK(!begin(&s) && !sink);
	s = pixels;
	s.pixel_bytes = 2;
	s.lit = 0xffff;
	s.width = 8 * 300;
	s.pitch = 2 * s.width;
	s.len = (u64)s.pitch * s.height;
	CHECK(begin(&s));
	screen_size(&columns, &rows);
	CHECK_EQ(columns, COLUMNS_MAX);
	CHECK_EQ(rows, ROWS);
}
