/* desk.h - decides what is told, to whom, when: incidents, receivers, silences, acknowledgements, and what has been sent.
 *
 * It does no I/O and reads no clock: events, rows, outcomes and the (virtual) time come in, records to write and jobs to deliver come out. All that
 * it decides follows from committed records, so that whoever takes over decides the same. A notification is decided by a Sent record with outcome
 * under_way; only once that is committed its job is given out, and only its outcome ends it. After a restart a job without an outcome is given out
 * again with the same sequence, if the incident says nothing new, else the next one tells all. There is never more than one job under way for an
 * incident and receiver, and never more than DESK_UNDER_WAY_MAX for a receiver.
 *
 * One turn of its owner: desk_take_event() ..; desk_turn(); desk_next_record() .. into one transaction with the events' offsets;
 * desk_committed(); desk_next_job() .. to the delivery. Outcomes come in between turns.
 * Not thread-safe: one owner. Functions that return int: 0, or -1 with *err set, ERR_FATAL when memory is short: what was called for is
 * not done then, or in part, and goes on with the rest when it is called again. An incident or an event whose site or trigger has more than 255
 * bytes is ERR_REJECT: no program of ours writes it. */
#ifndef MILLRACE_NOTIFY_DESK_H
#define MILLRACE_NOTIFY_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/control.h"
#include "common/err.h"
#include "common/table.h"
#include "schemas/schemas.h"

enum {
	DESK_UNDER_WAY_MAX = 64,   /* jobs a receiver: what the delivery must be able to hold */
	DESK_TURN_MAX = 256,       /* incidents that one desk_turn() looks at */
};

struct desk;

/* What the operator's controls say now of a site. Any may be NULL: never. */
struct desk_controls {
	bool (*pauses)(void *ctx, struct str site);
	bool (*drops)(void *ctx, struct str site);
	void *ctx;
};

struct desk_conf {
	int64_t site_rate;       /* notifications an hour and site; 0: any number */
	size_t incidents_max;    /* remembered at a time; 0: 20,000 */
	size_t memory_max_bytes; /* of all incidents; beyond, new ones are refused, and new alerts are counted only. 0: 256 MiB */
	struct desk_controls controls;
};

/* Knows nothing yet. Copies conf. NULL with *err set when memory is short. */
struct desk *desk_new(const struct desk_conf *conf, struct err *err);
void desk_free(struct desk *d); /* NULL is a no-op */

/* Forgets incidents, what was sent, jobs: the cell is somebody else's now. Receivers, silences and acknowledgements stay, as their tables go on. */
void desk_reset(struct desk *d);

/* Rows of millrace.receivers, millrace.silences, millrace.acks, in any order with all else; ctx is the desk. Row functions for struct table_spec.
 * ERR_REJECT: malformed, or more than there may be (what was known stays); ERR_RETRY: written by a newer version. */
int desk_take_receiver(void *ctx, const struct table_row *row, struct err *err);
int desk_take_silence(void *ctx, const struct table_row *row, struct err *err); /* see above */
int desk_take_ack(void *ctx, const struct table_row *row, struct err *err);     /* see above */

/* Loading, after desk_new() or desk_reset(): all records of c.CELL.incidents in their order, then all of c.CELL.sent, then desk_loaded(), before any event.
 * Copies. Of an incident or a pair the latest counts; what is too old is left out. */
int desk_take_incident(struct desk *d, int64_t now_ms, const struct incident *incident, struct err *err);
int desk_take_sent(struct desk *d, const struct sent *sent, struct err *err); /* see above */
void desk_loaded(struct desk *d, int64_t now_ms);                             /* see above */

/* Takes an event of c.CELL.alerts; copies. What it knows already, or what is about nothing that it knows, changes nothing and is no error. */
int desk_take_event(struct desk *d, int64_t now_ms, const struct alert_event *event, struct err *err);

/* Decides what is due, for at most DESK_TURN_MAX incidents. behind: events that were written before now are still waiting to be taken, so that
 * an alert that has moved is not given up for lack of its successor. */
int desk_turn(struct desk *d, int64_t now_ms, bool behind, struct err *err);

/* When desk_turn() has something to do at the latest (virtual; may lie in the past: at once). INT64_MAX: not before something comes in. */
int64_t desk_next_ms(const struct desk *d);

/* Is there a record to write? */
bool desk_is_dirty(const struct desk *d);

enum desk_topic { DESK_INCIDENTS, DESK_SENT };

/* The next record to write in this transaction: 1, with *topic and key and value replaced; 0: that was all; -1: none, and all may be asked for again after
 * desk_aborted(). */
int desk_next_record(struct desk *d, enum desk_topic *topic, struct buf *key, struct buf *value, struct err *err);

/* The transaction with the records handed over is committed: their jobs are given out from now on. */
void desk_committed(struct desk *d);

/* It is not: the same records are handed over again. */
void desk_aborted(struct desk *d);

/* One notification to deliver. All pointers live in the arena or are borrowed from the desk until its next call: render or copy at once. */
struct desk_job {
	uint8_t incident_id[16];
	struct str receiver_id;
	int64_t sequence;         /* with the two above it makes the idempotency key */
	int64_t version;          /* of the incident */
	enum incident_state state;
	const struct incident *incident;            /* with all its alerts */
	const struct incident_alert *const *alerts; /* those to tell of: of incident->alerts, what no silence covers */
	size_t alerts_len;
	const struct receiver *receiver;
};

/* The next job that may go out: 1 and *out filled; 0: none now; -1 with *err set: ask again later. Its outcome must be told once, unless the desk
 * is reset, and then its delivery is to be forgotten, too. */
int desk_next_job(struct desk *d, int64_t now_ms, struct arena *arena, struct desk_job *out, struct err *err);

/* The delivery has no room for the job: it is given out again, after all others. */
void desk_job_back(struct desk *d, const uint8_t incident[16], struct str receiver, int64_t sequence);

/* How a job ended: delivered, gave_up or dropped (cancelled, say, as its receiver is gone). error: of the last failed attempt, copied (cut at 200
 * bytes), may be empty. An outcome of what the desk does not have under way changes nothing: false. */
bool desk_outcome(struct desk *d, int64_t now_ms, const uint8_t incident[16], struct str receiver, int64_t sequence, enum sent_outcome outcome,
		  int32_t attempts, struct str error);

/* Controls have changed: all is looked at again. (An expiry is noticed after some seconds by itself.) */
void desk_recheck(struct desk *d);

/* The next site whose notifications wait as it is over its rate, once an hour each: true with its id, and how often one had to wait since it was told last. */
bool desk_next_limited(struct desk *d, int64_t now_ms, char site[CONTROL_SITE_MAX + 1], uint64_t *times);

/* Gauges first, then counters since desk_new(). */
struct desk_figures {
	uint64_t incidents_open, incidents, under_way, waiting; /* waiting: due, and held by a pause, the rate or a receiver that has enough to do */
	uint64_t receivers, silences, bytes;
	uint64_t events[4];             /* by enum alert_event_kind: all that were handed over */
	uint64_t events_ignored;        /* of those, known already or about nothing known */
	uint64_t events_dropped;        /* by a control */
	uint64_t events_refused;        /* for want of room: incidents_max, memory_max_bytes */
	uint64_t notifications[6];      /* by enum sent_outcome: under_way counts what was decided */
};

/* Fills *out; costs nothing to speak of. */
void desk_figures(const struct desk *d, struct desk_figures *out);

#endif
