/*
 * Where the console is: on the UARTs and the screen of the boot line's console= words, read as Linux
 * reads them (Documentation/admin-guide/serial-console.rst, and its earlycon words), else on all that are found.
 */
#include <kernel/bootinfo.h>
#include <kernel/keyboard.h>
#include <kernel/option.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/screen.h>
#include <kernel/string.h>
#include <kernel/uart.h>

enum {
	PORT_BAUD = 115200, /* of a UART at I/O ports, where the boot line names no speed */
	PORT_CLOCK = 1843200, /* Hz: the PC's, and Linux's assumption for a 16550 at an address */
	CLOCKS_PER_BIT = 16,
	IO_PORT_MAX = 0xfff8, /* where the last 8 of 64 Ki ports begin */
	BAUD_ERROR = 3, /* percent; a receiver stands some 4 */
	SHOWN = 40, /* characters of a word in a message */
};

/* ---- one word ---- */

/* "ttyS0,115200" and "mmio32:0x9000000" alike. */
static bool ends_token(char c)
{
	return !c || c == ',' || c == ':';
}

static void skip_token(const char **s, size_t len)
{
	*s += len + ((*s)[len] != '\0');
}

static bool take(const char **s, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(*s, name, len) || !ends_token((*s)[len]))
		return false;
	skip_token(s, len);
	return true;
}

static bool take_number(const char **s, u64 *value)
{
	char digits[24];
	size_t len = 0;

	while (!ends_token((*s)[len]))
		len++;
	if (len >= sizeof(digits))
		return false;
	strlcpy(digits, *s, len + 1);
	if (parse_u64(digits, value))
		return false;
	skip_token(s, len);
	return true;
}

static bool is_pl011(enum boot_console_type type)
{
	return type == BOOT_CONSOLE_PL011 || type == BOOT_CONSOLE_SBSA;
}

/* What firmware calls the line-th of its kind; a table other than a device tree names only one. */
static const char *firmware_uart(const struct bootinfo *bi, bool pl011, u64 line,
				 struct boot_console *c)
{
	for (unsigned i = 0; i < bi->uart_count; i++) {
		*c = bi->uarts[i].console;
		if (bi->uarts[i].line == line && is_pl011(c->type) == pl011)
			return NULL;
	}
	*c = bi->console;
	c->baud = 0;
	if (!bi->uart_count && !line && c->base && is_pl011(c->type) == pl011)
		return NULL;
	return "firmware names no such UART; an address can be given, as in "
	       "uart8250,mmio32,ADDRESS "
	       "or pl011,ADDRESS";
}

static const char *named_uart(const struct bootinfo *bi, bool has_ports, const char **s,
			      struct boot_console *c)
{
	static const u16 ports[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
	bool pl011 = !strncmp(*s, "ttyAMA", 6);
	u64 line;

	*s += pl011 ? 6 : 4;
	if (!take_number(s, &line))
		return "the number behind tty is wrong";
	if (pl011 || !has_ports)
		return firmware_uart(bi, pl011, line, c);
	if (line >= ARRAY_SIZE(ports))
		return "only ttyS0 to ttyS3 are known";
	*c = (struct boot_console){.type = BOOT_CONSOLE_16550_IO, .base = ports[line]};
	return NULL;
}

/* A UART that firmware names too has the clock that firmware says. */
static void find_clock(const struct bootinfo *bi, struct boot_console *c)
{
	for (unsigned i = 0; i < bi->uart_count; i++)
		if (bi->uarts[i].console.base == c->base)
			c->clock = bi->uarts[i].console.clock;
}

static bool is_ram(const struct bootinfo *bi, u64 base)
{
	for (unsigned i = 0; i < bi->range_count; i++)
		if (bi->ranges[i].type == BOOT_MEM_RAM &&
		    base - bi->ranges[i].base < bi->ranges[i].len)
			return true;
	return false;
}

/* "mmio32" and the like: type and registers. Returns what is wrong with the word, or NULL. */
static const char *take_kind(const char **s, struct boot_console *c)
{
	static const struct {
		const char *name;
		enum boot_console_type type;
		u8 width; /* of registers, and their distance */
	} kinds[] = {
		{"io", BOOT_CONSOLE_16550_IO, 1},
		{"mmio", BOOT_CONSOLE_16550_MMIO, 1},
		{"mmio32", BOOT_CONSOLE_16550_MMIO, 4},
		{"mmio32native", BOOT_CONSOLE_16550_MMIO, 4},
		{"pl011", BOOT_CONSOLE_PL011, 4},
		{"sbsa", BOOT_CONSOLE_SBSA, 4},
	};
	bool is_8250 = take(s, "uart8250") || take(s, "uart");
	unsigned i = 0;

	while (i < ARRAY_SIZE(kinds) && !take(s, kinds[i].name))
		i++;
	if (i == ARRAY_SIZE(kinds)) {
		if (!is_8250)
			return "no driver for such a console";
		if (**s < '0' || **s > '9')
			return "only io, mmio and mmio32 registers are driven";
		i = 1; /* as Linux takes an address alone */
	}
	*c = (struct boot_console){
		.type = kinds[i].type, .reg_width = kinds[i].width, .reg_stride = kinds[i].width};
	if (is_pl011(c->type))
		take(s, "mmio32");
	return NULL;
}

/* "mmio32,0x9000000": a UART at an address. Returns what is wrong with the word, or NULL. */
static const char *uart_at(const struct bootinfo *bi, bool has_ports, const char **s,
			   struct boot_console *c)
{
	const char *wrong = take_kind(s, c);

