/*
 * `tlb_flush2` of will-it-scale: each page of anonymous memory is written,
 * dropped and read. An operation is a page, and so is a flush. A CPU that kept
 * its old entry would read what it wrote.
 */
#include "scale.h"

SCALE_TEST(tlb_flush2, "will-it-scale: write each page of anonymous memory, drop it, read it",
	   "transport range defer", .pages = 256, .operation = "page written, dropped and read",
	   .begin = scale_map_anonymous, .op = scale_write_drop_read_zero, .end = scale_unmap);
