/* Between the files of the line editor: the line and its picture (line.c), older lines (history.c). */
#pragma once

#include <kernel/lineedit.h>

/* ---- line.c: what they change they also show ---- */

void line_put_string(struct lineedit *le, const char *s);
void line_put_repeated(struct lineedit *le, char c, size_t n);
/* Where the character before or after the cursor begins. */
size_t line_before(const struct lineedit *le);
size_t line_after(const struct lineedit *le);
/* Where the word before the cursor begins, or the one at or after it ends: letters, digits, _ and all but ASCII. */
size_t line_word_before(const struct lineedit *le);
size_t line_word_after(const struct lineedit *le);
void line_move(struct lineedit *le, size_t cursor);
/* Take out [from, to); the cursor goes to from. */
void line_cut(struct lineedit *le, size_t from, size_t to);
/* n bytes of whole characters at the cursor; dropped if there is no room for all. */
void line_insert(struct lineedit *le, const char *s, size_t n);
void line_replace(struct lineedit *le, const char *text);
/* Prompt and line anew, from column 0. */
void line_draw(struct lineedit *le);

/* ---- history.c ---- */

void history_show(struct lineedit *le, unsigned at);
void history_add(struct lineedit *le);
void search_begin(struct lineedit *le);
void search_type(struct lineedit *le, const char *s, size_t n);
void search_erase(struct lineedit *le);
void search_older(struct lineedit *le);
/* Edit the line that was found, or (abort) the one before the search. */
void search_end(struct lineedit *le, bool abort);
/* From column 0. */
void search_draw(struct lineedit *le);
