/* request_keys.h - which requests with an Idempotency-Key a partition has counted, so that a retry of one counts nothing.
 *
 * For senders without an agent_id (OTLP): a key is its sender's promise that what comes with it is the same request, and a partition gets at most
 * one record under it: further ones of a request have keys of their own, made of it (ingest/divide.h). A record that has an agent_id goes by that alone: its seq says all that a key could, for longer.
 *
 * Invariants:
 *  I1  Between two calls of request_keys_close() all of it is a pure function of the snapshot and the records since; times are the
 *      partition's watermark, which never falls. Only request_keys_close() forgets, and only there another cap comes into force.
 *  I2  The list is in the order in which the keys came, so what is to be forgotten is at its beginning.
 *  I3  No site has more than keys_max keys when one is added. What is over the cap is not remembered, and counted each time it comes; nothing is
 *      evicted for it.
 * Not thread-safe: its task owns it. */
#ifndef MILLRACE_PROCESSOR_REQUEST_KEYS_H
#define MILLRACE_PROCESSOR_REQUEST_KEYS_H

#include "processor/dedup.h"

/* How long a key is remembered after it first came. */
#define REQUEST_KEYS_KEEP_MS CLOCK_HOUR_MS

enum { REQUEST_KEY_BYTES_MAX = 255, REQUEST_KEYS_LIMIT = 1000000 /* the highest cap */ };

struct request_site {
	struct str id;   /* points behind this struct */
	size_t nr_keys;  /* it leaves with the last one */
	int64_t told_ms; /* when request_keys_take() last said tell; not in the snapshot */
	uint32_t number; /* the snapshot's own, while it is being encoded */
};

struct request_key {
	struct request_key *newer; /* (I2) */
	struct request_site *site;
	int64_t came_ms;
	struct str bytes; /* points behind this struct */
};

/* Constant outside of request_keys.c. */
struct request_keys {
	struct map keys;  /* by XXH3-128 of the site's key and the key; owns them */
	struct map sites; /* by XXH3-128 of its id; owns them */
	struct request_key *oldest, *newest;
	int64_t keys_max;
	size_t bytes; /* of keys and sites */
};

/* Before the first checkpoint of a partition, at which nothing has been read, there is no cap of anybody's choice yet. */
#define REQUEST_KEYS_INIT {.keys_max = REQUEST_KEYS_LIMIT}

/* Frees everything. */
void request_keys_fini(struct request_keys *k);

/* Is the record's key, if it has one, of 1 to 255 bytes? Else ERR_REJECT. */
int request_keys_check(const struct identity *who, struct err *err);

/* Does the key of this record, rather than an agent_id, say what it repeats? */
static inline bool request_keys_apply(const struct identity *who)
{
	return who->has_key && !who->agent_id;
}

/* Judges a record that request_keys_check() and everybody else has accepted, and remembers its key: the caller counts it or ends the process. What
 * request_keys_apply() denies is new. watermark_ms: the partition's, this record's time included. -1 with ERR_FATAL when memory is short:
 * nothing may be saved any more then. */
int request_keys_take(struct request_keys *k, const struct identity *who, int64_t watermark_ms, struct dedup_outcome *outcome,
		      struct err *err);

/* What a checkpoint does (rule A): forgets the keys that came REQUEST_KEYS_KEEP_MS ago, and puts a cap into force. */
void request_keys_close(struct request_keys *k, int64_t watermark_ms, int64_t keys_max);

/* Bytes allocated. */
size_t request_keys_bytes(const struct request_keys *k);

/* Appends all of it: cap; sites; keys, oldest first (site's number, watermark - first time, bytes). Equal states make equal bytes. Failure
 * is sticky in out. */
void request_keys_encode(const struct request_keys *k, int64_t watermark_ms, struct buf *out);

/* Fills k, fresh from REQUEST_KEYS_INIT, from hostile bytes. -1 with a fault in r, or with *err set when memory is short; k is good for
 * request_keys_fini() only then. */
int request_keys_decode(struct request_keys *k, struct codec_reader *r, int64_t watermark_ms, struct err *err);

#endif
