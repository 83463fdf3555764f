/* What the modelled machine's boot needs from the program that it is linked into. */
#pragma once

#include <kernel/types.h>

struct bootinfo;

enum { FAKE_PAGE_STRUCT = 64 }; /* sizeof(struct page); checked where mm's headers are known */

/* Start mm as kernel/core/main.c does. */
void fake_start_mm(struct bootinfo *bi);
/* Does this belong to what the oracle keeps of that CPU? Loads and stores of it are no switching points. */
bool fake_oracle_keeps(const void *p, unsigned cpu);
bool fake_oracle_shares(const void *p);
/* Zeroed memory at a fixed place of the host's address space. */
void fake_place(void *at, u64 len);
/* Whole host pages: stores fault, or do not any more. */
void fake_protect(void *at, u64 len, bool readonly);
/* From now on ask this about faults. True: the store can be repeated. */
void fake_catch_stores(bool (*expected)(const char *addr));
