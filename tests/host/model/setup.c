/* The machines that the explorer builds, and the schemes that they can run. */
#include "jobs.h"

#include <mm/scheme.h>

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

bool setup_machine(const struct variant *v, unsigned cpus, bool large, const char *scheme_name,
		   char *err, size_t size)
{
	static char boot_line[256];
	struct fake_config config = v->config;

	config.cpus = cpus;
	if (config.arm64)
		config.asids = MAX(config.asids, cpus + 1); /* one per CPU must be left */
	if (large)
		config.node_pages = 3 * HUGE_PAGES; /* two stay whole beside what start-up takes */
	if (options.checks && !strstr(options.checks, "oracle")) {
		snprintf(boot_line, sizeof(boot_line), "check=off %s",
			 config.options ? config.options : "");
		config.options = boot_line;
	}
	fake_boot(&config);
	return !scheme_apply(scheme_name, err, size);
}

void setup_scenario(const struct scenario *s)
{
	invariants_install();
	fake_ignore_invariants = options.checks && !strstr(options.checks, "invariants");
	fake_ignore_contents = options.checks && !strstr(options.checks, "contents");
	s->setup();
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

/* The settings that one word of a name stands for. */
static const char *expand(const char *word)
{
	for (unsigned i = 0; i < scheme_def_count; i++)
		if (!strcmp(scheme_defs[i].name, word))
			return scheme_defs[i].settings;
	return word;
}

void setup_print(const char *scheme_name)
{
	char names[64];

	snprintf(names, sizeof(names), "%s", scheme_name);
	for (char *name = strtok(names, "+"); name; name = strtok(NULL, "+"))
		printf("%s ", expand(name));
	printf("\n");
}

bool setup_is_unsafe(const char *scheme_name)
{
	char names[64], settings[256], word[64];

	snprintf(names, sizeof(names), "%s", scheme_name);
	for (char *name = strtok(names, "+"); name; name = strtok(NULL, "+")) {
		snprintf(settings, sizeof(settings), "%s ", expand(name));
		for (unsigned i = 0; tlb_schemes[i]; i++) {
			snprintf(word, sizeof(word), "defer=%s ", tlb_schemes[i]->name);
			if (tlb_schemes[i]->unsafe && strstr(settings, word))
				return true;
		}
	}
	return false;
}
