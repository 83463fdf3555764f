/*
 * Text on a screen. What it shows is kept in memory, so that nothing is ever read back from it and
 * only characters that change are drawn. Moving everything up costs as much as all that is on the
 * screen, on uncached memory some ten milliseconds; so it moves by half a screen at a time.
 *
 * Guarded by the console's owner, like every sink; in a panic only one CPU prints. All positions are
 * valid at any time, since a panic may come in the middle.
 */
#include <arch/mmio.h>
#include <kernel/bootinfo.h>
#include <kernel/console.h>
#include <kernel/screen.h>
#include <kernel/utf8.h>

enum { /* what the font has, by tools/mkfont.py */
       FONT_WIDTH = 8,
       FONT_HEIGHT = 16,
       FONT_FIRST = ' ',
       FONT_ASCII = 0x7f - ' ',
       GLYPH_PLUS_MINUS = FONT_ASCII,
       GLYPH_TIMES,
};
#define GLYPH(c) ((u8)((c)-FONT_FIRST))

enum {
	COLUMNS_MAX = 256, /* of a larger screen the upper left part is used */
	ROWS_MAX = 128,
	COLUMNS_MIN = 40,
	ROWS_MIN = 10,
	TAB = 8,
	ESCAPE = 0x1b,
	VGA_GREY = 0x07, /* attribute: on black */
	VGA_PLUS_MINUS = 0xf1, /* code page 437 */
	VGA_INDEX = 0x3d4, /* ports of the display controller */
	VGA_DATA = 0x3d5,
	VGA_CURSOR_START = 0x0a,
	VGA_CURSOR_OFF = 0x20,
};

extern const u8 screen_font[][FONT_HEIGHT];

static struct {
	struct console_sink sink; /* without a write(): not in use */
	struct boot_screen at;
	bool lost; /* its memory is not mapped */
	unsigned columns, rows;
	unsigned column, row; /* of the next character; column may be columns */
	u32 code; /* of the character whose bytes are coming */
	unsigned bytes_left; /* that it lacks */
	enum { TEXT, ESCAPED, SEQUENCE } state; /* SEQUENCE: "ESC [", which a letter ends */
	u8 cells[ROWS_MAX][COLUMNS_MAX]; /* glyphs */
} screen;

/* ---- drawing ---- */

static void draw_pixel(paddr_t pa, bool lit)
{
	u32 pixel = lit ? screen.at.lit : 0;

	switch (screen.at.pixel_bytes) {
	case 4:
		mmio_write32(pa, pixel);
		break;
	case 2:
		mmio_write16(pa, (u16)pixel);
		break;
	default:
		for (unsigned i = 0; i < screen.at.pixel_bytes; i++)
			mmio_write8(pa + i, (u8)(pixel >> 8 * i));
	}
}

static void draw_pixels(unsigned row, unsigned column, u8 glyph)
{
	const struct boot_screen *s = &screen.at;
	paddr_t line = s->base + (u64)row * FONT_HEIGHT * s->pitch +
		       (u64)column * FONT_WIDTH * s->pixel_bytes;

	for (unsigned y = 0; y < FONT_HEIGHT; y++, line += s->pitch)
		for (unsigned x = 0; x < FONT_WIDTH; x++)
			draw_pixel(line + x * s->pixel_bytes, screen_font[glyph][y] & (0x80 >> x));
}

static void draw_text(unsigned row, unsigned column, u8 glyph)
{
	u8 c = glyph == GLYPH_PLUS_MINUS ? VGA_PLUS_MINUS
	       : glyph == GLYPH_TIMES	 ? 'x'
					 : (u8)(FONT_FIRST + glyph);

	mmio_write16(screen.at.base + (u64)row * screen.at.pitch + 2UL * column,
		     (u16)(VGA_GREY << 8 | c));
}

static void draw(unsigned row, unsigned column, u8 glyph)
{
	if (screen.lost)
		return;
	if (screen.at.type == BOOT_SCREEN_TEXT)
		draw_text(row, column, glyph);
	else
		draw_pixels(row, column, glyph);
}

static void set(unsigned row, unsigned column, u8 glyph)
{
	if (screen.cells[row][column] == glyph)
		return;
	screen.cells[row][column] = glyph;
	draw(row, column, glyph);
}

/* As a sign at the place of the next character, which is behind the last column for a moment. */
static void draw_cursor(bool on)
{
	unsigned column = MIN(screen.column, screen.columns - 1);

	draw(screen.row, column, on ? GLYPH('_') : screen.cells[screen.row][column]);
}

