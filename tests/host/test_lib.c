/* kernel/lib against the host's C library and published values, on random input. */
#include "check.h"
#include "random.h"

#include <fnmatch.h>
#include <stdlib.h>

/* Our own under other names, so that both can be called. */
#define memcpy tarry_memcpy
#define memmove tarry_memmove
#define memset tarry_memset
#define memcmp tarry_memcmp
#define memchr tarry_memchr
#define strlen tarry_strlen
#define strnlen tarry_strnlen
#define strcmp tarry_strcmp
#define strncmp tarry_strncmp
#define strchr tarry_strchr
#define strstr tarry_strstr
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

#include <kernel/crc32.h>
#include <kernel/error.h>
#include <kernel/fixed.h>
#include <kernel/printf.h>
#include <kernel/sort.h>

static struct rng rng = {{1, 2, 3, 4}};

static u64 below(u64 n)
{
	return rng_below(&rng, n);
}

static void fill_random(char *buf, size_t n, const char *alphabet)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = alphabet ? alphabet[below(strlen(alphabet))] : (char)rng_next(&rng);
}

static int sign(long v)
{
	return (v > 0) - (v < 0);
}

TEST(string_copies_at_every_alignment)
{
	char ours[160], theirs[160];

	for (unsigned i = 0; i < 20000; i++) {
		size_t from = below(64), to = below(64), n = below(80);

		fill_random(ours, sizeof(ours), NULL);
		memcpy(theirs, ours, sizeof(ours));
		tarry_memmove(ours + to, ours + from, n);
		memmove(theirs + to, theirs + from, n);
		CHECK(!memcmp(ours, theirs, sizeof(ours)));
		tarry_memset(ours + from, (int)i, n);
		memset(theirs + from, (int)i, n);
		CHECK(!memcmp(ours, theirs, sizeof(ours)));
		tarry_memcpy(ours + to, theirs + from, n);
		memcpy(theirs + to, ours + to, n);
		CHECK(!memcmp(ours, theirs, sizeof(ours)));
	}
}

TEST(string_searches_and_compares)
{
	char a[24], b[24];

	for (unsigned i = 0; i < 20000; i++) {
		size_t n = below(12), m = below(4);

		fill_random(a, n, "ab\xff");
		fill_random(b, m, "ab\xff");
		a[n] = b[m] = '\0';
		CHECK_EQ(tarry_strlen(a), strlen(a));
		CHECK_EQ(tarry_strnlen(a, m), strnlen(a, m));
		CHECK_EQ(sign(tarry_strcmp(a, b)), sign(strcmp(a, b)));
		CHECK_EQ(sign(tarry_strncmp(a, b, m)), sign(strncmp(a, b, m)));
		CHECK_EQ(sign(tarry_memcmp(a, b, MIN(n, m))), sign(memcmp(a, b, MIN(n, m))));
		CHECK(tarry_strchr(a, 'b') == strchr(a, 'b'));
		CHECK(tarry_strchr(a, '\0') == strchr(a, '\0'));
		CHECK(tarry_strstr(a, b) == strstr(a, b));
		CHECK(tarry_memchr(a, 'b', n) == memchr(a, 'b', n));
	}
}

TEST(strlcpy_cuts_and_terminates)
{
	char buf[4] = "xyz";

	CHECK_EQ(strlcpy(buf, "hello", sizeof(buf)), 5);
	CHECK_STR(buf, "hel");
	CHECK_EQ(strlcpy(buf, "ab", sizeof(buf)), 2);
	CHECK_STR(buf, "ab");
	CHECK_EQ(strlcpy(buf, "abc", 0), 3);
	CHECK_STR(buf, "ab");
}

/* ---- printf ---- */

static size_t random_spec(char *out, const char *flags, bool precision, const char *conversion)
{
	size_t n = 0;

	out[n++] = '%';
	for (const char *f = flags; *f; f++) {
		if (!below(3))
			out[n++] = *f;
	}
	if (below(2))
		n += (size_t)sprintf(out + n, "%d", (int)below(25) + 1);
	if (precision && below(2))
		n += (size_t)sprintf(out + n, ".%d", (int)below(25));
	return n + (size_t)sprintf(out + n, "%s", conversion);
}

