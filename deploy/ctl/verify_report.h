/* verify_report.h - what `verify` prints: differences as they are found, a line for all of it, notes. */
#ifndef MILLRACE_CTL_VERIFY_REPORT_H
#define MILLRACE_CTL_VERIFY_REPORT_H

#include "deploy/ctl/ctl.h"
#include "deploy/ctl/verify_compare.h"
#include "deploy/ctl/verify_count.h"
#include "deploy/ctl/verify_mongo.h"

struct verify_report {
	struct ctl *ctl;
	const char *cell;
	const struct verify_sheet *sheet;
	int64_t limit, told; /* differences: at most, so far */
	struct json_writer json;
};

/* Begins the output; verify_report_end() or verify_report_abandon() follows. */
void verify_report_begin(struct verify_report *r);

/* A verify_difference_fn; ctx is the report. */
void verify_report_difference(void *ctx, const struct verify_difference *d);

/* All that was found. */
struct verify_figures {
	const struct verify_tally *tally;
	const struct verify_stock *stock;
	const struct verify_result *result;
	const char *const *notes; /* sentences, nr of them */
	size_t nr_notes;
};

/* The line for all of it, the figures behind it, and the notes. -1 with *err set. */
int verify_report_end(struct verify_report *r, const struct verify_figures *f, struct err *err);

/* Nothing can be said. */
void verify_report_abandon(struct verify_report *r);

#endif
