/* Operations of the product on the file itself: its first page is world.one. */
#include "product.h"

#include <mm/clean.h>
#include <mm/file.h>
#include <mm/reclaim.h>

void operation_clean(unsigned cpu)
{
	for (unsigned i = 0; i < 2; i++) {
		work_expect("cleaning", file_clean(world.object, 0));
		work_read(world.one, cpu, 1);
	}
}

void operation_invalidate(unsigned cpu)
{
	work_expect("invalidating", file_invalidate(world.object, 0, 1, FILE_KEEP));
	operations_touch(cpu);
}

/* From either node: somebody may have moved them. */
void operation_reclaim(unsigned cpu)
{
	reclaim_pages(0, WORLD_PAGES);
	work_read(world.one, cpu, 1);
	reclaim_pages(1, WORLD_PAGES);
	work_read(world.next, cpu, 0);
}

void operation_file_write(unsigned cpu)
{
	work_file_write(world.object, world.one, cpu);
	work_file_read(world.object, world.one, cpu, 1);
	work_read(world.one, cpu, cpu);
}
