/* Heap sort. */
#include <kernel/sort.h>

static void swap_bytes(char *a, char *b, size_t size)
{
	while (size--) {
		char c = *a;

		*a++ = *b;
		*b++ = c;
	}
}

/* Let the element at root sink until no child is greater. */
static void sift_down(char *base, size_t root, size_t count, size_t size,
		      int (*compare)(const void *, const void *))
{
	for (size_t child; (child = 2 * root + 1) < count; root = child) {
		if (child + 1 < count &&
		    compare(base + child * size, base + (child + 1) * size) < 0)
			child++;
		if (compare(base + root * size, base + child * size) >= 0)
			return;
		swap_bytes(base + root * size, base + child * size, size);
	}
}

void sort_array(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	for (size_t i = count / 2; i-- > 0;)
		sift_down(base, i, count, size, compare);
	for (size_t end = count; end-- > 1;) {
		swap_bytes(base, (char *)base + end * size, size);
		sift_down(base, 0, end, size, compare);
	}
}

static int compare_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

void sort_u64(u64 *values, size_t count)
{
	sort_array(values, count, sizeof(*values), compare_u64);
}
