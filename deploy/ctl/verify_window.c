/* verify_window.c - see verify_window.h. Values are kept as they came; only the sum is more exact than what it is compared with. */
#include "deploy/ctl/verify_window.h"

#include <math.h>

void verify_window_fini(struct verify_window *w)
{
	verify_hist_fini(&w->hist);
}

int verify_window_add_part(struct verify_window *w, const struct verify_part *part)
{
	if (part->hist && verify_hist_add(&w->hist, part->hist, &w->approximate) < 0)
		return -1;
	w->count = part->count > INT64_MAX - w->count ? INT64_MAX : w->count + part->count;
	w->errors = part->errors > INT64_MAX - w->errors ? INT64_MAX : w->errors + part->errors;
	w->parts++;
	w->sum += part->sum;
	w->magnitude += fabs(part->sum);
	if (part->has_min && (!w->has_min || part->min < w->min))
		w->min = part->min;
	if (part->has_max && (!w->has_max || part->max > w->max))
		w->max = part->max;
	if (part->has_last && (!w->has_last || part->last_at_ms > w->last_at_ms ||
			       (part->last_at_ms == w->last_at_ms && part->last > w->last))) {
		w->last = part->last;
		w->last_at_ms = part->last_at_ms;
	}
	w->has_min |= part->has_min;
	w->has_max |= part->has_max;
	w->has_last |= part->has_last;
	w->approximate |= part->approximate;
	return 0;
}

int verify_window_add_value(struct verify_window *w, bool with_buckets, int64_t t_ms, double value)
{
	const struct verify_part part = {.count = 1, .last_at_ms = t_ms, .sum = value, .min = value, .max = value, .last = value,
					 .has_min = true, .has_max = true, .has_last = true};

	if (with_buckets && verify_hist_add_value(&w->hist, value) < 0)
		return -1;
	return verify_window_add_part(w, &part);
}

int verify_window_merge(struct verify_window *dst, const struct verify_window *src)
{
	const struct verify_part rest = {.count = src->count, .errors = src->errors, .last_at_ms = src->last_at_ms, .min = src->min, .max = src->max,
					 .last = src->last, .has_min = src->has_min, .has_max = src->has_max, .has_last = src->has_last,
					 .approximate = src->approximate, .hist = &src->hist};

	if (verify_window_add_part(dst, &rest) < 0)
		return -1;
	dst->sum += src->sum;
	dst->magnitude += src->magnitude;
	dst->parts += src->parts;
	if (src->newest_ms > dst->newest_ms)
		dst->newest_ms = src->newest_ms;
	return 0;
}

const char *verify_bit_name(int bit)
{
	static const char *const names[NR_VERIFY_BITS] = {"count", "sum", "min", "max", "last", "buckets", "approximate", "errors"};

	return names[bit];
}

static bool sum_equal(const struct verify_window *expected, const struct verify_window *stored)
{
	long double n = (long double)(expected->parts + stored->parts);

	if (!isfinite(expected->magnitude)) /* in some order of adding it is infinite, in another it is not */
		return true;
	return fabsl(expected->sum - stored->sum) <= n * 0x1p-52L * expected->magnitude;
}

static bool known_equal(bool has_a, double a, bool has_b, double b)
{
	return has_a == has_b && (!has_a || a == b);
}

unsigned verify_window_compare(const struct verify_window *expected, const struct verify_window *stored)
{
	unsigned bits = 0;

	if (expected->count != stored->count)
		bits |= VERIFY_COUNT;
	if (!sum_equal(expected, stored))
		bits |= VERIFY_SUM;
	if (!known_equal(expected->has_min, expected->min, stored->has_min, stored->min))
		bits |= VERIFY_MIN;
	if (!known_equal(expected->has_max, expected->max, stored->has_max, stored->max))
		bits |= VERIFY_MAX;
	if (!known_equal(expected->has_last, expected->last, stored->has_last, stored->last) ||
	    (expected->has_last && expected->last_at_ms != stored->last_at_ms))
		bits |= VERIFY_LAST;
	if (!verify_hist_equal(&expected->hist, &stored->hist))
		bits |= VERIFY_BUCKETS;
	if (expected->approximate != stored->approximate)
		bits |= VERIFY_APPROXIMATE;
	if (expected->errors != stored->errors)
		bits |= VERIFY_ERRORS;
	return bits;
}
