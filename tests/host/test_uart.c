/* The UART drivers of kernel/drivers/, on modelled chips: absent ones, stuck ones, bytes that wait, register layouts. */
#include "check.h"
#include <arch/cpu.h>
#include <arch/mmio.h>
#include <kernel/bootinfo.h>
#include <kernel/console.h>
#include <kernel/error.h>
#include <kernel/uart.h>

enum {
	BASE = 0x9000,
	BASE2 = 0xa000,
	PORT = 0x3f8,
	PORT2 = 0x2f8,
	FIFO = 16,
	REGISTERS = 8,
	/* a 16550's */
	DATA = 0,
	IIR = 2,
	LCR = 3,
	LSR = 5,
	/* a PL011's */
	DR = 0x00,
	FR = 0x18,
	IBRD = 0x24,
	FBRD = 0x28,
	LCRH = 0x2c,
	CR = 0x30,
};

static struct model {
	bool absent, can_fifo, stuck, pl011;
	unsigned base, stride, width; /* width 0: at ports */
	u8 reg[REGISTERS];
	u32 cr;
	unsigned divisor; /* a PL011's in 64ths, once it took effect */
	u32 ibrd, fbrd;
	bool fifo;
	unsigned in_fifo; /* bytes sent since it was empty */
	bool overrun; /* a byte came when there was no room */
	bool wrong; /* another address or width than the chip's */
	int waiting; /* a received byte, or -1 */
	u8 line_error; /* bits of the status that come with it */
	unsigned looks; /* at the status */
	char sent[256];
	unsigned sent_len;
} chips[2], *model; /* model: the one that is being accessed */

static u64 now; /* cycles; each look at the clock takes one second */

static struct console_sink *sinks[4];
static struct console_source *source;

void console_add_sink(struct console_sink *s)
{
	for (unsigned i = 0;; i++) {
		if (!sinks[i]) {
			sinks[i] = s;
			return;
		}
	}
}

void console_remove_sink(struct console_sink *s)
{
	for (unsigned i = 0; i < 4; i++)
		if (sinks[i] == s)
			sinks[i] = NULL;
}

void console_add_source(struct console_source *s)
{
	source = s;
}

struct fake_current fake_current;

u64 fake_cycles(void)
{
	return now += cycles_hz();
}

u64 cycles_hz(void)
{
	return 1000;
}

void fake_relax(void)
{
}

/* ---- the chips ---- */

static void chip_send(u8 byte)
{
	model->overrun |=
		model->stuck || model->in_fifo >= (model->fifo || model->pl011 ? FIFO : 1);
	model->in_fifo++;
	if (model->sent_len < sizeof(model->sent) - 1)
		model->sent[model->sent_len++] = (char)byte;
}

static int chip_receive(void)
{
	int byte = model->waiting;

	model->waiting = -1;
	return byte;
}

static u8 read_16550(unsigned reg)
{
	if (model->absent)
		return 0xff;
	if (reg == DATA)
		return (u8)chip_receive();
	if (reg == IIR)
		return model->fifo ? 0xc1 : 0x01;
	if (reg != LSR)
		return model->reg[reg];
	model->looks++;
	if (!model->stuck)
		model->in_fifo = 0;
	return (model->waiting >= 0 ? 0x01 : 0) | (model->stuck ? 0 : 0x60) | model->line_error;
}

static void write_16550(unsigned reg, u8 v)
{
	if (model->absent)
		return;
	if (model->reg[LCR] & 0x80 && reg <= 1)
		model->divisor = reg ? (model->divisor & 0xff) | v << 8 : v;
	else if (reg == DATA)
		chip_send(v);
	if (reg == IIR && v & 1 && model->can_fifo) {
		model->fifo = true;
		model->waiting = -1;
	}
	model->reg[reg] = v;
}

static u64 read_pl011(unsigned reg)
{
	if (reg == DR)
		return (u32)chip_receive() | 0x100; /* with an error flag */
	if (reg == CR)
		return model->cr;
	model->looks++;
	if (!model->stuck)
		model->in_fifo = 0;
	return (model->waiting < 0 ? 1 << 4 : 0) | (model->stuck ? 1 << 5 | 1 << 3 : 0);
}

