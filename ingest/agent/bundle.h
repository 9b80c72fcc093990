/* bundle.h - a flush becomes payloads: messages of schemas/push.proto, compressed, each small enough for the server.
 *
 * All payloads of a flush have the same created_at, and each a seq of its own. The limit is of the message before compression: that is what the
 * server's strictest limit, the record of one partition, grows with. One message at a time is held, then handed on, so memory does not follow
 * the number of series. What cannot be built (memory is short, or whoever takes it refuses) is given to losses under a seq of its own: a flush
 * never ends in silence. Not thread-safe: one owner. */
#ifndef MILLRACE_AGENT_BUNDLE_H
#define MILLRACE_AGENT_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"
#include "ingest/agent/envelope.h"
#include "ingest/agent/identity.h"

struct losses;
struct store;
struct events;

enum {
	/* Of a message. The samples of one partition become one record of the server's, of push.max_record_bytes = 1,000,000 by default; per series
	 * a record takes up to twice what a message does (fingerprint, signed counts), and all of a site may live on one partition. */
	BUNDLE_MAX_BYTES_DEFAULT = 400000,
	BUNDLE_MAX_BYTES_LEAST = 4096,
	BUNDLE_WHOLE_MAX_BYTES = 32 << 20, /* bundle_halve() unpacks no more than this: above any server's limit */
};

struct bundle_conf {
	size_t max_bytes;                          /* of a message, before compression */
	const char *host, *environment, *revision; /* borrowed for the bundle's life; NULL or empty: not told */
};

struct bundle;

/* NULL with *err set when memory is short. */
struct bundle *bundle_new(const struct bundle_conf *conf, struct err *err);
void bundle_free(struct bundle *b); /* NULL is a no-op */

/* Takes one finished payload (spool_put()); e and its body are borrowed for the call. -1 with *err set: it could not be kept anywhere; it is
 * given to losses then, and the flush goes on. */
typedef int (*bundle_take_fn)(void *ctx, const struct envelope *e, struct err *err);

struct bundle_flush {
	struct store *store;        /* its closed slots are cut, up to slot_end_ms */
	struct events *events;      /* emptied; NULL: none */
	struct losses *losses;      /* told in the first payload; NULL: none are told */
	struct identity *identity;
	uint64_t lowest_pending;    /* spool_lowest_seq() of the identity; 0: none */
	int64_t slot_end_ms;        /* virtual */
	int64_t created_at_ms;      /* virtual, of all payloads of this flush */
	bundle_take_fn take;
	void *ctx;
};

/* What came of a flush. */
struct bundle_result {
	size_t payloads;  /* taken */
	uint64_t samples; /* in them */
	size_t lost;      /* payloads given to losses */
	uint64_t lost_samples;
	size_t body_bytes; /* of all taken, compressed */
};

/* Builds and hands on all payloads of a flush: none when there is nothing to tell. 0; -1 with *err set to the first failure when something was
 * lost: *out is right in both cases. */
int bundle_make(struct bundle *b, const struct bundle_flush *f, struct bundle_result *out, struct err *err);

/* 413: splits a payload in two by its metrics and events, or by its points when it is one metric; created_at stays. The halves belong to an
 * agent_id derived from (agent_id, seq) of the whole, with seq 1 and 2: whoever has a copy of the whole, on a second machine or after a crash
 * between the halves, makes the same two, and the server counts them once. Truncations go with the first. ERR_REJECT: a single sample, or a
 * body that is no payload; ERR_RETRY: memory is short. half[i].body is of body[i], which the caller owns. */
int bundle_halve(const struct envelope *whole, struct envelope half[2], struct buf body[2], struct err *err);

#endif
