/* What the tests of kernel/core share. */
#include "core_fixture.h"
#include <kernel/string.h>

unsigned core_rounds(unsigned together)
{
	return MAX(together / cpumask_weight(&cpu_online), 4U);
}

void core_run_everywhere(void (*fn)(void *))
{
	static struct context *started[MAX_CPUS];

	for_each_online_cpu (cpu)
		started[cpu] = context_spawn(cpu, "core-test", fn, NULL, NULL);
	for_each_online_cpu (cpu) {
		if (EXPECT(started[cpu]))
			context_join(started[cpu]);
	}
}

unsigned core_other_cpu(void)
{
	return cpumask_next(&cpu_online, 1);
}

bool core_sleeps(const struct context *ctx)
{
	const struct cpu *cpu = cpu_ptr(ctx->cpu, cpu_self);

	return load_relaxed(&cpu->current) == ctx && load_relaxed(&cpu->halted);
}

void capture_write(struct console_sink *sink, const char *s, size_t len)
{
	struct capture *c = container_of(sink, struct capture, sink);
	size_t room = sizeof(c->tail) - 1;

	for (; len; s++, len--) {
		if (c->len == room)
			memmove(c->tail, c->tail + 1, --c->len);
		c->tail[c->len++] = *s;
		c->tail[c->len] = '\0';
	}
}

void capture_begin(struct capture *c, bool records)
{
	*c = (struct capture){.sink = {.write = capture_write, .records = records}};
	console_add_sink(&c->sink);
	c->tail[c->len = 0] = '\0';
}
