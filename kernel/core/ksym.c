/* Names of kernel addresses, from the table that tools/mksyms.py links in; it may be empty. */
#include <kernel/panic.h>
#include <kernel/printf.h>
#include <arch/platform.h>

extern const u32 ksym_count;
extern const u32 ksym_offsets[]; /* from KERNEL_BASE, ascending */
extern const u32 ksym_name_offsets[]; /* into ksym_names */
extern const char ksym_names[];
extern const char __text_start[], __text_end[];

/* Index of the last symbol at or below offset; ksym_count if there is none. */
static u32 find_symbol(u64 offset)
{
	u32 low = 0, high = ksym_count;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (ksym_offsets[middle] <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : ksym_count;
}

const char *symbol_of(u64 ip, char *buf, size_t size)
{
	bool in_text = ip >= (u64)__text_start && ip < (u64)__text_end;
	u32 i = in_text ? find_symbol(ip - KERNEL_BASE) : ksym_count;

	if (i == ksym_count)
		ksnprintf(buf, size, "%#lx", ip);
	else
		ksnprintf(buf, size, "%s+%#lx", ksym_names + ksym_name_offsets[i],
			  ip - KERNEL_BASE - ksym_offsets[i]);
	return buf;
}
