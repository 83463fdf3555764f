/* What can be read over HTTP: texts made at once, from the state of the moment. */
#pragma once

#include <kernel/types.h>

struct net_page {
	const char *path, *type, *openmetrics_type; /* the last one NULL: it has one dialect only */
	/* Write the body to buf; bytes, or -ERANGE: it does not fit. The console's CPU, between commands. NULL: results. */
	long (*body)(char *buf, size_t size, bool openmetrics);
};

/* NULL: there is no such page. */
const struct net_page *net_page_find(const char *path);

/* ---- pages_json.c: as body() above ---- */

long page_info(char *buf, size_t size, bool openmetrics);
long page_topology(char *buf, size_t size, bool openmetrics);
long page_counters(char *buf, size_t size, bool openmetrics);
long page_schemes(char *buf, size_t size, bool openmetrics);
