/*
 * Performance counters of Intel's and AMD's CPUs. Codes are those of SDM vol. 3 20.2 (architectural) and of
 * the vendors' lists of events; an unknown model is asked for what its architecture promises alone.
 */
#include <arch/pmu.h>
#include <asm/features.h>
#include <asm/regs.h>
#include <kernel/string.h>

enum {
	MSR_MPERF = 0xe7,
	INTEL_COUNTER = 0xc1,
	INTEL_SELECT = 0x186,
	INTEL_FIXED = 0x309, /* instructions, then cycles */
	INTEL_FIXED_CONTROL = 0x38d,
	INTEL_GLOBAL_CONTROL = 0x38f,
	INTEL_FIXED_ALL_RINGS = 3, /* of each four bits */
	AMD_SELECT = 0xc0010200, /* each followed by its counter */
	AMD_GLOBAL_CONTROL = 0xc0000301,
	SLOTS = 8 + 2,

	SELECT_USER = 1 << 16,
	SELECT_KERNEL = 1 << 17,
	SELECT_ENABLE = 1 << 22,
};

/* An event's number in the lower byte and its unit mask in the upper one. */
struct pmu_code {
	u8 event;
	u16 code;
};

static const struct pmu_code skylake[] = {
	{PMU_DTLB_WALKS, 0x0e08}, {PMU_WALK_CYCLES, 0x1008}, {PMU_TLB_FLUSHES, 0x20bd},
	{PMU_INTERRUPTS, 0x01cb}, {PMU_ITLB_WALKS, 0x0e85},  {PMU_STORE_WALKS, 0x0e49},
	{PMU_EVENTS, 0},
};

static const struct pmu_code ice_lake[] = {
	{PMU_DTLB_WALKS, 0x0e08}, {PMU_WALK_CYCLES, 0x1008}, {PMU_TLB_FLUSHES, 0x20bd},
	{PMU_ITLB_WALKS, 0x0e85}, {PMU_STORE_WALKS, 0x0e49}, {PMU_EVENTS, 0},
};

static const struct pmu_code golden_cove[] = {
	{PMU_DTLB_WALKS, 0x0e12},  {PMU_WALK_CYCLES, 0x1012}, {PMU_ITLB_WALKS, 0x0e11},
	{PMU_STORE_WALKS, 0x0e13}, {PMU_EVENTS, 0},
};

static const struct pmu_code no_codes[] = {{PMU_EVENTS, 0}};

static const struct pmu_code zen2[] = {
	{PMU_CYCLES, 0x0076},	   {PMU_INSTRUCTIONS, 0x00c0},
	{PMU_DTLB_WALKS, 0xf045},  {PMU_TLB_FLUSHES, 0xff78},
	{PMU_INTERRUPTS, 0x002c},  {PMU_ITLB_WALKS, 0x0785},
	{PMU_DTLB_MISSES, 0xff45}, {PMU_EVENTS, 0},
};

static const struct {
	u8 model;
	const struct pmu_code *codes;
} intel_models[] = {
	{0x4e, skylake},  {0x5e, skylake},  {0x55, skylake},	 {0x8e, skylake},
	{0x9e, skylake},  {0xa5, skylake},  {0xa6, skylake},	 {0x6a, ice_lake},
	{0x6c, ice_lake}, {0x7d, ice_lake}, {0x7e, ice_lake},	 {0x8c, ice_lake},
	{0x8d, ice_lake}, {0xa7, ice_lake}, {0x8f, golden_cove}, {0xcf, golden_cove},
};

static struct slot {
	u8 event;
	u32 select; /* 0: a fixed counter */
	u32 counter;
	u32 config;
} slots[SLOTS];
static unsigned slot_count;
static u32 global_control; /* 0: each counter has its own switch alone */
static u64 global_mask, fixed_control;
static bool has_mperf;

static void add_slot(u8 event, u32 select, u32 counter, u16 code)
{
	slots[slot_count++] = (struct slot){event, select, counter,
					    SELECT_USER | SELECT_KERNEL | SELECT_ENABLE | code};
}

static const struct pmu_code *intel_codes(const struct x86_model *m)
{
	for (unsigned i = 0; i < ARRAY_SIZE(intel_models); i++)
		if (m->family == 6 && m->model == intel_models[i].model)
			return intel_models[i].codes;
	return no_codes;
}