	if (wrong)
		return wrong;
	if (!take_number(s, &c->base) || !c->base)
		return "the address is wrong";
	if (c->type == BOOT_CONSOLE_16550_IO) {
		if (!has_ports)
			return "this machine has no I/O ports";
		return c->base > IO_PORT_MAX ? "the address is no I/O port" : NULL;
	}
	if (is_ram(bi, c->base))
		return "the address is that of RAM";
	if (c->base % c->reg_width)
		return "the address is no multiple of the register's width";
	find_clock(bi, c);
	return NULL;
}

/* Can the speed be made, near enough? A PL011 divides in 64ths. */
static bool divides(const struct boot_console *c)
{
	u64 steps = is_pl011(c->type) ? 64 : 1;
	u64 base = c->clock * steps / CLOCKS_PER_BIT;
	u64 divisor = (base + c->baud / 2) / c->baud;
	u64 real = divisor ? base / divisor : 0;

	return divisor >= steps && divisor <= 0xffff * steps &&
	       (real > c->baud ? real - c->baud : c->baud - real) * 100 <= BAUD_ERROR * c->baud;
}

/* "115200n8": speed, parity, bits, flow control. */
static const char *read_line_options(const char *s, struct boot_console *c, const char **remark)
{
	u64 baud = 0;

	while (*s >= '0' && *s <= '9' && baud < UINT32_MAX / 10)
		baud = baud * 10 + (u64)(*s++ - '0');
	if (!baud)
		return "the speed must be a number above 0";
	if (*s && *s != 'n')
		return "only lines without parity are driven, as in 115200n8";
	if (*s && *++s && *s != '8')
		return "only 8 bits are driven, as in 115200n8";
	if (*s && *++s && (*s != 'r' || s[1]))
		return "what follows the speed must be n8 or n8r";
	if (*s)
		*remark = "flow control is not done";
	c->baud = (u32)baud;
	if (!is_pl011(c->type) && !c->clock)
		c->clock = PORT_CLOCK;
	if (c->type == BOOT_CONSOLE_SBSA || !c->clock) {
		*remark = "its clock is not known: the speed stays as firmware set it";
		c->baud = 0;
	} else if (!divides(c)) {
		return "its clock cannot make that speed";
	}
	return NULL;
}

static struct boot_console screen_console(const struct bootinfo *bi)
{
	return (struct boot_console){.type = BOOT_CONSOLE_SCREEN, .base = bi->screen.base};
}

const char *console_parse(const struct bootinfo *bi, bool has_ports, const char *word,
			  struct boot_console *c, const char **remark)
{
	const char *s = word, *refused;

