/*
 * The console UART, polled: Arm PL011 (DDI 0183), its SBSA subset without line
 * control, or a 16550 in memory. One that is absent or stuck is given up.
 */
#include <arch/cpu.h>
#include <arch/platform.h>
#include <asm/mmio.h>
#include <asm/sysreg.h>
#include <asm/uart.h>
#include <kernel/bootinfo.h>
#include <kernel/error.h>

enum {
	PL011_DR = 0x00,
	PL011_FR = 0x18,
	PL011_LCRH = 0x2c,
	PL011_CR = 0x30,
	FR_BUSY = 1 << 3,
	FR_RX_EMPTY = 1 << 4,
	FR_TX_FULL = 1 << 5,
	LCRH_8N1_FIFO = 0x70,
	CR_ENABLE = 0x301, /* UART, transmitter, receiver */

	UART16550_DATA = 0,
	UART16550_LSR = 5,
	LSR_DATA = 0x01,
	LSR_THR_EMPTY = 0x20,
	LSR_ALL_SENT = 0x40,
};

/*
 * Without room for so long it is given up. 32 bytes take 33 ms at 9600 baud, but the program
 * behind a virtual UART may be kept from reading by a busy host.
 */
enum { SEND_TIMEOUT_S = 2 };

static struct {
	bool ok; /* there is one, and it is mapped */
	bool stuck; /* did not send for SEND_TIMEOUT_S: looked at only once per byte from then on */
	bool is_16550;
	u8 stride, width; /* 16550: bytes between and per register */
	paddr_t base;
} uart;

static u32 read_16550(unsigned reg)
{
	paddr_t pa = uart.base + reg * uart.stride;

	return uart.width == 4 ? mmio_read32(pa) : mmio_read8(pa);
}

/* Firmware has set the line up; under QEMU's -kernel there was none. The baud rate stays. */
static void start_pl011(void)
{
	if (mmio_read32(uart.base + PL011_CR) & 1)
		return;
	mmio_write32(uart.base + PL011_LCRH, LCRH_8N1_FIFO);
	mmio_write32(uart.base + PL011_CR, CR_ENABLE);
}

void uart_init(const struct bootinfo *bi)
{
	const struct boot_console *c = &bi->console;

	uart.is_16550 = c->type == BOOT_CONSOLE_16550_MMIO;
	uart.ok = uart.is_16550 || c->type == BOOT_CONSOLE_PL011 || c->type == BOOT_CONSOLE_SBSA;
	uart.base = c->base;
	uart.stride = c->reg_stride ? c->reg_stride : 1;
	uart.width = c->reg_width;
	uart.stuck = false;
	if (c->type == BOOT_CONSOLE_PL011)
		start_pl011();
}

/* The MMU is asked (Arm ARM C5.4, AT S1E1W; bit 0 of PAR_EL1: no), as nobody else here knows. */
void uart_remapped(void)
{
	if (!uart.ok)
		return;
	asm volatile("at s1e1w, %0\n\tisb" ::"r"(phys_to_virt(uart.base)) : "memory");
	uart.ok = !(sysreg_read(par_el1) & 1);
}

static bool can_send(void)
{
	return uart.is_16550 ? read_16550(UART16550_LSR) & LSR_THR_EMPTY
			     : !(mmio_read32(uart.base + PL011_FR) & FR_TX_FULL);
}

static bool all_sent(void)
{
	return uart.is_16550 ? read_16550(UART16550_LSR) & LSR_ALL_SENT
			     : !(mmio_read32(uart.base + PL011_FR) & FR_BUSY);
}

/* The UART needs nothing from us to go on sending. */
static bool uart_wait(bool (*ready)(void))
{
	u64 end = 0;

	while (!ready()) {
		if (!end)
			end = cycles_now() + SEND_TIMEOUT_S * cycles_hz();
		if (uart.stuck || cycles_now() > end) {
			uart.stuck = true;
			return false;
		}
		cpu_relax();
	}
	uart.stuck = false;
	return true;
}

void uart_drain(void)
{
	if (uart.ok)
		uart_wait(all_sent);
}

void uart_putc(char c)
{
	if (!uart.ok || !uart_wait(can_send))
		return;
	if (!uart.is_16550)
		mmio_write32(uart.base + PL011_DR, (u8)c);
	else if (uart.width == 4)
		mmio_write32(uart.base, (u8)c);
	else
		mmio_write8(uart.base, (u8)c);
}

int uart_getc(void)
{
	if (!uart.ok)
		return -EAGAIN;
	if (uart.is_16550)
		return read_16550(UART16550_LSR) & LSR_DATA ? (int)(u8)read_16550(UART16550_DATA)
							    : -EAGAIN;
	if (mmio_read32(uart.base + PL011_FR) & FR_RX_EMPTY)
		return -EAGAIN;
	return (u8)mmio_read32(uart.base + PL011_DR);
}
