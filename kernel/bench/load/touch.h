/* A guest that only touches its pages: touch_guest.c. */
#pragma once

#include <kernel/types.h>

/* Shared with the host. */
struct touch_task {
	u64 pages; /* from 0 on, by the host before each run */
};

/* In the guest: writes a word of each page, then calls, for ever. task: guest-physical address of a struct touch_task. */
void touch_guest(void *task);
