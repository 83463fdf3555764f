/* Virtual CPUs: see vcpu.h. */
#include <kernel/error.h>
#include <kernel/kmem.h>
#include <kernel/string.h>
#include "vcpu.h"
#include "victim_loop.h"

#define TASK_BYTES ALIGN_UP(sizeof(struct guest_task) + GUEST_STACK, PAGE_SIZE)

static u64 task_at(const struct vcpus *v, u64 thread)
{
	return v->task_at + thread * TASK_BYTES;
}

static int share_memory(struct vcpus *v, u64 pages, bool draws, u32 node)
{
	struct machine *m = &v->machine;

	v->task = machine_share(m, v->threads * TASK_BYTES, &v->task_at, node);
	v->published = machine_share(m, pages * sizeof(u32), &v->published_at, node);
	if (draws)
		v->draws = machine_share(m, PATTERN_DRAWS * sizeof(u32), &v->draws_at, node);
	return v->task && v->published && (v->draws || !draws) ? 0 : -ENOMEM;
}

static int create_vcpus(struct vcpus *v, u32 node)
{
	v->vcpu = kmem.alloc(v->threads * sizeof(v->vcpu[0]), node);
	if (!v->vcpu)
		return -ENOMEM;
	for (u64 i = 0; i < v->threads; i++) {
		v->vcpu[i] = machine_vcpu(&v->machine, victim_guest, task_at(v, i),
					  task_at(v, i + 1), node);
		if (!v->vcpu[i])
			return -ENOMEM;
	}
	return 0;
}

static void destroy_vcpus(struct vcpus *v)
{
	for (u64 i = 0; v->vcpu && i < v->threads; i++)
		if (v->vcpu[i])
			v->machine.mmu.hv->destroy(v->vcpu[i]);
	if (v->vcpu)
		kmem.free(v->vcpu, v->threads * sizeof(v->vcpu[0]));
	machine_destroy(&v->machine);
}

int vcpus_create(struct vcpus *v, const struct hypervisor *hv, struct region *region, u64 threads,
		 enum pattern_kind pattern, u32 node)
{
	bool draws = pattern != PATTERN_LINEAR && pattern != PATTERN_UNIFORM;

	*v = (struct vcpus){.region_published = region->published, .threads = threads};
	int err = machine_create(&v->machine, hv, region->as, region->base, region->pages, node);

	if (err)
		return err;
	err = share_memory(v, region->pages, draws, node);
	if (!err)
		err = create_vcpus(v, node);
	if (err) {
		destroy_vcpus(v);
		return err;
	}
	memcpy(v->published, region->published, region->pages * sizeof(u32));
	region->published = v->published;
	return 0;
}

void vcpus_destroy(struct vcpus *v, struct region *region)
{
	memcpy(v->region_published, v->published, region->pages * sizeof(u32));
	region->published = v->region_published;
	destroy_vcpus(v);
}

void vcpus_take_pattern(const struct vcpus *v, const struct pattern *pattern)
{
	if (v->draws)
		memcpy(v->draws, pattern->draws, PATTERN_DRAWS * sizeof(u32));
}

/* The guest's copy of a thread. Returns its task. */
static struct guest_task *fill_task(const struct vcpus *vcpus, const struct victim *v)
{
	u64 at = task_at(vcpus, v->id);
	struct guest_task *t = (void *)(vcpus->task + v->id * TASK_BYTES);

	t->victim = *v;
	t->victim.all = (void *)(at + offsetof(struct guest_task, all));
	t->victim.region = (void *)(at + offsetof(struct guest_task, region));
	t->victim.seen = 0;
	t->all = (struct victims){.pattern = v->all->pattern};
	t->all.pattern.draws = vcpus->draws ? (void *)vcpus->draws_at : NULL;
	t->region = *v->region;
	t->region.base = 0;
	t->region.published = (void *)vcpus->published_at;
	t->region.as = NULL;
	t->region.entry = NULL;
	return t;
}

/* What the guest has counted so far, and a report where one is due. The guest does not run. */
static void take_report(struct victim *v, struct victim *guest)
{
	/* Acquire; pairs with victims_end_period(): what was arranged before is seen. */
	u32 period = load_acquire(&v->all->period);

	v->first_stale = guest->first_stale;
	v->now.verified = guest->now.verified;
	v->now.stale = guest->now.stale;
	store_relaxed(&v->now.ops, guest->now.ops);
	if (period == v->seen)
		return;
	memcpy(v->histogram[v->seen % 2], guest->histogram[0], sizeof(guest->histogram[0]));
	v->longest_gap = guest->longest_gap;
	begin_period(v, period);
	memset(guest->histogram[0], 0, sizeof(guest->histogram[0]));
	guest->longest_gap = 0;
}

void vcpu_main(void *victim)
{
	struct victim *v = victim;
	struct vcpus *vcpus = v->all->vcpus;
	struct guest_task *t = fill_task(vcpus, v);

	while (!load_relaxed(&v->all->stop)) {
		machine_run(&vcpus->machine, vcpus->vcpu[v->id]);
		take_report(v, &t->victim);
	}
}
