/* sparkline.c - see sparkline.h. */
#include "deploy/ctl/sparkline.h"

#include <math.h>

enum { HEIGHTS = 8, MIDDLE = 3 };

/* 0 to HEIGHTS - 1. Halves of the range first: it may be wider than a double. */
static int height(double value, double low, double high)
{
	double share;

	if (isinf(value))
		return value > 0 ? HEIGHTS - 1 : 0;
	if (!(high > low))
		return MIDDLE;
	share = (value / 2 - low / 2) / (high / 2 - low / 2);
	return share >= 1 ? HEIGHTS - 1 : (int)(share * HEIGHTS);
}

void sparkline(struct buf *out, const double *values, size_t nr)
{
	double low = HUGE_VAL, high = -HUGE_VAL;

	for (size_t i = 0; i < nr; i++) {
		if (!isfinite(values[i]))
			continue;
		low = fmin(low, values[i]);
		high = fmax(high, values[i]);
	}
	for (size_t i = 0; i < nr; i++)
		if (isnan(values[i]))
			buf_add(out, " ", 1);
		else
			buf_add(out, (const char[]){(char)0xe2, (char)0x96, (char)(0x81 + height(values[i], low, high))}, 3); /* U+2581 to U+2588 */
}