/* Values near the edges are as likely as others. */
static u64 random_value(void)
{
	u64 v = rng_next(&rng) >> below(64);

	return below(4) ? v : below(2) ? ~v : 0;
}

#define COMPARE(format, ...)                                                                       \
	do {                                                                                       \
		char ours_[256], theirs_[256];                                                     \
		int n_ = ksnprintf(ours_, size, format, __VA_ARGS__);                              \
		int m_ = snprintf(theirs_, size, format, __VA_ARGS__);                             \
		CHECK_STR(ours_, theirs_);                                                         \
		CHECK_EQ(n_, m_);                                                                  \
	} while (0)

TEST(printf_numbers_like_libc)
{
	static const struct {
		const char *flags, *conversion;
	} kinds[] = {{"-0+ ", "d"}, {"-0+ ", "i"}, {"-0", "u"},
		     {"-0#", "x"},  {"-0#", "X"},  {"-0#", "o"}};
	static const char *const sizes[] = {"hh", "h", "", "l", "ll", "z"};

	for (unsigned i = 0; i < 200000; i++) {
		unsigned kind = (unsigned)below(ARRAY_SIZE(kinds)), s = (unsigned)below(6);
		size_t size = below(4) ? 256 : below(40) + 1;
		char conversion[8], format[64] = "<";
		u64 value = random_value();

		sprintf(conversion, "%s%s", sizes[s], kinds[kind].conversion);
		strcat(format + random_spec(format + 1, kinds[kind].flags, true, conversion), ">");
		if (s < 3)
			COMPARE(format, (unsigned)value);
		else
			COMPARE(format, (unsigned long)value);
	}
}

TEST(printf_text_like_libc)
{
	static const char *const words[] = {"", "a", "hello",
					    "a longer piece of text than the width"};

	for (unsigned i = 0; i < 50000; i++) {
		size_t size = below(4) ? 256 : below(40) + 1;
		const char *word = words[below(ARRAY_SIZE(words))];
		int letter = 'a' + (int)below(26), a = (int)below(20) - 10, b = (int)below(20) - 10;
		void *pointer = (void *)(rng_next(&rng) | 1);
		char format[64];

		random_spec(format, "-", true, "s");
		COMPARE(format, word);
		random_spec(format, "-", false, "c");
		COMPARE(format, letter);
		random_spec(format, "-", false, "p");
		COMPARE(format, pointer);
		COMPARE("%*d|%-*d|%.*s|%%|%s", a, (int)i, b, -(int)i, a, word, word);
	}
}

/* Behind a call, so that the compiler's own check does not see it. */
static __attribute__((noinline)) const char *no_text(void)
{
	return NULL;
}

TEST(printf_null_and_size_0)
{
	char buf[8] = "keep";

	CHECK_EQ(ksnprintf(NULL, 0, "%d", 12345), 5);
	CHECK_EQ(ksnprintf(buf, 0, "%d", 12345), 5);
	CHECK_STR(buf, "keep");
	ksnprintf(buf, sizeof(buf), "%s", no_text());
	CHECK_STR(buf, "(null)");
}

/* A precision counts bytes, but leaves no half of a character. */
TEST(printf_cuts_between_characters)
{
	static const struct {
		int precision;
		const char *text, *printed;
	} cases[] = {
		{1, "\303\244b", ""},
		{2, "\303\244b", "\303\244"},
		{3, "\303\244b", "\303\244b"},
		{4, "ab\342\202\254", "ab"},
		{5, "ab\342\202\254", "ab\342\202\254"},
		{3, "\360\237\230\200", ""},
		{0, "\303\244", ""},
		{3, "\200\200\200\200", "\200\200\200"}, /* no UTF-8: as it is */
	};
	char buf[16];

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		ksnprintf(buf, sizeof(buf), "%.*s", cases[i].precision, cases[i].text);
		CHECK_STR(buf, cases[i].printed);
	}
}