	*c = (struct boot_console){.type = BOOT_CONSOLE_NONE};
	*remark = NULL;
	if (!*word || !strcmp(word, "none") || !strcmp(word, "null"))
		return NULL;
	if (!strcmp(word, "tty0")) {
		*c = screen_console(bi);
		return bi->screen.type == BOOT_SCREEN_NONE ? "the loader names no screen" : NULL;
	}
	if (!strncmp(word, "ttyS", 4) || !strncmp(word, "ttyAMA", 6))
		refused = named_uart(bi, has_ports, &s, c);
	else
		refused = uart_at(bi, has_ports, &s, c);
	if (!refused && *s)
		return read_line_options(s, c, remark);
	if (!refused && c->type == BOOT_CONSOLE_16550_IO)
		c->baud = PORT_BAUD;
	return refused;
}

/* ---- all words ---- */

BOOT_OPTION(console, "console", "DEVICE[,BAUD]",
	    "ttyS0, ttyAMA0, tty0 (the screen), uart8250,io|mmio|mmio32,ADDRESS, "
	    "pl011,ADDRESS, sbsa,ADDRESS, none; up to 8 times");

void console_words(struct bootinfo *bi, bool has_ports)
{
	const char *word;

	for (unsigned n = 0; (word = option_nth("console", n)); n++) {
		struct boot_console_word *w = &bi->console_words[bi->console_word_count];

		if (n >= BOOT_MAX_CONSOLES) {
			bi->console_words_dropped++;
			continue;
		}
		bi->console_word_count++;
		w->word = word;
		w->refused = console_parse(bi, has_ports, word, &w->console, &w->remark);
	}
}

/* Nothing to open. Beside UARTs it asks for nothing either. */
static bool is_none(const struct boot_console_word *w)
{
	return w->console.type == BOOT_CONSOLE_NONE;
}

static bool open_console(struct bootinfo *bi, const struct boot_console *c, bool sole_input)
{
	return c->type == BOOT_CONSOLE_SCREEN ? screen_add(&bi->screen) : uart_add(c, sole_input);
}

/* One that nobody named: false if it is not there. */
static bool open_if_found(struct bootinfo *bi, const struct boot_console *c,
			  console_reach_fn *reach)
{
	bool is_known = c->type != BOOT_CONSOLE_UNKNOWN && c->type != BOOT_CONSOLE_NONE;

	return is_known && reach(bi, c) && open_console(bi, c, false);
}

static void open_defaults(struct bootinfo *bi, console_reach_fn *reach)
{
	for (unsigned i = 0; i < BOOT_DEFAULT_CONSOLES; i++)
		open_if_found(bi, &bi->default_consoles[i], reach);
}

static bool open_screen(struct bootinfo *bi, console_reach_fn *reach)
{
	const struct boot_console c = screen_console(bi);

	return bi->screen.type != BOOT_SCREEN_NONE && open_if_found(bi, &c, reach);
}

void consoles_open_early(struct bootinfo *bi, console_reach_fn *reach)
{
	bool named = false;

	for (unsigned i = 0; i < bi->console_word_count; i++) {
		struct boot_console_word *w = &bi->console_words[i];

		if (w->refused)
			continue;
		if (!is_none(w) && reach(bi, &w->console) && !open_console(bi, &w->console, true))
			w->refused = "nothing answers there";
		named |= !w->refused;
	}
	if (named)
		return;
	open_defaults(bi, reach);
	open_screen(bi, reach);
}

/* True: there is something to open, or nothing is to be opened, by the boot line. */
static bool open_words(struct bootinfo *bi, console_reach_fn *reach)
{
	bool named = false;

	for (unsigned i = 0; i < bi->console_word_count; i++) {
		struct boot_console_word *w = &bi->console_words[i];

		if (!w->refused && !is_none(w)) {
			if (!reach(bi, &w->console))
				w->refused = "its registers cannot be mapped";
			else if (!open_console(bi, &w->console, true))
				w->refused = "nothing answers there";
		}
		named |= !w->refused;
	}
	return named;
}

static void report_words(const struct bootinfo *bi)
{
	for (unsigned i = 0; i < bi->console_word_count; i++) {
		const struct boot_console_word *w = &bi->console_words[i];

		if (w->refused)
			printk("console=%.*s: %s: skipped\n", SHOWN, w->word, w->refused);
		else if (w->remark)
			printk("console=%.*s: %s\n", SHOWN, w->word, w->remark);
	}
	if (bi->console_words_dropped)
		printk("boot line: %u words console= after the first %d: skipped\n",
		       bi->console_words_dropped, BOOT_MAX_CONSOLES);
}

/*
 * Firmware's choice may be known late: what was printed before goes out again there. Where it says that
 * there is no serial console, what a port leads to is none of ours, unless that is all there is.
 */
static void open_found(struct bootinfo *bi, console_reach_fn *reach)
{
	const struct boot_console *c = &bi->console;
	bool seen = open_screen(bi, reach);

	if (c->type == BOOT_CONSOLE_NONE && seen) {
		printk("console: firmware says that no UART is one; console= would take "
		       "precedence\n");
		for (unsigned i = 0; i < BOOT_DEFAULT_CONSOLES; i++)
			uart_remove(&bi->default_consoles[i]);
		return;
	}
	open_defaults(bi, reach);
	if (c->type != BOOT_CONSOLE_UNKNOWN && c->type != BOOT_CONSOLE_NONE &&
	    !open_if_found(bi, c, reach))
		printk("console: firmware says UART at %#lx: nothing can be reached there\n",
		       c->base);
}

/* Who sees the screen types below it. And what else there is, for whoever looks at one of them. */
static void report_open(void)
{
	char text[160];
	unsigned columns, rows;

	screen_size(&columns, &rows);
	if (columns && !keyboard_add())
		printk("console: no PS/2 keyboard; one at USB is not driven\n");
	if (consoles_describe(text, sizeof(text)) > 1)
		printk("console: %s; console= chooses\n", text);
}

unsigned consoles_describe(char *text, size_t size)
{
	unsigned columns, rows, n = uart_describe(text, size);
	size_t len = strlen(text);

	screen_size(&columns, &rows);
	if (columns)
		ksnprintf(text + len, size - len, "%sscreen of %ux%u characters", n ? ", " : "",
			  columns, rows);
	return n + (columns > 0);
}

void consoles_open(struct bootinfo *bi, console_reach_fn *reach)
{
	if (!open_words(bi, reach))
		open_found(bi, reach);
	report_words(bi);
	report_open();
}
