/* The end of the run: tell the emulator, power off, or start the machine again. */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/platform.h>
#include <asm/features.h>
#include <arch/mmio.h>
#include <asm/io.h>
#include <asm/port.h>
#include <kernel/bootinfo.h>

enum {
	QEMU_EXIT_PORT = 0xf4, /* isa-debug-exit: status = value << 1 | 1 */
	QEMU_PM1_CONTROL = 0x604, /* where q35 and pc have it; S5 is type 0 there */
	PM1_SLEEP_ENABLE = 1 << 13,
	PM1_SLEEP_TYPE_SHIFT = 10,
	PM1_SLEEP_TYPE_MASK = 7 << 10,
	PM1_SCI_ENABLE = 1,
	ACPI_ENABLE_MS = 300, /* system management code may take its time */
	SLEEP_TYPE_SHIFT = 2, /* sleep control register, ACPI 6.5 section 4.8.3.7 */
	SLEEP_ENABLE = 1 << 5,
	RESET_CONTROL = 0xcf9,
	RESET_HARD = 0x06,
	KEYBOARD_COMMAND = 0x64,
	KEYBOARD_RESET = 0xfe,
};

enum { SPACE_MEMORY = 0, SPACE_IO = 1 }; /* ACPI 6.5 table 5.1 */

static const struct boot_x86 *board;

void exit_init(const struct bootinfo *bi)
{
	board = &bi->x86;
}

/* ACPI 6.5 section 4.8.3.2.1: sleep type and enable, the other bits as they are. */
static void pm1_sleep(u16 port, u8 type)
{
	u16 v = (u16)(inw(port) & ~PM1_SLEEP_TYPE_MASK);

	outw(port, (u16)(v | (type & 7) << PM1_SLEEP_TYPE_SHIFT | PM1_SLEEP_ENABLE));
}

/* ACPI 6.5 section 4.8.2: until the firmware hands over, the sleep register does nothing. */
static void acpi_enable(void)
{
	if (!board->smi_cmd_port || inw(board->pm1a_cnt_port) & PM1_SCI_ENABLE)
		return;
	outb(board->smi_cmd_port, board->acpi_enable);
	for (unsigned ms = 0; ms < ACPI_ENABLE_MS && !(inw(board->pm1a_cnt_port) & PM1_SCI_ENABLE);
	     ms++)
		tsc_delay_us(1000);
}

static void register_write8(u8 space, u64 addr, u8 v)
{
	if (space == SPACE_IO)
		outb((u16)addr, v);
	else if (space == SPACE_MEMORY)
		mmio_write8(addr, v); /* mapped by boot/x86_64/discover.c */
}

static void acpi_power_off(void)
{
	if (board && board->hw_reduced && board->sleep_addr && board->s5_known) {
		register_write8(board->sleep_space, board->sleep_addr,
				(u8)(board->s5_typ_a << SLEEP_TYPE_SHIFT | SLEEP_ENABLE));
	} else if (board && board->pm1a_cnt_port && board->s5_known) {
		acpi_enable();
		pm1_sleep(board->pm1a_cnt_port, board->s5_typ_a);
		if (board->pm1b_cnt_port)
			pm1_sleep(board->pm1b_cnt_port, board->s5_typ_b);
	} else if (x86_has(X86_HYPERVISOR)) {
		pm1_sleep(QEMU_PM1_CONTROL, 0);
	}
}

void cpu_halt_forever(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

void arch_exit(unsigned code)
{
	irq_disable();
	if (x86_has(X86_HYPERVISOR))
		outb(QEMU_EXIT_PORT, (u8)code);
	acpi_power_off();
	cpu_halt_forever();
}

/* ACPI 6.5 section 4.8.3.6. */
static void acpi_reset(void)
{
	if (board && board->reset_addr)
		register_write8(board->reset_space, board->reset_addr, board->reset_value);
}

/* Each way is given the time real boards need, 10 ms and more, before the next is tried. */
void arch_reboot(void)
{
	static const struct __packed {
		u16 limit;
		u64 base;
	} no_idt = {0, 0};

	irq_disable();
	acpi_reset();
	tsc_delay_us(50000);
	outb(RESET_CONTROL, RESET_HARD);
	tsc_delay_us(50000);
	outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
	tsc_delay_us(50000);
	/* A trap that finds no handler shuts the CPU down, which boards turn into a reset. */
	asm volatile("lidt %0; int3" ::"m"(no_idt));
	cpu_halt_forever();
}
