/*
 * Pages with older copies: frames that they have left, and that CPUs may still read. For
 * deferrals that let readers have either until the page may be written.
 */
#pragma once

#include <mm/debt.h>
#include <mm/pay.h>

/* What such a deferral hears besides PAY_DEMANDS. */
#define COPIES_EVENTS (PAY_BIT(PAY_TICK) | PAY_BIT(PAY_SPLIT))

/*
 * And what it need not hear. Older copies of a page are read through entries of addresses where it is mapped. Reclaim takes all
 * of those down and flushes them, or has their flush wait. Where it finds none, whoever took it has paid (unmap, drop,
 * copy); where it finds a hint entry, the scan has flushed the address.
 */
#define COPIES_SPARES PAY_BIT(PAY_RECLAIM)

/* The page that moves into this frame, which nobody else knows yet, will have an older copy. */
void copies_mark(struct page *dst);
/*
 * deferral.pay: pay all debts if nobody may read an older copy after this event, or if a
 * debt is as old as the knob defer_age allows. The rules of debts_pay(). Returns how many were paid.
 */
u64 copies_pay(struct debts *d, enum pay_event why, const struct pay_scope *scope);
