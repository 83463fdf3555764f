/* Scenarios for the explorer: what CPUs do at the same time, and what must then be true. */
#pragma once

#include <fake/machine.h>
#include <mm/aspace.h>
#include <mm/change.h>
#include <mm/migrate.h>
#include <mm/pmm.h>

#define RW (PROT_READ | PROT_WRITE)

enum {
	MODEL_PAGES = 12, /* of a scenario, those of a file by number there */
	MODEL_MAPPED = 32, /* mappings of them */
	MODEL_WORDS = FAKE_CPUS,
	MODEL_LARGE = 1, /* 2 MiB pages of a scenario, at most */
	MODEL_HINT_OPEN = 0x4f50, /* knobs.hint until a scenario sets it: none of enum hint_order */
};

struct scenario {
	const char *name, *summary;
	unsigned cpus;
	bool large; /* the machine has room for 2 MiB pages */
	bool product; /* one of product.c's */
	unsigned
		weight; /* it gets so many times the orderings of others, as CPUs meet in more places; 0: as 1 */
	bool reads_only; /* fit for schemes that are safe only for identical read-only pages */
	void (*setup)(void);
	void (*program[FAKE_CPUS])(unsigned cpu);
	void (*end)(void); /* may be NULL */
};
extern const struct scenario *const scenarios[]; /* NULL at the end */
/* ---- scenarios_hint.c ---- */
extern const struct scenario hint_scan_faults, hint_late_faults, hint_early_faults, hint_protect,
	hint_wake;
/* ---- scenarios_spaces.c ---- */
extern const struct scenario switch_shootdown, free_table, free_tables, destroy_space, initiators,
	leave_return;
/* ---- scenarios_asids.c ---- */
extern const struct scenario rollover, rollover_load, rollover_stay, rollover_leave, rollover_lazy,
	slots_reused;
/* ---- scenarios.c ---- */
extern const struct scenario migrate_write, migrate_read, migrate_upgrade, migrate_unmap,
	migrate_protect, migrate_drop, two_migrators, pin_migrate, shared_fault, owed_range,
	owed_alias, protect_write, migrate_dirty;
/* ---- scenarios_core.c ---- */
extern const struct scenario flush_cpus, flush_owed, flush_taken, stage2_shootdown, stage2_tags;
/* ---- scenarios_generation.c ---- */
extern const struct scenario generation_round, generation_forced;
/* ---- scenarios_more.c ---- */
extern const struct scenario debts_grow, hint_dirty, share_unmap, destroy_lazy;
/* ---- scenarios_exec.c ---- */
extern const struct scenario exec_protect, exec_hint, exec_alias;
/* ---- scenarios_rules.c ---- */
extern const struct scenario spurious_always, spurious_rfc, spurious_skip, spurious_never,
	spurious_local, upgrade_local, upgrade_local_skip, protect_filter, protect_filter_local,
	model_arm64, model_x86, protect_dirty;
/* ---- scenarios_debts.c ---- */
extern const struct scenario debts_destroy, debts_look, debts_spaces, debts_tick, debts_ticks,
	debts_ticks_paid, debts_two_payers, debts_reap, deferral_replaced, free_owing_frames,
	buddy_taken;
/* ---- scenarios_object.c ---- */
extern const struct scenario object_empties, object_fills, object_wakes, object_isolated;
/* ---- scenarios_file.c ---- */
extern const struct scenario file_cleans, file_clean_pins, file_clean_moves, file_clean_drops,
	file_clean_hints, file_clean_stays, file_throttles, file_throttle_moves, file_writes;
/* ---- scenarios_leave.c ---- */
extern const struct scenario file_invalidates, file_drops_early, file_drop_writes, file_drop_moves,
	file_truncates, file_truncates_early, file_cut_writes, file_cut_unmaps, file_cut_fills,
	file_debts;
/* ---- scenarios_cow.c ---- */
extern const struct scenario cow_faults, cow_migrates, cow_migrates_own, cow_hints, cow_invalidates,
	cow_truncates, cow_throttles, cow_cut_writes, cow_cut_early, cow_debts;
/* ---- scenarios_reclaim.c ---- */
extern const struct scenario reclaim_writes, reclaim_faults, reclaim_new_table, reclaim_unmaps,
	reclaim_protects, reclaim_moves, reclaim_truncates, reclaim_two, reclaim_closes,
	reclaim_debts, reclaim_hints, reclaim_destroys, reclaim_pins, reclaim_drops,
	reclaim_allocates, reclaim_last, reclaim_wakes;
