/* What registers where it is written: a pointer in a linker section, which linker.ld names. */
#pragma once

#include <kernel/types.h>

/* no_reorder: entries of one file come in the order in which they are written. */
#define __used_ptr __attribute__((used, no_reorder))

#define REGISTER(type, ident, section_name)                                                        \
	static const struct type ident;                                                            \
	static const struct type *const ident##_ptr __section(section_name) __used_ptr = &ident;   \
	static const struct type ident
