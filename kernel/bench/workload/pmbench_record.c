/* pmbench in a record: what its report and its XML file say, times null where they mean nothing. */
#include <harness/sums.h>
#include <kernel/clock.h>
#include <mm/numa.h>
#include "pmbench.h"

static void put(struct json *j, const char *key, u64 value)
{
	json_key(j, key), json_u64(j, value);
}

static void put_ns(struct bench *b, struct json *j, const char *key, u64 cycles)
{
	json_key(j, key);
	if (b->trust == TRUST_COUNTS)
		json_null(j);
	else
		json_u64(j, cycles_to_ns(cycles));
}

static void put_array(struct json *j, const char *key, const u64 *values, unsigned n)
{
	json_key(j, key), json_array(j);
	for (unsigned i = 0; i < n; i++)
		json_u64(j, values[i]);
	json_array_end(j);
}

/* Bucket by bucket from below 2^8 ns on. */
static void put_histogram(struct bench *b, struct json *j, const char *key,
			  const struct pmbench_histogram *h)
{
	/* u64 words only, in the order of the report */
	if (b->trust != TRUST_COUNTS)
		put_array(j, key, (const u64 *)h, sizeof(*h) / sizeof(u64));
	else
		json_key(j, key), json_null(j);
}

static void put_thread(struct bench *b, struct json *j, const struct pmbench_thread *t, u64 i)
{
	json_object(j);
	put(j, "cpu", b->params.cpu[i % b->params.cpu_count]);
	put(j, "accesses", t->accesses);
	put_ns(b, j, "ns", t->cycles);
	put(j, "draws", t->draws);
	put_ns(b, j, "draw_ns", t->draw_cycles);
	put(j, "warmup_accesses", t->warm);
	put_ns(b, j, "warmup_ns", t->warm_cycles);
	json_object_end(j);
}

void pm_record(struct bench *b, unsigned variant, struct json *j)
{
	const struct pm_state *s = b->state;
	const struct pm_variant *v = &s->variant[variant];

	put(j, "accesses", b->variant[variant].felt.ops);
	put(j, "reads", sums_total(&v->totals.read));
	put(j, "writes", sums_total(&v->totals.write));
	json_key(j, "threads"), json_array(j);
	for (u64 i = 0; i < b->params.threads; i++)
		put_thread(b, j, &v->thread[i], i);
	json_array_end(j);
	put_array(j, "free_kib", v->free_kib, PMBENCH_MOMENTS);
	put_array(j, "pages_on_node", v->on_node, numa_node_count());
	put_histogram(b, j, "read", &v->totals.read);
	put_histogram(b, j, "write", &v->totals.write);
}
