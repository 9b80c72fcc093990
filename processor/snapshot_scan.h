/* snapshot_scan.h - the newest snapshot of a partition, found by reading its state topic from the beginning.
 *
 * For the cases in which no metadata says where it is. Records are given as they stand in the log, read_committed, so that chunks of aborted
 * checkpoints are not among them. Whatever the log's length, one snapshot is held at a time. Pure: records in, a finding out. */
#ifndef MILLRACE_PROCESSOR_SNAPSHOT_SCAN_H
#define MILLRACE_PROCESSOR_SNAPSHOT_SCAN_H

#include "processor/chunks.h"
#include "processor/verdict.h"

/* Starts with topic, epoch and partition set and the rest zeroed. */
struct snapshot_scan {
	const char *topic;       /* source topic; borrowed */
	int64_t epoch;           /* the cell's */
	int32_t partition;
	enum found found;        /* FOUND_DAMAGED also while more chunks are due: then it is what a log that ended here would be */
	int64_t first;           /* offset of the newest snapshot's first chunk, or of what spoils it */
	struct chunk_id id;      /* of the newest snapshot, when it is FOUND_WHOLE */
	int64_t last_id;         /* the highest id that was seen in the cell's epoch; 0: none */
	struct chunk_set chunks; /* its body */
};

/* Frees the body; keeps what was found. */
void snapshot_scan_fini(struct snapshot_scan *s);

/* Takes the record at an offset. -1 with ERR_FATAL only: a record that is no chunk is something that is found. */
int snapshot_scan_take(struct snapshot_scan *s, int64_t offset, struct str record, struct arena *scratch, struct err *err);

#endif