/* ---- scenarios_owing.c ---- */
extern const struct scenario owing_elsewhere, owing_upgrades, owing_file_writes, owing_pins,
	owing_takes, owing_references, owing_truncates, owing_unmaps, owing_private;
/* ---- scenarios_swap.c ---- */
extern const struct scenario swap_writes, swap_reads, swap_moves, swap_unmaps, swap_drops,
	swap_drops_early, swap_protects, swap_pins, swap_hints, swap_fails, swap_two, swap_exits,
	swap_dups, swap_dups_pinned, swap_shared, swap_drops_shared, swap_privates, swap_debts,
	swap_allocates, swap_kept, swap_large, swap_large_hints, swap_large_drops;
/* ---- scenarios_swap_shared.c ---- */
extern const struct scenario swap_shared_writes, swap_shared_faults, swap_shared_fails,
	swap_shared_moves, swap_shared_pins, swap_shared_unmaps, swap_shared_drops,
	swap_shared_closes;
/* ---- scenarios_copies.c ---- */
extern const struct scenario copies_back, copies_return, copies_slots, copies_pin, copies_settle,
	copies_owe, copies_leave, copies_leave_two, copies_leave_merged, copies_leave_both,
	copies_bound;
/* ---- scenarios_dup.c ---- */
extern const struct scenario dup_writes, dup_migrates, dup_hints, dup_unmaps, dup_drops, dup_reuses,
	dup_pins, dup_returns, dup_pin_protects, dup_waits;
/* ---- scenarios_change.c ---- */
extern const struct scenario change_subscribers, change_duplicates, change_heard;
/* ---- scenarios_context.c ---- */
extern const struct scenario context_restarts, context_joins;
/* ---- scenarios_lock.c ---- */
extern const struct scenario lock_turns, lock_sleeper;
/* ---- scenarios_second.c ---- */
extern const struct scenario second_migrates, second_scan, second_scan_protect, second_scan_late,
	second_scan_runs, second_pins, second_splits, second_refuses, second_leaves, second_unmaps,
	second_dup, second_enters, nested_migrates, nested_scan, nested_scan_protect,
	nested_scan_late, nested_protects, nested_cleans, nested_drops, nested_splits,
	nested_leaves;
/* ---- scenarios_large.c ---- */
extern const struct scenario large_migrate, large_split, large_split_migrate, large_split_unmap,
	large_split_pin, large_pinned, large_cut_protect, large_cut_drop, large_dirty;
/* ---- scenarios_frames.c ---- */
extern const struct scenario frames_write, frames_unmap, frames_destroy, frames_drop, frames_split,
	hint_destroy;
/* ---- scenarios_four.c ---- */
extern const struct scenario four_protect, four_initiators, four_shared;
/* ---- collisions.c ---- */
extern const struct scenario fault_table, fault_fault, fault_move, alias_protect, alias_drop,
	alias_split, unmap_pin, ack_order, fault_again, fault_upgrade, same_upgrade, alias_full,
	switch_one, switch_two;

/* ---- product.c ---- */
/* Makes the scenarios of the product, before the rest; at most once. It takes as long as some hundred executions. */
void product_init(void);
/* False: no name in the product, all of which begin with "p-", fits this. */
bool product_may_fit(const char *pattern);
unsigned product_count(void);
/* The scenario with this number, below product_count(). */
const struct scenario *product_at(unsigned i);
/* The same in another fixed order, in which neighbours have little in common. i may be larger: it wraps around. */
const struct scenario *product_shuffled(u64 i);
/* Why a scenario is left out under these rules (NULL: any rules), unless it is asked for by name. NULL: it is not. */
const char *product_left_out(const struct scenario *s, const char *rules);
/* This one is about to be set up. */
void product_choose(const struct scenario *s);

/* ---- invariants.c ---- */
/* Install the assertions (I1 ... I11) as hooks of the machine. */
void invariants_install(void);
/* Whose state tells about a frame: the head, for a part of a 2 MiB page. */
struct page *model_page_of(u64 frame);
/* After an execution: entries and counts fit together; nothing is held by flags or pins. */
void invariants_at_end(void);

