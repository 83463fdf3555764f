/* The table of what is measured once per round. */
#include <kernel/det.h>
#include <kernel/panic.h>
#include <kernel/printf.h>
#include <kernel/string.h>
#include "bench.h"
#include "trust.h"

const char *bench_time_unit(const char *unit)
{
	const char *per = strchr(unit, '/');

	if (!det_mode)
		return unit;
	if (!per)
		return "instructions";
	return strcmp(per, "/op") ? "instructions/page" : "instructions/op";
}

void bench_series_add(struct bench *b, const struct bench_series *row, const char *fmt, ...)
{
	struct bench_series *s = &b->series[b->series_count];
	va_list ap;
	int len;

	/* Whatever takes time keeps a CPU busy. */
	ASSERT(b->series_count < BENCH_MAX_SERIES && (row->busy || !row->time));
	*s = *row;
	if (s->time)
		s->unit = bench_time_unit(s->unit);
	va_start(ap, fmt);
	len = kvsnprintf(s->name, sizeof(s->name), fmt, ap);
	va_end(ap);
	ASSERT((size_t)len < sizeof(s->name)); /* or two series may share a name */
	b->series_count++;
}

int bench_series_measure(struct bench *b, struct bench_round *round)
{
	int rc = 0;

	for (unsigned i = 0; i < b->series_count && !rc; i++) {
		const struct bench_series *s = &b->series[i];

		if (s->measure && bench_worthwhile(b, i))
			rc = s->measure(b, s->arg, &round->value[i]);
	}
	return rc;
}
