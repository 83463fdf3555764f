/* The log and the console's output (kernel/core/log.c, printk.c, console.c): nothing is sent twice or in parts. */
#include "check.h"

#include <arch/cpu.h>
#include <arch/barrier.h>
#include <arch/irq.h>
#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/det.h>
#include <kernel/panic.h>
#include <kernel/printk.h>

#include "../../kernel/core/output.h"

#include <stdlib.h>

struct fake_current fake_current;
bool det_mode, det_yield_enabled;

static char sent[4096];
static void (*at_write)(void); /* what another CPU does while a chunk is sent */
static void (*at_stamp)(void); /* and while a line is being appended */

bool fake_irq_mask(bool masked)
{
	return masked;
}

bool fake_irq_masked(void)
{
	return false;
}

void fake_relax(void)
{
}

void fake_mb(void)
{
}

void det_yield(void)
{
}

void panic(const char *fmt, ...)
{
	printf("%s\n", fmt);
	abort();
}

static void once(void (**what)(void))
{
	void (*call)(void) = *what;

	*what = NULL;
	if (call)
		call();
}

u64 clock_ns(void)
{
	once(&at_stamp);
	return 0;
}

static void keep(struct console_sink *sink __attribute__((unused)), const char *s, size_t len)
{
	strncat(sent, s, len);
	once(&at_write);
}

static void begin(void)
{
	static struct console_sink sink = {.write = keep, .records = true};
	static bool added;

	if (!added)
		console_add_sink(&sink);
	added = true;
	log_clock_ready = true;
	sent[0] = '\0';
}

static unsigned count(const char *what)
{
	unsigned n = 0;

	for (const char *at = sent; (at = strstr(at, what)); at++)
		n++;
	return n;
}

/* As another CPU does that finds the console taken: the owner is to send it. */
static void append(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_append(fmt, ap);
	va_end(ap);
}

static void another_line(void)
{
	append("a line that comes while the log is sent again\n");
}

TEST(a_line_that_comes_during_a_dump_is_sent_once)
{
	begin();
	for (unsigned i = 0; i < 5; i++)
		printk("line %u, so that the last chunk of the dump is not full\n", i);
	sent[0] = '\0';
	at_write = another_line;
	printk_dump();
	CHECK_EQ(count("that comes while"), 1);
	CHECK_EQ(count("a line"), 1); /* not the beginning of it either */
	CHECK_EQ(count("line 4,"), 1);
	CHECK_EQ(count("\n"), 6);
	CHECK_EQ(count("["), 6);
	CHECK_STR(sent + strlen(sent) - 10, "ent again\n");
}

static u64 end_seen;

static void look_at_the_end(void)
{
	end_seen = log_end();
}

static void look_at_the_next_stamp(void)
{
	at_stamp = look_at_the_end;
}

/* Whoever looks when one of two lines has been written sees neither. */
TEST(the_log_ends_with_a_whole_line_at_any_moment)
{
	u64 before;

	begin();
	before = log_end();
	at_stamp = look_at_the_next_stamp;
	append("one\ntwo");
	CHECK_EQ(end_seen, before);
	CHECK(log_end() > before);
	printk("three\n");
	CHECK_EQ(count("one\n"), 1);
	CHECK_EQ(count("two\n"), 1);
	CHECK_EQ(count("three\n"), 1);
}

TEST(a_record_is_sent_in_one_piece)
{
	static const char record[] = "{\"a\":1}\n";

	begin();
	kprintf("half a line");
	at_write = another_line;
	console_record(record, sizeof(record) - 1);
	CHECK(strstr(sent, "half a line\n{\"a\":1}\n["));
	CHECK_EQ(count("that comes while"), 1);
}

/* Who reads line by line counts as the log does, also behind what is gone. */
TEST(lines_have_numbers)
{
	u64 before, pos, lines = 0;
	char c;

	begin();
	before = log_line(log_end());
	for (unsigned i = 0; i < 3000; i++)
		append("line %u\nand its second", i);
	CHECK_EQ(log_line(log_end()), before + 6000);
	CHECK(log_line(0) > before); /* the first ones are gone */
	CHECK_EQ(log_line(log_end() - 1), before + 5999);
	for (pos = 0; log_read(&pos, &c, 1);) {
		lines += c == '\n';
		if (c == '\n' && lines % 500 == 1)
			CHECK_EQ(log_line(pos), log_line(0) + lines);
	}
	CHECK_EQ(log_line(0) + lines, before + 6000);
}
