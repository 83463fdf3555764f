/*
 * A keyboard behind the PC's 8042 controller, in scan code set 1, into which the controller translates.
 * Firmware that passes on a USB keyboard takes a system management interrupt for each access, so there
 * are few: a look every hundredth of a second.
 *
 * Registers and commands: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary
 * Device Controller"; the keyboard's own in "Keyboards (101- and 102-Key)".
 */
#include <arch/cpu.h>
#include <arch/mmio.h>
#include <kernel/console.h>
#include <kernel/error.h>
#include <kernel/keyboard.h>

enum { /* controller */
       PORT_DATA = 0x60,
       PORT_STATUS = 0x64, /* read; commands are written there */
       STATUS_OUTPUT = 0x01, /* a byte for us */
       STATUS_INPUT = 0x02, /* it has not taken ours yet */
       STATUS_MOUSE = 0x20, /* the byte for us is the other device's */
       STATUS_ABSENT = 0xff,
       COMMAND_READ_CONFIG = 0x20,
       COMMAND_WRITE_CONFIG = 0x60,
       COMMAND_MOUSE_OFF = 0xa7,
       COMMAND_KEYBOARD_OFF = 0xad,
       COMMAND_KEYBOARD_ON = 0xae,
       CONFIG_INTERRUPTS = 0x03,
       CONFIG_KEYBOARD_OFF = 0x10,
       CONFIG_TRANSLATE = 0x40,
       KEYBOARD_SCAN = 0xf4, /* to the keyboard: send what is pressed; answered by an ACK */
       FIFO_MAX = 16, /* bytes that may be on their way */
};

enum { /* scan codes, set 1 */
       CODE_RELEASED = 0x80,
       CODE_EXTENDED = 0xe0, /* of a key that the first PC did not have; another code follows */
       CODE_PAUSE = 0xe1, /* two more follow */
       CODE_CTRL = 0x1d,
       CODE_SHIFT_LEFT = 0x2a,
       CODE_SHIFT_RIGHT = 0x36,
       CODE_ALT = 0x38,
       CODE_CAPS_LOCK = 0x3a,
       CODE_KEYPAD = 0x47, /* to CODE_LAST_KEYPAD */
       CODE_LAST_KEYPAD = 0x53,
       CODE_ENTER = 0x1c,
       CODE_SLASH = 0x35,
};

/* Reads of the status, each about a microsecond at a port: 100 ms, beyond what the controller may take. */
enum { POLLS = 100000, LOOKS_PER_SECOND = 100, ESCAPE = 0x1b, CTRL_MASK = 0x1f };

/* From code 0 on. */
static const char plain[] =
	"\0\0331234567890-=\x7f\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
	"\0\033!@#$%^&*()_+\x7f\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
static const char keypad[] = "789-456+1230."; /* from CODE_KEYPAD on */
/* The same codes behind CODE_EXTENDED, as a terminal sends them. */
static const char *const moves[CODE_LAST_KEYPAD - CODE_KEYPAD + 1] = {
	[0x00] = "\033[H", [0x01] = "\033[A", [0x04] = "\033[D",  [0x06] = "\033[C",
	[0x08] = "\033[F", [0x09] = "\033[B", [0x0c] = "\033[3~",
};

/* The boot CPU's. */
static struct {
	struct console_source source; /* without a getc(): not in use */
	bool shift, ctrl, alt, caps_lock;
	bool extended;
	unsigned skip; /* codes that still come of a key without a meaning */
	char after_escape; /* typed with Alt held down; 0: nothing */
	const char *rest; /* of what a key sends */
	u64 next_look; /* cycles_now() */
} keyboard = {.rest = ""};

/* ---- keys ---- */

/* A letter is what Caps Lock changes. */
static int character(u8 code)
{
	bool upper = keyboard.shift;
	char c;

	if (code >= CODE_KEYPAD && code <= CODE_LAST_KEYPAD)
		return keypad[code - CODE_KEYPAD];
	if (code >= sizeof(plain) - 1)
		return 0;
	if (keyboard.caps_lock && plain[code] >= 'a' && plain[code] <= 'z')
		upper = !upper;
	c = upper ? shifted[code] : plain[code];
	if (keyboard.ctrl && (plain[code] >= 'a' ? plain[code] <= 'z' : plain[code] == '['))
		c = plain[code] & CTRL_MASK;
	return c;
}

/* Shift, Ctrl, Alt: true if it is one of them. */
static bool take_modifier(u8 code, bool pressed)
{
	/* Some keys bring a shift of their own, behind CODE_EXTENDED. */
	if (code == CODE_SHIFT_LEFT || code == CODE_SHIFT_RIGHT)
		keyboard.shift = keyboard.extended ? keyboard.shift : pressed;
	else if (code == CODE_CTRL)
		keyboard.ctrl = pressed;
	else if (code == CODE_ALT)
		keyboard.alt = pressed;
	else if (code == CODE_CAPS_LOCK)
		keyboard.caps_lock ^= pressed;
	else
		return false;
	return true;
}

