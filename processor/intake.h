/* intake.h - one SampleBatch into the windows: checked whole first, judged by who sent it, counted whole then or not at all.
 *
 * A record is counted as a whole or not at all, so that a dead letter that is sent again can never count a part twice. The checks repeat what
 * ingest has promised: a record may come from a newer, older or broken ingest, and state that was made from it lives long.
 *
 * Between check and counting stands dedup: it sees only what will be counted, so a record that is refused is not remembered as counted, and
 * may come again. That is the place of baselines too. */
#ifndef MILLRACE_PROCESSOR_INTAKE_H
#define MILLRACE_PROCESSOR_INTAKE_H

#include "common/arena.h"
#include "processor/dedup.h"
#include "processor/window_store.h"
#include "schemas/schemas.h"

/* How far event time may lie ahead of the record's timestamp: ingest takes 10 minutes, and clocks differ. A window far in the
 * future would never close. */
#define INTAKE_AHEAD_MS INT64_C(3600000)

/* What a batch came to. */
struct intake_counts {
	uint64_t samples, late;     /* counted, and how many of them late */
	uint64_t duplicate_samples; /* dropped with a duplicate */
	struct dedup_outcome dedup;
	struct str site; /* borrows the batch's */
};

/* Checks batch and adds it to ws, unless dedup knows it. watermark_ms: the partition's, this record's timestamp included. scratch takes a
 * pointer a series. -1: ERR_REJECT, nothing was counted and nothing marked, or ERR_FATAL, memory is short and both are unusable. counts
 * is written on success. */
int intake_batch(struct window_store *ws, struct dedup *dedup, const struct sample_batch *batch, int64_t watermark_ms,
		 struct arena *scratch, struct intake_counts *counts, struct err *err);

#endif
