/* What reads and writes text for people and scripts: JSON, options, boot line. */
#include "check.h"
#include "random.h"

#include <kernel/args.h>
#include <kernel/error.h>
#include <kernel/json.h>
#include <kernel/hw.h>
#include <kernel/option.h>
#include <kernel/printk.h>

#include <stdarg.h>
#include <stdlib.h>

static char printed[8192]; /* what printk() or put() were given */

static void collect(const char *s, size_t len)
{
	size_t have = strlen(printed);

	if (have + len < sizeof(printed)) {
		memcpy(printed + have, s, len);
		printed[have + len] = '\0';
	}
}

/* Stands in for the console of option.c. */
void printk(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	collect(line, (size_t)vsnprintf(line, sizeof(line), fmt, ap));
	va_end(ap);
}

/* ---- JSON ---- */

TEST(json_nests_and_places_commas)
{
	char buf[256];
	struct json j;
	long len;

	json_init(&j, buf, sizeof(buf));
	json_object(&j);
	json_key(&j, "schema"), json_string(&j, "tarry.bench/1");
	json_key(&j, "empty"), json_object(&j), json_object_end(&j);
	json_key(&j, "list"), json_array(&j);
	json_u64(&j, 18446744073709551615UL), json_null(&j);
	json_array(&j), json_array_end(&j), json_bool(&j, true);
	json_array_end(&j);
	json_key(&j, "cv"), json_fixed(&j, 82, 4);
	json_key(&j, "at"), json_hex(&j, 0x440000000);
	json_key(&j, "none"), json_string(&j, NULL);
	json_object_end(&j);
	len = json_finish(&j); /* which ends the text */
	CHECK_EQ(len, strlen(buf));
	CHECK_STR(buf, "{\"schema\":\"tarry.bench/1\",\"empty\":{},"
		       "\"list\":[18446744073709551615,null,[],true],"
		       "\"cv\":0.0082,\"at\":\"0x440000000\",\"none\":null}");
}

TEST(json_escapes)
{
	char buf[128];
	struct json j;

	json_init(&j, buf, sizeof(buf));
	json_string(&j, "a\"b\\c\n\t\r\b\f\001\x7f\xc3\xa9/");
	CHECK(json_finish(&j) > 0);
	CHECK_STR(buf, "\"a\\\"b\\\\c\\n\\t\\r\\b\\f\\u0001\\u007f\xc3\xa9/\"");
}

TEST(json_overflow_is_told_and_stays_inside)
{
	char exact[] = "{\"key\":\"value\",\"n\":[1,2,3]}";
	char *buf;
	struct json j;

	for (size_t size = 0; size <= sizeof(exact); size++) {
		buf = malloc(size ? size
				  : 1); /* exact size: the sanitizer sees one byte too many */
		json_init(&j, buf, size);
		json_object(&j);
		json_key(&j, "key"), json_string(&j, "value");
		json_key(&j, "n"), json_array(&j);
		for (unsigned i = 1; i <= 3; i++)
			json_u64(&j, i);
		json_array_end(&j), json_object_end(&j);
		long len = json_finish(&j);
		bool same = size == sizeof(exact) && !strcmp(buf, exact);

		free(buf);
		CHECK_EQ(len, size == sizeof(exact) ? (long)sizeof(exact) - 1 : -ERANGE);
		CHECK(size < sizeof(exact) || same);
	}
}

/* ---- options of a command ---- */

static u64 pages, bytes;
static bool huge;
static unsigned pattern;
static const char *seed;
static const char *const patterns[] = {"linear", "uniform", "zipf", NULL};
static struct arg_strings more;
static const struct arg table[] = {
	{"--pages", ARG_U64, &pages, "pages in the region", .def = 512, .min = 1, .max = 4096},
	{"--size", ARG_SIZE, &bytes, "bytes", .def = 2 << 20, .min = 4096, .max = 1UL << 30},
	{"--thp", ARG_FLAG, &huge, "2 MiB pages", .def = false},
	{"--pattern", ARG_CHOICE, &pattern, "order of accesses", .def = 1, .choices = patterns},
	{"--seed", ARG_STRING, &seed, "any text", .def_string = "x"},
	{"--more", ARG_STRINGS, &more, "texts", .names = "words"},
	{NULL},
};
static char error[ARGS_ERROR_LEN];
static char *words[16];