/* ---- work*.c: what workloads do, and what their history allows ---- */
#define MODEL_VA 0x100000000UL
#define MODEL_FAR (MODEL_VA + 2 * HUGE_SIZE) /* another leaf table */

/* A new space with an anonymous area of so many pages at va, populated on node 0, contents written. */
struct aspace *work_space(const char *name, vaddr_t va, unsigned pages, prot_t prot);
/* The same of an object that is there: its first pages. */
struct aspace *work_space_of(const char *name, struct object *obj, vaddr_t va, unsigned pages,
			     prot_t prot);
/* The same with one 2 MiB page at va, of which the parts at va and at `other` are used. */
struct aspace *work_large(const char *name, vaddr_t va, vaddr_t other);
/* The same pages of another space, or another address of the same. */
void work_alias(struct aspace *as, struct aspace *of, vaddr_t from, vaddr_t va, unsigned pages,
		prot_t prot);
/* The same in a private mapping. */
void work_private(struct aspace *as, struct aspace *of, vaddr_t from, vaddr_t va, unsigned pages,
		  prot_t prot);
/*
 * A duplicate of the space. Pages that it does not share are pages of a history of their own, as those of a private
 * mapping are: words that nobody has written there are as in the page that they were.
 */
struct aspace *work_dup(struct aspace *as);
/* A page of an object by its index there, which is its number in the history, too. */
void work_map(struct aspace *as, struct object *obj, unsigned page, vaddr_t va);
/* One more page of 4 KiB in an area of its own, like those of work_space(). */
void work_add(struct aspace *as, vaddr_t va);
/* Note pages that are mapped already but not populated: they read as zero until written. */
void work_fresh(struct aspace *as, vaddr_t va, unsigned pages);
/* All pages get the same words: for schemes that need it. */
void work_make_identical(struct aspace *as, vaddr_t va, unsigned pages);
/* Lower rights while nothing runs yet, flushing everything. */
void work_protect(struct aspace *as, vaddr_t va, unsigned pages, prot_t prot);
void work_load(struct aspace *as, unsigned cpu);
/* Store the next stamp into this CPU's word of a page, and say so to the others. False: fault refused. */
bool work_write(vaddr_t va, unsigned cpu);
/* The same by a device that was given the pinned frame. */
void work_device_write(vaddr_t va, struct page *page, unsigned cpu);
/* Pin for a device that writes. NULL: refused, which ends the run as a failure. */
struct page *work_pin(struct aspace *as, vaddr_t va);
/* Pin, let the device write at any moment until it gives the page back, and read what it wrote. */
void work_pin_and_write(struct aspace *as, vaddr_t va, unsigned cpu);
/* The same, and a read, by a guest on this CPU that was told where the page is. */
void work_guest_write(vaddr_t va, void *frame, unsigned cpu);
void work_guest_read(vaddr_t va, const void *frame, unsigned cpu, unsigned whose);
/* A page of a private mapping may be about to be copied, by other means than work_write(). */
void work_touch(vaddr_t va);
/*
 * The same by file_write(), and a read by file_read(), of the page that is mapped at va. False:
 * it is beyond the end.
 */
bool work_file_write(struct object *file, vaddr_t va, unsigned cpu);
bool work_file_read(struct object *file, vaddr_t va, unsigned cpu, unsigned whose);
/* A store of two pages, whose accesses are checked. */
struct store *work_store(void);
/*
 * A new file on it of two pages, dirty, that two new spaces map, at MODEL_VA and at MODEL_FAR. CPUs 0 and 1
 * use the first one, CPU 2 the second. Nothing else may be mapped.
 */
struct object *work_file(struct aspace **first, struct aspace **second);
/* The same file in one new space. */
struct object *work_file_in(const char *name, vaddr_t va, struct aspace **as);
/* Swap is on, with room for all pages of a scenario. fails: it fails once, in the first write. */
void work_swap(bool fails);
/* At the end, before contents are looked at: each reference is in one slot; and all that is in swap is read in. */
void work_expect_swapped_in(void);
/* Nobody has accessed so many pages yet: the hand of reclaim need not come by twice. */
void work_age(struct aspace *as, vaddr_t va, unsigned pages);
/* All that was written into the file can be written back, and is in its store. */
void work_expect_synced(void);
/* The same, and in memory, where the first space maps it. */
void work_expect_stored(void);
/* What was done to a page succeeded, or somebody was in the way. */
void work_expect(const char *what, int err);
/*
 * Programs of the two pages at MODEL_VA of the space that is loaded: write both; reclaim them; reclaim them twice, with a
 * read between; make hint entries twice, with a write between.
 */
