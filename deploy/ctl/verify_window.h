/* verify_window.h - what one series holds in one minute or hour, as `verify` adds it up, and whether two of them say the same.
 *
 * Zeroed is empty, but for the histogram: VERIFY_WINDOW_INIT. Counts, errors and buckets add; min, max and last go by what is known. Not
 * thread-safe. */
#ifndef MILLRACE_CTL_VERIFY_WINDOW_H
#define MILLRACE_CTL_VERIFY_WINDOW_H

#include "deploy/ctl/verify_hist.h"

struct verify_window {
	int64_t count, errors; /* errors: of count; both stop at INT64_MAX */
	uint64_t parts;        /* how many numbers sum is made of */
	long double sum;
	double magnitude;      /* of all of these, without their signs */
	double min, max, last; /* where known */
	int64_t last_at_ms;
	int64_t newest_ms;     /* Kafka's time of the newest raw record in it, virtual */
	bool has_min, has_max, has_last, approximate;
	struct verify_hist hist;
};

#define VERIFY_WINDOW_INIT {.hist = VERIFY_HIST_INIT}

/* Frees the histogram. */
void verify_window_fini(struct verify_window *w);

/* Counts a finite value; with_buckets: of a distribution. -1 when memory is short. */
int verify_window_add_value(struct verify_window *w, bool with_buckets, int64_t t_ms, double value);

/* What several values have come to. hist: NULL, or borrowed. */
struct verify_part {
	int64_t count, errors, last_at_ms;
	double sum, min, max, last;
	bool has_min, has_max, has_last, approximate;
	const struct verify_hist *hist;
};

/* Adds it. -1 when memory is short. */
int verify_window_add_part(struct verify_window *w, const struct verify_part *part);

/* Adds all of src. -1 when memory is short. */
int verify_window_merge(struct verify_window *dst, const struct verify_window *src);

/* What differs, as bits. */
enum {
	VERIFY_COUNT = 1 << 0,
	VERIFY_SUM = 1 << 1,
	VERIFY_MIN = 1 << 2,
	VERIFY_MAX = 1 << 3,
	VERIFY_LAST = 1 << 4,
	VERIFY_BUCKETS = 1 << 5,
	VERIFY_APPROXIMATE = 1 << 6,
	VERIFY_ERRORS = 1 << 7,
	NR_VERIFY_BITS = 8,
};

/* "count", "sum", ..; of bit 0, 1, .. */
const char *verify_bit_name(int bit);

/* The bits in which stored is not what is expected; 0: equal. Sums are equal within n x 2^-52 of the sum of magnitudes, n the numbers
 * added, as the order in which they were added is not known. */
unsigned verify_window_compare(const struct verify_window *expected, const struct verify_window *stored);

#endif
