/* IOMMUs that firmware left in some state: what they do, in words, and an end of it. */
#pragma once

#include <kernel/bootinfo.h>

/* What a unit's registers say. */
struct iommu_state {
	bool translates; /* DMA goes through tables, or is refused */
	bool remaps; /* interrupts of devices go through a table */
};

/* Of a unit whose registers are mapped. */
struct iommu_state iommu_look(const struct boot_iommu *unit);
/* Have DMA pass as devices ask for it. False: the unit did not do so in time. Clock is running. */
bool iommu_switch_off(const struct boot_iommu *unit);
/*
 * At start-up, once the clock runs: map registers, say what is on. With a network, whose card is the only device that we have do DMA,
 * translation is switched off. Remapping may stay: devices' interrupts are not used, they are polled.
 */
void iommu_init(const struct bootinfo *bi, bool network);
/* One that was mapped does: DMA would not go where a driver says. Any time after iommu_init(). */
bool iommu_translates(void);
/* "2 units, translation off, ..", for `machine`. */
void iommu_describe(char *buf, size_t size);
