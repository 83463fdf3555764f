/* The machines that the explorer builds, and the schemes that they can run. */
#include "jobs.h"

#include <kernel/trap.h>
#include <mm/deferral.h>
#include <mm/knob.h>
#include <mm/rules.h>
#include <mm/scheme.h>
#include <mm/stats.h>
#include <mm/tlb_cpu.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODEL_CONFIG .nodes = 2, .node_pages = 288
#define ARM64_CONFIG MODEL_CONFIG, .asids = 4, .arm64 = true

const struct variant variants[] = {
	{"x86", "x86", {MODEL_CONFIG, .asids = 6}},
	{"x86", "x86-nopcid", {MODEL_CONFIG, .asids = 1, .options = "knob.range=0"}},
	{"arm64", "arm64", {ARM64_CONFIG, .hw_dirty = true}},
	{"arm64", "arm64-software", {ARM64_CONFIG}}, /* access flag and dirty state by faults */
	{"arm64",
	 "arm64-bcast",
	 {ARM64_CONFIG, .hw_dirty = true, .options = "knob.transport=bcast knob.range=1"}},
	{"arm64", "arm64-ipi", {ARM64_CONFIG, .hw_dirty = true, .options = "knob.transport=ipi"}},
};
const unsigned variant_count = ARRAY_SIZE(variants);

/* All knobs: read by another process than the one that has them. */
struct values {
	unsigned count;
	u32 of[KNOBS_MAX];
	char name[KNOBS_MAX][KNOB_NAME_LEN];
};
static struct values
	named; /* as the scheme has set them, before what no run depends on is made equal */

static struct values values_now(void)
{
	struct values values = {.count = knob_count()};

	for (unsigned i = 0; i < values.count; i++) {
		values.of[i] = *knob_at(i)->value;
		snprintf(values.name[i], sizeof(values.name[i]), "%s", knob_at(i)->name);
	}
	return values;
}

/*
 * Scenarios of the rule table and of second MMUs set their knobs themselves, to each value. For all others no
 * scheme decides them, but a setting of its own in the scheme's name does: batch+spurious=never.
 */
static void use_rule_defaults(void)
{
	static const char *const names[] = {"spurious", "upgrade", "protect_flush", "notify",
					    "pinned"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		struct knob *k = knob_find(names[i]);

		if (strcmp(knob_source(k), "scheme"))
			*k->value = k->def;
	}
	rules_use();
}

bool setup_machine(const struct variant *v, unsigned cpus, bool large, const char *scheme_name,
		   char *err, size_t size)
{
	static char boot_line[256];
	struct fake_config config = v->config;

	config.cpus = cpus;
	if (config.arm64)
		config.asids =
			MAX(config.asids, cpus + 2); /* beside 0, one per CPU and a free one */
	if (large)
		config.node_pages = 3 * HUGE_PAGES; /* two stay whole beside what start-up takes */
	if (options.checks && !strstr(options.checks, "oracle")) {
		snprintf(boot_line, sizeof(boot_line), "check=off %s",
			 config.options ? config.options : "");
		config.options = boot_line;
	}
	fake_boot(&config);
	if (scheme_apply(scheme_name, err, size))
		return false;
	named = values_now();
	/* Scenarios that take hint faults set it themselves, to either order: no scheme decides it. */
	knobs.hint = MODEL_HINT_OPEN;
	use_rule_defaults();
	knobs.batch_2m = MIN(knobs.batch_2m, (u32)MODEL_LARGE); /* more makes no difference */
	return true;
}

static bool (*handle_fault)(struct trapframe *tf);

/* Schemes that differ in hint= are run once: that holds while no hint fault depends on it. */
static bool check_hint_chosen(struct trapframe *tf)
{
	const struct mm_counters *c = this_cpu_ptr(mm_counters);
	bool handled = handle_fault(tf);

	if (knobs.hint == MODEL_HINT_OPEN && (c->hint_faults || c->hint_faults_second))
		fake_fail("scenario: takes hint faults and does not set knobs.hint");
	return handled;
}

/*
 * A context's next flush is to pass the end of its generations, wherever the setup has led: only differences count. Not
 * if it has ever owed, as a frame's stamp may be of it.
 */
static void go_to_the_end(struct tlb_context *ctx)
{
	u64 by = GENERATION_START - load_relaxed(&ctx->gen);

	if (load_relaxed(&ctx->owed) != GENERATION_START)
		return;
	ctx->gen += by;
	ctx->owed += by;
	ctx->bcast_gen += by;
	ctx->near += by;
	for (unsigned cpu = 0; cpu < fake_config.cpus; cpu++) {
		struct tlb_cpu *it = cpu_ptr(cpu, tlb_cpu);

		for (unsigned i = 0; i < EVIDENCE_SLOTS; i++)
			it->slots[i].gen += it->slots[i].ctx == ctx ? by : 0;
		for (unsigned i = 0; i < TLB_STAGE2_SLOTS; i++)
			it->stage2_slots[i].gen += it->stage2_slots[i].ctx == ctx ? by : 0;
	}
}

