/* Pieces of a benchmark record: counters, histograms, phases, victims, the machine. */
#include <harness/region.h>
#include <harness/sums.h>
#include <kernel/bench.h>
#include <kernel/copy.h>
#include <kernel/hw.h>
#include <kernel/option.h>
#include <kernel/rng.h>
#include <kernel/service.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/version.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "figures.h"
#include <harness/pmu.h>
#include "record.h"

static void put(struct json *j, const char *key, u64 value)
{
	json_key(j, key);
	json_u64(j, value);
}

static u64 to_ns(u64 cycles)
{
	return bench_ns_per(cycles, 1, 0);
}

/* Null where times mean nothing. */
static void put_ns(struct json *j, const char *key, u64 cycles, bool trusted)
{
	json_key(j, key);
	if (trusted)
		json_u64(j, to_ns(cycles));
	else
		json_null(j);
}

/* ---- counters ------------------------------------------------------------------ */

/* The same counts under the names that Linux gives them, and ours for what it lacks. */
static void put_aliases(const struct bench_variant *v, struct json *j)
{
	const struct mm_counters *c = &v->totals.mm;

	put(j, "nr_tlb_remote_flush", c->shootdowns);
	put(j, "nr_tlb_remote_flush_received", c->ipis_received);
	put(j, "nr_tlb_local_flush_all", c->flush_local_full);
	put(j, "nr_tlb_local_flush_one", c->flush_local_page);
	put(j, "pgmigrate_success", c->pages_migrated);
	put(j, "pgmigrate_fail", bench_failed(&v->totals));
	put(j, "pgfault", c->page_faults);
	put(j, "numa_hint_faults", c->hint_faults);
	put(j, "numa_hint_faults_local", c->hint_faults_local);
	put(j, "numa_pages_migrated", c->hint_moved);
	put(j, "numa_pte_updates", c->hint_entries);
	put(j, "tlb_deferred_pending", v->totals.debts_at_end);
	put(j, "tlb_deferred_held_pages", v->totals.held_pages_max);
	put(j, "tlb_flush_skipped", c->flush_skipped);
	put(j, "tlb_flush_merged", c->ipis_merged);
	put(j, "tlb_stale_reads", v->felt.stale_reads);
}

static void put_failed(const struct mm_counters *c, struct json *j)
{
	json_key(j, "pages_failed");
	json_object(j);
	for (unsigned i = MIGRATE_OK + 1; i < MIGRATE_REASONS; i++)
		put(j, migrate_reason_names[i], c->failed[i]);
	json_object_end(j);
}

/* Debts paid, by the event that demanded it. */
static void put_forced(const struct mm_counters *c, struct json *j)
{
	json_key(j, "debts_forced_by");
	json_object(j);
	for (unsigned i = 0; i < PAY_EVENT_COUNT; i++)
		put(j, pay_event_names[i], c->forced[i]);
	json_object_end(j);
}

void record_counters(const struct bench_variant *v, struct json *j)
{
	const struct bench_totals *t = &v->totals;
	const struct mm_counters *c = &t->mm;

	json_object(j);
#define X(name) put(j, #name, c->name);
	MM_COUNTERS(X)
#undef X
	put_failed(c, j);
	put_forced(c, j);
	for (unsigned i = 0; i < v->counter_count; i++)
		put(j, v->counters[i].name, t->deferral[i]);
	put(j, "pages_migrated_2m", t->migrate.moved_huge);
	put(j, "batches", t->migrate.batches);
	put(j, "ipis_wake", t->ipis_wake);
	put(j, "ipis_call", t->ipis_call);
	put(j, "held_pages_max", t->held_pages_max);
	put(j, "timer_irqs", t->timer_irqs);
	put(j, "reads_verified", v->felt.reads_verified);
	put(j, "reads_in_window", v->felt.reads_in_window);
	put(j, "stale_reads", v->felt.stale_reads);
	put_aliases(v, j);
	json_object_end(j);
}

/* ---- histograms, waits, phases ----------------------------------------------------- */

