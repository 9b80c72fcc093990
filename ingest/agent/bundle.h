/* bundle.h - a flush becomes payloads: messages of schemas/push.proto, compressed, each small enough for the server.
 *
 * All payloads of a flush have the same created_at, and each a seq of its own. The limit is of the message before compression, as the
 * server's strictest limit, the record of one partition, grows with that. One message at a time is held, then handed on, so memory does
 * not follow the number of series. What cannot be built is a loss under a seq of its own: a flush loses nothing quietly. Not
 * thread-safe: one owner. */
#ifndef MILLRACE_AGENT_BUNDLE_H
#define MILLRACE_AGENT_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "ingest/agent/envelope.h"
#include "ingest/agent/identity.h"

struct event_queue;
struct spool;
struct store;

enum {
	/* The samples of one partition become one record of the server's, of 1,000,000 bytes by default. A site may have a single partition,
	 * and what is in a message takes up to twice as much in a record: a bucket's count of 64 to 127 two bytes, a series a fingerprint of
	 * 16. */
	BUNDLE_MAX_BYTES_DEFAULT = 400000,
	BUNDLE_MAX_BYTES_LEAST = 16384, /* bundle_limit() stops there: any server takes that, and small payloads cost more */
	BUNDLE_TRUNCATION_BYTES = 64, /* what one takes at most */
};

struct bundle_conf {
	size_t max_bytes;                          /* of a message, before compression; a single sample or event may be larger; 0: the default */
	const char *host, *environment, *revision; /* borrowed for the bundle's life; NULL or empty: not told */
};

struct bundle;

/* NULL with *err set when memory is short. */
struct bundle *bundle_new(const struct bundle_conf *conf, struct err *err);
void bundle_free(struct bundle *b); /* NULL is a no-op */

/* Takes one finished payload; e and its body are borrowed for the call. It has to be spooled (spool_put()) when this returns 0, as the
 * next one's floor counts on it. -1 with *err set: it could not be kept, and is a loss already; the flush goes on. */
typedef int (*bundle_take_fn)(void *ctx, const struct envelope *e, struct err *err);

/* From now on messages have no more than so many bytes, if that is less than before, and at least BUNDLE_MAX_BYTES_LEAST. */
void bundle_limit(struct bundle *b, size_t max_bytes);

struct bundle_flush {
	struct store *store;        /* its closed slots are cut, up to slot_end_ms */
	struct event_queue *events; /* emptied; NULL: none */
	struct spool *spool;        /* of its losses the first payload tells; it says which seqs wait. NULL: neither (--once) */
	struct identity *identity;
	int64_t slot_end_ms;        /* virtual */
	int64_t created_at_ms;      /* virtual, of all payloads of this flush */
	bundle_take_fn take;
	void *ctx;
};

/* What came of a flush. */
struct bundle_result {
	size_t payloads;           /* taken */
	uint64_t samples;          /* in them */
	size_t body_bytes;         /* of them, compressed */
	size_t lost_payloads;      /* not taken, or never built */
	uint64_t lost_samples;
};

/* Builds and hands on all payloads of a flush: none when there is nothing to tell, one without samples when there are only losses to
 * tell. Payloads of this identity that lie below the new floor are given up first. 0; -1 with *err set to the first failure when
 * something was lost: *out is right in both cases. */
int bundle_make(struct bundle *b, const struct bundle_flush *f, struct bundle_result *out, struct err *err);

#endif