static unsigned reg_of(u64 at, unsigned width)
{
	u64 off;

	model = &chips[at >= BASE2 || (at >= PORT2 && at < PORT)];
	off = at - model->base;
	model->wrong |= width != model->width || off % model->stride ||
			off / model->stride >= (model->pl011 ? 0x1000 : REGISTERS);
	return model->wrong ? 0 : (unsigned)(off / model->stride);
}

u64 fake_mmio_read(paddr_t pa, unsigned bytes)
{
	unsigned reg = reg_of(pa, bytes);

	return model->pl011 ? read_pl011(reg) : read_16550(reg);
}

void fake_mmio_write(paddr_t pa, u64 v, unsigned bytes)
{
	unsigned reg = reg_of(pa, bytes);

	if (!model->pl011)
		write_16550(reg, (u8)v);
	else if (reg == DR)
		chip_send((u8)v);
	else if (reg == CR)
		model->cr = (u32)v;
	else if (model->cr & 1)
		model->wrong = true; /* the line is set up while it is off */
	else if (reg == IBRD)
		model->ibrd = (u32)v;
	else if (reg == FBRD)
		model->fbrd = (u32)v;
	else if (reg == LCRH)
		model->divisor = model->ibrd * 64 + model->fbrd;
}

u8 fake_port_read(u16 port)
{
	return read_16550(reg_of(port, 0));
}

void fake_port_write(u16 port, u8 v)
{
	write_16550(reg_of(port, 0), v);
}

static struct boot_console console(enum boot_console_type type, u8 width, unsigned n)
{
	return (struct boot_console){
		.type = type,
		.base = type == BOOT_CONSOLE_16550_IO ? n ? PORT2 : PORT
			: n			      ? BASE2
						      : BASE,
		.baud = 115200,
		.reg_width = width,
		.reg_stride = width,
	};
}

static bool open_one(const struct boot_console *c)
{
	struct model *m = &chips[c->base == BASE2 || c->base == PORT2];

	m->pl011 = c->type == BOOT_CONSOLE_PL011 || c->type == BOOT_CONSOLE_SBSA;
	m->base = (unsigned)c->base;
	m->stride = c->reg_width && !m->pl011 ? c->reg_width : 1;
	m->width = c->type == BOOT_CONSOLE_16550_IO ? 0 : c->reg_width;
	return uart_add(c, true);
}

static bool open_chip(enum boot_console_type type, u8 width)
{
	const struct boot_console c = console(type, width, 0);

	return open_one(&c);
}

/* No UART is in use. */
static void new_chip(void)
{
	for (unsigned n = 0; n < 2; n++) {
		const struct boot_console io = console(BOOT_CONSOLE_16550_IO, 0, n);
		const struct boot_console mmio = console(BOOT_CONSOLE_PL011, 4, n);

		uart_remove(&io);
		uart_remove(&mmio);
		chips[n] = (struct model){.can_fifo = true, .waiting = -1};
	}
}

static void print(const char *s)
{
	for (unsigned i = 0; i < 4; i++)
		if (sinks[i])
			sinks[i]->write(sinks[i], s, strlen(s));
}

static const struct {
	enum boot_console_type type;
	u8 width;
} kinds[] = {
	{BOOT_CONSOLE_16550_IO, 0}, {BOOT_CONSOLE_16550_MMIO, 1}, {BOOT_CONSOLE_16550_MMIO, 4},
	{BOOT_CONSOLE_PL011, 4},    {BOOT_CONSOLE_SBSA, 4},
};

/* ---- tests ---- */

TEST(every_kind_sends_and_receives)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		new_chip();
		CHECK(open_chip(kinds[i].type, kinds[i].width));
		print("one line, longer than its FIFO\nnext");
		CHECK_STR(chips[0].sent, "one line, longer than its FIFO\r\nnext");
		CHECK(!chips[0].overrun);
		CHECK_EQ(source->getc(source), (unsigned long long)-EAGAIN);
		chips[0].waiting = 'x';
		CHECK_EQ(source->getc(source), 'x');
		CHECK_EQ(source->getc(source), (unsigned long long)-EAGAIN);
		CHECK(sinks[0]->records);
		CHECK(!chips[0].wrong);
	}
}