static void put_buckets(const u64 *buckets, unsigned n, struct json *j)
{
	while (n && !buckets[n - 1])
		n--;
	json_array(j);
	for (unsigned i = 0; i < n; i++)
		json_u64(j, buckets[i]);
	json_array_end(j);
}

/* Bucket i counts those that took 2^i to 2^(i+1)-1 ns; empty ones at the end are left off. */
void record_ack(const struct bench_variant *v, bool trusted, struct json *j)
{
	static const char *const names[] = {"smt", "socket", "remote"};

	if (!trusted) {
		json_null(j);
		return;
	}
	json_object(j);
	for (unsigned d = 0; d < ACK_DISTANCES; d++) {
		json_key(j, names[d]);
		put_buckets(v->totals.mm.ack[d], ACK_BUCKETS, j);
	}
	json_object_end(j);
}

void record_waits(const struct bench_variant *v, bool trusted, struct json *j)
{
	const struct mm_counters *c = &v->totals.mm;

	json_object(j);
	put_ns(j, "initiator", c->wait_initiator, trusted);
	put_ns(j, "target_stolen", c->target_stolen, trusted);
	put_ns(j, "faulter", c->wait_faulter, trusted);
	put_ns(j, "allocator", c->wait_allocator,
	       trusted); /* paid for what leaves, or under pressure */
	json_object_end(j);
}

/* Bucket i counts those of 2^i to 2^(i+1)-1 ns, as in ack_ns. */
static void put_times(const char *key, const u64 *buckets, bool shown, struct json *j)
{
	json_key(j, key);
	if (shown)
		put_buckets(buckets, TIME_BUCKETS, j);
	else
		json_null(j);
}

void record_debts(const struct bench *b, const struct bench_totals *t, struct json *j)
{
	const struct mm_counters *c = &t->mm;
	bool shown = bench_waits_shown(b);

	put(j, "held_page_ns", to_ns(t->held_integral));
	json_key(j, "held_pages_mean"), json_fixed(j, (s64)bench_held_mean(t), 2);
	put(j, "payments", words_total(c->paid, sizeof(c->paid)));
	put(j, "wait_paid_ns", to_ns(c->wait_paid));
	put_times("paid_ns", c->paid, shown, j);
	put_times("debt_age_ns", c->age, shown, j);
}

/* Of all measured rounds. "other" takes what the phases leave of the total, so that they add up. */
void record_phases(const struct bench_variant *v, bool trusted, struct json *j)
{
	const struct bench_totals *t = &v->totals;
	u64 rest = t->cycles;

	if (!trusted || !t->migrate.batches) {
		json_null(j);
		return;
	}
	json_object(j);
	for (unsigned i = 0; i < PHASE_OTHER; i++) {
		put_ns(j, migrate_phase_names[i], t->migrate.phase[i], true);
		rest -= MIN(rest, t->migrate.phase[i]);
	}
	put_ns(j, migrate_phase_names[PHASE_OTHER], rest, true);
	json_object_end(j);
}

/* ---- victims --------------------------------------------------------------------- */

static void put_latency(const struct bench *b, const struct bench_variant *v, struct json *j)
{
	json_key(j, "latency_ns");
	if (b->trust != TRUST_TIME) {
		json_null(j);
		return;
	}
	json_object(j);
	put(j, "p50", to_ns(hist_quantile(v->felt.latency, 500)));
	put(j, "p99", to_ns(hist_quantile(v->felt.latency, 990)));
	put(j, "max", to_ns(v->felt.longest_gap));
	json_object_end(j);
}

static void put_longest_waits(const struct bench *b, const struct bench_variant *v, struct json *j)
{
	json_key(j, "longest_wait");
	if (!bench_waits_shown(b)) {
		json_null(j);
		return;
	}
	json_array(j);
	for (u64 i = 0; i < b->reps_done; i++)
		json_u64(j, to_ns(v->waits[i]));
	json_array_end(j);
}

