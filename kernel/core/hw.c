/* hw= of the boot line, and the errata in force. Written while CPUs start, one after another: no lock. */
#include <kernel/hw.h>
#include <kernel/option.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/string.h>

enum {
	ITEMS_MAX =
		64, /* of hw=; later ones still count, but none of them is reported as unknown */
	ERRATA_MAX = 32, /* more than either table has ids */
};

/* Features of all ports, so that a boot line for both architectures is no mistake on either. */
static const char *const feature_names[] = {
	"nx",	   "pge",  "1g",     "pcid",	  "invpcid", "smep",	   "smap",   "umip",
	"mce",	   "erms", "xsave",  "avx",	  "avx512",  "x2apic",	   "invtsc", "tscdeadline",
	"invlpgb", "ttl",  "hafdbs", "tlbirange", "asid16",  "hypervisor", "lse",
};

static u64 known; /* bit per item of hw= */
static const char *errata[ERRATA_MAX];
static unsigned errata_count;
static char errata_text[256];

struct item {
	const char *text; /* with its sign */
	size_t len;
};

static bool next_item(const char **rest, struct item *item)
{
	const char *end;

	if (!*rest || !**rest)
		return false;
	end = strchr(*rest, ',');
	item->text = *rest;
	item->len = end ? (size_t)(end - *rest) : strlen(*rest);
	*rest = end ? end + 1 : NULL;
	return true;
}

BOOT_OPTION(
	hw, "hw", "-NAME,+NAME,...",
	"without a feature of the CPU, with or without the cure of an erratum; the log lists them");

enum hw_asked hw_asked(const char *name)
{
	const char *rest = option_get("hw");
	enum hw_asked asked = HW_AS_FOUND;
	struct item item;

	for (unsigned i = 0; next_item(&rest, &item); i++) {
		if (item.len != strlen(name) + 1 || memcmp(item.text + 1, name, item.len - 1) ||
		    (item.text[0] != '-' && item.text[0] != '+'))
			continue;
		asked = item.text[0] == '-' ? HW_WITHOUT : HW_WITH;
		if (i < ITEMS_MAX)
			known |= 1UL << i;
	}
	return asked;
}

void hw_report_unknown(const char *found)
{
	const char *rest = option_get("hw");
	struct item item;

	for (unsigned i = 0; i < ARRAY_SIZE(feature_names); i++)
		hw_asked(feature_names[i]);
	for (unsigned i = 0; i < ITEMS_MAX && next_item(&rest, &item); i++)
		if (item.len && !(known >> i & 1))
			printk("hw=%.*s: no such feature or erratum; found here: %s\n",
			       (int)item.len, item.text, found);
}

static bool noted(const char *id)
{
	for (unsigned i = 0; i < errata_count; i++)
		if (!strcmp(errata[i], id))
			return true;
	return false;
}

void hw_note_erratum(const char *id, const char *does)
{
	size_t len = strlen(errata_text);

	if (noted(id) || errata_count == ERRATA_MAX)
		return;
	errata[errata_count++] = id;
	ksnprintf(errata_text + len, sizeof(errata_text) - len, "%s%s", len ? " " : "", id);
	printk("cpu: erratum %s: %s%s\n", id, does, hw_asked(id) == HW_WITH ? " (hw=)" : "");
}

const char *hw_errata(void)
{
	return errata_text;
}
