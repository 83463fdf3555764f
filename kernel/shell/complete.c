/* Finding commands, and completing what is typed. */
#include <kernel/shell.h>
#include <kernel/string.h>

static unsigned command_count(void)
{
	return (unsigned)(__stop_commands - __start_commands);
}

const struct command *shell_find_command(const char *name)
{
	for (unsigned i = 0; i < command_count(); i++) {
		if (!strcmp(__start_commands[i]->name, name))
			return __start_commands[i];
	}
	return NULL;
}

/* How many names stand before this one. */
static unsigned rank_of(const struct command *cmd)
{
	unsigned rank = 0;

	for (unsigned i = 0; i < command_count(); i++)
		rank += strcmp(__start_commands[i]->name, cmd->name) < 0;
	return rank;
}

const struct command *shell_command(unsigned at)
{
	for (unsigned i = 0; i < command_count(); i++) {
		if (rank_of(__start_commands[i]) == at)
			return __start_commands[i];
	}
	return NULL;
}

/* Where the command at the cursor begins: behind the last ";" that is not quoted. */
static const char *command_start(const char *line, size_t cursor)
{
	const char *start = line;
	bool quoted = false;

	for (const char *s = line; s < line + cursor; s++) {
		quoted ^= *s == '"';
		if (*s == ';' && !quoted)
			start = s + 1;
	}
	return start;
}

/* The word that begins at or after s, before end; its length in *len. */
static const char *next_word(const char *s, const char *end, size_t *len)
{
	while (s < end && *s == ' ')
		s++;
	for (*len = 0; s + *len < end && s[*len] != ' '; (*len)++)
		;
	return s;
}

static const struct command *find_prefix(const char *name, size_t len)
{
	for (unsigned i = 0; i < command_count(); i++) {
		const char *full = __start_commands[i]->name;

		if (strlen(full) == len && !strncmp(full, name, len))
			return __start_commands[i];
	}
	return NULL;
}

const char *shell_complete(const char *line, size_t cursor, unsigned i)
{
	const char *end = line + cursor, *word = end;
	size_t len;
	const char *name = next_word(command_start(line, cursor), end, &len);
	const struct command *cmd;
	int argi = 1;

	if (name + len == end) {
		cmd = shell_command(i);
		return cmd ? cmd->name : NULL;
	}
	cmd = find_prefix(name, len);
	if (!cmd)
		return NULL;
	/* Words that are complete before the cursor count; the one at it is what is asked for. */
	for (const char *s = name + len; (word = next_word(s, end, &len)) + len < end;
	     s = word + len)
		argi++;
	if (*word == '-' && cmd->options) {
		for (unsigned n = 0; cmd->options[n].name; n++) {
			if (n == i)
				return cmd->options[n].name;
		}
		return NULL;
	}
	return cmd->complete ? cmd->complete(argi, i) : NULL;
}
