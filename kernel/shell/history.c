/* Older lines: going through them, and searching. */
#include "line.h"
#include <kernel/string.h>

/* The oldest that is still there. */
static unsigned oldest(const struct lineedit *le)
{
	return le->history_count - MIN(le->history_count, (unsigned)LINEEDIT_HISTORY);
}

static char *history_line(struct lineedit *le, unsigned at)
{
	return at == le->history_count ? le->typed : le->history[at % LINEEDIT_HISTORY];
}

/* The line being typed stays where it is found again. */
static void keep_typed(struct lineedit *le)
{
	if (le->history_at == le->history_count)
		strlcpy(le->typed, le->line, sizeof(le->typed));
}

void history_show(struct lineedit *le, unsigned at)
{
	if (at < oldest(le) || at > le->history_count)
		return;
	keep_typed(le);
	le->history_at = at;
	line_replace(le, history_line(le, at));
}

void history_add(struct lineedit *le)
{
	unsigned count = le->history_count;

	if (!le->len || (count && !strcmp(le->history[(count - 1) % LINEEDIT_HISTORY], le->line)))
		return;
	strlcpy(le->history[count % LINEEDIT_HISTORY], le->line, sizeof(le->line));
	le->history_count++;
}

/* ---- search ---- */

static bool contains(const char *line, const char *pattern, size_t len)
{
	for (; *line; line++)
		if (!strncmp(line, pattern, len))
			return true;
	return !len;
}

/* What follows begins at column 0, over what stands there. */
static void wipe(struct lineedit *le)
{
	line_put_repeated(le, '\b', le->search.shown);
	line_put_repeated(le, ' ', le->search.shown);
	line_put_repeated(le, '\b', le->search.shown);
	le->search.shown = 0;
}

void search_draw(struct lineedit *le)
{
	const char *parts[] = {le->search.failed ? "nothing older has '" : "search '",
			       le->search.pattern, "': ", le->line};

	le->search.shown = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		line_put_string(le, parts[i]);
		le->search.shown += utf8_count(parts[i], strlen(parts[i]));
	}
}

/* The newest line before `end` that has the pattern. */
static void find(struct lineedit *le, unsigned end)
{
	struct lineedit_search *search = &le->search;

	do
		search->failed = end-- == oldest(le);
	while (!search->failed && !contains(history_line(le, end), search->pattern, search->len));
	wipe(le);
	if (!search->failed) {
		le->history_at = end;
		le->len = le->cursor = strlcpy(le->line, history_line(le, end), sizeof(le->line));
	}
	search_draw(le);
}

void search_begin(struct lineedit *le)
{
	keep_typed(le);
	line_move(le, le->len);
	le->search = (struct lineedit_search){.on = true};
	le->search.shown =
		utf8_count(le->prompt, strlen(le->prompt)) + utf8_count(le->line, le->len);
	wipe(le);
	search_draw(le);
}

void search_type(struct lineedit *le, const char *s, size_t n)
{
	struct lineedit_search *search = &le->search;

	if (n > LINEEDIT_PATTERN_MAX - search->len)
		return;
	memcpy(search->pattern + search->len, s, n);
	search->len += n;
	search->pattern[search->len] = '\0';
	find(le, le->history_at + 1);
}

void search_erase(struct lineedit *le)
{
	struct lineedit_search *search = &le->search;

	while (search->len && utf8_continues(search->pattern[--search->len]))
		;
	search->pattern[search->len] = '\0';
	find(le, le->history_count + 1);
}

void search_older(struct lineedit *le)
{
	find(le, le->history_at);
}

void search_end(struct lineedit *le, bool abort)
{
	wipe(le);
	le->search.on = false;
	if (abort) {
		le->history_at = le->history_count;
		le->len = le->cursor = strlcpy(le->line, le->typed, sizeof(le->line));
	}
	line_draw(le);
}
