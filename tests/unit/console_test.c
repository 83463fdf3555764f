/* The console core: who gets what is printed, where input comes from, and what is looked at while nobody types. */
#include "core_fixture.h"
#include <kernel/console.h>
#include <kernel/context.h>
#include <kernel/error.h>
#include <kernel/ktest.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/smp.h>
#include <kernel/string.h>

/* ---- sinks ---- */

static struct capture people, files;

TEST(console, every_sink_gets_what_is_printed)
{
	capture_begin(&people, false);
	capture_begin(&files, true);
	kprintf("# console output %d\n", 1);
	console_write("# console bytes\n", 16);
	printk("# console log\n");
	console_remove_sink(&people.sink);
	kprintf("# console output %d\n", 2);
	console_remove_sink(&files.sink);
	kprintf("# console output %d\n", 3);

	EXPECT(strstr(people.tail, "# console output 1\n# console bytes\n["));
	EXPECT(strstr(people.tail, "] # console log\n"));
	EXPECT(!strstr(people.tail, "output 2"));
	EXPECT(strstr(files.tail, "] # console log\n# console output 2\n"));
	EXPECT(!strstr(files.tail, "output 3"));
}

TEST(console, records_go_to_those_that_ask)
{
	static const char record[] = "# a record\n";

	capture_begin(&people, false);
	capture_begin(&files, true);
	kprintf("# before");
	console_record(record, sizeof(record) - 1);
	kprintf("# after\n");
	console_remove_sink(&files.sink);
	console_remove_sink(&people.sink);

	EXPECT(!strcmp(files.tail, "# before\n# a record\n# after\n"));
	EXPECT(!strcmp(people.tail, "# before\n# after\n"));
}

TEST(console, a_new_sink_gets_the_log_so_far)
{
	people = (struct capture){.sink = {.write = capture_write}};
	printk("# console: before the sink\n");
	console_add_sink(&people.sink);
	console_remove_sink(&people.sink);
	EXPECT(strstr(people.tail, "] # console: before the sink\n"));
}

/* ---- sources ---- */

static const char *to_come;

static int scripted_getc(struct console_source *source __unused)
{
	return *to_come ? *to_come++ : -EAGAIN;
}

TEST(console, input_comes_from_every_source)
{
	static struct console_source first = {.getc = scripted_getc},
				     second = {.getc = scripted_getc};
	bool seen;

	to_come = "cancelled\x03kept";
	console_add_source(&first);
	console_add_source(&second);
	seen = console_interrupted();
	console_clear_interrupt();
	console_remove_source(&first);
	EXPECT(seen);
	for (const char *s = "kept"; *s; s++)
		EXPECT_EQ(console_getc(), *s);
	to_come = "x";
	EXPECT_EQ(console_getc(), 'x');
	console_remove_source(&second);
	to_come = "y";
	EXPECT_EQ(console_getc(), -EAGAIN);
}

/* ---- idle work ---- */

static u32 polled;

static bool count_poll(struct console_poll *poll __unused, bool idle __unused)
{
	polled++;
	return true;
}

static struct console_poll counting = {.poll = count_poll};

TEST(console, idle_work_is_not_done_in_a_wait)
{
	console_add_poll(&counting);
	polled = 0;
	wait_nap(1000000);
	context_yield();
	console_interrupted();
	EXPECT_EQ(polled, 0);
	EXPECT(console_poll(true));
	EXPECT_EQ(polled, 1);
	EXPECT(!console_poll(false)); /* so soon after that */
	EXPECT_EQ(polled, 1);
	console_remove_poll(&counting);
	EXPECT(!console_poll(true));
	EXPECT_EQ(polled, 1);
}

/* Twice, with the prompt in between (tests/scripts/console_core.py). */
TEST(console, idle_work_is_done_at_the_prompt)
{
	static bool waiting;

	waiting = !waiting;
	if (waiting) {
		polled = 0;
		console_add_poll(&counting);
		SKIP("to be run again, from the prompt");
	}
	console_remove_poll(&counting);
	EXPECT(polled > 0);
}
