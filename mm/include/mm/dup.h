/* Duplicating a space, as fork() does. */
#pragma once

#include <mm/aspace.h>

/*
 * A new space that shows what `as` shows now: neither sees what is written through the other from then on, but in
 * files and objects that are mapped shared. Area by area:
 *
 *   mapped shared          the same object
 *   private, of a file     the file again; copies of its pages are copied
 *   anonymous              copy on write: the pages stay where they are, and both spaces get a shadow of
 *                          them (<mm/cow.h>). A page that is pinned is copied, as its owner may write
 *                          it; `as` keeps the page itself.
 *   anonymous, in a space  copied: there is one level of shadows. So are 2 MiB pages, into small ones.
 *   that was duplicated
 *   before, or a duplicate
 *
 * The debts of `as` are paid (PAY_DUPLICATE). What its threads write meanwhile is in the duplicate or not,
 * page by page. name is kept, not copied. NULL: *err is -ENOMEM, or a subscriber's refusal, and `as` is as it was.
 * No area's own object is mapped anywhere else meanwhile. Task context, no locks; waits for migrations and a flush.
 */
struct aspace *aspace_dup(struct aspace *as, const char *name, u32 node, int *err);
