/* The bracket around every change to a range: debts are paid before it. */
#include <mm/change.h>
#include <mm/deferral.h>

/* Debts of the range are paid before anything about it changes (I7, I9). */
void change_begin(struct aspace *as, enum change_reason why, vaddr_t start, vaddr_t end)
{
	/* A page that moves or is split is flushed, or was: nothing older can be left at its address. */
	if (why != CHANGE_MIGRATE && why != CHANGE_SPLIT)
		deferral->range_change(&as->ctx, start, end);
}

void change_end(struct aspace *as, enum change_reason why, vaddr_t start, vaddr_t end)
{
	(void)as;
	(void)why;
	(void)start;
	(void)end;
}
