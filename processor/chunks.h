/* chunks.h - a snapshot cut into StateChunk records, and put together again.
 *
 * Every chunk says whose it is (topic, epoch, partition, snapshot, index, of) and carries the CRC-32 of its body, so that a snapshot is
 * either whole and the right one, or refused. Pure: records in, bytes out. */
#ifndef MILLRACE_PROCESSOR_CHUNKS_H
#define MILLRACE_PROCESSOR_CHUNKS_H

#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"

/* What all chunks of a snapshot have in common. topic is borrowed. */
struct chunk_id {
	const char *topic; /* source topic */
	int64_t epoch;
	int32_t partition;
	int64_t snapshot_id;
};

/* How many chunks a snapshot of so many bytes makes (at least one). 0 when they are more than 2^31. */
int32_t chunks_count(size_t snapshot_bytes, size_t chunk_bytes);

/* Appends chunk index as an encoded record to out. -1 with ERR_FATAL when memory is short. */
int chunks_encode(const struct chunk_id *id, struct str snapshot, size_t chunk_bytes, int32_t index, struct buf *out, struct err *err);

/* A snapshot being put together. Starts zeroed; body is the caller's to free. */
struct chunk_set {
	int32_t next, of; /* of: 0 before the first */
	struct buf body;
};

/* Whose chunk a record is, and which one; out->topic is not set. -1 as from chunks_take(); nothing but the form is checked. */
int chunks_peek(struct str record, struct arena *scratch, struct chunk_id *out, int32_t *index, struct err *err);

enum { CHUNKS_ANY_BYTES = -1 }; /* to chunks_take(): nobody knows how long the snapshot is */

/* Takes the next record of the state topic. 1: the snapshot is whole, in set->body; 0: more are to come; -1 with ERR_REJECT: this is not what
 * must stand here; ERR_RETRY: a newer writer's schema; ERR_FATAL: memory. bytes: how long the body must be, or CHUNKS_ANY_BYTES. */
int chunks_take(struct chunk_set *set, const struct chunk_id *id, int64_t bytes, struct str record, struct arena *scratch, struct err *err);

#endif