void work_write_both(unsigned cpu);
void work_reclaim(unsigned cpu);
void work_reclaim_and_read(unsigned cpu);
void work_scan_and_write(unsigned cpu);
/* Load a CPU's word of a page and check the stamp. False: fault refused. */
bool work_read(vaddr_t va, unsigned cpu, unsigned whose);
/* The same as code. False: it may not be executed. */
bool work_execute(vaddr_t va, unsigned cpu, unsigned whose);
/* Load and expect the words of work_make_identical(). */
bool work_read_same(vaddr_t va);
/* Store the word that is there already: nobody can tell by reading, only by where it goes. */
bool work_write_same(vaddr_t va);
/* From here on (before) or up to here (after) a page reads as zero or newer stamps. */
void work_drop_begins(vaddr_t va);
void work_drop_begins_in(struct aspace *as, vaddr_t va);
void work_drop_ended(vaddr_t va);
u64 work_migrate(struct aspace *as, vaddr_t va, unsigned pages, u32 to);
/* The same with results, which must stay inside their array. last: nobody else moves the last page. */
void work_migrate_told(struct aspace *as, vaddr_t va, unsigned pages, u32 to, bool last);
/*
 * The frames that a space maps, with a reference each. How many; the list has room for all. work_move_frames()
 * moves them from there and gives the references back.
 */
unsigned work_list_frames(struct aspace *as, vaddr_t va, unsigned pages, struct page **list);
void work_move_frames(struct page **list, unsigned count, u32 to);
/* Take every frame of a node that needs no reclaim, before the CPUs start; give them back at the end. */
void work_take_frames(u32 node, bool reserve);
void work_give_frames(void);
/* Every stamp issued is there at the end. */
void work_expect_all(struct aspace *as, vaddr_t va, unsigned pages);
/* The same of a page that may not be mapped at the end, or only `mapped`, or whose contents went. */
void work_expect_kept(struct aspace *as, vaddr_t va, bool mapped);
/* Of this mapped page, a word's last stamp is there at the end; or the word was never written. */
void work_expect_word(struct aspace *as, vaddr_t va, unsigned word);
void work_expect_unwritten(struct aspace *as, vaddr_t va, unsigned word);
/* Every stamp issued is in these contents of a page by its number in the history. */
void work_expect_page(unsigned page, const void *contents);
/* A call that promised less access has returned (I7). */
void work_expect_at_most(struct aspace *as, vaddr_t va, prot_t prot);

/* ---- listener.c: a subscriber to the changes of a space, which checks that it is told in order ---- */
struct listener {
	struct change_subscriber subscriber;
	u32 open; /* changes that it heard begin, and not yet end; atomic */
	u32 hears; /* change_subscribe() has returned, change_unsubscribe() was not called yet */
	u32 gone; /* change_unsubscribe() has returned */
};
void listener_comes(struct listener *l, struct aspace *as);
/* The same for subscribers of its own, which call these. */
int listener_begin(struct change_subscriber *s, const struct change *change);
void listener_taken(struct change_subscriber *s, vaddr_t va, unsigned level, pte_t old,
		    struct tlb_gather *gather);
void listener_end(struct change_subscriber *s, const struct change *change);
/* It comes, hears, and goes again. */
void listener_visits(struct listener *l, struct aspace *as, vaddr_t va, unsigned cpu);

/*
 * ---- guest.c: a guest behind the software MMU, whose memory is a range of a space that all CPUs have loaded ----
 *
 * Of the frames that it may use, the invariants are checked as those of CPUs are. And when a scan's flush counts
 * as complete, no guest may use a page whose entry is a hint entry.
 */
