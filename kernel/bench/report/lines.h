/*
 * A record as lines of a console. Loggers of serial lines (ser2net, conserver, a BMC's) wrap or cut
 * lines at 1,024 columns, and put a time before each. So a record that is longer goes in pieces:
 *
 *	@1f2e3d4c 1/3 {"schema":"tarry.bench/1","name":"migrate",...
 *	@1f2e3d4c 2/3 ...
 *	@1f2e3d4c 3/3 ...,"crc":"1f2e3d4c"}
 *
 * The name of all pieces is the record's checksum, then come the number of this piece and of all.
 * Behind the third blank each piece is text of the record to the end of the line; joined in order
 * they are the record, whose last key is that checksum. Pieces neither begin nor end with a blank, which a logger
 * may drop. Lines of the log may come between. tools/tarrylib/report/records.py joins them.
 */
#pragma once

#include <kernel/types.h>

enum {
	RECORD_LINE_MIN = 64,
	RECORD_LINE_MAX = 4096,
};

/*
 * Give the record (one line with its newline, checksum last) to put(), which gets whole lines of at most width
 * bytes without the newline, RECORD_LINE_MIN at least; width 0: one line, however long.
 */
void record_lines(const char *text, size_t len, size_t width,
		  void (*put)(const char *line, size_t len));