void setup_scenario(const struct scenario *s)
{
	invariants_install();
	handle_fault = trap_page_fault_handler;
	trap_page_fault_handler = check_hint_chosen;
	fake_ignore_invariants = options.checks && !strstr(options.checks, "invariants");
	fake_ignore_contents = options.checks && !strstr(options.checks, "contents");
	if (s->product)
		product_choose(s);
	s->setup();
	for (u16 id = 1; id < TLB_CONTEXT_IDS; id++)
		if (tlb_context_by_id(id))
			go_to_the_end(tlb_context_by_id(id));
	if (fake_failure[0]) {
		printf("Bail out! %s: %s\n", s->name, fake_failure);
		fflush(stdout);
		_exit(1);
	}
}

bool setup_knows(const char *scheme_name, char *err, size_t size)
{
	for (unsigned i = 0; i < variant_count; i++) {
		int ends[2], status = 1;

		if (pipe(ends))
			return true;
		if (!fork()) {
			char why[160] = "";
			bool known = setup_machine(&variants[i], 2, false, scheme_name, why,
						   sizeof(why));

			if (write(ends[1], why, sizeof(why)) < 0)
				_exit(1);
			_exit(!known);
		}
		if (read(ends[0], err, size) < 0)
			*err = 0;
		wait(&status);
		close(ends[0]);
		close(ends[1]);
		if (!status)
			return true;
	}
	return false;
}

/* ---- schemes that differ in nothing that is run ---------------------------------------- */

/* What a name comes to under one variant; of zeroes if that cannot run it. */
struct outcome {
	bool known;
	struct values named, used;
};

static struct outcome outcome_of(const struct variant *v, const char *scheme_name)
{
	struct outcome outcome = {.known = false};
	char why[160];
	int ends[2];

	if (pipe(ends))
		return outcome;
	if (!fork()) {
		if (setup_machine(v, 2, false, scheme_name, why, sizeof(why)))
			outcome = (struct outcome){true, named, values_now()};
		_exit(write(ends[1], &outcome, sizeof(outcome)) != sizeof(outcome));
	}
	close(ends[1]);
	if (read(ends[0], &outcome, sizeof(outcome)) != sizeof(outcome))
		outcome.known = false;
	close(ends[0]);
	wait(NULL);
	return outcome;
}

/* The knobs of which the values differ: "hint=, range=". */
static void add_differing(const struct values *a, const struct values *b, char *buf, size_t size)
{
	for (unsigned i = 0; i < a->count; i++) {
		char word[32];

		snprintf(word, sizeof(word), "%s%s=", *buf ? ", " : "", a->name[i]);
		if (a->of[i] != b->of[i] && strlen(buf) + strlen(word) < size)
			strcat(buf, word);
	}
}

bool setup_is_alike(const char *a, const char *b, const char *of, char *differing, size_t size)
{
	for (unsigned i = 0; i < variant_count; i++) {
		struct outcome of_a, of_b;

		if (strcmp(variants[i].rules, of))
			continue;
		of_a = outcome_of(&variants[i], a);
		of_b = outcome_of(&variants[i], b);
		if (!of_a.known || !of_b.known || memcmp(&of_a.used, &of_b.used, sizeof(of_a.used)))
			return false;
		differing[0] = 0; /* no variant changes what a name sets */
		add_differing(&of_a.named, &of_b.named, differing, size);
	}
	return true;
}

/* The settings that one word of a name stands for, each followed by a blank; those of all machines. */
static void expand(const char *word, char *buf, size_t size)
{
	int at = 0;

	for (unsigned i = 0; i < scheme_def_count; i++) {
		const struct scheme_case *c = scheme_defs[i].cases;

		if (strcmp(scheme_defs[i].name, word))
			continue;
		at = snprintf(buf, size, "%s ", scheme_defs[i].settings);
		for (; c && c->isa; c++)
			at += snprintf(buf + at, size - (size_t)at, "%s%s: %s ", c->isa,
				       c->here ? ", some" : "", c->settings);
		return;
	}
	snprintf(buf, size, "%s ", word);
}

void setup_print(const char *scheme_name)
{
	char names[64], settings[256];

	snprintf(names, sizeof(names), "%s", scheme_name);
	for (char *name = strtok(names, "+"); name; name = strtok(NULL, "+")) {
		expand(name, settings, sizeof(settings));
		printf("%s", settings);
	}
	printf("\n");
}

bool setup_is_unsafe(const char *scheme_name)
{
	char names[64], settings[256], word[64];

	snprintf(names, sizeof(names), "%s", scheme_name);
	for (char *name = strtok(names, "+"); name; name = strtok(NULL, "+")) {
		expand(name, settings, sizeof(settings));
		for (unsigned i = 0; deferrals[i]; i++) {
			snprintf(word, sizeof(word), "defer=%s ", deferrals[i]->name);
			if (deferrals[i]->unsafe && strstr(settings, word))
				return true;
		}
	}
	return false;
}
