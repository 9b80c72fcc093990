/* intake.h - one SampleBatch into the windows (event_intake.h has the like of an EventBatch): checked whole first, judged by who sent it, counted whole then or not at all.
 *
 * A record is counted as a whole or not at all, so that a dead letter that is sent again can never count a part twice.
 *
 * Series are taken between check and counting; one that is new and over a cap (series_caps.h) is taken for the overflow series of its site.
 *
 * Between check and counting stand dedup and request_keys: they see only what will be counted, so a record that is refused is not remembered
 * as counted, and may come again. Then the cumulative points of a record that is counted become what was counted since the baselines of
 * their series, in the order of their times, whatever the order in which they stand there. */
#ifndef MILLRACE_PROCESSOR_INTAKE_H
#define MILLRACE_PROCESSOR_INTAKE_H

#include "common/arena.h"
#include "common/origin.h"
#include "processor/baseline.h"
#include "processor/check_ins.h"
#include "processor/dedup.h"
#include "processor/exemplars.h"
#include "processor/request_keys.h"
#include "processor/series_lists.h"
#include "processor/window_store.h"
#include "schemas/schemas.h"

/* How far event time may lie ahead of the record's timestamp: ingest takes 10 minutes, and clocks differ. A window far in the
 * future would never close. */
#define INTAKE_AHEAD_MS INT64_C(3600000)

/* How far back of the time at which ingest received it: ingest takes 48 hours. Each minute that a record has samples of takes memory, so that not any
 * number of them may stand in one. Not of now: a dead letter is sent again days later. */
#define INTAKE_BACK_MS INT64_C(49 * 3600000)

/* What a batch goes into; all borrowed. Samples have no use for exemplars, and events none for windows, baselines and lists. */
struct intake_state {
	struct window_store *windows;
	struct dedup *dedup;
	struct request_keys *request_keys;
	struct baselines *baselines;
	struct series_lists *lists; /* NULL: every list is looked up */
	struct exemplars *exemplars;
	struct check_ins *check_ins; /* NULL: nobody asks for signs of life */
};

/* What a batch came to. */
struct intake_counts {
	uint64_t samples, events, late; /* counted, and how many of them late */
	uint64_t duplicate_samples, duplicate_events; /* dropped with a duplicate */
	uint64_t overflow_samples;  /* counted, in overflow series */
	uint64_t points[NR_BASELINE_VERDICTS]; /* cumulative ones; those that count are among the samples, too */
	uint64_t dropped[NR_EXEMPLAR_KINDS]; /* events of which, now, no exemplar is kept that was not made before either */
	struct dedup_outcome dedup;
	int64_t waiting_ms; /* when its agent said that older payloads were still to come; 0: it did not */
	bool by_key;     /* it was judged by a key: its Idempotency-Key, or retried.h's */
	struct str site; /* borrows the batch's */
	bool has_agent_id;
	uint8_t agent_id[DEDUP_AGENT_ID_BYTES];
	int64_t seq; /* of the payload; 0 without identity */
};

/* Checks batch and adds it to the windows, unless it has been counted before. watermark_ms: the partition's, this record's timestamp included.
 * scratch takes a pointer a series, and what cumulative points need. -1: ERR_REJECT, nothing was counted and nothing marked, or
 * ERR_FATAL, memory is short and the state is unusable. counts is written on success. */
int intake_batch(const struct intake_state *to, const struct sample_batch *batch, int64_t watermark_ms, struct arena *scratch,
		 struct intake_counts *counts, struct err *err);

/* The same of a record as it stands in Kafka: decodes it, but for a list of series that is known. Then also -1 with ERR_RETRY: its schema is not
 * known, nothing has changed. counts borrows the record. origin: of a dead letter that was sent again; NULL of a first one. */
int intake_record(const struct intake_state *to, struct str record, const struct origin *origin, int64_t watermark_ms, struct arena *scratch,
		  struct intake_counts *counts, struct err *err);

#endif
