/*
 * `page_fault3` of will-it-scale: a file of the task's own is mapped shared, each
 * page is written once, and all is unmapped again. The pages stay in memory. What
 * is over `dirty_pages` the writer has to write back before it goes on.
 */
#include "scale.h"

SCALE_TEST(page_fault3, "will-it-scale: write each page of a shared file mapping, and unmap it",
	   "transport range spurious upgrade model", .pages = 1024,
	   .operation = "page of a file mapped, written and unmapped", .store = scale_memory_store,
	   .fills_store = true, .begin = scale_map_file, .op = scale_write_page,
	   .end = scale_verify_and_unmap);