static void put_victim(const struct bench *b, const struct bench_variant *v, struct json *j)
{
	json_object(j);
	put(j, "ops", v->felt.ops);
	put_latency(b, v, j);
	put(j, "waits", v->felt.wait_count);
	json_key(j, "reads_in_window");
	json_array(j);
	for (u64 i = 0; i < b->params.threads; i++)
		json_u64(j, v->felt.in_window[i]);
	json_array_end(j);
	json_object_end(j);
}

void record_victim_keys(const struct bench *b, const struct bench_variant *v, struct json *j)
{
	json_key(j, "victim");
	if (!v->waits) {
		json_null(j);
		return;
	}
	put_victim(b, v, j);
	put_longest_waits(b, v, j);
}

/* ---- the machine ------------------------------------------------------------------- */

u64 record_boot_id(void)
{
	static u64 id;

	/* Where nothing is random, neither is this: the clock is all that tells two boots apart. */
	if (!id) {
		u64 state = cycles_now();

		id = rng_splitmix64(&state);
	}
	return id;
}

static void put_node_memory(struct json *j)
{
	struct pmm_node_stats s;

	json_key(j, "node_pages");
	json_array(j);
	for (u32 i = 0; i < numa_node_count(); i++) {
		pmm_node_stats(i, &s);
		json_u64(j, s.total);
	}
	json_array_end(j);
}

static bool utc(char text[UTC_LEN])
{
	return service_utc && service_utc(text);
}

/* What happened during the run that nobody asked for; null: this machine does not tell. */
static void put_noise(const struct bench_noise *n, struct json *j)
{
	json_object(j);
	json_key(j, "smis");
	if (n->smis_known)
		json_u64(j, n->smis);
	else
		json_null(j);
	json_key(j, "clock_percent");
	if (n->clock_known) {
		json_array(j);
		json_u64(j, n->slowest), json_u64(j, n->fastest);
		json_array_end(j);
	} else {
		json_null(j);
	}
	json_object_end(j);
}

void record_machine_keys(const struct bench *b, struct json *j)
{
	static const char *const poisons[] = {"off", "mark", "full"};
	const char *hw = option_get("hw");
	char cpu[160], text[UTC_LEN];

	cpu_describe(cpu, sizeof(cpu));
	json_key(j, "cpu"), json_string(j, cpu);
	json_key(j, "check"), json_string(j, region_check_name());
	json_key(j, "poison"), json_string(j, poisons[pmm_poison]);
	json_key(j, "copy"), json_string(j, copy_page_name());
	json_key(j, "hw"), json_string(j, hw ? hw : "");
	json_key(j, "features"), json_string(j, cpu_features());
	json_key(j, "errata"), json_string(j, hw_errata());
	json_key(j, "net"), json_string(j, net_on ? "on" : "off");
	json_key(j, "utc"), json_string(j, utc(text) ? text : NULL);
	json_key(j, "idle"), json_string(j, idle_polls ? "poll" : "halt");
	put_node_memory(j);
	json_key(j, "version"), json_string(j, tarry_version);
	json_key(j, "build"), json_string(j, tarry_build);
	json_key(j, "boot_id"), json_hex(j, record_boot_id());
	json_key(j, "clock"), json_string(j, cycles_source());
	put(j, "clock_hz", cycles_hz());
	put(j, "noise_floor_ns", to_ns(b->noise_floor));
	json_key(j, "noise"), put_noise(&b->noise, j);
}

/* Counts of all CPUs, and names of what no counter has; null, and why, where there are none. */
void record_pmu(const struct bench *b, const struct bench_variant *v, struct json *j)
{
	json_key(j, "pmu");
	if (b->pmu_why) {
		json_null(j);
		json_key(j, "pmu_why"), json_string(j, b->pmu_why);
		return;
	}
	json_object(j);
	for (unsigned i = 0; i < PMU_EVENTS; i++) {
		json_key(j, pmu_names[i]);
		if (b->pmu_events >> i & 1)
			json_u64(j, v->totals.pmu.event[i]);
		else
			json_null(j);
	}
	json_object_end(j);
}