TEST(a_pl011_is_enabled_once_and_an_sbsa_uart_never)
{
	new_chip();
	CHECK(open_chip(BOOT_CONSOLE_PL011, 4));
	CHECK_EQ(chips[0].cr, 0x301);
	new_chip();
	chips[0].cr = 0xf301; /* as firmware left it */
	CHECK(open_chip(BOOT_CONSOLE_PL011, 4));
	CHECK_EQ(chips[0].cr, 0xf301);
	new_chip();
	CHECK(open_chip(BOOT_CONSOLE_SBSA, 4));
	CHECK_EQ(chips[0].cr, 0);
}

TEST(a_fifo_takes_16_bytes_per_look)
{
	new_chip();
	open_chip(BOOT_CONSOLE_16550_IO, 0);
	chips[0].looks = 0;
	print("0123456789abcdef");
	CHECK_EQ(chips[0].looks, 1);
	print("g");
	CHECK_EQ(chips[0].looks, 2);
	new_chip();
	chips[0].can_fifo = false;
	open_chip(BOOT_CONSOLE_16550_IO, 0);
	chips[0].looks = 0;
	print("0123");
	CHECK_EQ(chips[0].looks, 4);
	CHECK(!chips[0].overrun);
}

TEST(a_byte_that_waits_is_not_lost_to_the_fifo)
{
	new_chip();
	chips[0].waiting = 'r';
	open_chip(BOOT_CONSOLE_16550_IO, 0);
	CHECK(!chips[0].fifo);
	CHECK_EQ(source->getc(source), 'r');
}

TEST(an_absent_uart_is_not_taken)
{
	new_chip();
	chips[0].absent = true;
	CHECK(!open_chip(BOOT_CONSOLE_16550_IO, 0));
	print("into the void");
	CHECK(!sinks[0]);
	CHECK_EQ(chips[0].sent_len, 0);
	CHECK(!open_chip(BOOT_CONSOLE_NONE, 0));
}

/* Pulled while in use: its status reads as all ones. */
TEST(an_absent_uart_types_nothing)
{
	new_chip();
	CHECK(open_chip(BOOT_CONSOLE_16550_IO, 0));
	chips[0].absent = true;
	CHECK_EQ(source->getc(source), (unsigned long long)-EAGAIN);
}

TEST(a_stuck_uart_is_given_up_and_taken_up_again)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		u64 begin;

		new_chip();
		CHECK(open_chip(kinds[i].type, kinds[i].width));
		chips[0].stuck = true;
		begin = now;
		print("a");
		CHECK(now - begin >= 10 * cycles_hz());
		chips[0].looks = 0;
		begin = now;
		print("bcd");
		sinks[0]->drain(sinks[0]);
		CHECK_EQ(chips[0].looks, 4);
		CHECK(now - begin <= 5 * cycles_hz());
		CHECK_EQ(chips[0].sent_len, 0);
		chips[0].stuck = false;
		print("ef");
		CHECK_STR(chips[0].sent, "ef");
	}
}

static bool nothing_is_mapped(paddr_t registers __unused)
{
	return false;
}

TEST(a_lost_uart_is_not_touched_until_it_is_added_again)
{
	struct boot_console io = console(BOOT_CONSOLE_16550_IO, 0, 1);

	new_chip();
	CHECK(open_chip(BOOT_CONSOLE_PL011, 4));
	CHECK(open_one(&io));
	uart_lose(nothing_is_mapped);
	print("dropped");
	CHECK_EQ(chips[0].sent_len, 0);
	CHECK_STR(chips[1].sent, "dropped"); /* ports need no mapping */
	CHECK(open_chip(BOOT_CONSOLE_PL011, 4));
	print("again");
	CHECK_STR(chips[0].sent, "again");
}

