/* judging.h - what the judging of minutes goes by, and what of a partition it works on. */
#ifndef MILLRACE_PROCESSOR_JUDGING_H
#define MILLRACE_PROCESSOR_JUDGING_H

#include "common/controls.h"
#include "processor/alert_outbox.h"
#include "processor/alerts.h"
#include "processor/check_ins.h"
#include "processor/closures.h"
#include "processor/quiet.h"
#include "processor/shadow.h"

/* What holds at a checkpoint. All borrowed. */
struct judging {
	struct rules *rules;              /* NULL: nobody judges, and what there is stays as it is */
	struct placements *placements;    /* where series belong */
	const struct closures *closures;  /* NULL: ingest was never closed */
	struct controls *controls;        /* NULL: nothing is muted */
	const char *cell;
	int64_t epoch;                    /* of its topics */
	int64_t now_ms;                   /* virtual */
	int64_t max_age_ms;               /* of a minute, from its end: what opens in an older one is not told at once */
	int64_t held_max;                 /* series of a site that are held for triggers about absence */
	size_t shadow_bytes;              /* what the windows may take that are kept back from a flush */
};

/* Where that comes from, of a process: tables that its main loop fills. All borrowed. */
struct judging_tables {
	struct rulebook *rulebook;
	struct placements *placements;
	const struct closures *closures;
	struct controls *controls;
};

/* A partition's, borrowed. */
struct judged {
	struct alerts *alerts;
	struct window_store *windows;
	struct shadow *shadow;
	struct quiet *quiet;
	const struct check_ins *check_ins;
	struct alert_outbox *out;
	int32_t partition; /* in its topic */
	bool of_events;    /* check-ins, and no series */
};

#endif
