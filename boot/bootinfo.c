/* What every parser of boot/ needs: warnings, the command line, unaligned fields. */
#include <boot/bootinfo.h>
#include <kernel/printf.h>
#include <kernel/string.h>

u16 boot_get16(const void *p)
{
	u16 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

u32 boot_get32(const void *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

u64 boot_get64(const void *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static __printf(2, 0) void boot_vnote(struct bootinfo *bi, const char *fmt, va_list ap)
{
	if (bi->warning_count == BOOT_MAX_WARNINGS) {
		bi->warning_dropped++;
		return;
	}
	kvsnprintf(bi->warnings[bi->warning_count++], BOOT_WARNING_LEN, fmt, ap);
}

void boot_note(struct bootinfo *bi, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	boot_vnote(bi, fmt, ap);
	va_end(ap);
}

void boot_warn(struct bootinfo *bi, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	boot_vnote(bi, fmt, ap);
	va_end(ap);
	bi->broken = true;
}

void boot_set_cmdline(struct bootinfo *bi, const char *s, u64 max, const char *table)
{
	u64 len = 0;

	while (len < max && len < BOOT_CMDLINE_LEN && s[len])
		len++;
	if (len == BOOT_CMDLINE_LEN) {
		boot_warn(bi, "%s: command line cut to %u bytes", table, BOOT_CMDLINE_LEN - 1);
		len--;
	} else if (len == max) {
		boot_warn(bi, "%s: command line has no end", table);
	}
	memcpy(bi->cmdline, s, len);
	bi->cmdline[len] = '\0';
}

void boot_set_hypervisor(struct bootinfo *bi, const void *text, u64 len)
{
	const char *s = text;
	size_t n = 0;

	while (n < MIN(len, sizeof(bi->hypervisor) - 1) && s[n] > ' ' && s[n] < 0x7f)
		n++;
	memcpy(bi->hypervisor, n ? s : "unnamed", n ? n : sizeof("unnamed"));
	if (n)
		bi->hypervisor[n] = '\0';
}