/* All of it anew, whatever it shows. */
static void redraw(void)
{
	for (unsigned row = 0; row < screen.rows; row++)
		for (unsigned column = 0; column < screen.columns; column++)
			draw(row, column, screen.cells[row][column]);
}

/* ---- text ---- */

static void move_up(void)
{
	unsigned kept = screen.rows / 2, gone = screen.rows - kept;

	for (unsigned row = 0; row < screen.rows; row++)
		for (unsigned column = 0; column < screen.columns; column++)
			set(row, column,
			    row < kept ? screen.cells[row + gone][column] : GLYPH(' '));
	screen.row = kept;
}

static void new_line(void)
{
	screen.column = 0;
	if (screen.row + 1 < screen.rows)
		screen.row++;
	else
		move_up();
}

static void put(u8 glyph)
{
	if (screen.column == screen.columns)
		new_line();
	set(screen.row, screen.column++, glyph);
}

static void clear(void)
{
	for (unsigned row = 0; row < screen.rows; row++)
		for (unsigned column = 0; column < screen.columns; column++)
			set(row, column, GLYPH(' '));
}

static u8 glyph_of(u32 code)
{
	if (code >= FONT_FIRST && code < FONT_FIRST + FONT_ASCII)
		return GLYPH(code);
	return code == 0xb1 ? GLYPH_PLUS_MINUS : code == 0xd7 ? GLYPH_TIMES : GLYPH('?');
}

/* What the console's own line editor sends, and no more: to the upper left corner, and clear all. */
static void take_escaped(char c)
{
	if (screen.state == ESCAPED) {
		screen.state = c == '[' ? SEQUENCE : TEXT;
		return;
	}
	if (c < '@')
		return; /* a number */
	screen.state = TEXT;
	if (c == 'H')
		screen.row = screen.column = 0;
	else if (c == 'J')
		clear();
}

static void take_control(char c)
{
	if (c == '\n')
		new_line();
	else if (c == '\r')
		screen.column = 0;
	else if (c == '\b' && screen.column)
		screen.column--;
	else if (c == '\t')
		screen.column = MIN(ALIGN_DOWN(screen.column + TAB, TAB), screen.columns);
	else if (c == ESCAPE)
		screen.state = ESCAPED;
}

static void take_beyond_ascii(char c)
{
	if (!utf8_continues(c)) {
		size_t len = utf8_length(c);

		screen.bytes_left = len ? (unsigned)len - 1 : 0;
		screen.code = (u8)c & (0x7fU >> len);
		if (!len)
			put(GLYPH('?'));
	} else if (screen.bytes_left) {
		screen.code = screen.code << 6 | ((u8)c & 0x3f);
		if (!--screen.bytes_left)
			put(glyph_of(screen.code));
	}
}

static void screen_write(struct console_sink *sink __unused, const char *s, size_t len)
{
	draw_cursor(false);
	for (; len; s++, len--) {
		if (screen.state != TEXT)
			take_escaped(*s);
		else if ((u8)*s < ' ')
			take_control(*s);
		else if ((u8)*s < 0x80)
			put(glyph_of((u8)*s));
		else
			take_beyond_ascii(*s);
	}
	draw_cursor(true);
}

/* ---- start ---- */

static void hide_vga_cursor(void)
{
	port_write8(VGA_INDEX, VGA_CURSOR_START);
	port_write8(VGA_DATA, VGA_CURSOR_OFF);
}

static bool start(const struct boot_screen *s)
{
	bool text = s->type == BOOT_SCREEN_TEXT;

	screen.columns = MIN(text ? s->width : s->width / FONT_WIDTH, (u32)COLUMNS_MAX);
	screen.rows = MIN(text ? s->height : s->height / FONT_HEIGHT, (u32)ROWS_MAX);
	if (s->type == BOOT_SCREEN_NONE || screen.columns < COLUMNS_MIN || screen.rows < ROWS_MIN)
		return false;
	screen.at = *s;
	if (text)
		hide_vga_cursor();
	return true;
}

bool screen_add(const struct boot_screen *s)
{
	bool is_new = !screen.sink.write;

	if (is_new && !start(s))
		return false;
	if (is_new || screen.lost) {
		screen.lost = false;
		redraw();
	}
	if (!is_new)
		return true;
	screen.sink.write = screen_write;
	console_add_sink(&screen.sink);
	return true;
}

void screen_lose(void)
{
	screen.lost = true;
}

void screen_size(unsigned *columns, unsigned *rows)
{
	*columns = screen.sink.write ? screen.columns : 0;
	*rows = screen.sink.write ? screen.rows : 0;
}
