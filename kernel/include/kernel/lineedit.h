/*
 * One line of input with editing, history and completion, as a state machine:
 * characters in, terminal output through put(). Knows no console, so that it
 * is tested on the host.
 */
#pragma once

#include <kernel/types.h>

enum {
	LINEEDIT_MAX = 1023, /* characters in a line */
	LINEEDIT_HISTORY = 32, /* lines */
	LINEEDIT_SHOW_MAX = 64, /* candidates listed at most */
};

enum lineedit_event {
	LINEEDIT_MORE, /* nothing to do yet */
	LINEEDIT_LINE, /* Enter: line is complete */
	LINEEDIT_TOO_LONG, /* Enter: `dropped` characters did not fit */
	LINEEDIT_CANCEL, /* Ctrl-C */
};

struct lineedit {
	const char *prompt;
	void (*put)(const char *s, size_t len);
	/* Candidate i for the word at the cursor, whatever it begins with; NULL at the end. May be NULL. */
	const char *(*candidate)(const char *line, size_t cursor, unsigned i);

	char line[LINEEDIT_MAX + 1]; /* always terminated */
	size_t len, cursor;
	size_t dropped;
	bool after_cr; /* the LF of CR LF is not another line */
	enum { KEY_PLAIN, KEY_ESCAPE, KEY_CSI, KEY_SS3 } key;
	unsigned key_number; /* "ESC [ number ~" */

	char history[LINEEDIT_HISTORY][LINEEDIT_MAX + 1];
	unsigned history_count; /* lines ever added; the last LINEEDIT_HISTORY are there */
	unsigned history_at; /* the one shown; history_count = the line being typed */
	char typed[LINEEDIT_MAX + 1]; /* that line, while another is shown */
};

/* Show the prompt and begin an empty line. */
void lineedit_begin(struct lineedit *le);
enum lineedit_event lineedit_feed(struct lineedit *le, char c);
/* Show prompt and line again, after other output. */
void lineedit_redraw(struct lineedit *le);
