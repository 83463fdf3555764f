/* Plans as text, "lazy 12c1 40d33": to be printed with a failure, and replayed. */
#include <fake/machine.h>
#include <stdio.h>
#include <string.h>

static const char letters[] = "cdhrpw"; /* of enum fake_action */

void fake_plan_print(const struct fake_plan *p, char *buf, size_t size)
{
	size_t at = (size_t)snprintf(buf, size, "%s", p->lazy ? "lazy" : "eager");

	for (unsigned i = 0; i < p->count && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, " %u%c%u", p->deviation[i].step,
				       letters[p->deviation[i].action], p->deviation[i].arg);
}

bool fake_plan_parse(struct fake_plan *p, const char *text)
{
	p->lazy = !strncmp(text, "lazy", 4);
	p->count = 0;
	for (text = strchr(text, ' '); text; text = strchr(text + 1, ' ')) {
		unsigned step, arg;
		char letter;
		const char *found;

		if (sscanf(text, " %u%c%u", &step, &letter, &arg) != 3)
			return false;
		found = strchr(letters, letter);
		if (!found || p->count == FAKE_DEVIATIONS)
			return false;
		p->deviation[p->count++] =
			(struct fake_deviation){step, (u16)(found - letters), (u16)arg};
	}
	return true;
}
