/* The oracle and broadcasts (arm64 rules): under which ASID a CPU has the root, and whether walk caches were reached. */
#include "host_oracle.h"

#include <fake/machine.h>
#include <mm/asid.h>
#include <mm/knob.h>
#include <asm/tlb.h>

static struct aspace *start(vaddr_t *va, const char *transport)
{
	char err[160];

	host_mm();
	return knob_set("transport", transport, "set", err, sizeof(err))
		       ? NULL
		       : oracle_loaded_on_both(va);
}

/* The context gets another ASID while both CPUs have its root loaded under the one before. */
TEST(oracle_wants_the_asid_named_under_which_a_cpu_has_the_root)
{
	vaddr_t va;
	struct aspace *as = start(&va, "bcast-late");

	CHECK(as);
	u64 token = as->ctx.asid_token;
	struct oracle_unmap u = oracle_taken(as, va);

	as->ctx.asid_token = token + 1;
	oracle_flush(as, va, 0);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE);
	tlb_flush_context(&as->ctx);
	CHECK_EQ(oracle_ask(&u), ORACLE_STALE);
	as->ctx.asid_token = token;
	oracle_flush(as, va, 0);
	CHECK_EQ(oracle_ask(&u), ORACLE_CLEAN);
	aspace_destroy(as);
}

/* The same of one CPU of two, asked as the frame is released. */
TEST(oracle_wants_it_of_each_cpu_as_frames_are_released)
{
	vaddr_t va;
	struct aspace *as = start(&va, "bcast");

	CHECK(as);
	struct tlb_evidence *ev = cpu_ptr(1, tlb_evidence);
	struct page *page = host_page(as, va);
	unsigned slot = ev->loaded;

	ev->loaded = EVIDENCE_SLOTS; /* else it would panic */
	for (unsigned other = 0; other < 2; other++) {
		ev->slot[slot].asid += other;
		ev->slot[slot].released = 0;
		oracle_unmapped(page, &as->ctx, va, ORACLE_SITE(ORACLE_OTHER));
		oracle_flush(as, va, 0);
		oracle_release(&page, 1, page->unmap, page->unmap_word);
		CHECK_EQ(ev->slot[slot].released != 0, other);
	}
	ev->slot[slot].asid--;
	ev->slot[slot].released = 0;
	ev->loaded = slot;
	aspace_destroy(as);
}

static struct oracle_unmap table_taken(struct aspace *as, vaddr_t va)
{
	struct oracle_unmap u = oracle_taken(as, va);

	u.unmap_word += ORACLE_SITE(ORACLE_TABLE);
	return u;
}

TEST(oracle_wants_walk_caches_flushed_of_a_table)
{
	vaddr_t va;
	struct aspace *as = start(&va, "bcast");

	CHECK(as);
	va = ALIGN_DOWN(va, HUGE_SIZE);
	struct oracle_unmap table = table_taken(as, va), page = oracle_taken(as, va);

	oracle_flush(as, va, 0); /* the leaf alone */
	CHECK_EQ(oracle_ask(&page), ORACLE_CLEAN);
	CHECK_EQ(oracle_ask(&table), ORACLE_STALE);
	page = oracle_taken(as, va);
	oracle_flush(as, va, 1);
	CHECK_EQ(oracle_ask(&page), ORACLE_CLEAN);
	CHECK_EQ(oracle_ask(&table), ORACLE_CLEAN);
	table = table_taken(as, va);
	CHECK_EQ(oracle_ask(&table), ORACLE_STALE);
	tlb_flush_context(&as->ctx);
	CHECK_EQ(oracle_ask(&table), ORACLE_CLEAN);
	aspace_destroy(as);
}

/* ---- ranges: one broadcast for frames that are released together --------------------------------- */

static void issue(struct aspace *as, vaddr_t va, unsigned pages, unsigned other_asid)
{
	tlb_bcast_prepare();
	tlb_bcast_issue_range(va, pages, (asid_t)(asid_of(&as->ctx, 0) + other_asid));
}

static void all_taken(struct aspace *as, vaddr_t va, unsigned i, vaddr_t first, unsigned pages)
{
	oracle_take(as, va, i);
	if (i < ORACLE_MANY - 1)
		return;
	issue(as, first, pages, 0);
	tlb_bcast_sync();
}

static void as_taken(struct aspace *as, vaddr_t va, unsigned i)
{
	all_taken(as, va, i, va, ORACLE_MANY);
}

static void one_more(struct aspace *as, vaddr_t va, unsigned i)
{
	all_taken(as, va, i, va, ORACLE_MANY + 1);
}

static void one_less(struct aspace *as, vaddr_t va, unsigned i)
{
	all_taken(as, va, i, va, ORACLE_MANY - 1);
}

static void a_page_above(struct aspace *as, vaddr_t va, unsigned i)
{
	all_taken(as, va, i, va + PAGE_SIZE, ORACLE_MANY);
}

static void first_page_alone(struct aspace *as, vaddr_t va, unsigned i)
{
	all_taken(as, va, i, va, 1);
}

static void before_it_was_taken(struct aspace *as, vaddr_t va, unsigned i)
{
	if (!i) {
		issue(as, va, ORACLE_MANY, 0);
		tlb_bcast_sync();
	}
	oracle_take(as, va, i);
}

static void of_another_asid(struct aspace *as, vaddr_t va, unsigned i)
{
	oracle_take(as, va, i);
	if (i < ORACLE_MANY - 1)
		return;
	issue(as, va, ORACLE_MANY, 1);
	tlb_bcast_sync();
}

static void not_waited_for(struct aspace *as, vaddr_t va, unsigned i)
{
	oracle_take(as, va, i);
	if (i == ORACLE_MANY - 1)
		issue(as, va, ORACLE_MANY, 0);
}

TEST(oracle_takes_a_broadcast_of_just_the_pages_or_more)
{
	vaddr_t va;
	struct aspace *as = start(&va, "bcast");

	CHECK(as);
	for (unsigned round = 0; round < 3; round++) {
		CHECK(!oracle_found_stale(as, va, as_taken));
		CHECK(!oracle_found_stale(as, va, one_more));
	}
	aspace_destroy(as);
}

TEST(oracle_misses_what_a_broadcast_left_out)
{
	vaddr_t va;
	struct aspace *as = start(&va, "bcast");

	CHECK(as);
	for (unsigned round = 0; round < 3; round++) {
		CHECK(oracle_found_stale(as, va, one_less));
		CHECK(oracle_found_stale(as, va, a_page_above));
		CHECK(oracle_found_stale(as, va, first_page_alone));
		CHECK(oracle_found_stale(as, va, before_it_was_taken));
		CHECK(oracle_found_stale(as, va, of_another_asid));
		CHECK(oracle_found_stale(as, va, not_waited_for));
		tlb_bcast_sync();
	}
	aspace_destroy(as);
}
