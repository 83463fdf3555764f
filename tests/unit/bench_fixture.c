/* What tests of the benchmark share. */
#include <kernel/bench.h>
#include "../../kernel/bench/harness/trust.h"
#include "bench_fixture.h"

static bool calm(const struct bench *b, unsigned busy)
{
	(void)b, (void)busy;
	return true;
}

unsigned run_calmly(int argc, char **argv, struct bench_outcome *out)
{
	bool (*real)(const struct bench *b, unsigned busy) = trust_calibration;

	trust_calibration = calm;
	unsigned rc = bench_quietly(argc, argv, out);

	trust_calibration = real;
	return rc;
}

const char *record_of(unsigned variant)
{
	size_t len;
	const char *text = results_record(variant, &len);

	return text ? text : "";
}
