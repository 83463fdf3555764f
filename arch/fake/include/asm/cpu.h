/* The executing modelled CPU. */
#pragma once

struct fake_current {
	unsigned id;
	u64 percpu; /* offset of its per-CPU copy */
};
extern struct fake_current fake_current;

void fake_relax(void);
void fake_idle(void);
u64 fake_cycles(void);
const char *fake_isa(void);

static inline const char *cpu_isa(void)
{
	return fake_isa();
}

static inline unsigned cpu_id(void)
{
	return fake_current.id;
}

static inline u64 percpu_base(void)
{
	return fake_current.percpu;
}

void fake_code_sync(const void *code, size_t size);

static inline void code_sync(const void *code, size_t size)
{
	fake_code_sync(code, size);
}

static inline void cpu_relax(void)
{
	fake_relax();
}

static inline void cpu_idle(void)
{
	fake_idle();
}

static inline u64 cycles_now(void)
{
	return fake_cycles();
}