TEST(fixed_point)
{
	char buf[32];

	fixed_format(buf, sizeof(buf), 12345, 3);
	CHECK_STR(buf, "12.345");
	fixed_format(buf, sizeof(buf), -5, 3);
	CHECK_STR(buf, "-0.005");
	fixed_format(buf, sizeof(buf), 0, 2);
	CHECK_STR(buf, "0.00");
	fixed_format(buf, sizeof(buf), -7, 0);
	CHECK_STR(buf, "-7");
	fixed_format(buf, sizeof(buf), INT64_MIN, 18);
	CHECK_STR(buf, "-9.223372036854775808");
	CHECK_EQ(fixed_format(buf, 4, 12345, 3), 6);
	CHECK_STR(buf, "12.");
}

TEST(mul_div_rounds_and_saturates)
{
	for (unsigned i = 0; i < 200000; i++) {
		u64 a = random_value(), b = random_value(), div = random_value();
		unsigned __int128 exact =
			div ? ((unsigned __int128)a * b + div / 2) / div : (unsigned __int128)-1;

		CHECK_EQ(mul_div_u64(a, b, div), exact > UINT64_MAX ? UINT64_MAX : (u64)exact);
	}
}

/* ---- numbers, patterns ---- */

static int parse(const char *s)
{
	u64 value = 77;
	int err = parse_u64(s, &value);

	return err ? err : value == 77 ? 1 : 0; /* 1: claimed success, set nothing */
}

TEST(parse_u64_accepts_and_refuses)
{
	u64 v;

	CHECK(!parse_u64("0", &v) && v == 0);
	CHECK(!parse_u64("18446744073709551615", &v) && v == UINT64_MAX);
	CHECK(!parse_u64("0xffffffffffffffff", &v) && v == UINT64_MAX);
	CHECK(!parse_u64("0XaB", &v) && v == 0xab);
	CHECK(!parse_u64("4K", &v) && v == 4096);
	CHECK(!parse_u64("3m", &v) && v == 3 << 20);
	CHECK(!parse_u64("0x2G", &v) && v == 2UL << 30);
	CHECK(!parse_u64("010", &v) && v == 10);
	CHECK_EQ(parse("18446744073709551616"), -ERANGE);
	CHECK_EQ(parse("0x10000000000000000"), -ERANGE);
	CHECK_EQ(parse("17179869184G"), -ERANGE);
	CHECK_EQ(parse(""), -EINVAL);
	CHECK_EQ(parse("0x"), -EINVAL);
	CHECK_EQ(parse("-1"), -EINVAL);
	CHECK_EQ(parse("+1"), -EINVAL);
	CHECK_EQ(parse(" 1"), -EINVAL);
	CHECK_EQ(parse("1 "), -EINVAL);
	CHECK_EQ(parse("1KB"), -EINVAL);
	CHECK_EQ(parse("1T"), -EINVAL);
	CHECK_EQ(parse("1a"), -EINVAL);
	CHECK_EQ(parse("99999999999999999999999x"), -EINVAL);
}

static u64 set_of(const char *s, unsigned count)
{
	u64 set;
	int err = parse_set(s, count, &set);

	return err ? (u64)(s64)err : set;
}

TEST(parse_set_accepts_and_refuses)
{
	CHECK_EQ(set_of("0", 1), 1);
	CHECK_EQ(set_of("0,2-4,3", 8), 0x1d);
	CHECK_EQ(set_of("63", 64), 1UL << 63);
	CHECK_EQ(set_of("all", 64), ~0UL);
	CHECK_EQ(set_of("all", 2), 3);
	CHECK_EQ(set_of("0-1", 2), 3);
	CHECK_EQ(set_of("2", 2), (u64)-ERANGE);
	CHECK_EQ(set_of("0-2", 2), (u64)-ERANGE);
	CHECK_EQ(set_of("9,19,62-63", 64), 1UL << 9 | 1UL << 19 | 3UL << 62);
	CHECK_EQ(set_of("64", 64), (u64)-ERANGE);
	CHECK_EQ(set_of("all", 64), ~0UL);
	CHECK_EQ(set_of("all", 1), 1);
	CHECK_EQ(set_of("0,99999999999999999999999", 2), (u64)-ERANGE);
	static const char *const wrong[] = {"",	   ",",	 "0,",	",0", "-",   "0-", "-1",
					    "1-0", "+1", "0 ",	"x",  "0x1", "al", "all,0",
					    "a",   "0a", "0-a", "/",  ":"};

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		CHECK_EQ(set_of(wrong[i], 64), (u64)-EINVAL);
}