/* SDM vol. 3 20.2.2: leaf 0xA; version 2 has the fixed counters and the global switch. */
static const char *intel_init(const struct x86_model *m)
{
	struct cpuid leaf = cpuid_or_zero(0xa, 0);
	unsigned general = MIN(leaf.eax >> 8 & 0xff, 8U);
	const struct pmu_code *c = intel_codes(m);

	if ((leaf.eax & 0xff) < 2)
		return "CPUID leaf 0xa has no counters of version 2 or later";
	for (unsigned i = 0; i < general && c->event != PMU_EVENTS; i++, c++)
		add_slot(c->event, INTEL_SELECT + i, INTEL_COUNTER + i, c->code);
	global_mask = (1UL << slot_count) - 1;
	fixed_control = 0;
	if ((leaf.edx & 0x1f) >= 2) {
		add_slot(PMU_INSTRUCTIONS, 0, INTEL_FIXED, 0);
		add_slot(PMU_CYCLES, 0, INTEL_FIXED + 1, 0);
		global_mask |= 3UL << 32;
		fixed_control = INTEL_FIXED_ALL_RINGS | INTEL_FIXED_ALL_RINGS << 4;
	}
	global_control = INTEL_GLOBAL_CONTROL;
	return NULL;
}

/* APM vol. 2 13.2: six counters with PerfCtrExtCore, and from version 2 on a number of them and a global switch. */
static const char *amd_init(const struct x86_model *m)
{
	struct cpuid leaf = cpuid_or_zero(0x80000022, 0);
	bool version2 = leaf.eax & 1;
	unsigned general = version2 ? MIN(leaf.ebx & 0xf, 8U) : 6;
	const struct pmu_code *c = zen2;

	if (m->family < 0x17 || (m->family == 0x17 && m->model < 0x30))
		return "events of AMD's CPUs before Zen 2 are not known here";
	if (!(cpuid_or_zero(0x80000001, 0).ecx >> 23 & 1))
		return "CPUID has no PerfCtrExtCore";
	for (unsigned i = 0; i < general && c->event != PMU_EVENTS; i++, c++)
		add_slot(c->event, AMD_SELECT + 2 * i, AMD_SELECT + 2 * i + 1, c->code);
	global_control = version2 ? AMD_GLOBAL_CONTROL : 0;
	global_mask = (1UL << slot_count) - 1;
	return NULL;
}

/* A hypervisor may show what it then does not let anybody write. */
static bool writable(void)
{
	for (unsigned i = 0; i < slot_count; i++)
		if (msr_probe_write(slots[i].select ? slots[i].select : slots[i].counter, 0))
			return false;
	return !global_control || !msr_probe_write(global_control, 0);
}

const char *pmu_init(void)
{
	struct x86_model m = cpuid_model();
	const char *why = "neither Intel's nor AMD's CPU";

	slot_count = 0;
	global_control = 0;
	if (m.vendor == X86_INTEL)
		why = intel_init(&m);
	else if (m.vendor == X86_AMD)
		why = amd_init(&m);
	has_mperf = cpuid_or_zero(6, 0).ecx & 1;
	if (!why && !writable())
		why = "the counters' registers cannot be written: a hypervisor keeps them";
	if (why)
		slot_count = 0;
	return why;
}

bool pmu_has(enum pmu_event event)
{
	for (unsigned i = 0; i < slot_count; i++)
		if (slots[i].event == event)
			return true;
	return event == PMU_UNHALTED && has_mperf;
}

void pmu_stop(void)
{
	if (global_control)
		msr_probe_write(global_control, 0);
	for (unsigned i = 0; i < slot_count; i++)
		if (slots[i].select)
			msr_probe_write(slots[i].select, 0);
}

void pmu_start(void)
{
	pmu_stop();
	for (unsigned i = 0; i < slot_count; i++) {
		msr_probe_write(slots[i].counter, 0);
		if (slots[i].select)
			msr_probe_write(slots[i].select, slots[i].config);
	}
	if (global_control == INTEL_GLOBAL_CONTROL)
		msr_probe_write(INTEL_FIXED_CONTROL, fixed_control);
	if (global_control)
		msr_probe_write(global_control, global_mask);
}

void pmu_read(struct pmu_counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	for (unsigned i = 0; i < slot_count; i++)
		msr_probe_read(slots[i].counter, &counts->event[slots[i].event]);
	if (has_mperf)
		msr_probe_read(MSR_MPERF, &counts->event[PMU_UNHALTED]);
}
