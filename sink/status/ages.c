/* ages.c - see ages.h.
 *
 * A sample (t, e) says that of the records from e on none had come by t. So the record at an offset came after the last sample whose end is not behind it. When there are too
 * many samples one goes, the one whose going makes the smallest hole, measured by how long ago that is: what is left tells any age to the same share of it, through hours of
 * standing still. */
#include "sink/status/ages.h"

#include <string.h>

/* Lets one between the first and the last go, as of now_ms. */
static void thin(struct ages *a, int64_t now_ms)
{
	double least = 0;
	size_t which = 0;

	for (size_t i = 1; i + 1 < a->nr; i++) {
		double hole = (double)(a->samples[i + 1].at_ms - a->samples[i - 1].at_ms) / (double)(now_ms - a->samples[i - 1].at_ms);

		if (!which || hole < least) {
			least = hole;
			which = i;
		}
	}
	memmove(&a->samples[which], &a->samples[which + 1], (a->nr - which - 1) * sizeof(a->samples[0]));
	a->nr--;
}

void ages_take(struct ages *a, int64_t at_ms, int64_t end)
{
	if (a->nr && end < a->samples[a->nr - 1].end)
		a->nr = 0;
	if (a->nr && at_ms <= a->samples[a->nr - 1].at_ms)
		return;
	if (a->nr && end == a->samples[a->nr - 1].end) { /* still none: what is known is true until later */
		a->samples[a->nr - 1].at_ms = at_ms;
		return;
	}
	if (a->nr == AGES_SAMPLES)
		thin(a, at_ms);
	a->samples[a->nr].at_ms = at_ms;
	a->samples[a->nr++].end = end;
}

void ages_learn(struct ages *a, int64_t offset, int64_t at_ms)
{
	size_t i = 0;

	while (i < a->nr && a->samples[i].end <= offset)
		i++;
	if (i == a->nr || a->samples[i].at_ms <= at_ms || (i && a->samples[i - 1].at_ms > at_ms))
		return; /* it does not agree with what was seen: clocks differ */
	if (i && a->samples[i - 1].end == offset) {
		a->samples[i - 1].at_ms = at_ms;
		return;
	}
	if (a->nr == AGES_SAMPLES) {
		thin(a, a->samples[a->nr - 1].at_ms + 1);
		ages_learn(a, offset, at_ms);
		return;
	}
	memmove(&a->samples[i + 1], &a->samples[i], (a->nr - i) * sizeof(a->samples[0]));
	a->samples[i].at_ms = at_ms;
	a->samples[i].end = offset;
	a->nr++;
}

int64_t ages_of(struct ages *a, int64_t offset, int64_t now_ms, int64_t *spare_ms)
{
	size_t next = 0;

	while (next < a->nr && a->samples[next].end <= offset)
		next++;
	if (next == 0)
		return -1;
	memmove(a->samples, &a->samples[next - 1], (a->nr - (next - 1)) * sizeof(a->samples[0]));
	a->nr -= next - 1;
	*spare_ms = a->samples[0].end == offset ? 0 : (a->nr > 1 ? a->samples[1].at_ms : now_ms) - a->samples[0].at_ms;
	return now_ms > a->samples[0].at_ms ? now_ms - a->samples[0].at_ms : 0;
}
