/* shares.h - who may take how much of memory.budget. Pure.
 *
 * All numbers that follow from the setting stand here: the shares add up to it, but for very small ones, and the clients' queues and fetches are sized to fit into
 * theirs. What cannot be bounded to the byte (the clients' bookkeeping, compression) is allowed for by factors that were measured. */
#ifndef MILLRACE_PROCESSOR_SHARES_H
#define MILLRACE_PROCESSOR_SHARES_H

#include <stddef.h>
#include <stdint.h>

enum share {
	SHARE_PROGRAM,  /* the program with its clients idle, and what the allocator has and cannot use */
	SHARE_FETCHED,  /* records that the consumer has fetched, and fetches under way */
	SHARE_PRODUCED, /* records that the producer has not yet been answered for */
	SHARE_CHECKPOINT, /* what one takes for a while: its snapshot, and hours that grow before the minutes in them are freed; half of it each */
	SHARE_STATE,    /* all that the partitions hold: windows, series, dedup, baselines, and what waits for its transaction */
	NR_SHARES
};

/* What the setting comes to. Bytes, unless they say otherwise. */
struct shares {
	size_t bytes[NR_SHARES];
	int64_t fetch_queue_kbytes;   /* the consumer's queued.max.messages.kbytes, */
	int64_t fetch_bytes;          /* fetch.max.bytes, of one broker, compressed, */
	int64_t partition_fetch_bytes; /* max.partition.fetch.bytes; a record may be larger than either */
	int64_t scout_queue_kbytes;   /* the reader's of snapshots */
	int64_t produce_kbytes;       /* the producer's queue.buffering.max.kbytes */
	int64_t produce_messages;     /* queue.buffering.max.messages */
};

/* The shares of a memory.budget. From 40 MiB on they add up to it; from the setting's least, 32 MiB, to there they are the least that works, and up to a
 * sixteenth more than it in all. */
struct shares shares_of(int64_t memory_budget_bytes);

/* "program", "fetched" and so on: a label for metrics. */
const char *share_name(enum share share);

#endif
