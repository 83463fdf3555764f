/*
 * The command interpreter: the same words from a person, from a script on the
 * serial line, and from the boot line. Runs on the console's CPU only.
 */
#include <kernel/clock.h>
#include <kernel/command.h>
#include <kernel/console.h>
#include <kernel/context.h>
#include <kernel/error.h>
#include <kernel/lineedit.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/service.h>
#include <kernel/shell.h>
#include <kernel/string.h>
#include <arch/cpu.h>

enum {
	COMMAND_LEN = 4096, /* bytes of one command with its terminator: no person types more */
	WORDS_MAX = 128, /* words of one command */
};

/*
 * How long the console sleeps between looks at the UART, which sends no
 * interrupts: at 115200 baud 11 characters arrive meanwhile, and 16 fit its FIFO.
 */
#define INPUT_NAP_NS 1000000UL
/*
 * Looks before it sleeps: about 100 us under the emulator, whose UART offers
 * the next character of a pasted text some 30 us after the last was taken.
 */
enum { INPUT_LOOKS = 1000 };

static const char prompt[] = "tarry> ";
static unsigned verdict; /* of tarry.run so far */

/*
 * The code that a sequence of two ends with: fail (and every code that has no
 * rank of its own) over usage over skip over pass.
 */
static unsigned worse(unsigned a, unsigned b)
{
	static const unsigned char order[] = {RC_FAIL, RC_USAGE, RC_SKIP, RC_PASS};

	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		if (a == order[i] || b == order[i])
			return order[i];
	}
	return RC_FAIL;
}

unsigned shell_verdict(void)
{
	return verdict;
}

/* Cut text into words in place. The number of words, or -EINVAL after it has complained. */
static int split_words(char *text, char **argv)
{
	char *out = text;
	int argc = 0;

	for (char *s = text;;) {
		bool quoted = false;

		while (*s == ' ' || *s == '\t')
			s++;
		if (!*s)
			return argc;
		if (argc == WORDS_MAX - 1) {
			command_usage_error("shell", "more than %d words", WORDS_MAX - 1);
			return -EINVAL;
		}
		argv[argc++] = out;
		for (; *s && (quoted || (*s != ' ' && *s != '\t')); s++) {
			if (*s == '"')
				quoted = !quoted;
			else
				*out++ = *s;
		}
		if (quoted) {
			command_usage_error("shell", "missing closing quote");
			return -EINVAL;
		}
		if (*s)
			s++;
		*out++ = '\0';
	}
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help"))
			return true;
	}
	return false;
}

static unsigned run_words(int argc, char **argv)
{
	const struct command *cmd = shell_find_command(argv[0]);

	if (!cmd)
		return command_usage_error(argv[0], "unknown command, try help");
	if (wants_help(argc, argv)) {
		shell_print_help(cmd, *argv[1] == '-' ? "" : argv[1]);
		return RC_PASS;
	}
	return cmd->run(argc, argv);
}

static void between_commands(void)
{
	console_poll(false);
	if (service_settle)
		service_settle();
}

/* One command, without its ";". False: it was empty and counts for nothing. */
static bool run_command(const char *text, size_t len, bool echo, unsigned *rc)
{
	static char buf[COMMAND_LEN];
	static char *argv[WORDS_MAX];
	int argc;

	for (; len && *text == ' '; len--)
		text++;
	while (len && text[len - 1] == ' ')
		len--;
	if (!len)
		return false;
	between_commands();
	if (echo)
		kprintf("%s%.*s\n", prompt, (int)len, text);
	console_clear_interrupt();
	if (len >= COMMAND_LEN) {
		*rc = command_usage_error("shell", "command of %zu characters, at most %d", len,
					  COMMAND_LEN - 1);
	} else {
		memcpy(buf, text, len);
		buf[len] = '\0';
		argc = split_words(buf, argv);
		argv[MAX(argc, 0)] = NULL;
		*rc = argc < 0 ? RC_USAGE : run_words(argc, argv);
	}
	console_fresh_line();
	kprintf("# rc=%u\n", *rc);
	return true;
}

/* Length up to the next ";" outside quotes. */
static size_t command_length(const char *s)
{
	bool quoted = false;
	size_t n = 0;

	for (; s[n] && (quoted || s[n] != ';'); n++)
		quoted ^= s[n] == '"';
	return n;
}

/*
 * Run the commands of a line, separated by ";" outside double quotes, each
 * followed by "# rc=N". echo: show each first as if it had been typed.
 * Returns the worst code, by worse().
 */
static unsigned run_line(const char *line, bool echo)
{
	unsigned worst = RC_PASS, rc;

	for (;;) {
		size_t len = command_length(line);

		if (run_command(line, len, echo, &rc)) {
			worst = worse(worst, rc);
			if (echo)
				verdict = worst;
			if (console_interrupted()) {
				console_clear_interrupt();
				return worse(worst, RC_FAIL); /* the rest did not run */
			}
		}
		if (!line[len])
			return worst;
		line += len + 1;
	}
}

unsigned shell_run(const char *line)
{
	console_fresh_line();
	kprintf("%s%s\n", prompt, line);
	return run_line(line, false);
}

/* The next character. Contexts of this CPU run while nobody types. */
static char read_char(struct lineedit *le)
{
	unsigned looks = 0;
	int c;

	while ((c = console_getc()) < 0) {
		if (!console_column())
			lineedit_redraw(le); /* somebody printed lines below the prompt */
		if (console_poll(true))
			looks = 0;
		context_yield();
		if (looks++ < INPUT_LOOKS)
			cpu_relax();
		else
			wait_nap(INPUT_NAP_NS);
	}
	return (char)c;
}

static void read_and_run(struct lineedit *le)
{
	enum lineedit_event event;

	console_fresh_line();
	lineedit_begin(le);
	do {
		event = lineedit_feed(le, read_char(le));
	} while (event == LINEEDIT_MORE);
	if (event == LINEEDIT_LINE) {
		run_line(le->line, false);
	} else if (event == LINEEDIT_TOO_LONG) {
		command_usage_error("shell", "line of %zu characters, at most %d",
				    le->len + le->dropped, LINEEDIT_MAX);
		kprintf("# rc=%u\n", RC_USAGE);
	} else if (event == LINEEDIT_END) {
		machine_end(shell_verdict());
	}
}

BOOT_OPTION(run, "tarry.run", "\"COMMANDS\"",
	    "run these, separated by semicolons, then end with their verdict");

void shell_main(void)
{
	static struct lineedit le; /* 34 KiB: initialised here, they take no room in the image */
	const char *run = option_get("tarry.run");

	le.prompt = prompt;
	le.put = console_write;
	le.candidate = shell_complete;
	option_report_unknown();
	if (run) {
		unsigned rc = run_line(run, true);

		between_commands();
		machine_end(rc);
	}
	kprintf("help lists the verbs, Tab completes, exit or Ctrl-D ends\n");
	for (;;)
		read_and_run(&le);
}
