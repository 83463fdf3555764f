/* The words console= of the boot line, as Linux reads them, and which UARTs are opened when (kernel/drivers/consoles.c). */
#include "check.h"

#include <kernel/bootinfo.h>
#include <kernel/keyboard.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/screen.h>
#include <kernel/uart.h>

#include <stdarg.h>

static struct bootinfo bi; /* large */
static char printed[2048];
static char opened
	[256]; /* addresses, in the order of uart_add(); "-" before one that was removed, "+" if others are read, too */
static u64 absent; /* where nothing answers */
static unsigned uarts_in_use; /* as the drivers say */
static bool screen_in_use, has_keyboard;
static unsigned keyboards_asked;
static bool only_ports; /* nothing else can be reached */

void printk(const char *fmt, ...)
{
	size_t len = strlen(printed);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(printed + len, sizeof(printed) - len, fmt, ap);
	va_end(ap);
}

static void note(const char *sign, u64 base)
{
	size_t len = strlen(opened);

	snprintf(opened + len, sizeof(opened) - len, "%s%s%lx", len ? " " : "", sign, base);
}

bool uart_add(const struct boot_console *c, bool sole_input)
{
	if (c->type == BOOT_CONSOLE_UNKNOWN || c->type == BOOT_CONSOLE_NONE ||
	    c->type == BOOT_CONSOLE_SCREEN)
		note("no UART ", c->type);
	if (c->base == absent)
		return false;
	note(sole_input ? "" : "+", c->base);
	return true;
}

/* The screen's address stands for it. */
bool screen_add(const struct boot_screen *s)
{
	if (s != &bi.screen || s->base == absent)
		return false;
	note("", s->base);
	return true;
}

bool keyboard_add(void)
{
	keyboards_asked++;
	return has_keyboard;
}

unsigned uart_describe(char *text, size_t size)
{
	snprintf(text, size, "%s", uarts_in_use ? "UARTs" : "");
	return uarts_in_use;
}

void screen_size(unsigned *columns, unsigned *rows)
{
	*columns = screen_in_use ? 128 : 0;
	*rows = screen_in_use ? 48 : 0;
}

void uart_remove(const struct boot_console *c)
{
	note("-", c->base);
}

static bool reach(struct bootinfo *b __attribute__((unused)), const struct boot_console *c)
{
	return !only_ports || c->type == BOOT_CONSOLE_16550_IO;
}

static void begin(void)
{
	memset(&bi, 0, sizeof(bi));
	bi.default_consoles[0] =
		(struct boot_console){.type = BOOT_CONSOLE_16550_IO, .base = 0x3f8};
	printed[0] = opened[0] = '\0';
	absent = 0;
	only_ports = false;
	uarts_in_use = 0;
	screen_in_use = has_keyboard = false;
	keyboards_asked = 0;
}

/* With two ports and a screen. */
static void begin_with_screen(void)
{
	begin();
	bi.default_consoles[1] =
		(struct boot_console){.type = BOOT_CONSOLE_16550_IO, .base = 0x2f8};
	bi.screen = (struct boot_screen){.type = BOOT_SCREEN_PIXELS, .base = 0xfd000000};
}

/* A board with two PL011s, one of them of a known clock, and a 16550. */
static void board(void)
{
	begin();
	bi.uarts[0] = (struct boot_uart){
		{.type = BOOT_CONSOLE_PL011, .base = 0x9000000, .clock = 24000000}, 0};
	bi.uarts[1] = (struct boot_uart){{.type = BOOT_CONSOLE_SBSA, .base = 0x9040000}, 3};
	bi.uarts[2] = (struct boot_uart){{.type = BOOT_CONSOLE_16550_MMIO,
					  .base = 0xfe215000,
					  .reg_width = 4,
					  .reg_stride = 4},
					 0};
	bi.uart_count = 3;
	bi.console = bi.default_consoles[0] = bi.uarts[0].console;
}

enum machine { PC, BOARD };
struct expected {
	enum machine on; /* a board has no ports */
	const char *word;
	enum boot_console_type type;
	u64 base;
	u32 baud;
	u8 width;
};

static void check_word(const struct expected *e)
{
	struct boot_console c;
	const char *remark;
	const char *refused = console_parse(&bi, e->on == PC, e->word, &c, &remark);

	if (refused || remark)
		printf("%s: %s\n", e->word, refused ? refused : remark);
	CHECK(!refused && !remark);
	CHECK_EQ(c.type, e->type);
	CHECK_EQ(c.base, e->base);
	CHECK_EQ(c.baud, e->baud);
	CHECK_EQ(c.reg_width, e->width);
	CHECK_EQ(c.reg_stride, e->width);
}

