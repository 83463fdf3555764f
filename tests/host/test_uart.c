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
	PORT = 0x3f8,
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
	CR = 0x30,
};

static struct {
	bool absent, can_fifo, stuck, pl011;
	unsigned base, stride, width; /* width 0: at ports */
	u8 reg[REGISTERS];
	u32 cr;
	bool fifo;
	unsigned in_fifo; /* bytes sent since it was empty */
	bool overrun; /* a byte came when there was no room */
	bool wrong; /* another address or width than the chip's */
	int waiting; /* a received byte, or -1 */
	unsigned looks; /* at the status */
	char sent[256];
	unsigned sent_len;
} chip;

static u64 now; /* cycles; each look at the clock takes one second */

static struct console_sink *sink;
static struct console_source *source;

void console_add_sink(struct console_sink *s)
{
	sink = s;
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
	chip.overrun |= chip.stuck || chip.in_fifo >= (chip.fifo || chip.pl011 ? FIFO : 1);
	chip.in_fifo++;
	if (chip.sent_len < sizeof(chip.sent) - 1)
		chip.sent[chip.sent_len++] = (char)byte;
}

static int chip_receive(void)
{
	int byte = chip.waiting;

	chip.waiting = -1;
	return byte;
}

static u8 read_16550(unsigned reg)
{
	if (chip.absent)
		return 0xff;
	if (reg == DATA)
		return (u8)chip_receive();
	if (reg == IIR)
		return chip.fifo ? 0xc1 : 0x01;
	if (reg != LSR)
		return chip.reg[reg];
	chip.looks++;
	if (!chip.stuck)
		chip.in_fifo = 0;
	return (chip.waiting >= 0 ? 0x01 : 0) | (chip.stuck ? 0 : 0x60);
}

static void write_16550(unsigned reg, u8 v)
{
	if (chip.absent)
		return;
	if (reg == DATA && !(chip.reg[LCR] & 0x80))
		chip_send(v);
	if (reg == IIR && v & 1 && chip.can_fifo) {
		chip.fifo = true;
		chip.waiting = -1;
	}
	chip.reg[reg] = v;
}

static u64 read_pl011(unsigned reg)
{
	if (reg == DR)
		return (u32)chip_receive() | 0x100; /* with an error flag */
	if (reg == CR)
		return chip.cr;
	chip.looks++;
	if (!chip.stuck)
		chip.in_fifo = 0;
	return (chip.waiting < 0 ? 1 << 4 : 0) | (chip.stuck ? 1 << 5 | 1 << 3 : 0);
}

static unsigned reg_of(u64 at, unsigned width)
{
	u64 off = at - chip.base;

	chip.wrong |= width != chip.width || off % chip.stride ||
		      off / chip.stride >= (chip.pl011 ? 0x1000 : REGISTERS);
	return chip.wrong ? 0 : (unsigned)(off / chip.stride);
}

u64 fake_mmio_read(paddr_t pa, unsigned bytes)
{
	unsigned reg = reg_of(pa, bytes);

	return chip.pl011 ? read_pl011(reg) : read_16550(reg);
}

void fake_mmio_write(paddr_t pa, u64 v, unsigned bytes)
{
	unsigned reg = reg_of(pa, bytes);

	if (!chip.pl011)
		write_16550(reg, (u8)v);
	else if (reg == DR)
		chip_send((u8)v);
	else if (reg == CR)
		chip.cr = (u32)v;
}

u8 fake_port_read(u16 port)
{
	return read_16550(reg_of(port, 0));
}

void fake_port_write(u16 port, u8 v)
{
	write_16550(reg_of(port, 0), v);
}

static bool open_chip(enum boot_console_type type, u8 width)
{
	const struct boot_console c = {
		.type = type,
		.base = type == BOOT_CONSOLE_16550_IO ? PORT : BASE,
		.baud = 115200,
		.reg_width = width,
		.reg_stride = width,
	};

	chip.pl011 = type == BOOT_CONSOLE_PL011 || type == BOOT_CONSOLE_SBSA;
	chip.base = (unsigned)c.base;
	chip.stride = width && !chip.pl011 ? width : 1;
	chip.width = type == BOOT_CONSOLE_16550_IO ? 0 : width;
	return uart_open(&c);
}

