/* The UARTs of a device tree: which one is the console, their numbers in tty names, their clocks. */
#include <boot/fdt_tree.h>
#include <kernel/string.h>

enum { NAME_SHOWN = 40, PATH_SHOWN = 64 }; /* bytes of a name and of a path in a warning */

void fdt_note_clock(const struct fdt_tree *t, const struct fdt_node *node, struct fdt_uarts *u)
{
	if (u->clock_count == FDT_MAX_CLOCKS || !fdt_compatible(node, "fixed-clock"))
		return;
	u->clocks[u->clock_count].phandle = fdt_u32(t, node, "phandle", 0);
	u->clocks[u->clock_count++].hz = fdt_u32(t, node, "clock-frequency", 0);
}

/* Is this node the one that a path like "/soc/serial@1000" names? */
static bool path_is(const struct fdt_path *path, const struct fdt_prop *s)
{
	const char *at = (const char *)s->bytes;
	size_t left = s->len;

	for (unsigned i = 1; i <= path->depth; i++) {
		size_t len =
			strnlen(path->at[i].name, left + 1); /* a name may be as long as the tree */

		if (left < len + 1 || *at != '/' || memcmp(at + 1, path->at[i].name, len))
			return false;
		at += len + 1;
		left -= len + 1;
	}
	return !left && path->depth;
}

/* The path behind an alias, without its terminator; bytes NULL: there is none. */
static struct fdt_prop alias_path(const struct fdt_tree *t, const struct fdt_uarts *u,
				  const char *alias)
{
	struct fdt_prop p = {NULL, 0, 0};

	if (u->aliases.name)
		p = fdt_prop(t, &u->aliases, alias);
	p.len = p.bytes ? (u32)strnlen((const char *)p.bytes, p.len) : 0;
	return p;
}

/* stdout-path: a path or an alias, then perhaps ":" and line parameters. */
void fdt_find_stdout(const struct fdt_tree *t, const struct fdt_node *chosen, struct fdt_uarts *u)
{
	struct fdt_prop p = {NULL, 0, 0};
	char alias[32];

	if (chosen->name)
		p = fdt_prop(t, chosen, "stdout-path");
	if (chosen->name && !p.bytes) /* its name of old, to which Linux falls back, too */
		p = fdt_prop(t, chosen, "linux,stdout-path");
	if (!p.len)
		return;
	p.len = (u32)strnlen((const char *)p.bytes, p.len);
	for (u32 i = 0; i < p.len; i++)
		if (p.bytes[i] == ':')
			p.len = i;
	if (p.len && p.bytes[0] != '/' && p.len < sizeof(alias)) {
		memcpy(alias, p.bytes, p.len);
		alias[p.len] = '\0';
		p = alias_path(t, u, alias);
	}
	if (p.len && p.bytes[0] == '/')
		u->stdout = p;
	else
		boot_warn(t->bi, "device tree+%#x: stdout-path leads nowhere", chosen->off);
}

static enum boot_console_type uart_type(const struct fdt_node *node)
{
	if (fdt_compatible(node, "arm,pl011"))
		return BOOT_CONSOLE_PL011;
	if (fdt_compatible(node, "arm,sbsa-uart"))
		return BOOT_CONSOLE_SBSA;
	if (fdt_compatible(node, "ns16550a") || fdt_compatible(node, "ns16550") ||
	    fdt_compatible(node, "snps,dw-apb-uart"))
		return BOOT_CONSOLE_16550_MMIO;
	return BOOT_CONSOLE_UNKNOWN;
}

/* Its own clock-frequency, or the first clock that it refers to; 0: not known. */
static u32 uart_clock(const struct fdt_tree *t, const struct fdt_node *node,
		      const struct fdt_uarts *u)
{
	struct fdt_prop clocks = fdt_prop(t, node, "clocks");
	u32 phandle = fdt_cell(&clocks, 0);
	u32 hz = fdt_u32(t, node, "clock-frequency", 0);

	for (unsigned i = 0; phandle && !hz && i < u->clock_count; i++)
		if (u->clocks[i].phandle == phandle)
			hz = u->clocks[i].hz;
	return hz;
}

