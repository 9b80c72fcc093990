/* dedup.h - which payloads a partition has counted, so that a retry counts nothing.
 *
 * A record is a part of a payload, (site, agent_id, seq), and a partition gets at most one part of each: so what is remembered of every
 * agent is a struct seqs. Records without an agent_id are counted each time they come.
 *
 * Invariants:
 *  I1  Between two calls of dedup_close() all of it is a pure function of the snapshot and the records since; times are the
 *      partition's watermark, which never falls. Only dedup_close() forgets, and only there another cap comes into force.
 *  I2  The agents' list is in order of their last use, so it is the same after a restore, and what is to be forgotten is at its beginning.
 *  I3  No site weighs more than agents_max when an agent is added or grows. An agent weighs 1, and 1 more for every DEDUP_SPAN_WEIGHT
 *      seqs between its floor and its last: so a site takes at most agents_max KiB of bits, however oddly its agents count. 48 hours of payloads, one
 *      every 30 seconds, are 5,760: an honest agent weighs 1.
 * What is over the cap is not remembered, and counted each time it comes; nothing is evicted for it. Not thread-safe: its task owns it. */
#ifndef MILLRACE_PROCESSOR_DEDUP_H
#define MILLRACE_PROCESSOR_DEDUP_H

#include "common/clock.h"
#include "common/map.h"
#include "processor/identity.h"
#include "processor/seqs.h"

/* How long an agent is remembered after its last record. Ingest takes payloads of up to 48 hours ago. */
#define DEDUP_KEEP_MS (49 * CLOCK_HOUR_MS)

enum { DEDUP_AGENT_ID_BYTES = 16, DEDUP_SPAN_WEIGHT = 8192, DEDUP_AGENTS_LIMIT = 1000000 /* the highest cap */ };

struct dedup_site {
	struct str id;      /* points behind this struct */
	size_t nr_agents;   /* it leaves with the last one */
	int64_t weight;     /* (I3) */
	int64_t told_ms;    /* when dedup_take() last said tell; not in the snapshot */
	uint32_t number;    /* the snapshot's own, while it is being encoded */
};

struct dedup_agent {
	struct dedup_agent *older, *newer; /* (I2) */
	struct dedup_site *site;
	struct seqs seqs;
	int64_t used_ms;
	uint8_t id[DEDUP_AGENT_ID_BYTES];
	bool home; /* every payload from the floor on was to have a record here, and is marked if it had (dedup.c, "Gaps") */
};

/* Constant outside of dedup.c. */
struct dedup {
	struct map agents; /* by XXH3-128 of the site's key and the agent's id; owns them */
	struct map sites;  /* by XXH3-128 of its id; owns them */
	struct dedup_agent *oldest, *newest;
	int64_t agents_max;
	size_t bytes;      /* of agents and sites */
};

/* Before the first checkpoint of a partition, at which nothing has been read, there is no cap of anybody's choice yet. */
#define DEDUP_INIT {.agents_max = DEDUP_AGENTS_LIMIT}

enum dedup_verdict {
	DEDUP_NEW,          /* to be counted: marked now, or without identity */
	DEDUP_DUPLICATE,    /* was counted before */
	DEDUP_UNREMEMBERED, /* to be counted, and not remembered: the site is over its cap */
};

struct dedup_outcome {
	enum dedup_verdict verdict;
	uint64_t gaps; /* payloads of this agent that never came and will not come any more; at most SEQS_SPAN_MAX are believed */
	bool tell;     /* not remembered, for the first time in an hour of the watermark in this site */
};

/* Frees everything. */
void dedup_fini(struct dedup *d);

/* Is the record's identity, if it has one, what ingest lets through? Else ERR_REJECT. */
int dedup_check(const struct identity *who, struct err *err);

/* Judges a record that dedup_check() and everybody else has accepted, by what was known before it, and marks it: the caller counts it or
 * ends the process. watermark_ms: the partition's, this record's time included. -1 with ERR_FATAL when memory is short: nothing may be saved
 * any more then. */
int dedup_take(struct dedup *d, const struct identity *who, int64_t watermark_ms, struct dedup_outcome *outcome, struct err *err);

/* Does the record's seq lie below what is known of its agent, so that dedup_take() calls it a duplicate without having seen it? */
bool dedup_is_past(const struct dedup *d, const struct identity *who);

/* What a checkpoint does (rule A): forgets the agents whose last use is DEDUP_KEEP_MS ago, and puts a cap into force. */
void dedup_close(struct dedup *d, int64_t watermark_ms, int64_t agents_max);

/* Bytes allocated. */
size_t dedup_bytes(const struct dedup *d);

/* Appends all of it: cap; sites; agents, oldest first (site's number, id, watermark - last use, home, seqs). Equal states make equal bytes.
 * Failure is sticky in out. */
void dedup_encode(const struct dedup *d, int64_t watermark_ms, struct buf *out);

/* Fills d, fresh from DEDUP_INIT, from hostile bytes. -1 with a fault in r, or with *err set when memory is short; d is good for
 * dedup_fini() only then. */
int dedup_decode(struct dedup *d, struct codec_reader *r, int64_t watermark_ms, struct err *err);

#endif