/* Splits at blanks; parses; the result of args_parse(). */
static int parse(const char *line)
{
	static char buf[256];
	int argc = 0;

	strcpy(buf, line);
	memset(words, 0, sizeof(words));
	error[0] = '\0';
	for (char *w = strtok(buf, " "); w; w = strtok(NULL, " "))
		words[argc++] = w;
	return args_parse(table, argc, words, error);
}

TEST(args_defaults_and_values)
{
	CHECK_EQ(parse("bench"), 1);
	CHECK(pages == 512 && bytes == 2 << 20 && !huge && pattern == 1);
	CHECK_STR(seed, "x");
	CHECK_EQ(parse("bench migrate --pages 7 --size=4K --thp x --pattern zipf --seed=a=b"), 3);
	CHECK(pages == 7 && bytes == 4096 && huge && pattern == 2);
	CHECK_STR(seed, "a=b");
	CHECK_STR(words[1], "migrate");
	CHECK_STR(words[2], "x");
	CHECK_EQ(parse("bench -- --pages - 3"), 4);
	CHECK_STR(words[1], "--pages");
	CHECK_EQ(parse("bench -"), 2);
	CHECK_EQ(args_parse(NULL, 1, words, error), 1);
	CHECK_EQ(parse("bench"), 1); /* nothing is left of the line before */
	CHECK(pages == 512 && bytes == 2 << 20 && !huge && pattern == 1);
	CHECK_STR(seed, "x");
}

/* The least and the most are allowed, one less and one more are not; nothing is stored then. */
TEST(args_limits_are_inclusive)
{
	CHECK_EQ(parse("bench --pages 1"), 1);
	CHECK_EQ(pages, 1);
	CHECK_EQ(parse("bench --pages 4096"), 1);
	CHECK_EQ(pages, 4096);
	CHECK_EQ(parse("bench --pages 0"), -EINVAL);
	CHECK_EQ(parse("bench --pages 4097"), -EINVAL);
	CHECK_EQ(pages, 512);
	CHECK_EQ(parse("bench --size 4K"), 1);
	CHECK_EQ(bytes, 4096);
	CHECK_EQ(parse("bench --size 1G"), 1);
	CHECK_EQ(bytes, 1UL << 30);
	CHECK_EQ(parse("bench --size 4095"), -EINVAL);
	CHECK_EQ(parse("bench --size 1073741825"), -EINVAL);
	CHECK_EQ(bytes, 2 << 20);
}

TEST(args_refuse_with_the_reason)
{
	CHECK_EQ(parse("bench --pages 0"), -EINVAL);
	CHECK_STR(error, "--pages 0: out of range, must be 1..4096");
	CHECK_EQ(parse("bench --pages many"), -EINVAL);
	CHECK_STR(error, "--pages many: not a number, must be 1..4096");
	CHECK_EQ(parse("bench --size 2G"), -EINVAL);
	CHECK_STR(error, "--size 2G: out of range, must be 4K..1G");
	CHECK_EQ(parse("bench --pages"), -EINVAL);
	CHECK_STR(error, "--pages needs a value");
	CHECK_EQ(parse("bench --thp=1"), -EINVAL);
	CHECK_STR(error, "--thp takes no value");
	CHECK_EQ(parse("bench --page 1"), -EINVAL);
	CHECK_STR(error, "unknown option --page");
	CHECK_EQ(parse("bench --pattern random"), -EINVAL);
	CHECK_STR(error, "--pattern random: must be one of linear, uniform, zipf");
}

/* A list of no words is empty, not what the stack held; the largest number is shown whole. */
TEST(args_texts_at_their_limits)
{
	static const char *const none[] = {NULL};
	static unsigned choice;
	static u64 number;
	static const struct arg odd[] = {
		{"--choice", ARG_CHOICE, &choice, "", .choices = none},
		{"--number", ARG_U64, &number, "any", .min = 1, .max = ~0UL, .def = ~0UL},
		{"--bytes", ARG_SIZE, &number, "any", .min = 1023, .max = ~0UL, .def = 3UL << 30},
		{NULL},
	};
	char line[160], *argv[] = {"bench", "--choice", "x"};

	CHECK_EQ(args_parse(odd, 3, argv, error), -EINVAL);
	CHECK_STR(error, "--choice x: must be one of ");
	args_describe(&odd[1], line, sizeof(line));
	CHECK_STR(line, "--number N (1..18446744073709551615, default 18446744073709551615)  any");
	args_describe(&odd[2], line, sizeof(line));
	CHECK_STR(line, "--bytes N (1023..18446744073709551615, default 3G)  any");
}

