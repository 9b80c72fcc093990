/* verify_compare.h - the sheet of an hour, judged: each window of each series, expected against stored.
 *
 * `__overflow__`: which series a site had too many of is only known to the processor, so where a window of that series is there, the
 * windows of that site, kind and time are compared by what all of its series make together, and no series may have more than is expected
 * of it. Where cumulative points are among them, which count nothing for a series over the cap, there is only that bound, for the total
 * too. Pure but for the sheet. */
#ifndef MILLRACE_CTL_VERIFY_COMPARE_H
#define MILLRACE_CTL_VERIFY_COMPARE_H

#include "deploy/ctl/verify_sheet.h"

struct verify_rules {
	int64_t now_ms; /* virtual */
	bool behind;    /* processors or sinks have not come as far as what was read: what is missing may be on its way */
};

/* What became of windows. */
struct verify_result {
	uint64_t series, windows;  /* compared */
	uint64_t differ, waiting;  /* waiting: too little is stored, and late samples may be on their way */
	uint64_t bounded;          /* of sites over their cap, with cumulative points: looked at by the bound only */
	int64_t wait_until_ms;     /* when the last of the waiting ones should be there; 0: nobody can say */
};

/* A window that differs. */
struct verify_difference {
	const struct verify_series *series; /* total: any one of that site and kind */
	bool total;                         /* of all series of the site and kind together */
	int slot;
	unsigned bits;                      /* 0: more is stored than expected of a series of a site over its cap */
	const struct verify_window *expected, *stored; /* NULL: there is none */
};

typedef void (*verify_difference_fn)(void *ctx, const struct verify_difference *difference);

/* Judges all. fn is told of each window that differs, in the order of site, kind, name, tags, time; it borrows. -1 with *err set:
 * memory. */
int verify_compare(const struct verify_sheet *sheet, const struct verify_rules *rules, verify_difference_fn fn, void *ctx,
		   struct verify_result *result, struct err *err);

#endif
