/*
 * `page_fault1` of will-it-scale: anonymous memory is mapped, each page is
 * written once, and all is unmapped again. An operation is a page.
 */
#include "scale.h"

SCALE_TEST(page_fault1, "will-it-scale: write each page of anonymous memory, and unmap it",
	   "transport range defer", .pages = 4096, .operation = "page mapped, written and unmapped",
	   .begin = scale_map_anonymous, .op = scale_write_page, .end = scale_verify_and_unmap);
