/* verify_base.h - cumulative points as `verify` reads them: what a point says that was counted since the last one of its series.
 *
 * The rules are the table in schemas/README.md, "Cumulative points". Memory grows with the series of a partition that are cumulative:
 * 200 bytes each, and of distributions 16 for each bucket. Not thread-safe. */
#ifndef MILLRACE_CTL_VERIFY_BASE_H
#define MILLRACE_CTL_VERIFY_BASE_H

#include "common/arena.h"
#include "common/map.h"
#include "deploy/ctl/verify_hist.h"

struct verify_bases {
	struct map last; /* by the series' fingerprint */
	struct arena arena;
	uint64_t doubtful; /* points behind a silence of 25 hours: only a checkpoint's time says whether the one before is still known */
};

#define VERIFY_BASES_INIT {.doubtful = 0}

/* Frees everything. */
void verify_bases_fini(struct verify_bases *b);

/* A good point. A single value has count 1 and the value as sum. hist: distributions; borrowed. */
struct verify_point {
	int64_t t_ms, start_ms, routed_since_ms, watermark_ms;
	int64_t count;
	double sum;
	bool single;
	const struct verify_hist *hist;
};

/* What it comes to. */
struct verify_step {
	bool counts;  /* something: */
	bool whole;   /* the point as it is, else: */
	int64_t count;
	double sum;
	struct verify_hist hist; /* the caller's to free, in any case */
};

/* Judges a point of the series and remembers it unless it is dropped. *step, fresh, is filled. -1 with *err set. */
int verify_bases_take(struct verify_bases *b, const uint8_t fingerprint[16], const struct verify_point *point, struct verify_step *step,
		      struct err *err);

#endif
