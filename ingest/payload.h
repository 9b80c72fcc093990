/* payload.h - a payload between its decoder and the split.
 *
 * Every decoder (JSON and protobuf now; OTLP) reads a metric into a struct payload_metric, which says only what stood there, and
 * hands it to check_metric(). What passes is kept here as the structs of schemas/, ready to be encoded; what does not is a
 * rejection with its place and reason. So the payload holds accepted samples only, and no later room judges again.
 *
 * Counting: `received` counts each point, a metric without points as one, and each event as one, so that nothing can vanish:
 * received = accepted + rejected, at every moment.
 *
 * Strings borrow the body or live in the arena; a payload lives until its arena is cleared. */
#ifndef MILLRACE_INGEST_PAYLOAD_H
#define MILLRACE_INGEST_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/str.h"
#include "ingest/refusal.h"
#include "ingest/scrub.h"
#include "ingest/scrub_known.h"
#include "schemas/reasons.h"
#include "schemas/schemas.h"

enum {
	PAYLOAD_REJECTIONS_MAX = 1000, /* named in an answer; all are counted */
	PAYLOAD_AGENT_ID_BYTES = 16,
};

/* Fields of a point: has bit PAYLOAD_BIT(f) of payload_point.has says whether field f was there. */
enum payload_point_field {
	PAYLOAD_T,
	PAYLOAD_V,
	PAYLOAD_COUNT,
	PAYLOAD_SUM,
	PAYLOAD_MIN,
	PAYLOAD_MAX,
	PAYLOAD_LAST,
	PAYLOAD_LAST_AT,
	PAYLOAD_HISTOGRAM,
};
#define PAYLOAD_BIT(field) (UINT32_C(1) << (field))

/* A histogram as it stood there; numbers are not checked yet, and a list is cut one behind the longest that is taken. */
struct payload_histogram {
	bool has_scale;
	int64_t scale, zero, offset, neg_offset;
	int64_t *counts, *neg_counts;
	size_t counts_len, neg_counts_len;
};

/* The figures of a summary; apart from the point, as most points have none of them. */
struct payload_figures {
	int64_t count, last_at_ms;
	double sum, min, max, last;
	bool approximate; /* the histogram was made from buckets of another layout, or the sum from it */
	struct payload_histogram histogram;
};

struct payload_point {
	uint32_t has;
	int64_t t_ms;
	int64_t start_ms; /* of a cumulative point; 0: not known */
	double v;
	struct payload_figures *figures; /* NULL without any */
};

/* A metric as it stood there, not judged yet. */
struct payload_metric {
	uint32_t index; /* in the payload's list */
	struct str name;
	int kind;           /* an enum series_kind, or -1: none of them */
	bool otlp;          /* of OTLP: a summary says what it knows, and needs no more than count and sum */
	enum temporality temporality;
	struct tag *tags;   /* at most one more than allowed */
	size_t tags_len;
	const struct payload_point *points;
	size_t points_len;
	uint32_t points_before; /* this metric's in the body, which were handed in by themselves */
};

/* A refused sample. point -1: all of the list's entry. */
struct payload_rejection {
	const char *list; /* "metrics", "errors" .. */
	uint32_t index;
	int64_t point;
	enum reason reason;
};

enum payload_event_kind { PAYLOAD_ERROR, PAYLOAD_TRANSACTION, PAYLOAD_MARKER, PAYLOAD_CHECK_IN, NR_PAYLOAD_EVENT_KINDS };

/* An event, as event_add() takes it and keeps it. A kind or an event of a check-in that stood nowhere, or was none of ours, is
 * a number that their enums do not have. */
struct payload_event {
	enum payload_event_kind kind; /* event has the one detail of this kind */
	const char *list;             /* a literal: the payload's list that it stands in, .. */
	uint32_t index;               /* .. and its place there */
	bool has_t;                   /* false: the time of receipt stands for it */
	struct event event;           /* without its group before settle.h; strings and arrays borrow the body or live in the arena */
	const struct tag *series_tags; /* of the series that are derived from it, beside action and namespace: sorted, good as a metric's, without secrets */
	size_t series_tags_len;
};

/* Payloads an agent gave up, or may have: the loss on the customer's side. */
struct payload_truncation {
	uint8_t agent_id[PAYLOAD_AGENT_ID_BYTES];
	int64_t from_seq, to_seq, samples;
	bool attempted;
};