TEST(words_of_a_pc_and_of_a_board)
{
	static const struct expected words[] = {
		{PC, "ttyS0", BOOT_CONSOLE_16550_IO, 0x3f8, 115200, 0},
		{PC, "ttyS1,115200n8", BOOT_CONSOLE_16550_IO, 0x2f8, 115200, 0},
		{PC, "ttyS2,9600", BOOT_CONSOLE_16550_IO, 0x3e8, 9600, 0},
		{PC, "ttyS3,57600n", BOOT_CONSOLE_16550_IO, 0x2e8, 57600, 0},
		{PC, "uart8250,io,0x3f8", BOOT_CONSOLE_16550_IO, 0x3f8, 115200, 1},
		{PC, "uart,io,0xd000,9600n8", BOOT_CONSOLE_16550_IO, 0xd000, 9600, 1},
		{PC, "uart8250,mmio,0xfe032000,115200n8", BOOT_CONSOLE_16550_MMIO, 0xfe032000,
		 115200, 1},
		{PC, "uart8250,mmio32,0xfe032000", BOOT_CONSOLE_16550_MMIO, 0xfe032000, 0, 4},
		{PC, "uart8250,mmio32native,0xfe032000", BOOT_CONSOLE_16550_MMIO, 0xfe032000, 0, 4},
		{PC, "uart8250,0xfe032000", BOOT_CONSOLE_16550_MMIO, 0xfe032000, 0, 1},
		{PC, "mmio32:0xfe032000,9600", BOOT_CONSOLE_16550_MMIO, 0xfe032000, 9600, 4},
		{PC, "io:0x2f8", BOOT_CONSOLE_16550_IO, 0x2f8, 115200, 1},
		{PC, "pl011,0xfe032000", BOOT_CONSOLE_PL011, 0xfe032000, 0, 4},
		{PC, "none", BOOT_CONSOLE_NONE, 0, 0, 0},
		{PC, "null", BOOT_CONSOLE_NONE, 0, 0, 0},
		{PC, "", BOOT_CONSOLE_NONE, 0, 0, 0},
		{BOARD, "ttyAMA0", BOOT_CONSOLE_PL011, 0x9000000, 0, 0},
		{BOARD, "ttyAMA0,38400n8", BOOT_CONSOLE_PL011, 0x9000000, 38400, 0},
		{BOARD, "ttyAMA3", BOOT_CONSOLE_SBSA, 0x9040000, 0, 0},
		{BOARD, "ttyS0,9600", BOOT_CONSOLE_16550_MMIO, 0xfe215000, 9600, 4},
		{BOARD, "pl011,mmio32,0x9000000,115200", BOOT_CONSOLE_PL011, 0x9000000, 115200, 4},
		{BOARD, "sbsa,0x9040000", BOOT_CONSOLE_SBSA, 0x9040000, 0, 4},
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].on == PC)
			begin();
		else
			board();
		check_word(&words[i]);
	}
	begin(); /* SPCR names one UART and its speed; that is not taken for the boot line's */
	bi.console = (struct boot_console){
		.type = BOOT_CONSOLE_SBSA, .base = 0x100002600000, .baud = 115200};
	check_word(&(struct expected){BOARD, "ttyAMA0", BOOT_CONSOLE_SBSA, 0x100002600000, 0, 0});
}

