/*
 * `page_fault2` of will-it-scale: a file of the task's own is mapped privately, each
 * page is written once, which copies it, and all is unmapped again. The file's pages stay in memory.
 */
#include "scale.h"

SCALE_TEST(page_fault2, "will-it-scale: write each page of a private file mapping, and unmap it",
	   "transport range defer", .pages = 1024,
	   .operation = "page of a file copied, written and unmapped", .store = scale_memory_store,
	   .begin = scale_map_private, .op = scale_write_page, .end = scale_verify_and_unmap);
