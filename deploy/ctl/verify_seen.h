/* verify_seen.h - which records of a partition `verify` has counted, so that a second copy counts nothing.
 *
 * The rules are those of schemas/README.md, "Identity of a payload": by (site, agent_id, seq) and the floor; without an agent by the
 * Idempotency-Key, for an hour; a dead letter that was sent again also by where it stood first. Nothing is forgotten but what an hour of
 * Idempotency-Keys means: ingest takes payloads of 48 hours, and no more than that and the hour's 49 before it are read. So memory grows
 * with the agents and the holes in their numbers (some 100 bytes an agent, 16 a hole) and with the keys (40 bytes each). Not
 * thread-safe. */
#ifndef MILLRACE_CTL_VERIFY_SEEN_H
#define MILLRACE_CTL_VERIFY_SEEN_H

#include "common/arena.h"
#include "common/map.h"
#include "common/origin.h"
#include "schemas/schemas.h"

struct verify_seen {
	struct map agents, keys;   /* by XXH3-128 of what they are of */
	struct arena arena;        /* holds both */
	int64_t *refused;          /* offsets of records that were no good, ascending */
	size_t refused_len, refused_cap;
	int64_t first;             /* offset of the first record; -1: none yet */
	uint64_t doubtful;         /* keys that came again when an hour was over, by so little that only a checkpoint's time decides */
};

#define VERIFY_SEEN_INIT {.first = -1}

/* Frees everything. */
void verify_seen_fini(struct verify_seen *s);

/* Where a record stands, and what it repeats. */
struct verify_place {
	int64_t offset, watermark_ms; /* virtual; the record's own time included */
	const struct origin *origin;  /* of a dead letter that was sent again; else NULL */
};

/* A record that nobody can count: its dead letter may come later. -1 with *err set. */
int verify_seen_refuse(struct verify_seen *s, int64_t offset, struct err *err);

/* Is a good record to be counted? 1: yes, and it is marked; 0: it was counted before; -1 with *err set. */
int verify_seen_take(struct verify_seen *s, const struct sample_batch *batch, const struct verify_place *place, struct err *err);

#endif
