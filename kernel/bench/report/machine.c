/*
 * `machine`: what was found of this machine, on one screen, and the same as a record, so that a capture
 * stands by itself. Each fact is one line; the record has it under the line's first word.
 */
#include <arch/noise.h>
#include <harness/bench.h>
#include <kernel/bench.h>
#include <kernel/hw.h>
#include <kernel/iommu.h>
#include <kernel/main.h>
#include <kernel/printf.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/uart.h>
#include <kernel/version.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include "record.h"

enum {
	TEXT = 512, /* bytes of a fact */
	RECORD = 24 << 10, /* of the record: all facts, and 64 nodes with 64 distances each */
	NODES_SHOWN = 8, /* of more, `numa` shows the rest */
};

static void append(char *text, const char *fmt, ...) __printf(2, 3);
static void append(char *text, const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	kvsnprintf(text + len, TEXT - len, fmt, ap);
	va_end(ap);
}

/* ---- facts ---- */

static void kernel_text(char *text)
{
	ksnprintf(text, TEXT, "Tarry %s %s build %s, started by %s", tarry_version, tarry_arch,
		  tarry_build, kernel_bootinfo->loader);
}

static void cpu_text(char *text)
{
	cpu_describe(text, TEXT);
}

/* The number of CPUs online before which none has the same core, or package. */
static unsigned count_kinds(u32 (*of)(unsigned cpu))
{
	unsigned n = 0;

	for_each_online_cpu (cpu) {
		bool is_new = true;

		for_each_online_cpu (other)
			is_new &= other >= cpu || of(other) != of(cpu);
		n += is_new;
	}
	return n;
}

static u32 core_of(unsigned cpu)
{
	return cpu_ptr(cpu, cpu_self)->core;
}

static u32 package_of(unsigned cpu)
{
	return cpu_ptr(cpu, cpu_self)->package;
}

static void cpus_text(char *text)
{
	unsigned online = cpumask_weight(&cpu_online);

	ksnprintf(text, TEXT, "%u online of %u, %u cores, %u packages", online,
		  kernel_bootinfo->cpu_count, count_kinds(core_of), count_kinds(package_of));
	if (kernel_bootinfo->cpu_disabled_count)
		append(text, "; %u more are listed and disabled",
		       kernel_bootinfo->cpu_disabled_count);
}

static void caches_text(char *text)
{
	cpu_caches(text, TEXT);
}

static void tlbs_text(char *text)
{
	cpu_tlbs(text, TEXT);
}

static void features_text(char *text)
{
	strlcpy(text, cpu_features(), TEXT);
}

static void errata_text(char *text)
{
	strlcpy(text, *hw_errata() ? hw_errata() : "none that is known here", TEXT);
}

static void run_by_text(char *text)
{
	ksnprintf(text, TEXT, "%s: %s", cpu_accel(), cpu_accel_evidence());
}

static unsigned cpus_on(u32 node)
{
	unsigned n = 0;

	for_each_online_cpu (cpu)
		n += numa_node_of_cpu(cpu) == node;
	return n;
}

static void nodes_text(char *text)
{
	u32 nodes = numa_node_count();
	struct pmm_node_stats s;

	ksnprintf(text, TEXT, "%u%s", nodes,
		  kernel_bootinfo->numa_known ? "" : " (no table names nodes)");
	for (u32 i = 0; i < MIN(nodes, (u32)NODES_SHOWN); i++) {
		pmm_node_stats(i, &s);
		append(text, "%s %u: %u CPUs %lu MiB", i ? "," : ":", i, cpus_on(i),
		       s.total << PAGE_SHIFT >> 20);
	}
	if (nodes > NODES_SHOWN)
		append(text, "; `numa` shows all");
}

static void distances_text(char *text)
{
	const struct bootinfo *bi = kernel_bootinfo;

	*text = '\0';
	for (u32 to = 0; to < MIN(numa_node_count(), (u32)NODES_SHOWN); to++)
		append(text, "%s%u", to ? " " : "from node 0: ", numa_distance(0, to));
	append(text, "%s", bi->distance_known ? "" : " (no table, assumed)");
	if (!bi->hmat_known)
		return;
	append(text, "; HMAT, read latency in ns:");
	for (u32 to = 0; to < MIN(numa_node_count(), (u32)NODES_SHOWN); to++)
		append(text, " %u", bi->hmat.read_latency_ps[0][to] / 1000);
	append(text, ", MB/s:");
	for (u32 to = 0; to < MIN(numa_node_count(), (u32)NODES_SHOWN); to++)
		append(text, " %u", bi->hmat.read_bandwidth_mbps[0][to]);
}

static void clock_text(char *text)
{
	ksnprintf(text, TEXT, "%s, %lu kHz%s", cycles_source(), cycles_hz() / 1000,
		  cycles_trusted() ? "" : ", with an erratum: no time is a result");
}

