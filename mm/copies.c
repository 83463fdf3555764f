/* Pages with older copies, and what must not happen while those may be read: see copies.h. */
#include <mm/copies.h>

void copies_mark(struct page *dst)
{
	/* Relaxed: before the page is mapped there, only a fault looks that has an older entry: see cow_reuse(). */
	store_relaxed(&dst->flags, load_relaxed(&dst->flags) | PG_COPIED);
}

static bool has_older_copies(const struct page *page)
{
	/* Relaxed: whoever found the page through its entry found it marked. */
	return page && load_relaxed(&page->flags) & PG_COPIED;
}

/* Must the debts be paid before this happens? */
static bool demands(struct debts *d, enum pay_event why, const struct pay_scope *scope)
{
	switch (why) {
	case PAY_MAP: /* a page that stays read-only may be mapped anywhere */
		return scope->write && has_older_copies(scope->page);
	case PAY_WRITE_UPGRADE:
	case PAY_PIN:
	case PAY_FILE_WRITE:
		return has_older_copies(scope->page);
	case PAY_TRUNCATE:
		return !scope->page || has_older_copies(scope->page);
	case PAY_COPY:
	case PAY_UNMAP:
	case PAY_DROP:
	case PAY_SPLIT:
	case PAY_EXIT:
		return debts_owes(d, scope->ctx);
	/*
	 * A hint entry says that no CPU holds one of its address, but only after the scan's own flush. As an
	 * older copy is read through an entry of the same address, that flush drops it, too. The entry's own frame stays.
	 */
	case PAY_HINT:
	case PAY_TICK:
		return false; /* unless they are old */
	default:
		return true;
	}
}

u64 copies_pay(struct debts *d, enum pay_event why, const struct pay_scope *scope)
{
	if (!demands(d, why, scope) && !debts_are_old(d))
		return 0;
	u64 owed = debts_pay(d);

	/* Its debts are paid: what is owed from now on is owed by the frame that it moves to. */
	if (has_older_copies(scope->page))
		atomic_fetch_and_relaxed(&scope->page->flags, ~(u32)PG_COPIED);
	return owed;
}
