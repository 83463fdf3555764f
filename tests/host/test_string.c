/* Memory and string functions of the kernel, under names of their own, beside those of the C library. */
#define memcpy kernel_memcpy
#define memmove kernel_memmove
#define memset kernel_memset
#define memcmp kernel_memcmp
#define memchr kernel_memchr
#define strlen kernel_strlen
#define strnlen kernel_strnlen
#define strcmp kernel_strcmp
#define strncmp kernel_strncmp
#define strchr kernel_strchr
#define strstr kernel_strstr
#include "../../kernel/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strstr
#include "check.h"

enum { ROOM = 96, MOST = 40, ALIGNMENTS = 9 };

static u8 got[ROOM], expected[ROOM];

static void fill(void)
{
	for (unsigned i = 0; i < ROOM; i++)
		got[i] = expected[i] = (u8)(i + 1);
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

/* From each offset to each other, so with every overlap, and nothing beside it changes. */
TEST(string_moves)
{
	for (unsigned from = 0; from < MOST; from++)
		for (unsigned to = 0; to < MOST; to++)
			for (unsigned n = 0; n < MOST; n++) {
				fill();
				memmove(expected + to, expected + from, n);
				CHECK(kernel_memmove(got + to, got + from, n) == got + to);
				CHECK(!memcmp(got, expected, ROOM));
			}
}

TEST(string_copies_and_sets)
{
	for (unsigned from = 0; from < ALIGNMENTS; from++)
		for (unsigned to = 0; to < ALIGNMENTS; to++)
			for (unsigned n = 0; n < MOST; n++) {
				fill();
				memcpy(expected + 48 + to, expected + from, n);
				CHECK(kernel_memcpy(got + 48 + to, got + from, n) == got + 48 + to);
				memset(expected + to, 0x180 + (int)n, n);
				CHECK(kernel_memset(got + to, 0x180 + (int)n, n) == got + to);
				CHECK(!memcmp(got, expected, ROOM));
			}
}

/* Equal but for one byte, which is behind what is compared, too; bytes have no sign. */
TEST(string_compares_bytes)
{
	for (unsigned n = 0; n < MOST; n++)
		for (unsigned at = 0; at < MOST; at++) {
			fill();
			got[at] = 0xf0;
			CHECK_EQ(sign(kernel_memcmp(got, expected, n)), at < n);
			CHECK_EQ(sign(kernel_memcmp(expected, got, n)), -(at < n));
			CHECK(kernel_memchr(got, 0x1f0, n) == (at < n ? got + at : NULL));
		}
}

TEST(string_compares_texts)
{
	static const char *const texts[] = {"",	    "a", "ab",	 "abc",	 "abd",
					    "abcd", "b", "\xf0", "a\xf0"};

	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++)
		for (unsigned k = 0; k < ARRAY_SIZE(texts); k++) {
			const char *a = texts[i], *b = texts[k];

			CHECK_EQ(sign(kernel_strcmp(a, b)), sign(strcmp(a, b)));
			for (unsigned n = 0; n < 6; n++)
				CHECK_EQ(sign(kernel_strncmp(a, b, n)), sign(strncmp(a, b, n)));
		}
}

TEST(string_lengths)
{
	static const char *const texts[] = {"", "a", "ab", "abc"};

	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		CHECK_EQ(kernel_strlen(texts[i]), i);
		for (unsigned max = 0; max < 6; max++)
			CHECK_EQ(kernel_strnlen(texts[i], max), MIN(i, max));
	}
}

TEST(string_finds)
{
	static const char text[] = "aab aabb\xf0";
	static const char *const needles[] = {"",	 "a", "aabb",	      "b a", "bb\xf0",
					      "bb\xf0x", "c", "aab aabb\xf0", "ba"};

	for (unsigned i = 0; i < ARRAY_SIZE(needles); i++)
		CHECK(kernel_strstr(text, needles[i]) == strstr(text, needles[i]));
	CHECK(kernel_strstr("", "") && !kernel_strstr("", "a"));
	for (unsigned c = 0; c < 256; c++)
		CHECK(kernel_strchr(text, (int)c) == strchr(text, (int)c));
}
