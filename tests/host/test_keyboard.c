/*
 * The PS/2 keyboard on a modelled controller: how it is set up, what keys type, and a controller that is
 * absent, deaf or silent. The driver is part of this file, so that each test begins with one that is not in use.
 */
#include "../../kernel/drivers/keyboard.c"
#include "check.h"

enum { QUEUE = 64 };

static struct {
	bool absent, deaf, silent; /* reads all ones; takes no byte; answers nothing */
	u8 config;
	bool keyboard_off, mouse_off, scanning;
	u8 command; /* whose byte is to come */
	u8 queue[QUEUE]; /* for us */
	bool of_mouse[QUEUE];
	unsigned head, tail;
	bool lost; /* written when it was not to be, or read when there was nothing */
	unsigned long looks; /* at the status */
} pc;

static u64 now;
static struct console_source *source;
struct fake_current fake_current;

void console_add_source(struct console_source *s)
{
	source = s;
}

u64 fake_cycles(void)
{
	return now;
}

u64 cycles_hz(void)
{
	return 1000;
}

static void queue(u8 byte, bool mouse)
{
	pc.of_mouse[pc.head % QUEUE] = mouse;
	pc.queue[pc.head++ % QUEUE] = byte;
}

u8 fake_port_read(u16 port)
{
	if (pc.absent)
		return 0xff;
	if (port == 0x64) {
		pc.looks++;
		return (pc.head != pc.tail ? 0x01 | (pc.of_mouse[pc.tail % QUEUE] ? 0x20 : 0) : 0) |
		       (pc.deaf ? 0x02 : 0) | 0x14;
	}
	if (port != 0x60 || pc.head == pc.tail)
		pc.lost = true;
	return pc.queue[pc.tail++ % QUEUE];
}

static void take_data(u8 v)
{
	if (pc.command == 0x60) {
		pc.config = v;
		pc.command = 0;
	} else if (v == 0xf4 && !pc.keyboard_off) {
		pc.scanning = true;
		if (!pc.silent)
			queue(0xfa, false);
	} else {
		pc.lost = true;
	}
}

void fake_port_write(u16 port, u8 v)
{
	if (pc.absent || pc.deaf)
		pc.lost = true;
	else if (port == 0x60)
		take_data(v);
	else if (v == 0x20 && !pc.silent)
		queue(pc.config, false);
	else if (v == 0x60)
		pc.command = v;
	else if (v == 0xa7)
		pc.mouse_off = true;
	else if (v == 0xad || v == 0xae)
		pc.keyboard_off = v == 0xad;
}

static bool begin(void)
{
	memset(&keyboard, 0, sizeof(keyboard));
	keyboard.rest = "";
	memset(&pc, 0, sizeof(pc));
	source = NULL;
	pc.config = 0x33; /* interrupts, both devices off, no translation */
	queue(0x1e, false); /* somebody was impatient */
	queue(0x08, true);
	return keyboard_add();
}

/* Until nothing comes any more. */
static const char *typed(void)
{
	static char text[256];
	size_t n = 0;
	int c;

	now += 1000;
	while (n < sizeof(text) - 1 && (c = source->getc(source)) >= 0)
		text[n++] = (char)c;
	text[n] = '\0';
	return text;
}

static const char *press(const char *codes)
{
	for (; *codes; codes++)
		queue((u8)*codes, false);
	return typed();
}

TEST(the_controller_is_set_up)
{
	CHECK(begin());
	CHECK(!pc.lost && pc.scanning && pc.mouse_off && !pc.keyboard_off);
	CHECK_EQ(pc.config,
		 0x60); /* translates, no interrupts, the keyboard on, the mouse as it was */
	CHECK_STR(typed(), "");
	source = NULL;
	CHECK(keyboard_add() && !source);
}

TEST(without_a_controller_nothing_is_registered)
{
	begin();
	memset(&keyboard, 0, sizeof(keyboard));
	source = NULL;
	pc.absent = true;
	CHECK(!keyboard_add() && !source && !pc.lost);
	pc.absent = false;
	pc.deaf = true;
	CHECK(!keyboard_add() && !source && !pc.lost);
	CHECK(pc.looks < 300000);
	pc.deaf = false;
	pc.silent = true;
	CHECK(!keyboard_add() && !source && !pc.lost);
	CHECK(pc.looks < 1000000);
}

TEST(keys_of_a_us_keyboard)
{
	CHECK(begin());
	CHECK_STR(press("\x23\xa3\x1e\x9e\x39\xb9\x1c\x9c"), "ha \r"); /* pressed and released */
	CHECK_STR(press("\x02\x03\x0b\x0c\x0d\x0e\x0f\x1a\x2b\x33\x35\x27\x29"),
		  "120-=\x7f\t[\\,/;`");
	CHECK_STR(press("\x2a\x02\x1e\x0c\x27\x35\x2b\xaa\x1e"), "!A_:?|a");
	CHECK_STR(press("\x36\x10\xb6\x10"), "Qq");
	CHECK_STR(press("\x3a\xba\x1e\x02\x2a\x1e\xaa\x3a\xba\x1e"), "A1aa"); /* Caps Lock */
	CHECK_STR(press("\x47\x4a\x4e\x52\x53"), "7-+0.");
	CHECK_STR(press("\x01\x37"), "\033*");
	CHECK_STR(press("\x3b\x44\x57\x58\x7f\x54"), ""); /* function keys, and no key at all */
	CHECK(!pc.lost);
}

TEST(modifiers_and_moves)
{
	CHECK(begin());
	CHECK_STR(press("\x1d\x2e\x9d\x2e"), "\x03"
					     "c");
	CHECK_STR(press("\xe0\x1d\x20\x1a\x02\xe0\x9d\x20"), "\x04\x1b"
							     "1d"); /* the right one, too */
	CHECK_STR(press("\x38\x30\xb8\x30"), "\033bb");
	CHECK_STR(press("\xe0\x48\xe0\xc8\xe0\x50\xe0\x4b\xe0\x4d"), "\033[A\033[B\033[D\033[C");
	CHECK_STR(press("\xe0\x47\xe0\x4f\xe0\x53"), "\033[H\033[F\033[3~");
	CHECK_STR(press("\xe0\x1c\xe0\x35\xe0\x49\xe0\x5b"), "\r/");
	CHECK_STR(press("\xe0\x2a\x1e\xe0\xaa\x1e"), "aa"); /* a shift that a key brings */
	CHECK_STR(press("\x2a\xe0\xaa\x1e\xaa\x1e"), "Aa");
	CHECK_STR(press("\xe1\x1d\x45\xe1\x9d\xc5\x1e"), "a"); /* Pause is no Ctrl */
	CHECK(!pc.lost);
}

TEST(a_mouse_types_nothing)
{
	CHECK(begin());
	queue(0x1e, true);
	queue(0x30, false);
	queue(0x1e, true);
	CHECK_STR(typed(), "b");
}

/* Where firmware is behind it, each look costs an interrupt that no kernel can hold off. */
TEST(looks_are_a_hundredth_of_a_second_apart)
{
	CHECK(begin());
	typed();
	pc.looks = 0;
	for (unsigned i = 0; i < 100; i++)
		CHECK_EQ(source->getc(source), (unsigned long long)-EAGAIN);
	CHECK_EQ(pc.looks, 0);
	now += 10;
	CHECK_EQ(source->getc(source), (unsigned long long)-EAGAIN);
	CHECK_EQ(pc.looks, 1);
	pc.absent = true; /* gone since: all ones is no key */
	CHECK_STR(typed(), "");
}
