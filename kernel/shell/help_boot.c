/* `help boot`: the options of the boot line, as they are declared where they are read (kernel/option.h). */
#include <kernel/option.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/shell.h>
#include <kernel/string.h>

/* The first name behind this one, in the order of names; NULL: there is none. */
static const struct boot_option *option_behind(const char *name)
{
	const struct boot_option *next = NULL;

	for (const struct boot_option *const *o = __start_boot_options; o < __stop_boot_options;
	     o++)
		if (strcmp((*o)->name, name) > 0 && (!next || strcmp((*o)->name, next->name) < 0))
			next = *o;
	return next;
}

void shell_print_boot_options(void)
{
	char word[64];

	for (const struct boot_option *o = option_behind(""); o; o = option_behind(o->name)) {
		ksnprintf(word, sizeof(word), "%s=%s", o->name, o->values);
		kprintf("%-30s %s\n", word, o->summary);
	}
}