static void power_text(char *text)
{
	static const char *const dogs[] = {
		[BOOT_WATCHDOG_NONE] = "no watchdog in a table",
		[BOOT_WATCHDOG_OFF] = "firmware's watchdog is off",
		[BOOT_WATCHDOG_RUNS] = "FIRMWARE'S WATCHDOG RUNS and may reset the machine: switch "
				       "it off in its set-up",
		[BOOT_WATCHDOG_THERE] = "a watchdog, which firmware may have left running",
	};

	cpu_power_describe(text, TEXT);
	append(text, "; %s", dogs[kernel_bootinfo->watchdog]);
}

static void iommu_text(char *text)
{
	iommu_describe(text, TEXT);
}

static void console_text(char *text)
{
	bool chosen = kernel_bootinfo->console_word_count;

	consoles_describe(text, TEXT);
	append(text, "%s%s", *text ? ", " : "none, ",
	       chosen ? "by console=" : "all that were found");
}

static const struct fact {
	const char *name;
	void (*text)(char *text); /* of TEXT bytes */
} facts[] = {
	{"kernel", kernel_text},       {"cpu", cpu_text},	  {"cpus", cpus_text},
	{"caches", caches_text},       {"tlbs", tlbs_text},	  {"features", features_text},
	{"errata", errata_text},       {"run_by", run_by_text},	  {"nodes", nodes_text},
	{"distances", distances_text}, {"clock", clock_text},	  {"power", power_text},
	{"iommu", iommu_text},	       {"console", console_text},
};

/* ---- what is missing ---- */

static bool is_alone(void)
{
	return cpumask_weight(&cpu_online) == 1;
}

static bool has_one_node(void)
{
	return numa_node_count() == 1;
}

static bool is_emulated(void)
{
	return !strcmp(cpu_accel(), "tcg");
}

static bool is_virtual(void)
{
	return !strcmp(cpu_accel(), "kvm");
}

static bool has_bad_clock(void)
{
	return !cycles_trusted();
}

static const struct lack {
	bool (*is)(void);
	const char *text;
} lacks[] = {
	{is_alone, "one CPU: nobody to shoot at, `bench migrate --threads 0` has a path "
		   "only; " MACHINE_MORE_CPUS},
	{has_one_node, "one node: nothing to migrate between, `bench tlb`, `bench floor` and "
		       "litmus work; " MACHINE_MORE_NODES},
	{is_emulated, "an emulator: counts are exact, times are not those of hardware"},
	{is_virtual,
	 "a hypervisor: times are its own, too; host.cpus=N says how many CPUs it has for us"},
	{has_bad_clock, "the clock has an erratum: no time is a result"},
};

/* ---- the two ways to tell ---- */

void machine_print(void)
{
	static char text[TEXT];

	for (unsigned i = 0; i < ARRAY_SIZE(facts); i++) {
		facts[i].text(text);
		kprintf("%-10s %s\n", facts[i].name, text);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(lacks); i++)
		if (lacks[i].is())
			kprintf("%-10s %s\n", "lacks", lacks[i].text);
}

static void put_lacks(struct json *j)
{
	json_key(j, "lacks"), json_array(j);
	for (unsigned i = 0; i < ARRAY_SIZE(lacks); i++)
		if (lacks[i].is())
			json_string(j, lacks[i].text);
	json_array_end(j);
}

/* As far as it goes: 64 nodes have a table of 4096 distances. */
static void put_nodes(struct json *j)
{
	struct pmm_node_stats s;

	json_key(j, "node"), json_array(j);
	for (u32 i = 0; i < numa_node_count(); i++) {
		pmm_node_stats(i, &s);
		json_object(j);
		json_key(j, "cpus"), json_u64(j, cpus_on(i));
		json_key(j, "pages"), json_u64(j, s.total);
		json_key(j, "distances"), json_array(j);
		for (u32 to = 0; to < numa_node_count(); to++)
			json_u64(j, numa_distance(i, to));
		json_array_end(j);
		json_object_end(j);
	}
	json_array_end(j);
}

static bool told; /* the record was printed in this boot */

void machine_record_once(void)
{
	if (!told)
		machine_record_print();
}

void machine_record_print(void)
{
	static char record[RECORD], text[TEXT];
	struct json j;
	long len;

	json_init(&j, record, sizeof(record) - RECORD_TAIL);
	json_object(&j);
	json_key(&j, "schema"), json_string(&j, "tarry.bench/1");
	json_key(&j, "name"), json_string(&j, "machine");
	for (unsigned i = 0; i < ARRAY_SIZE(facts); i++) {
		facts[i].text(text);
		json_key(&j, facts[i].name), json_string(&j, text);
	}
	put_lacks(&j);
	put_nodes(&j);
	json_key(&j, "clock_hz"), json_u64(&j, cycles_hz());
	json_key(&j, "boot_id"), json_hex(&j, record_boot_id());
	len = json_finish(&j);
	if (len < 0) {
		kprintf("# no record for machine: too long\n");
		return;
	}
	told = true;
	record_print_mark(true);
	record_print(record, record_seal(record, (size_t)len, sizeof(record)));
	record_print_mark(false);
}