TEST(what_is_wrong_is_said_by_name_and_reason)
{
	static const struct {
		bool has_ports;
		const char *word, *reason;
	} wrong[] = {
		{true, "tty0", "names no screen"},
		{true, "hvc0", "no driver"},
		{true, "ttyUSB0,115200", "no driver"},
		{true, "ttyS", "number behind tty"},
		{true, "ttyS1x", "number behind tty"},
		{true, "ttyS4", "ttyS0 to ttyS3"},
		{true, "ttyS0,fast", "number above 0"},
		{true, "ttyS0,0", "number above 0"},
		{true, "ttyS0,230400", "cannot make that speed"},
		{true, "ttyS0,100000", "cannot make that speed"},
		{true, "ttyS0,9600e8", "without parity"},
		{true, "ttyS0,9600n7", "only 8 bits"},
		{true, "ttyS0,9600n8x", "n8 or n8r"},
		{true, "ttyS0,9600n8rr", "n8 or n8r"},
		{true, "ttyAMA0", "firmware names no such UART"},
		{true, "uart8250", "only io, mmio and mmio32"},
		{true, "uart8250,mmio16,0xfe000000", "only io, mmio and mmio32"},
		{true, "uart8250,mmio32be,0xfe000000", "only io, mmio and mmio32"},
		{true, "uart8250,io", "address is wrong"},
		{true, "uart8250,io,com1", "address is wrong"},
		{true, "uart8250,io,0xfff9", "no I/O port"},
		{true, "uart8250,mmio32,0xfe000001", "multiple"},
		{true, "uart8250,mmio,0xfe0000000000000000000000", "address is wrong"},
		{true, "pl011", "address is wrong"},
		{true, "uart8250,mmio,0x100000", "that of RAM"},
		{true, "pl011,0x1ffffc", "that of RAM"},
		{false, "uart8250,io,0x3f8", "no I/O ports"},
		{false, "ttyS1", "firmware names no such UART"},
		{false, "ttyAMA1", "firmware names no such UART"},
		{false, "ttyAMA0,3000000", "cannot make that speed"},
	};
	struct boot_console c;
	const char *remark;

	board();
	bi.ranges[0] = (struct boot_range){.base = 0x100000, .len = 0x100000, .type = BOOT_MEM_RAM};
	bi.range_count = 1;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *said;

		bi.uart_count = wrong[i].has_ports ? 0 : 3;
		bi.console.type = wrong[i].has_ports ? BOOT_CONSOLE_UNKNOWN : BOOT_CONSOLE_PL011;
		said = console_parse(&bi, wrong[i].has_ports, wrong[i].word, &c, &remark);
		if (!said || !strstr(said, wrong[i].reason))
			printf("%s: %s\n", wrong[i].word, said ? said : "taken");
		CHECK(said && strstr(said, wrong[i].reason));
	}
}

TEST(what_is_not_done_of_a_word_is_said)
{
	struct boot_console c;
	const char *remark;

	board();
	CHECK(!console_parse(&bi, false, "ttyAMA3,9600", &c, &remark));
	CHECK(strstr(remark, "stays as firmware set it") && !c.baud);
	CHECK(!console_parse(&bi, false, "pl011,0xfe201000,9600", &c, &remark));
	CHECK(strstr(remark, "stays as firmware set it") && !c.baud);
	CHECK(!console_parse(&bi, true, "ttyS0,9600n8r", &c, &remark));
	CHECK_STR(remark, "flow control is not done");
	CHECK_EQ(c.baud, 9600);
}

static void start(const char *line, bool ports)
{
	option_init(line);
	console_words(&bi, ports);
	only_ports = ports;
	consoles_open_early(&bi, reach);
	CHECK_STR(printed, "");
	only_ports = false;
}

TEST(all_words_are_opened_in_their_order)
{
	begin();
	start("a console=ttyS1 console=uart8250,mmio,0xfe000000 b=\"c console=ttyS3\" "
	      "console=ttyS0,9600n8",
	      true);
	CHECK_STR(opened, "2f8 3f8");
	opened[0] = '\0';
	consoles_open(&bi, reach);
	CHECK_STR(opened, "2f8 fe000000 3f8");
	CHECK_STR(printed, "");
}

TEST(what_cannot_be_used_is_skipped_and_the_rest_is_used)
{
	begin();
	absent = 0x3e8;
	start("console=tty0 console=ttyS1 console=ttyS2", true);
	consoles_open(&bi, reach);
	CHECK_STR(opened, "2f8 2f8");
	CHECK_STR(printed, "console=tty0: the loader names no screen: skipped\n"
			   "console=ttyS2: nothing answers there: skipped\n");
	begin(); /* nothing of it can be used: as if there were none */
	absent = 0xfe000000;
	start("console=tty0 console=uart8250,mmio,0xfe000000", true);
	CHECK_STR(opened, "");
	consoles_open(&bi, reach);
	CHECK_STR(opened, "+3f8");
	begin();
	start("console=tty0", true);
	CHECK_STR(opened, "+3f8");
}

TEST(words_that_are_too_many_are_told)
{
	char line[256] = "";

	begin();
	for (unsigned i = 0; i < 10; i++)
		strcat(line, "console=ttyS0 ");
	start(line, true);
	consoles_open(&bi, reach);
	CHECK_EQ(bi.console_word_count, 8);
	CHECK_STR(printed, "boot line: 2 words console= after the first 8: skipped\n");
}

