/* Scenarios of pages that have older copies: for deferrals that keep both, and let readers have either. */
#include <mm/deferral.h>
#include "model.h"

#define VA MODEL_VA

static struct aspace *a;

/* ---- back in its old frame -------------------------------------------------------------- */

/* Entries that may become writable by a fault. */
static void setup_upgradable(void)
{
	a = work_space("a", VA, 1, RW);
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++)
		work_load(a, cpu);
	pt_change(pgwalk_find(a->root, VA, 0).ptep, pte_mk_readonly);
	tlb_flush_context(&a->ctx);
}

static void move_pay_move(unsigned cpu)
{
	work_migrate(a, VA, 1, 1);
	deferral_settle();
	work_read(VA, cpu, 1);
	work_migrate(a, VA, 1, 0);
	work_read(VA, cpu, 1);
}

static void write_once(unsigned cpu)
{
	work_write(VA, cpu);
}

static void read_thrice(unsigned cpu)
{
	for (unsigned i = 0; i < 3; i++)
		work_read(VA, cpu, 1);
}

const struct scenario copies_back = {
	.name = "copies-back",
	.summary = "a page is back in its old frame, and owes, when a fault that has paid makes it "
		   "writable",
	.cpus = 3,
	.setup = setup_upgradable,
	.program = {move_pay_move, write_once, read_thrice},
	.end = NULL,
};