/* What is taken, and then is of no use to anyone here (OTLP). */
enum payload_ignored { PAYLOAD_IGNORED_SPAN, PAYLOAD_IGNORED_LOG, NR_PAYLOAD_IGNORED };

struct payload {
	struct arena *arena;
	int64_t received_at_ms; /* virtual */
	int64_t shift_ms;       /* what the sender's clock is behind ours: added to its times (sender.h) */
	bool has_agent_id, has_seq, has_floor, has_created_at;
	uint8_t agent_id[PAYLOAD_AGENT_ID_BYTES];
	int64_t seq, floor, created_at_ms;
	struct str host, environment, revision;
	bool has_idempotency_key;
	struct str idempotency_key; /* of an OTLP request */
	bool divisible; /* its sender cannot send less at once: a part may become several records (divide.h), unless there is an agent_id */
	const struct scrub *scrub;  /* the rules that hide secrets; borrowed; NULL: none, in tests */
	struct scrub_memo scrubbed; /* what has been scrubbed by them */
	struct scrub_known *known;  /* series that hide nothing; borrowed; NULL: each is read, each time */

	struct series_ref *series; /* of accepted samples; one a metric, not yet unique, fingerprints not yet set */
	size_t series_len, series_cap;
	size_t unscrubbed_len; /* the first so many have their tags as they were sent: split.h scrubs them */
	struct value_sample *values; /* their series is an index into the above */
	size_t values_len, values_cap;
	struct summary_sample *summaries; /* likewise */
	size_t summaries_len, summaries_cap;

	struct payload_truncation *truncations;
	size_t truncations_len, truncations_cap;

	struct payload_event *events; /* accepted ones, in the payload's order (event.h) */
	size_t events_len, events_cap;
	size_t event_bytes; /* what event_add() has kept: more than the body has where events share what they say */

	struct payload_rejection *rejections; /* the first PAYLOAD_REJECTIONS_MAX */
	size_t rejections_len, rejections_cap;
	uint64_t received, accepted, rejected;
	uint64_t rejected_inner; /* of the rejected, what was not sent by itself: exceptions of spans */
	uint64_t rejected_by[NR_REASONS];
	uint64_t accepted_events[NR_PAYLOAD_EVENT_KINDS]; /* of the accepted */
	uint64_t ignored[NR_PAYLOAD_IGNORED];             /* likewise */
};

/* Starts an empty payload; borrows arena until the payload is forgotten. */
void payload_init(struct payload *p, struct arena *arena, int64_t received_at_ms);

/* Notes that samples (at least 1) samples at this place were refused; list is a literal. -1 when memory is short. */
int payload_reject(struct payload *p, const char *list, uint32_t index, int64_t point, enum reason reason, uint64_t samples);

/* Adds a series and gives its place, or NULL when memory is short; the caller fills it. */
struct series_ref *payload_add_series(struct payload *p);

/* Adds one accepted sample of the series added last. -1 when memory is short. */
int payload_add_value(struct payload *p, int64_t t_ms, double v);
int payload_add_summary(struct payload *p, const struct summary_sample *s); /* see above; copies, its series is set here */

/* Adds a sample that follows from what was counted before, and so is in no figure. -1 when memory is short. */
int payload_derive_summary(struct payload *p, const struct summary_sample *s);

/* Adds an accepted event; copies. -1 when memory is short. */
int payload_add_event(struct payload *p, const struct payload_event *e);

/* What an event is called in metrics: "error", "transaction", .. */
const char *payload_event_name(enum payload_event_kind kind);

/* Adds a truncation; copies. -1 when memory is short. */
int payload_add_truncation(struct payload *p, const struct payload_truncation *t);

/* Samples lost on the customer's side by the payload's truncations, added up (no overflow: it stops at INT64_MAX). */
int64_t payload_truncated_samples(const struct payload *p);
int64_t payload_truncated_payloads(const struct payload *p); /* likewise */

/* For decoders: the arena gave nothing. Its limit says that the payload is too large; if memory itself was short, the fault is ours, and a smaller
 * payload would do no better. Always -1. */
int payload_refuse_size(const struct payload *p, struct refusal *no);

/* Room for one more item behind the len that items holds: items, or its larger copy in the arena, or NULL when memory is
 * short. The room is not zeroed. */
void *payload_grow(struct arena *arena, void *items, size_t len, size_t *cap, size_t item_bytes);

#endif
