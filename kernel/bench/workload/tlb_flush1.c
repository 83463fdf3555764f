/*
 * `tlb_flush1` of will-it-scale: as tlb_flush2 on a private mapping of a file of the
 * task's own. Dropping a page gives up the copy that was written, so what is read
 * then is the file's page, which nobody has written.
 */
#include "scale.h"

SCALE_TEST(tlb_flush1, "will-it-scale: write each page of a private file mapping, drop it, read it",
	   "transport range defer", .pages = 1024,
	   .operation = "page of a file copied, written, dropped and read",
	   .store = scale_memory_store, .begin = scale_map_private,
	   .op = scale_write_drop_read_zero, .end = scale_unmap);
