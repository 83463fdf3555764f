/* The boot option console=: pl011:ADDRESS, sbsa:ADDRESS, mmio:ADDRESS, mmio32:ADDRESS (16550), none. */
#include "boot.h"
#include <kernel/option.h>
#include <kernel/string.h>

enum { VALUE_MAX = 48 };

static const struct {
	const char *name;
	enum boot_console_type type;
	u8 width; /* of registers, and their distance */
} kinds[] = {
	{"pl011", BOOT_CONSOLE_PL011, 4},
	{"sbsa", BOOT_CONSOLE_SBSA, 4},
	{"mmio", BOOT_CONSOLE_16550_MMIO, 1},
	{"mmio32", BOOT_CONSOLE_16550_MMIO, 4},
};

static bool console_parse(const char *value, struct boot_console *c)
{
	const char *at = strchr(value, ':');

	*c = (struct boot_console){.type = BOOT_CONSOLE_NONE};
	if (!strcmp(value, "none"))
		return true;
	if (!at || parse_u64(at + 1, &c->base) || !c->base)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strlen(kinds[i].name) != (size_t)(at - value) ||
		    strncmp(value, kinds[i].name, (size_t)(at - value)))
			continue;
		c->type = kinds[i].type;
		c->reg_width = c->reg_stride = kinds[i].width;
		return true;
	}
	return false;
}

void console_from_cmdline(const char *cmdline, struct boot_console *console)
{
	static const char key[] = "console=";
	char value[VALUE_MAX];
	const char *word = cmdline;
	struct boot_console c;
	size_t len = 0;

	while ((word = strstr(word, key)) && word > cmdline && word[-1] != ' ')
		word++;
	if (!word)
		return;
	word += sizeof(key) - 1;
	while (word[len] && word[len] != ' ' && len < sizeof(value) - 1)
		len++;
	strlcpy(value, word, len + 1);
	if (console_parse(value, &c))
		*console = c;
}

void console_check_option(struct bootinfo *bi)
{
	const char *given = option_get("console");
	struct boot_console c;

	if (given && !console_parse(given, &c))
		boot_note(bi,
			  "console=%.40s: must be pl011:ADDRESS, sbsa:ADDRESS, mmio:ADDRESS, "
			  "mmio32:ADDRESS or none",
			  given);
}