/* What may be given several times; each command begins without any. */
TEST(args_collect_texts)
{
	CHECK_EQ(parse("bench --more a=1,2 x --more=b --pages 7"), 2);
	CHECK_EQ(more.count, 2);
	CHECK_STR(more.text[0], "a=1,2");
	CHECK_STR(more.text[1], "b");
	CHECK_EQ(parse("bench"), 1);
	CHECK_EQ(more.count, 0);
	CHECK_EQ(parse("bench --more 1 --more 2 --more 3 --more 4"), 1);
	CHECK_EQ(more.count, ARG_STRINGS_MAX);
	CHECK_EQ(parse("bench --more 1 --more 2 --more 3 --more 4 --more 5"), -EINVAL);
	CHECK_STR(error, "--more 5: more than 4 of them");
	CHECK_EQ(parse("bench --more"), -EINVAL);
	CHECK_STR(error, "--more needs a value");
}

TEST(args_describe_themselves)
{
	char line[160];

	args_describe(&table[0], line, sizeof(line));
	CHECK_STR(line, "--pages N (1..4096, default 512)  pages in the region");
	args_describe(&table[1], line, sizeof(line));
	CHECK_STR(line, "--size N (4K..1G, default 2M)  bytes");
	args_describe(&table[2], line, sizeof(line));
	CHECK_STR(line, "--thp  2 MiB pages");
	args_describe(&table[3], line, sizeof(line));
	CHECK_STR(line,
		  "--pattern CHOICE (linear, uniform, zipf; default uniform)  order of accesses");
	args_describe(&table[4], line, sizeof(line));
	CHECK_STR(line, "--seed TEXT (default x)  any text");
	args_describe(&table[5], line, sizeof(line));
	CHECK_STR(line, "--more TEXT (up to 4 times)  texts");
}

/* ---- the boot line ---- */

TEST(option_words_and_quotes)
{
	printed[0] = '\0';
	option_init("  det=1 quiet hw=-pcid,-hafdbs tarry.run=\"test x; list \\\"a b\\\"\" det=2 "
		    "a=b=c\t");
	CHECK_STR(option_get("det"), "1");
	CHECK_STR(option_get("quiet"), "");
	CHECK_STR(option_get("tarry.run"), "test x; list \"a b\"");
	CHECK_STR(option_get("a"), "b=c");
	CHECK(!option_get("de"));
	CHECK(option_list_has("hw", "-hafdbs"));
	CHECK(option_list_has("hw", "-pcid"));
	CHECK(!option_list_has("hw", "-pci"));
	CHECK(!option_list_has("sw", "-pcid"));
	option_report_unknown();
	CHECK_STR(printed, "");
	option_init("\"tarry.run=a b\" typo typo2=x");
	CHECK_STR(option_get("tarry.run"), "a b");
	option_report_unknown();
	CHECK_STR(printed,
		  "boot option typo: unknown, ignored\nboot option typo2: unknown, ignored\n");
}

/* What a boot loader or a shell in between makes of quotes has one meaning, and is said. */
TEST(option_words_that_are_odd)
{
	printed[0] = '\0';
	option_init("\"\" a=\"\" =x \"\"\"\" b=\"c \\\" d");
	CHECK_STR(option_get("a"), "");
	CHECK_STR(option_get("b"), "c \" d");
	CHECK(!option_get("d"));
	option_report_unknown();
	CHECK_STR(printed,
		  "boot line: word 1 has no name (\"\"): ignored\n"
		  "boot line: word 3 has no name (\"x\"): ignored\n"
		  "boot line: word 4 has no name (\"\"): ignored\n"
		  "boot line: word 5: its quote has no end: the rest of the line belongs to it\n");
	printed[0] = '\0';
	option_init("b=\"c d\""); /* closed again: nothing to say */
	CHECK_STR(option_get("b"), "c d");
	option_report_unknown();
	CHECK_STR(printed, "");
	option_init("a \"");
	CHECK_STR(option_get("a"), "");
	option_report_unknown();
	CHECK_STR(printed,
		  "boot line: word 2 has no name (\"\"): ignored\n"
		  "boot line: word 2: its quote has no end: the rest of the line belongs to it\n");
}

static bool hides(const char *line, const char *shown)
{
	char text[128];

	strcpy(text, line);
	option_hide(text, "net.token");
	if (strcmp(text, shown))
		printf("# %s: %s\n", line, text);
	return !strcmp(text, shown);
}