static void new_chip(void)
{
	memset(&chip, 0, sizeof(chip));
	chip.can_fifo = true;
	chip.waiting = -1;
}

static void print(const char *s)
{
	sink->write(sink, s, strlen(s));
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
		CHECK_STR(chip.sent, "one line, longer than its FIFO\r\nnext");
		CHECK(!chip.overrun);
		CHECK_EQ(source->getc(source), (unsigned long long)-EAGAIN);
		chip.waiting = 'x';
		CHECK_EQ(source->getc(source), 'x');
		CHECK_EQ(source->getc(source), (unsigned long long)-EAGAIN);
		CHECK(sink->records);
		CHECK(!chip.wrong);
		CHECK_EQ(uart_registers(), kinds[i].type == BOOT_CONSOLE_16550_IO ? 0 : BASE);
	}
}

TEST(a_pl011_is_enabled_once_and_an_sbsa_uart_never)
{
	new_chip();
	CHECK(open_chip(BOOT_CONSOLE_PL011, 4));
	CHECK_EQ(chip.cr, 0x301);
	chip.cr = 0xf301; /* as firmware left it */
	CHECK(open_chip(BOOT_CONSOLE_PL011, 4));
	CHECK_EQ(chip.cr, 0xf301);
	new_chip();
	CHECK(open_chip(BOOT_CONSOLE_SBSA, 4));
	CHECK_EQ(chip.cr, 0);
}

TEST(a_fifo_takes_16_bytes_per_look)
{
	new_chip();
	open_chip(BOOT_CONSOLE_16550_IO, 0);
	chip.looks = 0;
	print("0123456789abcdef");
	CHECK_EQ(chip.looks, 1);
	print("g");
	CHECK_EQ(chip.looks, 2);
	new_chip();
	chip.can_fifo = false;
	open_chip(BOOT_CONSOLE_16550_IO, 0);
	chip.looks = 0;
	print("0123");
	CHECK_EQ(chip.looks, 4);
	CHECK(!chip.overrun);
}

TEST(a_byte_that_waits_is_not_lost_to_the_fifo)
{
	new_chip();
	chip.waiting = 'r';
	open_chip(BOOT_CONSOLE_16550_IO, 0);
	CHECK(!chip.fifo);
	CHECK_EQ(source->getc(source), 'r');
}

TEST(an_absent_uart_is_not_taken)
{
	new_chip();
	chip.absent = true;
	CHECK(!open_chip(BOOT_CONSOLE_16550_IO, 0));
	print("into the void");
	CHECK_EQ(source->getc(source), (unsigned long long)-EAGAIN);
	sink->drain(sink);
	CHECK_EQ(uart_registers(), 0);
	CHECK(!open_chip(BOOT_CONSOLE_NONE, 0));
}

/* Pulled while in use: its status reads as all ones. */
TEST(an_absent_uart_types_nothing)
{
	new_chip();
	CHECK(open_chip(BOOT_CONSOLE_16550_IO, 0));
	chip.absent = true;
	CHECK_EQ(source->getc(source), (unsigned long long)-EAGAIN);
}

TEST(a_stuck_uart_is_given_up_and_taken_up_again)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		u64 begin;

		new_chip();
		CHECK(open_chip(kinds[i].type, kinds[i].width));
		chip.stuck = true;
		begin = now;
		print("a");
		CHECK(now - begin >= 10 * cycles_hz());
		chip.looks = 0;
		begin = now;
		print("bcd");
		sink->drain(sink);
		CHECK_EQ(chip.looks, 4);
		CHECK(now - begin <= 5 * cycles_hz());
		CHECK_EQ(chip.sent_len, 0);
		chip.stuck = false;
		print("ef");
		CHECK_STR(chip.sent, "ef");
	}
}

TEST(a_lost_uart_is_not_touched)
{
	new_chip();
	CHECK(open_chip(BOOT_CONSOLE_PL011, 4));
	uart_lose();
	print("dropped");
	CHECK_EQ(chip.sent_len, 0);
	CHECK_EQ(uart_registers(), 0);
}
