/* A guest's accesses: see guest.h. */
#include <kernel/panic.h>
#include "guest.h"
#include "victim_loop.h"

void guest_enter(struct softmmu *guest)
{
	irqflags_t flags = irq_save();

	softmmu_enter(guest);
	irq_restore(flags);
}

void guest_leave(struct softmmu *guest)
{
	irqflags_t flags = irq_save();

	softmmu_leave(guest);
	irq_restore(flags);
}

u64 *guest_reach(struct softmmu *guest, u64 page, bool write, irqflags_t *flags)
{
	*flags = irq_save();
	for (;;) {
		u64 *at = softmmu_translate(guest, page, write);

		if (likely(at))
			return at;
		softmmu_leave(guest);
		irq_restore(*flags);
		if (!softmmu_fault(guest, page, write))
			panic("the guest's page %lu cannot be accessed", page);
		*flags = irq_save();
		softmmu_enter(guest);
	}
}

void guest_main(void *victim)
{
	struct victim *v = victim;

	guest_enter(v->all->guest);
	victim_loop(v, v->all->guest);
	guest_leave(v->all->guest);
}