TEST(output_goes_to_all_and_input_comes_from_the_last)
{
	struct boot_console first = console(BOOT_CONSOLE_16550_IO, 0, 0);
	struct boot_console last = console(BOOT_CONSOLE_16550_MMIO, 4, 1);

	new_chip();
	CHECK(open_one(&first) && open_one(&last));
	print("to both\n");
	CHECK_STR(chips[0].sent, "to both\r\n");
	CHECK_STR(chips[1].sent, "to both\r\n");
	chips[0].waiting = 'x';
	CHECK_EQ(source->getc(source), (unsigned long long)-EAGAIN);
	chips[1].waiting = 'y';
	CHECK_EQ(source->getc(source), 'y');
	/* Named again it is not set up again. */
	CHECK(uart_add(&first, true) && chips[0].waiting == 'x');
	CHECK_EQ(source->getc(source), 'x');
	/* One that hangs holds the others up no longer than its time. */
	chips[0].stuck = true;
	print("and on");
	CHECK_STR(chips[1].sent, "to both\r\nand on");
	uart_remove(&first);
	CHECK_EQ(source->getc(source), (unsigned long long)-EAGAIN);
	print("!");
	CHECK_STR(chips[1].sent, "to both\r\nand on!");
}

TEST(where_nobody_chose_all_are_typed_at)
{
	struct boot_console first = console(BOOT_CONSOLE_16550_IO, 0, 0);
	struct boot_console last = console(BOOT_CONSOLE_16550_MMIO, 4, 1);
	char text[64];

	new_chip();
	CHECK_EQ(uart_describe(text, sizeof(text)), 0);
	CHECK_STR(text, "");
	CHECK(open_one(&first) && open_one(&last));
	CHECK(uart_add(&first, false));
	chips[0].waiting = 'x';
	chips[1].waiting = 'y';
	CHECK_EQ(source->getc(source), 'x');
	CHECK_EQ(source->getc(source), 'y');
	CHECK_EQ(source->getc(source), (unsigned long long)-EAGAIN);
	CHECK_EQ(uart_describe(text, sizeof(text)), 2);
	CHECK_STR(text, "UART at port 0x3f8, UART at 0xa000");
}

TEST(what_a_line_that_nobody_drives_sends_is_dropped)
{
	static const u8 broken[] = {0x04, 0x08, 0x10};

	for (unsigned i = 0; i < sizeof(broken); i++) {
		new_chip();
		CHECK(open_chip(BOOT_CONSOLE_16550_IO, 0));
		chips[0].waiting = 'x';
		chips[0].line_error = broken[i];
		CHECK_EQ(source->getc(source), (unsigned long long)-EAGAIN);
		CHECK_EQ(chips[0].waiting, (unsigned long long)-1);
		chips[0].line_error = 0;
		chips[0].waiting = 'y';
		CHECK_EQ(source->getc(source), 'y');
	}
}

TEST(the_speed_is_the_clock_divided)
{
	static const struct {
		enum boot_console_type type;
		u32 clock, baud;
		unsigned divisor;
	} speeds[] = {
		{BOOT_CONSOLE_16550_IO, 0, 115200, 1},
		{BOOT_CONSOLE_16550_IO, 0, 9600, 12},
		{BOOT_CONSOLE_16550_IO, 0, 300, 384},
		{BOOT_CONSOLE_16550_IO, 0, 230400, 0}, /* cannot: left alone */
		{BOOT_CONSOLE_16550_MMIO, 0, 57600, 2},
		{BOOT_CONSOLE_16550_MMIO, 24000000, 115200, 13},
		{BOOT_CONSOLE_16550_MMIO, 24000000, 0, 0},
		{BOOT_CONSOLE_PL011, 24000000, 115200,
		 833}, /* 13.02: IBRD 13, FBRD 1 (DDI 0183 3.3.6) */
		{BOOT_CONSOLE_PL011, 24000000, 38400, 2500},
		{BOOT_CONSOLE_PL011, 0, 38400, 0},
		{BOOT_CONSOLE_SBSA, 24000000, 38400, 0},
	};

	for (unsigned i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		struct boot_console c = console(speeds[i].type, 4, 0);

		new_chip();
		chips[0].cr = 0x301;
		c.clock = speeds[i].clock;
		c.baud = speeds[i].baud;
		CHECK(open_one(&c));
		CHECK_EQ(chips[0].divisor, speeds[i].divisor);
		CHECK(!chips[0].wrong);
		CHECK_EQ(chips[0].cr, 0x301);
		if (!chips[0].pl011)
			CHECK_EQ(chips[0].reg[LCR], 3);
	}
}
