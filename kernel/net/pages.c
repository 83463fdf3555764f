/* The pages: health, metrics in both dialects of Prometheus, and those of pages_json.c. */
#include "pages.h"
#include <kernel/clock.h>
#include <kernel/error.h>
#include <kernel/printf.h>
#include <kernel/smp.h>
#include <kernel/string.h>
#include <kernel/version.h>
#include <mm/numa.h>
#include <mm/pmm.h>
#include <mm/stats.h>
#include <arch/cpu.h>

#define NS_PER_SECOND 1000000000UL
#define NS_PER_MS 1000000UL

struct text {
	char *buf;
	size_t size, len; /* len may grow beyond size: then it did not fit */
};

static void __printf(2, 3) put(struct text *t, const char *fmt, ...)
{
	size_t at = MIN(t->len, t->size);
	va_list ap;

	va_start(ap, fmt);
	t->len += (size_t)kvsnprintf(t->buf + at, t->size - at, fmt, ap);
	va_end(ap);
}

static long finish(const struct text *t)
{
	return t->len < t->size ? (long)t->len : -ERANGE;
}

static long health(char *buf, size_t size, bool openmetrics __unused)
{
	struct text t = {.buf = buf, .size = size};

	put(&t, "ok\n");
	return finish(&t);
}

/* ---- /metrics ---- */

/* The dialects call a counter by its sample's name, or by that without "_total". */
static void put_counter(struct text *t, const char *name, u64 value, bool openmetrics)
{
	const char *suffix = openmetrics ? "" : "_total";

	put(t, "# HELP tarry_%s%s Counter %s of the memory manager.\n", name, suffix, name);
	put(t, "# TYPE tarry_%s%s counter\ntarry_%s_total %lu\n", name, suffix, name, value);
}

static void put_nodes(struct text *t)
{
	struct pmm_node_stats s;

	put(t,
	    "# HELP tarry_node_pages Frames of 4 KiB of a node.\n# TYPE tarry_node_pages gauge\n");
	for (u32 i = 0; i < numa_node_count(); i++) {
		pmm_node_stats(i, &s);
		put(t, "tarry_node_pages{node=\"%u\",state=\"free\"} %lu\n", i, s.free + s.cached);
		put(t, "tarry_node_pages{node=\"%u\",state=\"used\"} %lu\n", i,
		    s.total - s.free - s.cached);
	}
}

static long metrics(char *buf, size_t size, bool openmetrics)
{
	struct text t = {.buf = buf, .size = size};
	u64 ms = clock_ns() / NS_PER_MS;
	struct mm_counters sum;

	mm_counters_read(&sum);
	put(&t, "# HELP tarry_build%s What runs here.\n# TYPE tarry_build%s %s\n",
	    openmetrics ? "" : "_info", openmetrics ? "" : "_info", openmetrics ? "info" : "gauge");
	put(&t, "tarry_build_info{version=\"%s\",build=\"%s\",arch=\"%s\",accel=\"%s\"} 1\n",
	    tarry_version, tarry_build, tarry_arch, cpu_accel());
	put(&t,
	    "# HELP tarry_uptime_seconds Since the clock started.\n"
	    "# TYPE tarry_uptime_seconds gauge\ntarry_uptime_seconds %lu.%03lu\n",
	    ms / 1000, ms % 1000);
	put(&t, "# HELP tarry_cpus CPUs that are online.\n# TYPE tarry_cpus gauge\ntarry_cpus %u\n",
	    cpumask_weight(&cpu_online));
	put_nodes(&t);
#define X(name) put_counter(&t, #name, sum.name, openmetrics);
	MM_COUNTERS(X)
#undef X
	if (openmetrics)
		put(&t, "# EOF\n");
	return finish(&t);
}

const struct net_page *net_page_find(const char *path)
{
	static const char json[] = "application/json";
	static const struct net_page pages[] = {
		{"/healthz", "text/plain; charset=utf-8", NULL, health},
		{"/metrics", "text/plain; version=0.0.4; charset=utf-8",
		 "application/openmetrics-text; version=1.0.0; charset=utf-8", metrics},
		{"/api/v1/info", json, NULL, page_info},
		{"/api/v1/topology", json, NULL, page_topology},
		{"/api/v1/counters", json, NULL, page_counters},
		{"/api/v1/schemes", json, NULL, page_schemes},
		{"/api/v1/results.jsonl", "application/x-ndjson", NULL, NULL},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
		if (!strcmp(pages[i].path, path))
			return &pages[i];
	return NULL;
}
