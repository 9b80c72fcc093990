/* verify_raw.h - a cell's raw samples, partition by partition, into the sheet of an hour.
 *
 * They are read from 49 hours before the hour, as the first copy of a payload may lie 48 hours back and a cumulative point's predecessor
 * 25, to the end, as what comes late belongs to the hour too. What is known of one partition is forgotten before the next. Blocking,
 * with deadlines. */
#ifndef MILLRACE_CTL_VERIFY_RAW_H
#define MILLRACE_CTL_VERIFY_RAW_H

#include "deploy/ctl/ctl.h"
#include "deploy/ctl/verify_count.h"
#include "deploy/ctl/verify_mongo.h"

struct verify_raw {
	const struct ctl *ctl; /* borrowed, as all of these are */
	const char *cell;
	int64_t epoch;
	struct str site;       /* empty: all */
	struct verify_sheet *sheet;
	struct verify_tally *tally;
};

/* The wall clock at a virtual time: what Kafka would have stamped then. */
int64_t verify_raw_wall_ms(const struct clock *clock, int64_t virtual_ms);

/* Reads and counts all of them. ERR_RETRY: Kafka cannot be asked, retention has cut what is needed, or a newer build has written;
 * ERR_FATAL: memory. */
int verify_raw_read(const struct verify_raw *raw, struct err *err);

#endif