/* A number or two, of so many characters: what lies behind them is not looked at. */
TEST(parse_range_accepts_and_refuses)
{
	static const struct {
		const char *text;
		size_t len;
		bool good;
		u64 first, last;
	} cases[] = {
		{"4", 1, true, 4, 4},
		{"4-7", 3, true, 4, 7},
		{"4-7", 1, true, 4, 4},
		{"47,5", 2, true, 47, 47},
		{"7-4", 3, true, 7, 4},
		{"1K-2K", 5, true, 1024, 2048},
		{"4-", 2, false, 0, 0},
		{"-4", 2, false, 0, 0},
		{"", 0, false, 0, 0},
		{"x", 1, false, 0, 0},
		{"x-4", 3, false, 0, 0},
		{"4-x", 3, false, 0, 0},
		{"4-5-6", 5, false, 0, 0},
		{"4 ", 2, false, 0, 0},
		{"00000000000000000000001", 23, true, 1, 1},
		{"000000000000000000000001", 24, false, 0, 0}, /* longer than any range */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 first = 99, last = 98;
		int rc = parse_range(cases[i].text, cases[i].len, &first, &last);

		CHECK_EQ(!rc, cases[i].good);
		CHECK(!cases[i].good || (first == cases[i].first && last == cases[i].last));
	}
}

TEST(parse_u64_like_strtoull)
{
	char text[32];

	for (unsigned i = 0; i < 50000; i++) {
		u64 value = random_value(), v;

		sprintf(text, i & 1 ? "%llu" : "0x%llx", (unsigned long long)value);
		CHECK(!parse_u64(text, &v));
		CHECK_EQ(v, strtoull(text, NULL, i & 1 ? 10 : 16));
	}
}

TEST(glob_like_fnmatch)
{
	char pattern[10], text[12];

	for (unsigned i = 0; i < 200000; i++) {
		size_t n = below(9), m = below(11);

		fill_random(pattern, n, "ab.**?");
		fill_random(text, m, "ab.");
		pattern[n] = text[m] = '\0';
		CHECK_EQ(glob_match(pattern, text), !fnmatch(pattern, text, 0));
	}
}

/* ---- sums, order, chance ---- */

TEST(crc32_known_and_in_pieces)
{
	const char *text = "123456789";

	CHECK_EQ(crc32_update(0, text, 9), 0xcbf43926);
	CHECK_EQ(crc32_update(0, "", 0), 0);
	CHECK_EQ(crc32_update(0, "The quick brown fox jumps over the lazy dog", 43), 0x414fa339);
	for (size_t n = 0; n <= 9; n++)
		CHECK_EQ(crc32_update(crc32_update(0, text, n), text + n, 9 - n), 0xcbf43926);
}

static int by_first_byte(const void *a, const void *b)
{
	return *(const u8 *)a - *(const u8 *)b;
}

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

TEST(sort_orders_everything)
{
	u64 ours[200], theirs[200];
	char triples[50][3];

	for (unsigned i = 0; i < 2000; i++) {
		size_t n = below(200);

		for (size_t k = 0; k < n; k++)
			ours[k] = theirs[k] = i & 1 ? below(5) : rng_next(&rng);
		sort_u64(ours, n);
		qsort(theirs, n, sizeof(*theirs), by_value);
		CHECK(!memcmp(ours, theirs, n * sizeof(*ours)));
	}
	for (unsigned i = 0; i < 50; i++) {
		triples[i][0] = (char)(i * 37 % 50);
		triples[i][1] = triples[i][2] = (char)(triples[i][0] + 1);
	}
	sort_array(triples, 50, 3, by_first_byte);
	for (int i = 0; i < 50; i++)
		CHECK(triples[i][0] == i && triples[i][1] == i + 1 && triples[i][2] == i + 1);
}

TEST(rng_published_values)
{
	u64 state = 0;

	CHECK_EQ(rng_splitmix64(&state), 0xe220a8397b1dcdafUL);
	CHECK_EQ(rng_splitmix64(&state), 0x6e789e6aa1b965f4UL);
	state = 42;
	CHECK_EQ(rng_pmbench(&state), 1220265334);
	CHECK_EQ(rng_pmbench(&state), 484179026);
}
