/* pmbench's patterns and histogram, against what that program's documentation says of them. */
#include <kernel/ktest.h>
#include "../../kernel/bench/harness/sums.h"
#include "../../kernel/bench/workload/pmbench_report.h"

enum { PAGES = 1000, DRAWS = 100000 };

static u64 mean_of(struct pmbench_walk *w, u64 *square)
{
	u64 sum = 0;

	*square = 0;
	for (unsigned i = 0; i < DRAWS; i++) {
		u64 page = pmbench_next(w);

		if (page >= PAGES)
			return UINT64_MAX;
		s64 off = (s64)page - PAGES / 2;

		sum += page;
		*square += (u64)(off * off);
	}
	*square /= DRAWS;
	return sum / DRAWS;
}

static struct pmbench_walk walk(enum pmbench_access access, u64 shape)
{
	struct pmbench_walk w;

	pmbench_start(&w, access, PAGES, shape, 7, 0);
	return w;
}

#define EXPECT_NEAR(value, want, within)                                                           \
	EXPECT((value) >= (want) - (within) && (value) <= (want) + (within))

TEST(pmbench, linear_goes_by_strides)
{
	struct pmbench_walk w = walk(PMBENCH_LINEAR, 300000);
	static const u64 pages[] = {0, 300, 600, 900, 1, 301, 601, 901, 2};

	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
		EXPECT_EQ(pmbench_next(&w), pages[i]);
	w = walk(PMBENCH_LINEAR, 0);
	for (u64 i = 0; i < 2 * PAGES; i++)
		EXPECT_EQ(pmbench_next(&w), i % PAGES);
}

TEST(pmbench, uniform)
{
	struct pmbench_walk w = walk(PMBENCH_UNIFORM, 0);
	u64 square;

	EXPECT_NEAR(mean_of(&w, &square), 500, 5);
	EXPECT_NEAR(square, 83333, 2000); /* n^2 / 12 */
}

TEST(pmbench, normal_has_its_sigma)
{
	struct pmbench_walk w = walk(PMBENCH_NORMAL, 100000);
	u64 square;

	EXPECT_NEAR(mean_of(&w, &square), 500, 3);
	EXPECT_NEAR(square, 10000, 300); /* 100 pages squared */
	w = walk(PMBENCH_NORMAL_IH, 0);
	EXPECT_NEAR(mean_of(&w, &square), 500, 3);
	EXPECT_NEAR(square, 6944, 250); /* (n / 12)^2 */
}

/* 80 % of what 1 - x^-1.161 spreads over all pages falls on the first of them; see its inverse. */
TEST(pmbench, pareto)
{
	struct pmbench_walk w = walk(PMBENCH_PARETO, 0), z = walk(PMBENCH_ZIPF, 0);
	u64 at[3] = {0};

	for (unsigned i = 0; i < DRAWS; i++) {
		u64 page = pmbench_next(&w);

		EXPECT_EQ(pmbench_next(&z), page);
		EXPECT(page < PAGES);
		at[0] += page == 0;
		at[1] += page == 1;
		at[2] += page >= 9;
	}
	/* 1 - 2^-1.161 = 0.5528; 2^-1.161 - 3^-1.161 = 0.1679; 10^-1.161 - 1000^-1.161 = 0.0687 */
	EXPECT_NEAR(at[0], 55300, 700);
	EXPECT_NEAR(at[1], 16800, 500);
	EXPECT_NEAR(at[2], 6870, 300);
}

TEST(pmbench, histogram_borders)
{
	static struct pmbench_histogram h;

	h = (struct pmbench_histogram){0};
	pmbench_add(&h, 0);
	pmbench_add(&h, 255);
	EXPECT_EQ(h.below, 2);
	pmbench_add(&h, 256);
	pmbench_add(&h, 271);
	pmbench_add(&h, 272);
	EXPECT_EQ(h.fine[0][0], 2);
	EXPECT_EQ(h.fine[0][1], 1);
	pmbench_add(&h, (1UL << 23) - 1);
	EXPECT_EQ(h.fine[14][15], 1);
	pmbench_add(&h, 1UL << 23);
	pmbench_add(&h, (1UL << 30) - 1);
	pmbench_add(&h, 1UL << 30);
	pmbench_add(&h, ~0UL);
	EXPECT_EQ(h.coarse[0], 1);
	EXPECT_EQ(h.coarse[6], 1);
	EXPECT_EQ(h.rest, 2);
	EXPECT_EQ(sums_total(&h), 10);
}
