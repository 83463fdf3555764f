/*
 * Counters, exact, per CPU, each written by its own CPU only. Those that an
 * interrupt handler counts are counted nowhere else, so a plain increment is
 * enough on every port.
 */
#pragma once

#include <kernel/percpu.h>
#include <kernel/atomic.h>
#include <mm/pay.h>
#include <mm/tlb.h>

#define MM_COUNTERS(X)                                                                               \
	X(pages_migrated)                                                                            \
	X(shootdowns) /* tlb_gather_flush() calls that had something to flush */                     \
	X(shootdowns_nonglobal) /* of them, tlb_flush_cpus(): of every context at once */            \
	X(ipis_sent) /* interrupts that carry a shootdown request, one per target */                 \
	X(ipis_received) /* handler */                                                               \
	X(ipis_merged) /* requests that rode on an interrupt already under way */                    \
	X(flush_local_page) /* single-page flush instructions, task context */                       \
	X(flush_local_full) /* whole-context flushes, task context */                                \
	X(flush_remote_page) /* the same, executed for others in the handler */                      \
	X(flush_remote_full)                                                                         \
	X(flush_skipped) /* handler: the generation was reached already */                           \
	X(flushes_forced) /* of everything everywhere, so that narrow generations stay near */       \
	X(bcast_ops)                                                                                 \
	X(bcast_syncs)                                                                               \
	X(debts_created)                                                                             \
	X(debts_merged)                                                                              \
	X(debts_forced)                                                                              \
	X(debts_settled) /* debts of payments for which every CPU had flushed already */             \
	X(debts_skipped) /* CPUs that a payment left out, as they had flushed already */             \
	X(page_faults)                                                                               \
	X(spurious_faults)                                                                           \
	X(migration_waits) /* faults that waited for a page to come back */                          \
	X(pages_wanted) /* pages moved out of turn because somebody waited */                        \
	X(hint_faults) /* accounted: each fault that found its hint entry unchanged, once */         \
	X(hint_faults_local) /* of them, by the node that has the page */                            \
	X(hint_faults_shared) /* of them, on a page that another CPU touched last */                 \
	X(hint_faults_grouped) /* of them, on a writable one: users that belong together */          \
	X(hint_faults_second) /* the entry was changed, or the page isolated, by another one */      \
	X(hint_second_flushed) /* moves that flushed because a second fault mapped the page */       \
	X(hint_waits) /* faults that waited for a scan's flush, as they were about to move a page */ \
	X(hint_moved) /* pages moved by hint faults */                                               \
	X(pages_promoted) /* of them, from a node without CPUs */                                    \
	X(pages_demoted) /* pages moved to one, to make room */                                      \
	X(pages_split) /* 2 MiB pages that became 512 small ones */                                  \
	X(split_pinned) /* and those that did not, as somebody held them, */                         \
	X(split_raced) /* as their entry changed or a scan's flush was pending, */                   \
	X(split_no_memory) /* or for lack of a page table */                                         \
	X(hint_entries) /* entries that a scan made hint entries */                                  \
	X(hint_unflushed) /* hint entries taken down for migration that no flush was owed for */     \
	X(hint_gathered) /* and those that went into a flush, since a scan's was pending */          \
	X(shootdowns_scanner) /* the scanner's own flushes, which no other counter contains */       \
	X(ipis_scanner)                                                                              \
	X(flush_scanner) /* flush instructions for it, on any CPU */                                 \
	X(bcast_scanner) /* broadcasts waited for */                                                 \
	X(retried_faults) /* faults that started over, once or more often, each once */              \
	X(spurious_flushes) /* flushes everywhere that followed a fault which changed nothing */     \
	X(upgrade_flushes) /* and those as a fault gave an entry more access */                      \
	X(extra_faults) /* retried ones that left accessed or dirty to another (spurious=rfc) */     \
	X(throttled) /* times that a writer over the budget of dirty pages wrote back */             \
	X(read_in) /* pages that a store gave */                                                     \
	X(written_back) /* pages that a store took */                                                \
	X(reclaimed) /* pages that left their file as frames were wanted */                          \
	X(reclaim_skipped) /* anonymous pages that nobody had accessed lately, and that stayed */    \
	X(store_errors) /* accesses to a store that failed */                                        \
	X(oracle_checked) /* frames whose release was checked against the evidence */                \
	X(oracle_unknown) /* evidence overwritten: neither proof nor violation */                    \
	X(hint_spared) /* entries that a scan left alone (knob pinned) */                            \
	X(hint_spared_unpinned) /* of them, of pages that nobody has pinned, */                      \
	X(hint_marked_pinned) /* and hint entries of pinned pages, where the knob is not `mark` */   \
	X(secondary_invalidations) /* entries that second MMUs zapped */                             \
	X(secondary_refills) /* entries that they installed, */                                      \
	X(secondary_refills_2m) /* of them, of 2 MiB; */                                             \
	X(secondary_broken_2m) /* a first one of 4 KiB where one of 2 MiB was: the page was split */ \
	X(secondary_rebuilt_2m) /* and one of 2 MiB again */                                         \
	X(secondary_useless) /* of the frame that was there before it was zapped */                  \
	X(secondary_retried) /* installs that met an invalidation, and started over */               \
	X(secondary_flushes) /* second-stage flushes carried out, on any CPU */                      \
	X(secondary_flushes_host) /* entries of guests that dropped what the CPU held of the host */ \
	X(guest_exits_fault) /* times that a guest stopped as its second stage had nothing, */       \
	X(guest_exits_shootdown) /* or for a shootdown of that, */                                   \
	X(guest_exits_interrupt) /* or for another interrupt of the host, */                         \
	X(guest_exits_call) /* or because it called */

enum {
	TIME_BUCKETS = 40
}; /* by powers of two, from 1 ns to nine minutes; longer ones are in the last */

struct mm_counters {
#define X(name) u64 name;
	MM_COUNTERS(X)
#undef X
	u64 failed[8]; /* pages that could not be moved, by enum migrate_reason */
	u64 forced[PAY_EVENT_COUNT]; /* debts paid, by event; their sum is debts_forced */
	u64 wait_initiator, wait_faulter, wait_allocator, target_stolen; /* cycles */
	u64 wait_paid; /* cycles: of wait_* those that whoever paid spent in it, whatever the event */
	u64 ack[ACK_DISTANCES][ACK_BUCKETS];
	u64 paid[TIME_BUCKETS]; /* how long payments took, */
	u64 age[TIME_BUCKETS]; /* and how old debts were as their payment began: see debts_pay() */
};
extern PERCPU_DECLARE(struct mm_counters, mm_counters);

#define count(name) (this_cpu_ptr(mm_counters)->name++)
#define count_add(name, n) (this_cpu_ptr(mm_counters)->name += (n))

/* The bucket of a duration: i has those from 2^i to 2^(i+1)-1 ns. */
unsigned stats_bucket(u64 cycles);
/* Sum over all CPUs. */
void mm_counters_read(struct mm_counters *sum);
