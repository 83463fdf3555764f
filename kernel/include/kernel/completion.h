/* What is completed on the console: between its line editor and those who know candidates. */
#pragma once

#include <kernel/types.h>

/* The word at the cursor, as far as it is typed. */
struct completion {
	const char *word;
	size_t len;
	/* Set by who has candidates, 0 and false before: */
	size_t start; /* where in the word the part begins that they complete */
	bool open; /* the word may go on behind a candidate: no blank after it */
};
