/* What the litmus tests of x86 share: reasons why the emulator never shows an outcome. */
#pragma once

#include "../forms.h"
#include <arch/irq.h>

#define NO_SPECULATION "the emulator walks only for an access, after all earlier stores"
#define NO_WALK_CACHE "the emulator caches no table entries"
#define CR3_DROPS_ALL "the emulator's CR3 load drops global entries too"

extern const struct litmus_test litmus_one[], litmus_more[];
