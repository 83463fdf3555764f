/* Records in lines that loggers leave whole. */
#include "check.h"

#include <kernel/types.h>

#include "../../kernel/bench/report/lines.h"

enum { TEXT = 16384 };

static char joined[TEXT];
static size_t joined_len, longest;
static unsigned pieces, wrong; /* lines: how many, and those not as they should be */

static void take(const char *line, size_t len)
{
	unsigned number, all, at = 0;

	pieces++;
	longest = MAX(longest, len - 1);
	wrong += line[len - 1] != '\n' || memchr(line, '\n', len - 1);
	wrong += sscanf(line, "@1f2e3d4c %u/%u %n", &number, &all, &at) != 2 || number != pieces;
	wrong += line[len - 2] == ' ' || line[at] == ' ';
	wrong += ((unsigned char)line[at] & 0xc0) == 0x80;
	memcpy(joined + joined_len, line + at, len - 1 - at);
	joined_len += len - 1 - at;
}

static void split(const char *text, size_t len, size_t width)
{
	joined_len = longest = pieces = wrong = 0;
	record_lines(text, len, width, take);
	joined[joined_len++] = '\n';
}

/* Blanks and characters of several bytes everywhere, so that some meet every place where a line could end. */
TEST(record_lines_join_to_the_record)
{
	static const char some[] = "{\"key\":\"a b \303\244\342\202\254\360\237\230\200 c\"},";
	static const char tail[] = ",\"crc\":\"1f2e3d4c\"}\n";
	static char text[TEXT];
	size_t len = 0;

	while (len + sizeof(some) + sizeof(tail) < 6000) {
		memcpy(text + len, some, sizeof(some) - 1);
		len += sizeof(some) - 1;
		size_t whole = len + sizeof(tail) - 1;

		memcpy(text + len, tail, sizeof(tail) - 1);
		for (size_t width = 64; width < 1200; width += 71) {
			if (whole - 1 <= width)
				continue;
			split(text, whole, width);
			CHECK_EQ(wrong, 0);
			CHECK(longest <= width && pieces >= whole / width);
			CHECK_EQ(joined_len, whole);
			CHECK(!memcmp(joined, text, whole));
		}
	}
}

static const char *given;
static size_t given_len;

static void note(const char *line, size_t len)
{
	given = line;
	given_len = len;
}

TEST(record_lines_leaves_short_ones_whole)
{
	static const char text[] = "{\"schema\":\"tarry.bench/1\",\"crc\":\"1f2e3d4c\"}\n";

	for (size_t width = 0; width < 200; width++) {
		if (width && width < sizeof(text) - 2)
			continue;
		record_lines(text, sizeof(text) - 1, width, note);
		CHECK(given == text);
		CHECK_EQ(given_len, sizeof(text) - 1);
	}
	split(text, sizeof(text) - 1, 1); /* narrower than a head: as narrow as it gets */
	CHECK(longest <= RECORD_LINE_MIN);
}
