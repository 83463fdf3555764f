/* The pages in JSON: what runs on what, what is near to what, counters, schemes. */
#include "pages.h"
#include <kernel/bootinfo.h>
#include <kernel/clock.h>
#include <kernel/error.h>
#include <kernel/json.h>
#include <kernel/main.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/version.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <mm/scheme.h>
#include <mm/stats.h>
#include <arch/cpu.h>

static long finish_json(struct json *j)
{
	json_object_end(j);
	return json_finish(j);
}

long page_info(char *buf, size_t size, bool openmetrics __unused)
{
	char cpu[160];
	struct json j;

	cpu_describe(cpu, sizeof(cpu));
	json_init(&j, buf, size);
	json_object(&j);
	json_key(&j, "version"), json_string(&j, tarry_version);
	json_key(&j, "build"), json_string(&j, tarry_build);
	json_key(&j, "arch"), json_string(&j, tarry_arch);
	json_key(&j, "accel"), json_string(&j, cpu_accel());
	json_key(&j, "loader"), json_string(&j, kernel_bootinfo->loader);
	json_key(&j, "cpu"), json_string(&j, cpu);
	json_key(&j, "features"), json_string(&j, cpu_features());
	json_key(&j, "cpus"), json_u64(&j, cpumask_weight(&cpu_online));
	json_key(&j, "nodes"), json_u64(&j, numa_node_count());
	json_key(&j, "clock"), json_string(&j, cycles_source());
	json_key(&j, "clock_hz"), json_u64(&j, cycles_hz());
	json_key(&j, "uptime_ns"), json_u64(&j, clock_ns());
	return finish_json(&j);
}

long page_counters(char *buf, size_t size, bool openmetrics __unused)
{
	struct mm_counters sum;
	struct json j;

	mm_counters_read(&sum);
	json_init(&j, buf, size);
	json_object(&j);
#define X(name) json_key(&j, #name), json_u64(&j, sum.name);
	MM_COUNTERS(X)
#undef X
	return finish_json(&j);
}

/* ---- topology ---- */

static void put_node(struct json *j, u32 node)
{
	struct pmm_node_stats s;

	pmm_node_stats(node, &s);
	json_object(j);
	json_key(j, "id"), json_u64(j, node);
	json_key(j, "pages"), json_u64(j, s.total);
	json_key(j, "cpus"), json_array(j);
	for_each_online_cpu (cpu)
		if (numa_node_of_cpu(cpu) == node)
			json_u64(j, cpu);
	json_array_end(j);
	json_key(j, "distances"), json_array(j);
	for (u32 to = 0; to < numa_node_count(); to++)
		json_u64(j, numa_distance(node, to));
	json_array_end(j);
	json_object_end(j);
}

/* Of each CPU that is online, in the order of their numbers. */
static void put_cpus(struct json *j, const char *key, u32 (*of)(unsigned cpu))
{
	json_key(j, key), json_array(j);
	for_each_online_cpu (cpu)
		json_u64(j, of(cpu));
	json_array_end(j);
}

static u32 number_of(unsigned cpu)
{
	return cpu;
}

static u32 core_of(unsigned cpu)
{
	return cpu_ptr(cpu, cpu_self)->core;
}

static u32 package_of(unsigned cpu)
{
	return cpu_ptr(cpu, cpu_self)->package;
}

long page_topology(char *buf, size_t size, bool openmetrics __unused)
{
	struct json j;

	json_init(&j, buf, size);
	json_object(&j);
	json_key(&j, "numa_known"), json_bool(&j, kernel_bootinfo->numa_known);
	json_key(&j, "distances_known"), json_bool(&j, kernel_bootinfo->distance_known);
	json_key(&j, "page_bytes"), json_u64(&j, PAGE_SIZE);
	json_key(&j, "nodes"), json_array(&j);
	for (u32 i = 0; i < numa_node_count(); i++)
		put_node(&j, i);
	json_array_end(&j);
	put_cpus(&j, "cpus", number_of);
	put_cpus(&j, "cores", core_of);
	put_cpus(&j, "packages", package_of);
	return finish_json(&j);
}

/* ---- schemes ---- */

/* What a scheme sets on this machine: its pieces, with blanks between. */
static void put_settings(struct json *j, const struct scheme_def *def)
{
	char text[256] = "";
	const char *piece;

	for (unsigned i = 0; (piece = scheme_settings(def, i)); i++) {
		if (*text)
			strlcpy(text + strlen(text), " ", sizeof(text) - strlen(text));
		strlcpy(text + strlen(text), piece, sizeof(text) - strlen(text));
	}
	json_key(j, "settings"), json_string(j, text);
}

long page_schemes(char *buf, size_t size, bool openmetrics __unused)
{
	char value[64];
	struct json j;

	json_init(&j, buf, size);
	json_object(&j);
	json_key(&j, "schemes"), json_array(&j);
	for (unsigned i = 0; i < scheme_def_count; i++) {
		const struct scheme_def *def = &scheme_defs[i];

		json_object(&j);
		json_key(&j, "name"), json_string(&j, def->name);
		json_key(&j, "summary"), json_string(&j, def->summary);
		put_settings(&j, def);
		json_key(&j, "not_modelled"), json_string(&j, def->not_modelled);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_key(&j, "knobs"), json_object(&j);
	for (unsigned i = 0; i < knob_count(); i++) {
		const struct knob *k = knob_at(i);

		knob_format(k, value, sizeof(value));
		json_key(&j, k->name), json_string(&j, value);
	}
	json_object_end(&j);
	return finish_json(&j);
}