struct softmmu;
/* Two pages at MODEL_VA on node 0, last used on node 1; faults of guests may be hint faults. In a scenario's setup. */
struct aspace *guest_space(u32 notify);
#define GUEST_MIDDLE (MODEL_VA + 300 * PAGE_SIZE)
/* A 2 MiB page, of which the first part and this one are noted. Programs: a scan of both; the page is cut, and this part moves. */
struct aspace *guest_large_space(void);
void guest_scan_parts(unsigned cpu);
void guest_split_and_move(unsigned cpu);
/* One guest, of pages that are noted. */
void guest_create(struct aspace *as, vaddr_t va, unsigned pages);
void guest_destroy(void);
/* Between the two the guest runs on this CPU, and each access may be interrupted before and after. */
void guest_enter(void);
void guest_leave(void);
/* Accesses, with whatever faults they need. False: not allowed, and the guest has left the CPU and come back. */
bool guest_write(vaddr_t va, unsigned cpu);
bool guest_read(vaddr_t va, unsigned cpu, unsigned whose);
/* The guest comes, writes, and goes, in one stretch without interrupts; more if it has to fault. */
bool guest_visit(vaddr_t va, unsigned cpu);
/* No guest may use the page at va, now or later. */
void guest_expect_none(vaddr_t va);
/*
 * For other kinds of guests: from now on the invariants are checked of this one, too. The function says whether a CPU may
 * use the frame without another look at the guest's tables, and which; write: for stores. After the end of the scenario that begins
 * it, or guest_goes(), nothing is checked any more.
 */
typedef bool guest_may_use_fn(u64 frame, bool write, unsigned *cpu);
void guest_watch(struct softmmu *shadow, guest_may_use_fn *fn);
void guest_goes(void);

/*
 * ---- guest_nested.c: a guest in hardware, with nested tables (mm/nested.c), whose memory is as that of guest.c ----
 *
 * The hardware is as bad as the contract of <arch/hypervisor.h> allows: what a CPU has walked it holds until it is flushed, across
 * exits, with the rights that it had; a flush may come as late as the next run; interrupts end a run between two accesses.
 */
struct guest_access {
	vaddr_t va;
	enum { GUEST_READS, GUEST_WRITES, GUEST_WAITS } what;
	unsigned whose; /* GUEST_READS: CPU whose word it reads */
	const u32 *until; /* GUEST_WAITS, inside the guest: for this to be set */
};
/* One guest, of pages that are noted. */
void nested_guest_create(struct aspace *as, vaddr_t va, unsigned pages);
void nested_guest_destroy(void);
/* The same at the end of a scenario, where the tables must say what the shadow says, and none may be linked for nothing. */
void nested_guest_end(void);
/* A virtual CPU makes all these accesses here, with whatever faults they need. False: one was not allowed, and ended it. */
bool nested_guest_run(const struct guest_access *accesses, unsigned n, unsigned cpu);

/* ---- seen.c ---- */
/* Room for so many orderings. */
void seen_init(u64 orderings);
/* True: seen before. Else remember it. */
bool seen_ordering(u64 key);
/* An execution begins that may be given up; its plan may have so many deviations more. */
void seen_begin(unsigned left);
/*
 * Has the state of the last call been explored already, with at least as many deviations left? The
 * answer comes one step late, as only then memory has been brought up to date with that state.
 */
bool seen_state(u64 key);

/* ---- explore.c ---- */
struct explore_result {
	u64 executions; /* complete ones */
	u64 distinct; /* different orderings among them */
	u64 duplicates; /* given up: reached a state that was explored already */
	u64 steps;
	u64 wraps; /* contexts whose generations came round, of each execution */
	u64 repeated; /* executions that were run again and did the same */
	u64 digest; /* hash of all orderings in turn, and of the states of those repeated */
	u64 pairs, both; /* conflicting pairs of accesses that were seen; of them, in both orders */
	unsigned bound; /* every plan with up to so many deviations was tried, ... */
	bool exhausted; /* ... which is as many as were asked for */
	bool failed;
};

enum { EXPLORE_BOUND = 3 }; /* deviations of a plan that is tried systematically */

struct explore_order {
	const struct scenario *scenario;
	u64 orderings; /* wanted */
	u64 executions; /* at most */
	u64 seed;
	unsigned bound; /* try every plan with so many deviations first */
	void (*tell_pair)(
		const struct fake_pair *pair); /* of those seen in one order only; or NULL */
	void (*alive)(void); /* called now and then; or NULL */
};

/* The machine stands where the scenario begins. */
void explore(const struct explore_order *order, struct explore_result *result);
/* Of the execution that failed: what, and its schedule. */
const char *explore_failure(void);
const char *explore_failing_schedule(void);
/* The plan at hand, as far as it was noted. */
void explore_schedule(char *buf, size_t size);
/* Run one schedule; false if it fails. `trace`: print each step. */
bool explore_replay(const struct scenario *scenario, const char *schedule, bool trace);
