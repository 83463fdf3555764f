/* Boot option console=: ttyS0..ttyS3, io:PORT, mmio:ADDRESS, mmio32:ADDRESS, none; then ,BAUD. */
#include "boot.h"
#include <kernel/bootinfo.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>

static const u16 com_ports[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};

enum { UART_MAX_BAUD = 115200, VALUE_MAX = 48 };

/* "ttyS1" and the like: a digit for one of the four ports that PCs agree on. */
static bool console_com(const char *name, struct boot_console *c)
{
	unsigned n = (unsigned)(name[4] - '0');

	if (strncmp(name, "ttyS", 4) || n >= ARRAY_SIZE(com_ports) || name[5])
		return false;
	c->type = BOOT_CONSOLE_16550_IO;
	c->base = com_ports[n];
	return true;
}

static bool console_at(const char *name, struct boot_console *c)
{
	const char *at = strchr(name, ':');

	if (!at || parse_u64(at + 1, &c->base))
		return false;
	c->type = BOOT_CONSOLE_16550_MMIO;
	if (!strncmp(name, "io:", 3)) {
		c->type = BOOT_CONSOLE_16550_IO;
		return c->base <= 0xfff8;
	}
	if (!strncmp(name, "mmio32:", 7))
		c->reg_width = c->reg_stride = 4;
	else
		c->reg_width = c->reg_stride = 1;
	return !strncmp(name, "mmio", 4) && (at == name + 4 || at == name + 6);
}

/* Cuts value at the comma. False: c holds nothing of use. */
static bool console_parse(char *value, struct boot_console *c)
{
	char *comma = strchr(value, ',');
	u64 baud = UART_MAX_BAUD;

	*c = (struct boot_console){0};
	if (comma) {
		*comma = '\0';
		if (parse_u64(comma + 1, &baud) || !baud || baud > UART_MAX_BAUD)
			return false;
	}
	c->baud = (u32)baud;
	c->type = BOOT_CONSOLE_NONE;
	return !strcmp(value, "none") || console_com(value, c) || console_at(value, c);
}

bool console_from_cmdline(const char *cmdline, struct boot_console *console)
{
	static const char key[] = "console=";
	struct boot_console c;
	char value[VALUE_MAX];
	const char *word = cmdline;
	size_t len = 0;

	while ((word = strstr(word, key)) && word > cmdline && word[-1] != ' ')
		word++;
	if (!word)
		return false;
	word += sizeof(key) - 1;
	while (word[len] && word[len] != ' ' && len < sizeof(value) - 1)
		len++;
	strlcpy(value, word, len + 1);
	if (!console_parse(value, &c))
		return false;
	*console = c;
	return true;
}

void console_check_option(void)
{
	const char *given = option_get("console");
	struct boot_console c;
	char value[VALUE_MAX];

	if (!given)
		return;
	if (strlcpy(value, given, sizeof(value)) >= sizeof(value) || !console_parse(value, &c))
		printk("console=%s: must be ttyS0..ttyS3, io:PORT, mmio:ADDRESS, mmio32:ADDRESS or "
		       "none, then ,BAUD up to %d\n",
		       given, UART_MAX_BAUD);
}
