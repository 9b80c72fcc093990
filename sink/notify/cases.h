/* cases.h - the incidents of a cell, in memory.
 *
 * A case is an incident (one trigger on one site, from the first alert that opens to the last that closes) with what each receiver was told of it.
 * Of its alerts the first CASE_LISTED_MAX are known as they are, the next only by fingerprint and episode, so that their closing counts, and those
 * beyond, or of before a restart, are but a number: a closing of one that is not known is taken for theirs. A case that is resolved is
 * forgotten after CASE_KEPT_MS, or CASE_OWED_MS while somebody is still to be told of it; until then it knows its alerts again, and one with its id opens it
 * again. What is heard of more than CASE_LATE_MS after it happened has its own time: a case that was over before we heard of it has a resolved_at
 * before its created_at. Not thread-safe. */
#ifndef MILLRACE_NOTIFY_CASES_H
#define MILLRACE_NOTIFY_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/map.h"
#include "schemas/schemas.h"
#include "sink/notify/agenda.h"
#include "sink/notify/told.h"

enum {
	CASE_LISTED_MAX = 1000,
	CASE_ALERTS_MAX = 20000, /* known at all */
	CASE_BYTES_MAX = 1 << 20, /* with as much, nothing more is listed: a record has to fit into a message */
	CASE_SUMMARIES_MAX = 64, /* whose ids are remembered */
	CASE_NAME_MAX = 255,     /* bytes of the ids of sites and triggers */
};

#define CASE_KEPT_MS (24 * CLOCK_HOUR_MS)
#define CASE_OWED_MS (7 * 24 * CLOCK_HOUR_MS)
#define CASE_LATE_MS CLOCK_HOUR_MS
#define CASE_JOIN_MINUTES 5 /* beyond warm-up and cooldown, for a series that is judged elsewhere to open there */

/* One series' part. */
struct case_alert {
	uint8_t fingerprint[16], episode[16];
	enum incident_alert_state state;
	bool listed; /* else name, tags, value are not known */
	bool doubles; /* it may be one of nr_unknown, too, under an older episode */
	bool has_kind, has_value, has_closed;
	enum series_kind kind;
	int64_t opened_ms, closed_ms;
	int64_t episode_ms;    /* minute in which its latest episode opened: opened_ms, but for one that has moved */
	int64_t join_until_ms; /* moved */
	int64_t changed;       /* version of the incident in which it opened or closed last */
	double value;
	struct str name;
	struct tag *tags; /* sorted */
	size_t tags_len;
};

struct one_case {
	struct agenda_item item;   /* the first member: when it is to be looked at */
	struct incident rec;       /* without its alerts; strings borrow text and ack_text */
	void *text, *ack_text;
	struct map alerts;         /* by fingerprint; owns struct case_alert */
	struct case_alert **listed;
	size_t nr_listed;
	size_t nr_moved;
	int64_t nr_unknown;        /* open ones that are but a number */
	int64_t ended_ms;          /* when the latest ending of an alert was; 0: of none that was heard of here */
	int64_t unlisted_changed;  /* version in which one that is not listed opened or closed last */
	uint8_t (*summaries)[16];
	size_t nr_summaries;
	struct told **tolds;       /* by receiver; owned */
	size_t nr_tolds;
	size_t bytes;              /* all of it */
	bool dirty, handed;        /* there is something to write; it is in the transaction */
	bool waiting;              /* something is due and held up */
	TAILQ_ENTRY(one_case) in_dirty, in_handed, in_resolved;
};

TAILQ_HEAD(case_queue, one_case);

struct cases {
	struct map by_id;         /* owns the cases */
	struct map latest;        /* by site and trigger: the one that is open, else the last that was */
	struct agenda agenda;
	struct case_queue dirty, handed, resolved;
	size_t nr_max, bytes_max; /* from the owner */
	size_t bytes, nr_open, nr_waiting;
};

/* No cases yet. */
void cases_init(struct cases *cs, size_t nr_max, size_t bytes_max);
void cases_fini(struct cases *cs); /* frees all */

/* Forgets all. */
void cases_reset(struct cases *cs);

/* The id of an incident whose first alert opened at opened_ms. */
void case_id(struct str site, struct str trigger, int64_t opened_ms, uint8_t out[16]);

/* Of an id, or NULL. */
struct one_case *cases_find(const struct cases *cs, const uint8_t id[16]);

/* Takes an Incident record in the place of an older version; copies. One that was resolved so long ago that it would be forgotten, or for which there is no
 * room, is left out. -1 with *err
 * set: ERR_FATAL, memory is short; ERR_REJECT, its names are longer than any of ours. */
int cases_load(struct cases *cs, int64_t now_ms, const struct incident *incident, struct err *err);

enum case_taken { CASE_TAKEN, CASE_IGNORED, CASE_REFUSED };

/* Applies an event: what came of it in *out, and the case in *of when it was taken, which is on the agenda at now_ms then. Refused: there was no room
 * for another case. -1 with *err set, and nothing changed: ERR_FATAL, memory is short; ERR_REJECT, its names are longer than any of ours. */
int cases_apply(struct cases *cs, int64_t now_ms, const struct alert_event *event, enum case_taken *out, struct one_case **of, struct err *err);

/* Closes alerts that have moved and that nobody has gone on with in time. When the next one will have to be: INT64_MAX, none. */
int64_t cases_expire(struct cases *cs, struct one_case *c, int64_t now_ms);

/* Somebody takes care of it: a no-op where that is known, or where it is over. -1 with *err set when memory is short. */
int cases_acknowledge(struct cases *cs, struct one_case *c, const struct ack *ack, int64_t now_ms, struct err *err);

/* Something of it has changed, or it is to be written once more: its next record has a version of its own. news: something to tell. */
void cases_touch(struct cases *cs, struct one_case *c, int64_t now_ms, bool news);

/* Frees a case, unless there is something to write or on its way: false then. */
bool cases_forget(struct cases *cs, struct one_case *c);

/* The Incident record of it: strings borrow the case, alerts live in arena. -1 with *err set when memory is short. */
int case_record(const struct one_case *c, struct arena *arena, struct incident *out, struct err *err);

/* What a receiver was told of it, or NULL. */
struct told *case_told(const struct one_case *c, struct str receiver);

/* The same, new when there is none; NULL when memory is short. */
struct told *cases_tell(struct cases *cs, struct one_case *c, struct str receiver);

#endif