static int take_extended(u8 code)
{
	if (code == CODE_ENTER)
		return '\r';
	if (code == CODE_SLASH)
		return '/';
	if (code < CODE_KEYPAD || code > CODE_LAST_KEYPAD || !moves[code - CODE_KEYPAD])
		return -EAGAIN;
	keyboard.rest = moves[code - CODE_KEYPAD] + 1;
	return ESCAPE;
}

/* What a scan code types: its first byte, or -EAGAIN. */
static int take_code(u8 byte)
{
	u8 code = byte & (u8)~CODE_RELEASED;
	bool pressed = !(byte & CODE_RELEASED), extended = keyboard.extended;
	int c;

	if (byte == CODE_PAUSE) {
		keyboard.skip = 2;
		return -EAGAIN;
	}
	if (keyboard.skip) {
		keyboard.skip--;
		return -EAGAIN;
	}
	keyboard.extended = extended || byte == CODE_EXTENDED;
	if (byte == CODE_EXTENDED)
		return -EAGAIN;
	if (take_modifier(code, pressed) || !pressed)
		c = -EAGAIN;
	else if (extended)
		c = take_extended(code);
	else
		c = character(code) ? character(code) : -EAGAIN;
	keyboard.extended = false;
	if (!keyboard.alt || extended || c < 0)
		return c;
	keyboard.after_escape = (char)c;
	return ESCAPE;
}

/* ---- the controller ---- */

/* The next byte of either device, or -EAGAIN. */
static int next_byte(u8 *status)
{
	*status = port_read8(PORT_STATUS);
	if (*status == STATUS_ABSENT || !(*status & STATUS_OUTPUT))
		return -EAGAIN;
	return port_read8(PORT_DATA);
}

static int keyboard_getc(struct console_source *source __unused)
{
	u8 status = 0;
	int c = -EAGAIN, byte;

	if (keyboard.after_escape) {
		c = keyboard.after_escape;
		keyboard.after_escape = 0;
		return c;
	}
	if (*keyboard.rest)
		return *keyboard.rest++;
	if (cycles_now() < keyboard.next_look)
		return -EAGAIN;
	while (c < 0 && (byte = next_byte(&status)) >= 0)
		if (!(status & STATUS_MOUSE))
			c = take_code((u8)byte);
	if (c < 0)
		keyboard.next_look = cycles_now() + cycles_hz() / LOOKS_PER_SECOND;
	return c;
}

/* False: it does not take it. */
static bool send(u16 port, u8 byte)
{
	for (unsigned i = 0; i < POLLS; i++) {
		u8 status = port_read8(PORT_STATUS);

		if (status == STATUS_ABSENT)
			return false;
		if (!(status & STATUS_INPUT)) {
			port_write8(port, byte);
			return true;
		}
	}
	return false;
}

static int wait_byte(void)
{
	u8 status;
	int byte = -EAGAIN;

	for (unsigned i = 0; byte < 0 && i < POLLS; i++)
		byte = next_byte(&status);
	return byte;
}

/* What was typed before anybody could see an answer. */
static void drop_bytes(void)
{
	u8 status;

	for (unsigned i = 0; i < FIFO_MAX && next_byte(&status) >= 0; i++)
		;
}

/* Nothing may be sent by a device while the controller answers. */
static bool set_up(void)
{
	int config;

	if (!send(PORT_STATUS, COMMAND_KEYBOARD_OFF) || !send(PORT_STATUS, COMMAND_MOUSE_OFF))
		return false;
	drop_bytes();
	if (!send(PORT_STATUS, COMMAND_READ_CONFIG) || (config = wait_byte()) < 0)
		return false;
	config = (config & ~(CONFIG_INTERRUPTS | CONFIG_KEYBOARD_OFF)) | CONFIG_TRANSLATE;
	return send(PORT_STATUS, COMMAND_WRITE_CONFIG) && send(PORT_DATA, (u8)config) &&
	       send(PORT_STATUS, COMMAND_KEYBOARD_ON);
}

bool keyboard_add(void)
{
	if (keyboard.source.getc)
		return true;
	if (port_read8(PORT_STATUS) == STATUS_ABSENT || !set_up())
		return false;
	if (!send(PORT_DATA, KEYBOARD_SCAN))
		return false;
	wait_byte(); /* its acknowledgement; one that is plugged in later needs none */
	keyboard.source.getc = keyboard_getc;
	console_add_source(&keyboard.source);
	return true;
}