static bool is_pl011(enum boot_console_type type)
{
	return type == BOOT_CONSOLE_PL011 || type == BOOT_CONSOLE_SBSA;
}

static bool line_taken(const struct bootinfo *bi, enum boot_console_type type, u32 line)
{
	for (unsigned i = 0; i < bi->uart_count; i++)
		if (bi->uarts[i].line == line &&
		    is_pl011(bi->uarts[i].console.type) == is_pl011(type))
			return true;
	return false;
}

/* n of ttySn or ttyAMAn: that of the alias serialn, else the first that nobody has or is to have, as in Linux. */
static u32 uart_line(const struct fdt_tree *t, const struct fdt_path *path,
		     const struct fdt_uarts *u, enum boot_console_type type)
{
	char alias[] = "serial0";
	u32 line = 0, aliased = 0; /* bit per number */

	for (; line < BOOT_MAX_UARTS; line++) {
		struct fdt_prop p;

		alias[6] = (char)('0' + line);
		p = alias_path(t, u, alias);
		if (p.bytes && path_is(path, &p))
			return line;
		aliased |= p.bytes ? 1u << line : 0;
	}
	for (line = 0; aliased >> line & 1 || line_taken(t->bi, type, line); line++)
		;
	return line;
}

/* Why the node is no UART that can be used, or NULL; fills its address. */
static const char *unusable(const struct fdt_tree *t, const struct fdt_path *path,
			    struct boot_console *c)
{
	u64 len;

	if (c->type == BOOT_CONSOLE_UNKNOWN)
		return "no driver";
	if (!fdt_enabled(t, &path->at[path->depth]))
		return "disabled";
	return fdt_reg(t, path, 0, &c->base, &len) ? NULL : "no address that the CPU can reach";
}

static void warn_unusable(const struct fdt_tree *t, const struct fdt_node *node, const char *why)
{
	struct fdt_prop p = node->compatible;

	boot_warn(t->bi, "device tree+%#x: stdout-path names %s, \"%.*s\": %s", node->off,
		  node->name, (int)MIN(p.len, (u32)NAME_SHOWN),
		  p.bytes ? (const char *)p.bytes : "", why);
}

/* The console is the node that stdout-path names; without one, the first UART that we can drive. */
void fdt_read_uart(const struct fdt_tree *t, const struct fdt_path *path, struct fdt_uarts *u)
{
	const struct fdt_node *node = &path->at[path->depth];
	struct bootinfo *bi = t->bi;
	struct boot_console c = {.type = uart_type(node), .reg_width = 4, .reg_stride = 4};
	bool named = u->stdout.bytes && path_is(path, &u->stdout);
	const char *why = unusable(t, path, &c);

	u->stdout_seen |= named;
	if (named && why)
		warn_unusable(t, node, why);
	if (why)
		return;
	c.clock = uart_clock(t, node, u);
	if (c.type == BOOT_CONSOLE_16550_MMIO) {
		c.reg_width = (u8)fdt_u32(t, node, "reg-io-width", 1);
		c.reg_stride = (u8)(1u << (fdt_u32(t, node, "reg-shift", 0) & 3));
	}
	if (named || (!u->stdout.bytes && bi->console.type == BOOT_CONSOLE_UNKNOWN))
		bi->console = c;
	if (bi->uart_count < BOOT_MAX_UARTS) {
		u32 line = uart_line(t, path, u, c.type);

		bi->uarts[bi->uart_count++] = (struct boot_uart){c, line};
	}
}

void fdt_report_stdout(const struct fdt_tree *t, const struct fdt_uarts *u)
{
	const struct fdt_prop *p = &u->stdout;

	if (p->bytes && !u->stdout_seen)
		boot_warn(t->bi, "device tree+%#x: stdout-path names %.*s: no such UART", p->off,
			  (int)MIN(p->len, (u32)PATH_SHOWN), (const char *)p->bytes);
}
