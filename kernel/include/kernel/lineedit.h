/*
 * One line of input with editing, history, search and completion, as a state machine:
 * characters in, terminal output through put(). Knows no console, so that it
 * is tested on the host. Text is UTF-8; what is none is dropped.
 */
#pragma once

#include <kernel/completion.h>
#include <kernel/utf8.h>

enum {
	LINEEDIT_MAX = 1023, /* bytes in a line */
	LINEEDIT_HISTORY = 32, /* lines */
	LINEEDIT_SHOW_MAX = 64, /* candidates listed at most */
	LINEEDIT_PATTERN_MAX = 63, /* bytes searched for */
};

enum lineedit_event {
	LINEEDIT_MORE, /* nothing to do yet */
	LINEEDIT_LINE, /* Enter: line is complete */
	LINEEDIT_TOO_LONG, /* Enter: `dropped` bytes did not fit */
	LINEEDIT_CANCEL, /* Ctrl-C */
	LINEEDIT_END, /* Ctrl-D in an empty line: no more will come */
};

/* Ctrl-R: the line shown is the newest older one that contains the pattern. */
struct lineedit_search {
	bool on, failed; /* failed: no line has the last characters, too */
	char pattern[LINEEDIT_PATTERN_MAX + 1]; /* always terminated */
	size_t len;
	size_t shown; /* columns on the screen, behind which the cursor is */
};

struct lineedit {
	const char *prompt;
	void (*put)(const char *s, size_t len);
	/* Candidate i for the word at the cursor, whatever it begins with; NULL at the end. May be NULL. */
	const char *(*candidate)(const char *line, size_t cursor, unsigned i,
				 struct completion *at);

	char line[LINEEDIT_MAX + 1]; /* always terminated */
	size_t len, cursor;
	size_t dropped;
	bool after_cr; /* the LF of CR LF is not another line */
	enum { KEY_PLAIN, KEY_ESCAPE, KEY_CSI, KEY_SS3 } key;
	unsigned key_numbers[2], key_number_at; /* "ESC [ key ; modifiers ~" */
	char partial[UTF8_MAX]; /* a character of which not all bytes have come */
	size_t partial_len;

	char history[LINEEDIT_HISTORY][LINEEDIT_MAX + 1];
	unsigned history_count; /* lines ever added; the last LINEEDIT_HISTORY are there */
	unsigned history_at; /* the one shown; history_count = the line being typed */
	char typed[LINEEDIT_MAX + 1]; /* that line, while another is shown */
	struct lineedit_search search;
};

/* Show the prompt and begin an empty line. */
void lineedit_begin(struct lineedit *le);
enum lineedit_event lineedit_feed(struct lineedit *le, char c);
/* Show prompt and line again, after other output. */
void lineedit_redraw(struct lineedit *le);
