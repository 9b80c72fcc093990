/* snapshot.h - a task's state as bytes, and back.
 *
 * Pure: no clock, no Kafka. A restored task behaves exactly as the one that was encoded; the outbox and the dead letters are not part of it,
 * as they go out in the same transaction. Layout, in Avro's primitives (common/codec.h): version; position, watermark, closed; the series
 * (series_codec.h); the panes of each class (start, first, touched, windows by number of series); what dedup.h says of
 * agents, request_keys.h of keys, baseline.h of baselines, exemplars.h of exemplars, quiet.h, check_ins.h and alerts.h of theirs; the minutes that shadow.h keeps. Versions 1
 * to 5, without agents, without the rest, with other histograms, without exemplars and errors, without alerts, were never released and are not read. Bytes are taken for hostile: they are checked by a CRC outside, but
 * a bug of ours must end in a refusal, not in a crash or in wrong figures. */
#ifndef MILLRACE_PROCESSOR_SNAPSHOT_H
#define MILLRACE_PROCESSOR_SNAPSHOT_H

#include "processor/task.h"

/* Appends the snapshot of t to out. ERR_FATAL when memory is short, or when there are more than 2^32 series. */
int snapshot_encode(const struct task *t, struct buf *out, struct err *err);

/* Fills t, fresh from task_new(), from bytes. ERR_REJECT when they are not a snapshot that this build can use; t is good for
 * task_free() only then. */
int snapshot_decode(struct str bytes, struct task *t, struct err *err);

/* Do these bytes, or their beginning, say that a newer build wrote them? */
bool snapshot_is_newer(struct str bytes);

#endif
