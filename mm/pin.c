/* Pins: pages that must stay where they are, for as long as somebody wants. */
#include <mm/aspace.h>
#include <mm/entry_page.h>
#include <mm/fault.h>
#include <mm/pay.h>
#include <arch/cpu.h>
#include <kernel/error.h>

static int pin_mapped(struct aspace *as, vaddr_t va, bool write, struct page **page)
{
	struct pt_pos pos = pgwalk_find(as->root, va, 0);
	pte_t pte = pte_load(pos.ptep);

	if (pos.level > 1 || !pte_is_leaf(pte, pos.level) || (write && !pte_is_writable(pte)))
		return -EFAULT;
	*page = entry_page_get(pos, pte, PAGE_PIN);
	return *page ? 0 : -EAGAIN;
}

int aspace_pin(struct aspace *as, vaddr_t va, bool write, struct page **page)
{
	for (;;) {
		read_lock(&as->lock);
		int err = pin_mapped(as, va, write, page);

		read_unlock(&as->lock);
		if (!err) {
			/* A pin outlives everything else that would pay: the page's debts go now. */
			pay(PAY_PIN, pay_page(*page));
			return 0;
		}
		if (err == -EFAULT && !fault_handle(as, va, write, false))
			return -EFAULT;
		cpu_relax();
	}
}
