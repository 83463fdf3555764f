/* Records of a run: JSON Lines, one per variant. */
#pragma once

#include <harness/bench.h>
#include <kernel/json.h>

/* Read the boot line: records=on|off|auto (auto: unless somebody is at the prompt), records.width=N (lines.h; 0: any). */
void record_init(void);
/* Do records come with each table? Else only when `results` is typed. */
bool records_printed(void);
/* Make the records of this run, which `results` prints from now on. Context that allocates. */
void record_make(struct bench *b, struct bench *floor);
/* One line per variant for those who grep: "# bench NAME value=V unit=U". */
void record_print_values(const struct bench *b);

enum { RECORD_TAIL = 32 }; /* bytes of what record_seal() adds, and a NUL */

/*
 * record_seal - close the object of len bytes that was begun at text, in which size bytes have room, RECORD_TAIL more
 * than it has. The checksum becomes its last key. Returns its length with the newline.
 */
size_t record_seal(char *text, size_t len, size_t size);
/* Around the records of one table: BENCH-BEGIN and BENCH-END. */
void record_print_mark(bool begin);
/* A sealed record, in lines of records.width=. */
void record_print(const char *text, size_t len);

/* ---- machine.c ---- */
/* `machine`: what was found, for people; the same as a record. */
void machine_print(void);
void machine_record_print(void);
/* With a run's records, unless it was printed before: a capture stands by itself. */
void machine_record_once(void);
/* What gives a machine more of them: where `machine` says what is missing, and where a run is skipped. */
#define MACHINE_MORE_NODES                                                                         \
	"firmware: nodes per socket (NPS, SNC) 2 or 4, node interleaving off; QEMU: NODES=2"
#define MACHINE_MORE_CPUS "firmware: cores or SMT switched off?; nr_cpus=; QEMU: SMP=4"

/* ---- record_parts.c: the value behind a key, or keys of the record ---- */
void record_counters(const struct bench_variant *v, struct json *j);
void record_ack(const struct bench_variant *v, bool trusted, struct json *j);
/* Keys for a workload's object: what was held over time, what payments took, how old debts were. */
void record_debts(const struct bench *b, const struct bench_totals *t, struct json *j);
void record_waits(const struct bench_variant *v, bool trusted, struct json *j);
void record_phases(const struct bench_variant *v, bool trusted, struct json *j);
/* The key "pmu", of a run with --pmu. */
void record_pmu(const struct bench *b, const struct bench_variant *v, struct json *j);
/* The keys "victim" and "longest_wait". */
void record_victim_keys(const struct bench *b, const struct bench_variant *v, struct json *j);
/* What the machine is and how it was set up, key by key. */
void record_machine_keys(const struct bench *b, struct json *j);
