/* Fixed-point numbers: printing, and the division that makes them. */
#include <kernel/fixed.h>
#include <kernel/printf.h>

enum { FIXED_DIGITS_MAX = 18 }; /* 10^18 is the greatest power of ten below 2^63 */

int fixed_format(char *buf, size_t size, s64 value, unsigned digits)
{
	u64 magnitude = value < 0 ? -(u64)value : (u64)value, unit = 1;
	const char *sign = value < 0 ? "-" : "";

	if (digits > FIXED_DIGITS_MAX)
		digits = FIXED_DIGITS_MAX;
	for (unsigned i = 0; i < digits; i++)
		unit *= 10;
	if (!digits)
		return ksnprintf(buf, size, "%s%lu", sign, magnitude);
	return ksnprintf(buf, size, "%s%lu.%0*lu", sign, magnitude / unit, (int)digits,
			 magnitude % unit);
}

/* high:low / div by long division, high < div. */
static u64 divide_128(u64 high, u64 low, u64 div)
{
	for (unsigned i = 0; i < 64; i++) {
		bool carry = high >> 63;

		high = high << 1 | low >> 63;
		low <<= 1;
		if (carry || high >= div) {
			high -= div;
			low |= 1;
		}
	}
	return low;
}

u64 mul_div_u64(u64 a, u64 b, u64 div)
{
	unsigned __int128 product = (unsigned __int128)a * b + div / 2;
	u64 high = (u64)(product >> 64), low = (u64)product;

	if (high >= div)
		return UINT64_MAX;
	return high ? divide_128(high, low, div) : low / div;
}
