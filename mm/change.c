/* The bracket around every change to a range: debts are paid before it. */
#include <mm/change.h>
#include <mm/pay.h>

static const enum pay_event events[] = {
	[CHANGE_UNMAP] = PAY_UNMAP,	[CHANGE_PROTECT] = PAY_PROTECT, [CHANGE_DROP] = PAY_DROP,
	[CHANGE_MIGRATE] = PAY_MIGRATE, [CHANGE_HINT] = PAY_HINT,	[CHANGE_SPLIT] = PAY_SPLIT,
};

/* Debts of the range are paid before anything about it changes (I7, I9). */
void change_begin(struct aspace *as, enum change_reason why, vaddr_t start, vaddr_t end)
{
	pay(events[why], pay_range(&as->ctx, start, end));
}

void change_end(struct aspace *as, enum change_reason why, vaddr_t start, vaddr_t end)
{
	(void)as;
	(void)why;
	(void)start;
	(void)end;
}
