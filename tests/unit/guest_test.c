/* A guest that the hardware runs, alone: why it stops. What it meets when others change its memory: second_test.c. */
#include <arch/cpu.h>
#include <arch/guest.h>
#include <load/machine.h>
#include <mm/stats.h>
#include "count_guest.h"
#include "mm_fixture.h"

#define RW (PROT_READ | PROT_WRITE)

enum { PAGES = 4, TASK_BYTES = 2 * PAGE_SIZE };

struct alone {
	struct fixture fx;
	struct machine machine;
	struct vcpu *vcpu;
	struct count_task *task;
	u32 done; /* spin(): it has called. Release and acquire */
};

/* False: skipped, or failed. */
static bool begin(struct alone *a, void (*entry)(void *task))
{
	const char *why;
	const struct hypervisor *hv = hypervisor_find(&why);
	u32 node = numa_node_of_cpu(cpu_id());
	u64 at;

	if (!hv) {
		ktest_skip("%s", why);
		return false;
	}
	*a = (struct alone){0};
	if (!fixture_init(&a->fx, PAGES, RW, false, node))
		return false;
	EXPECT_EQ(machine_create(&a->machine, hv, a->fx.as, a->fx.va, PAGES, node), 0);
	a->task = machine_share(&a->machine, TASK_BYTES, &at, node);
	EXPECT(a->task);
	a->vcpu = machine_vcpu(&a->machine, entry, at, at + TASK_BYTES, node);
	return EXPECT(a->vcpu);
}

static void end(struct alone *a)
{
	a->machine.mmu.hv->destroy(a->vcpu);
	machine_destroy(&a->machine);
	fixture_fini(&a->fx);
}

static enum nested_result run_once(struct alone *a, struct guest_stop *stop)
{
	return nested_run(&a->machine.mmu, a->vcpu, stop);
}

TEST(guest, reads_its_memory_and_nothing_beyond)
{
	static struct alone a;
	struct guest_stop stop;
	struct mm_counters before, after;

	if (!begin(&a, reach_guest))
		return;
	mm_counters_read(&before);
	a.task->address = (PAGES - 1) * PAGE_SIZE;
	EXPECT_EQ(run_once(&a, &stop), NESTED_CALL);
	EXPECT_EQ(run_once(&a, &stop), NESTED_CALL);
	mm_counters_read(&after);
	EXPECT_EQ(after.guest_exits_fault - before.guest_exits_fault, 1);
	EXPECT_EQ(after.guest_exits_call - before.guest_exits_call, 2);
	/* Behind the last page; behind all memory that a guest may have; and before what is the host's, shared with it. */
	static const u64 outside[] = {PAGES * PAGE_SIZE, GUEST_ADDRESS_END - PAGE_SIZE,
				      NESTED_SYSTEM - PAGE_SIZE};

	for (unsigned i = 0; i < ARRAY_SIZE(outside); i++) {
		a.task->address = outside[i];
		EXPECT_EQ(run_once(&a, &stop), NESTED_FAULT);
		EXPECT_EQ(stop.address, outside[i]);
		/* It tries again, as nothing has changed. */
		EXPECT_EQ(run_once(&a, &stop), NESTED_FAULT);
		a.task->address = 0;
		EXPECT_EQ(run_once(&a, &stop), NESTED_FAULT); /* the address is in a register */
		a.machine.mmu.hv->destroy(a.vcpu);
		a.vcpu = machine_vcpu(&a.machine, reach_guest, a.machine.memory[1].at,
				      a.machine.memory[1].at + TASK_BYTES, 0);
		REQUIRE(a.vcpu);
	}
	end(&a);
}

/* Each instruction is put into memory that the guest shares, and ends a virtual CPU where it is. */
TEST(guest, stops_for_what_no_guest_may_do)
{
	static struct alone a;
	struct guest_stop stop;

	if (!begin(&a, jump_guest))
		return;
	u64 at = a.machine.memory[1].at;

	for (unsigned i = 0; i < ARRAY_SIZE(guest_forbidden); i++) {
		a.task->address = at + offsetof(struct count_task, code);
		a.task->code[0] = guest_forbidden[i].code;
		a.task->code[1] = GUEST_CALL_CODE; /* which it does not reach */
		code_sync(a.task->code, sizeof(a.task->code));
		enum nested_result result = run_once(&a, &stop);

		ktest_check(result == NESTED_BROKEN &&
				    stop.pc - a.task->address < sizeof(a.task->code),
			    __FILE__, __LINE__, "%s: %d at %#lx for %#lx", guest_forbidden[i].name,
			    result, stop.pc, stop.code);
		a.machine.mmu.hv->destroy(a.vcpu);
		a.vcpu = machine_vcpu(&a.machine, jump_guest, at, at + TASK_BYTES, 0);
		REQUIRE(a.vcpu);
	}
	end(&a);
}

static void spin(void *arg)
{
	struct alone *a = arg;

	machine_run(&a->machine, a->vcpu);
	store_release(&a->done, 1);
}

static void answer(void *arg)
{
	(*(unsigned *)arg)++;
}

/* The guest never stops by itself, and has interrupts masked: the host's are taken all the same. */
TEST(guest, is_left_for_the_hosts_interrupts)
{
	static struct alone a;
	struct mm_counters before, after;
	unsigned answers = 0;
	u64 calls = ktest_rounds(100);

	if (cpu_count < 2)
		SKIP("one CPU");
	if (!begin(&a, spin_guest))
		return;
	mm_counters_read(&before);
	struct context *ctx = context_spawn(1, "guest", spin, &a, NULL);

	REQUIRE(ctx);
	while (!load_relaxed(&a.task->laps))
		cpu_relax();
	for (u64 i = 0; i < calls; i++) {
		smp_call_one(1, answer, &answers);
		u64 laps = load_relaxed(&a.task->laps);

		while (load_relaxed(&a.task->laps) == laps) /* and it goes on */
			cpu_relax();
	}
	EXPECT_EQ(answers, calls);
	EXPECT(!load_acquire(&a.done));
	store_relaxed(&a.task->stop, 1);
	context_join(ctx);
	mm_counters_read(&after);
	EXPECT(after.guest_exits_interrupt - before.guest_exits_interrupt >= calls);
	EXPECT_EQ(after.guest_exits_call - before.guest_exits_call, 1);
	EXPECT_EQ(after.guest_exits_shootdown, before.guest_exits_shootdown);
	end(&a);
}
