/* Shell-style pattern match with * and ?. */
#include <kernel/string.h>

bool glob_match(const char *pattern, const char *s)
{
	/* After a mismatch the last * takes one more character; earlier ones need no second try. */
	const char *star = NULL, *retry = NULL;

	while (*s) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = s;
		} else if (*pattern == '?' || *pattern == *s) {
			pattern++;
			s++;
		} else if (star) {
			pattern = star;
			s = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