TEST(option_values_are_hidden)
{
	CHECK(hides("net.token=abc", "net.token=***"));
	CHECK(hides("a net.token=abc  b=c", "a net.token=***  b=c"));
	CHECK(hides("net.token=\"a b\" x=\"net.token=y\"", "net.token=***** x=\"net.token=y\""));
	CHECK(hides("\"net.token=a b\" c", "\"net.token=**** c"));
	CHECK(hides("net.\"token\"=ab c", "net.\"token\"=** c"));
	CHECK(hides("net.token=a net.token=\"b c", "net.token=* net.token=****"));
	CHECK(hides("net.token=a\\\" net.token", "net.token=*** net.token"));
	CHECK(hides("net.tokens=a xnet.token=b net.token= net.toke=c",
		    "net.tokens=a xnet.token=b net.token= net.toke=c"));
}

TEST(option_words_of_one_name)
{
	option_init("console=ttyS0 quiet console=ttyS1,9600 console");
	CHECK_STR(option_get("console"), "ttyS0");
	CHECK_STR(option_nth("console", 0), "ttyS0");
	CHECK_STR(option_nth("console", 1), "ttyS1,9600");
	CHECK_STR(option_nth("console", 2), "");
	CHECK(!option_nth("console", 3));
}

TEST(hw_takes_and_gives)
{
	printed[0] = '\0';
	option_init("hw=-pcid,+ADL063,-383,+383,,pge,-frob,+383x,-hafdbs,-1");
	CHECK_EQ(hw_asked("pcid"), HW_WITHOUT);
	CHECK_EQ(hw_asked("ADL063"), HW_WITH);
	CHECK_EQ(hw_asked("383"), HW_WITH); /* the last mention */
	CHECK_EQ(hw_asked("38"), HW_AS_FOUND);
	CHECK_EQ(hw_asked("pge"), HW_AS_FOUND); /* no sign */
	CHECK_EQ(hw_asked("lse"), HW_AS_FOUND);
	hw_report_unknown("pge");
	CHECK_STR(printed, "hw=pge: no such feature or erratum; found here: pge\n"
			   "hw=-frob: no such feature or erratum; found here: pge\n"
			   "hw=+383x: no such feature or erratum; found here: pge\n"
			   "hw=-1: no such feature or erratum; found here: pge\n");
}

TEST(errata_are_noted_once)
{
	printed[0] = '\0';
	option_init("hw=+383");
	CHECK_STR(hw_errata(), "");
	hw_note_erratum("1286807", "twice");
	hw_note_erratum("383", "nothing");
	hw_note_erratum("1286807", "twice");
	CHECK_STR(hw_errata(), "1286807 383");
	CHECK_STR(printed, "cpu: erratum 1286807: twice\ncpu: erratum 383: nothing (hw=)\n");
}

TEST(option_values_are_checked)
{
	static const char *const idle[] = {"halt", "poll", NULL};

	printed[0] = '\0';
	option_init("n=300 m=12 idle=poll odd=twist k=4K least=1 most=100 less=0 more=101");
	CHECK_EQ(option_u64("least", 5, 1, 100), 1);
	CHECK_EQ(option_u64("most", 5, 1, 100), 100);
	CHECK_EQ(option_u64("m", 5, 1, 100), 12);
	CHECK_EQ(option_u64("k", 5, 1, 10000), 4096);
	CHECK_EQ(option_u64("none", 5, 1, 100), 5);
	CHECK_EQ(option_choice("idle", idle, 0), 1);
	CHECK_EQ(option_choice("none", idle, 0), 0);
	CHECK_STR(printed, "");
	CHECK_EQ(option_u64("n", 5, 1, 100), 5);
	CHECK_STR(printed, "boot option n=300: must be a number from 1 to 100; using 5\n");
	printed[0] = '\0';
	CHECK_EQ(option_choice("odd", idle, 0), 0);
	CHECK_STR(printed, "boot option odd=twist: must be one of halt, poll; using halt\n");
	CHECK_EQ(option_u64("less", 5, 1, 100), 5);
	CHECK_EQ(option_u64("more", 5, 1, 100), 5);
}

TEST(option_line_of_any_length)
{
	static char line[16384];

	for (size_t i = 0; i + 2 < sizeof(line); i += 2)
		memcpy(line + i, "a ", 2);
	printed[0] = '\0';
	option_init(line);
	CHECK_STR(option_get("a"), "");
	option_report_unknown();
	CHECK(strstr(printed, "words after the first 256 ignored"));
	memset(line, 'x', sizeof(line) - 1);
	option_init(line);
	CHECK(!option_get("a"));
}
