/* panic: every way to break down on purpose, so that the ways out are tested. */
#include <kernel/command.h>
#include <kernel/error.h>
#include <kernel/shell.h>
#include <kernel/smp.h>
#include <kernel/spinlock.h>
#include <kernel/string.h>

static void panic_now(void)
{
	panic("asked for on the console");
}

static void panic_assert(void)
{
	ASSERT(!shell_command(0));
}

static void panic_fault(void)
{
	/* In the first page, where no address space has anything; not a constant for the compiler. */
	static u64 nowhere = 8;

	panic("read %#lx where nothing is mapped", load_relaxed((u64 *)load_relaxed(&nowhere)));
}

/* Not a tail call, so that every level takes stack. */
static __attribute__((noinline)) u64 descend(u64 depth)
{
	u64 room[16] = {depth};

	store_relaxed(&room[depth % 16], depth);
	if (depth == UINT64_MAX)
		return 0;
	return descend(depth + 1) + load_relaxed(&room[depth % 16]);
}

static void panic_overflow(void)
{
	panic("descended %lu levels", descend(0));
}

static void be_deaf(void *arg __unused)
{
	for (;;)
		cpu_relax();
}

static void panic_deaf(void)
{
	if (cpumask_next(&cpu_online, 1) == cpu_count)
		panic("there is no other CPU to be deaf");
	smp_call_one(cpumask_next(&cpu_online, 1), be_deaf, NULL);
}

static void panic_lock(void)
{
	static struct spinlock lock; /* guards nothing: it is taken twice */

	spin_lock(&lock);
	spin_lock(&lock);
}

static const struct {
	const char *name;
	void (*run)(void);
} kinds[] = {
	{"now", panic_now},	      {"assert", panic_assert}, {"fault", panic_fault},
	{"overflow", panic_overflow}, {"deaf", panic_deaf},	{"lock", panic_lock},
};

static const char *nth_kind(int argi, struct completion *at __unused, unsigned i)
{
	return argi == 1 && i < ARRAY_SIZE(kinds) ? kinds[i].name : NULL;
}

static unsigned panic_run(int argc, char **argv)
{
	unsigned rc = command_args("panic", NULL, &argc, argv, 0, 1);

	if (rc)
		return rc;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (argc == 1 || !strcmp(kinds[i].name, argv[1]))
			kinds[i].run();
	}
	return command_usage_error("panic", "no kind %.48s, try panic -h", argv[1]);
}

COMMAND(cmd_panic) = {
	.name = "panic",
	.usage = "[now|assert|fault|overflow|deaf|lock]",
	.summary = "break down on purpose, at once",
	.help = "  fault: load from nowhere; overflow: the stack; deaf: another CPU stops\n"
		"  answering; lock: wait for a lock that is never released; the last two\n"
		"  end in the watchdog",
	.run = panic_run,
	.complete = nth_kind,
};
