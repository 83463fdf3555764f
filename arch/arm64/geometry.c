/* Caches, as CLIDR_EL1 and CCSIDR_EL1 tell them (Arm ARM D19.2). */
#include <arch/barrier.h>
#include <arch/cpu.h>
#include <arch/irq.h>
#include <asm/sysreg.h>
#include <kernel/printf.h>
#include <kernel/string.h>

enum { LEVELS = 7, TYPE_BITS = 3, TYPE_SPLIT = 3, TYPE_UNIFIED = 4, CCIDX_SHIFT = 20 };

/* index: level - 1 in bits 3:1, bit 0 for instructions. Selecting and reading must not be torn apart. */
static u64 cache_bytes(u64 index)
{
	bool wide = id_field(sysreg_read(id_aa64mmfr2_el1), CCIDX_SHIFT);
	irqflags_t flags = irq_save();
	u64 v, ways, sets;

	sysreg_write(csselr_el1, index);
	isb(); /* CCSIDR_EL1 follows the selection from here on */
	v = sysreg_read(ccsidr_el1);
	irq_restore(flags);
	ways = (wide ? v >> 3 & 0x1fffff : v >> 3 & 0x3ff) + 1;
	sets = (wide ? v >> 32 & 0xffffff : v >> 13 & 0x7fff) + 1;
	return (ways * sets) << ((v & 7) + 4);
}

static void append(char *buf, size_t size, unsigned level, const char *kind, u64 bytes)
{
	size_t len = strlen(buf);
	bool mib = bytes >= 1 << 20 && !(bytes & ((1 << 20) - 1));

	ksnprintf(buf + len, size - len, "%sL%u%s %lu%c", len ? ", " : "", level, kind,
		  bytes >> (mib ? 20 : 10), mib ? 'M' : 'K');
}

void cpu_caches(char *buf, size_t size)
{
	u64 clidr = sysreg_read(clidr_el1);

	*buf = '\0';
	for (unsigned n = 0; n < LEVELS; n++) {
		unsigned type = clidr >> (n * TYPE_BITS) & 7;
		u64 index = (u64)n << 1;

		if (!type)
			break;
		if (type == TYPE_UNIFIED)
			append(buf, size, n + 1, "", cache_bytes(index));
		else if (type != 1)
			append(buf, size, n + 1, "d", cache_bytes(index));
		if (type == TYPE_SPLIT || type == 1)
			append(buf, size, n + 1, "i", cache_bytes(index | 1));
	}
	if (!*buf)
		strlcpy(buf, "CLIDR_EL1 names none", size);
}

void cpu_tlbs(char *buf, size_t size)
{
	strlcpy(buf, "the architecture does not tell", size);
}
