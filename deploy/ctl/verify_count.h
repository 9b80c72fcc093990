/* verify_count.h - one partition's raw records, one after the other, into the sheet of an hour: the recomputation.
 *
 * What is good, what has been counted before and what cumulative points come to is decided for every record; only samples of the hour are
 * counted. Nothing is taken over from the processor's code: agreement is to mean something. Not thread-safe. */
#ifndef MILLRACE_CTL_VERIFY_COUNT_H
#define MILLRACE_CTL_VERIFY_COUNT_H

#include "deploy/ctl/verify_base.h"
#include "deploy/ctl/verify_seen.h"
#include "deploy/ctl/verify_sheet.h"

/* Of all partitions. */
struct verify_tally {
	uint64_t records, samples; /* read; counted in the hour, second copies not */
	uint64_t duplicates;       /* records that counted nothing, as they had been counted before */
	uint64_t refused;          /* records that nobody can count */
	uint64_t misnamed;         /* series of the hour whose fingerprint in the record is not theirs */
	uint64_t doubtful;         /* decisions that hang on when a checkpoint was made */
};

struct verify_count {
	struct verify_sheet *sheet; /* borrowed */
	struct str site;            /* count this one's only; empty: all */
	struct verify_tally *tally; /* borrowed */
	struct verify_seen seen;
	struct verify_bases bases;
	int64_t watermark_ms;
	struct arena scratch;
};

/* A partition about which nothing is known. Borrows all. site: empty for all. */
void verify_count_init(struct verify_count *c, struct verify_sheet *sheet, struct str site, struct verify_tally *tally);
void verify_count_fini(struct verify_count *c); /* see above */

/* A record as it was read. */
struct verify_record {
	int64_t offset, timestamp_ms; /* Kafka's time, virtual; -1: none */
	struct str value;
	const struct origin *origin;  /* NULL: it is no copy */
	bool bad_origin;              /* it says that it is one, and cannot be */
};

/* Counts it, or not, as the processor should. ERR_RETRY: a newer build wrote it; ERR_FATAL: memory. */
int verify_count_record(struct verify_count *c, const struct verify_record *record, struct err *err);

#endif
