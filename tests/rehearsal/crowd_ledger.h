/* crowd_ledger.h - what the crowd was told and which flush cut it, by which the verdict judges.
 *
 * Kept apart from the pipeline: plain files, nothing of the agent's code in between. Records are packed, little-endian:
 *     told.bin     u16 agent, u16 series, u32 flush, i64 t_ms, i64 k        value k/1024, written before the store is told
 *     flushes.bin  u16 agent, u16 0, u32 flush, u8[16] agent_id, u64 first_seq, u64 last_seq (below first_seq: no payload),
 *                  i64 created_at_ms, i64 slot_end_ms (INT64_MAX: all slots)
 * Flushes of an agent are counted from 1, and a crowd that is started again in the same folder goes on counting. Written with a buffer, so
 * kill -9 of the crowd leaves no ledger to judge by. */
#ifndef MILLRACE_CROWD_LEDGER_H
#define MILLRACE_CROWD_LEDGER_H

#include <stdint.h>
#include <stdio.h>

#include "common/err.h"
#include "ingest/agent/envelope.h"

struct crowd_ledger {
	FILE *told, *flushes;
	uint64_t nr_told; /* records, of earlier starts too */
};

struct crowd_told {
	uint16_t agent, series;
	uint32_t flush;
	int64_t t_ms, k;
};

struct crowd_flushed {
	uint16_t agent;
	uint32_t flush;
	uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES];
	uint64_t first_seq, last_seq;
	int64_t created_at_ms, slot_end_ms;
};

/* Makes both files in dir, or opens them to append to; counts is the highest flush number of each of nr agents that stands there, 0: none.
 * ERR_FATAL: they cannot be made or read, or are not the ledger of such agents. */
int crowd_ledger_open(struct crowd_ledger *l, const char *dir, uint32_t *counts, size_t nr, struct err *err);
void crowd_ledger_close(struct crowd_ledger *l);

/* Appends a record; a failure is told by the next crowd_ledger_sync(). */
void crowd_ledger_told(struct crowd_ledger *l, const struct crowd_told *t);
void crowd_ledger_flushed(struct crowd_ledger *l, const struct crowd_flushed *f);

/* Hands to the kernel what is buffered. ERR_FATAL: not all of it, or of what was before, could be written. */
int crowd_ledger_sync(struct crowd_ledger *l, struct err *err);

#endif
