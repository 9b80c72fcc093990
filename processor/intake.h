/* intake.h - one SampleBatch into the windows: checked whole first, counted whole then.
 *
 * A record is counted as a whole or not at all, so that a dead letter that is sent again can never count a part twice. The checks repeat what
 * ingest has promised: a record may come from a newer, older or broken ingest, and state that was made from it lives long.
 *
 * Between check and counting stands the place of dedup and baseline: they decide here, by (agent, seq) and by series, what of a
 * checked batch is counted. */
#ifndef MILLRACE_PROCESSOR_INTAKE_H
#define MILLRACE_PROCESSOR_INTAKE_H

#include "common/arena.h"
#include "processor/window_store.h"
#include "schemas/schemas.h"

/* How far event time may lie ahead of the record's timestamp: ingest takes 10 minutes, and clocks differ. A window far in the
 * future would never close. */
#define INTAKE_AHEAD_MS INT64_C(3600000)

/* What a batch came to. */
struct intake_counts {
	uint64_t samples, late;
};

/* Checks batch and adds it to ws. now_ms: the latest time known (record's timestamp or watermark, whichever is later), virtual;
 * watermark_ms: the partition's, for late windows. scratch takes a pointer a series. -1: ERR_REJECT, nothing was counted, or ERR_FATAL,
 * memory is short and ws unusable. counts is written on success. */
int intake_batch(struct window_store *ws, const struct sample_batch *batch, int64_t now_ms, int64_t watermark_ms, struct arena *scratch,
		 struct intake_counts *counts, struct err *err);

#endif