TEST(no_console_if_that_is_asked_for)
{
	static const char *const lines[] = {"console=none", "console=", "console=\"\"", "console"};

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		begin();
		bi.console = (struct boot_console){.type = BOOT_CONSOLE_16550_IO, .base = 0x2f8};
		start(lines[i], true);
		consoles_open(&bi, reach);
		CHECK_STR(opened, "");
		CHECK_STR(printed, "");
	}
	begin();
	start("console=none console=ttyS1", true);
	CHECK_STR(opened, "2f8");
}

TEST(all_that_are_found_are_used_where_the_boot_line_does_not_choose)
{
	begin();
	start("", true);
	bi.console = (struct boot_console){.type = BOOT_CONSOLE_16550_MMIO, .base = 0xfe000000};
	consoles_open(&bi, reach);
	CHECK_STR(opened, "+3f8 +3f8 +fe000000");
	CHECK_STR(printed, "");
	begin();
	absent = 0xfe000000;
	start("", true);
	bi.console = (struct boot_console){.type = BOOT_CONSOLE_16550_MMIO, .base = 0xfe000000};
	consoles_open(&bi, reach);
	CHECK_STR(opened, "+3f8 +3f8");
	CHECK(strstr(printed, "nothing can be reached there"));
	begin_with_screen();
	absent = 0x3f8;
	start("", true);
	CHECK_STR(opened, "+2f8"); /* what is not at a port is not reached yet */
	consoles_open(&bi, reach);
	CHECK_STR(opened, "+2f8 fd000000 +2f8");
	begin_with_screen();
	absent = 0xfd000000;
	start("", true);
	consoles_open(&bi, reach);
	CHECK_STR(opened, "+3f8 +2f8 +3f8 +2f8");
	board(); /* the default is firmware's: opened again once it is mapped */
	start("", false);
	consoles_open(&bi, reach);
	CHECK_STR(opened, "+9000000 +9000000 +9000000");
	CHECK_STR(printed, "");
}

TEST(without_a_uart_by_firmware_the_screen_is_used_or_else_what_there_is)
{
	begin_with_screen();
	start("", true);
	bi.console.type = BOOT_CONSOLE_NONE;
	consoles_open(&bi, reach);
	CHECK_STR(opened, "+3f8 +2f8 fd000000 -3f8 -2f8");
	CHECK(strstr(printed, "no UART is one"));
	begin();
	start("", true);
	bi.console.type = BOOT_CONSOLE_NONE;
	consoles_open(&bi, reach);
	CHECK_STR(opened, "+3f8 +3f8");
	CHECK_STR(printed, "");
}

TEST(the_screen_is_chosen_by_its_name)
{
	begin_with_screen();
	start("console=ttyS1 console=tty0", true);
	consoles_open(&bi, reach);
	CHECK_STR(opened, "2f8 2f8 fd000000");
	CHECK_STR(printed, "");
	begin_with_screen();
	start("console=ttyS0", true);
	consoles_open(&bi, reach);
	CHECK_STR(opened, "3f8 3f8");
}

TEST(where_output_goes_is_told_if_that_is_more_than_one_place)
{
	char text[64];

	for (unsigned uarts = 0; uarts < 3; uarts++) {
		for (unsigned screens = 0; screens < 2; screens++) {
			begin();
			start("console=ttyS0", true);
			uarts_in_use = uarts;
			screen_in_use = screens;
			consoles_open(&bi, reach);
			CHECK_EQ(!!strstr(printed, "console="), uarts + screens > 1);
		}
	}
	CHECK_EQ(consoles_describe(text, sizeof(text)), 3);
	CHECK_STR(text, "UARTs, screen of 128x48 characters");
	uarts_in_use = 0;
	CHECK_EQ(consoles_describe(text, sizeof(text)), 1);
	CHECK_STR(text, "screen of 128x48 characters");
}

TEST(who_sees_the_screen_types_below_it)
{
	begin();
	start("", true);
	consoles_open(&bi, reach);
	CHECK_EQ(keyboards_asked, 0);
	screen_in_use = true;
	consoles_open(&bi, reach);
	CHECK_EQ(keyboards_asked, 1);
	CHECK_STR(printed, "console: no PS/2 keyboard; one at USB is not driven\n");
	printed[0] = '\0';
	has_keyboard = true;
	consoles_open(&bi, reach);
	CHECK_EQ(keyboards_asked, 2);
	CHECK_STR(printed, "");
}

TEST(firmware_does_not_overrule_the_boot_line)
{
	begin();
	start("console=ttyS1", true);
	bi.console = (struct boot_console){.type = BOOT_CONSOLE_16550_MMIO, .base = 0xfe000000};
	consoles_open(&bi, reach);
	CHECK_STR(opened, "2f8 2f8");
}
