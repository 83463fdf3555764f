/* The modelled machine's own limits: what does not fit fails and says so, and writes nowhere else. */
#include "host_mm.h"

#include "../model/model.h"

#include <sys/wait.h>
#include <unistd.h>

/* In a process of its own, as nothing is put back: does fn fail with this text? */
static bool fails_with(void (*fn)(void), const char *text)
{
	int status = 1, pid = fork();

	if (!pid) {
		host_mm();
		fake_watch_reset();
		fn();
		_exit(!strstr(fake_failure, text));
	}
	waitpid(pid, &status, 0);
	return !status;
}

static void watch_roots(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fake_watch(page_to_phys(pmm_alloc(0, 0, PMM_STRICT | PMM_ZERO)), MODEL_VA);
}

static void as_many_roots_as_fit(void)
{
	watch_roots(FAKE_ROOTS);
	snprintf(fake_failure, sizeof(fake_failure), "%s",
		 fake_failure[0] ? "it does not" : "fits");
}

static void one_root_more(void)
{
	watch_roots(FAKE_ROOTS + 1);
}

TEST(one_space_more_than_are_watched_fails)
{
	CHECK(fails_with(as_many_roots_as_fit, "fits"));
	CHECK(fails_with(one_root_more, "address spaces are watched"));
}

static void one_address_more(void)
{
	paddr_t root = page_to_phys(pmm_alloc(0, 0, PMM_STRICT | PMM_ZERO));

	for (unsigned i = 0; i <= FAKE_VAS; i++)
		fake_watch(root, MODEL_VA + i * PAGE_SIZE);
}

TEST(one_address_more_than_are_watched_fails)
{
	CHECK(fails_with(one_address_more, "addresses are watched"));
}

static void one_page_more(void)
{
	struct aspace *as = aspace_create("a", 0);

	for (unsigned i = 0; i <= MODEL_PAGES; i++)
		work_fresh(as, MODEL_VA, 1);
}

TEST(one_page_more_than_have_a_history_fails)
{
	CHECK(fails_with(one_page_more, "scenario: more than 12 pages"));
}

static void one_mapping_more(void)
{
	struct aspace *of = work_space("a", MODEL_VA, 1, RW), *as = NULL;

	for (unsigned i = 0; i < MODEL_MAPPED; i++) {
		if (i % FAKE_VAS == 0)
			as = aspace_create("b", 0);
		work_alias(as, of, MODEL_VA, MODEL_VA + i % FAKE_VAS * PAGE_SIZE, 1, RW);
	}
}

TEST(one_mapping_more_than_are_noted_fails)
{
	CHECK(fails_with(one_mapping_more, "mappings of pages"));
}

/* It ends the process: nothing can be run on such a machine. */
static bool refuses(const struct fake_config *config, const char *what)
{
	char said[128] = "", text[64];
	int ends[2], pid;

	fflush(stdout);
	if (pipe(ends))
		return false;
	pid = fork();
	if (!pid) {
		dup2(ends[1], 1);
		fake_boot(config);
		_exit(0);
	}
	close(ends[1]);
	if (read(ends[0], said, sizeof(said) - 1) < 0)
		said[0] = 0;
	close(ends[0]);
	waitpid(pid, NULL, 0);
	snprintf(text, sizeof(text), "so many %s has no room", what);
	return strstr(said, text);
}

TEST(machine_without_room_is_refused)
{
	const struct fake_config good = {.cpus = 2, .nodes = 2, .node_pages = 64, .asids = 6};
	struct fake_config config = good;

	config.cpus = FAKE_CPUS + 1;
	CHECK(refuses(&config, "CPUs"));
	config = good;
	config.asids = EVIDENCE_SLOTS + 1;
	CHECK(refuses(&config, "tags"));
	config.arm64 = true;
	config.asids = FAKE_ASIDS + 1;
	CHECK(refuses(&config, "tags"));
	config = good;
	config.node_pages = FAKE_FRAMES_MAX;
	CHECK(refuses(&config, "frames"));
}
