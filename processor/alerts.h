/* alerts.h - the alerts of one partition that are not simply ok, by series and trigger.
 *
 * An alert here is warming, open or cooling (common/alert.h); or it is held: its trigger asks about what is absent, so that its series, or its job of check-ins,
 * must not be forgotten while all is well. An alert holds a reference to its series. A site has at most ALERTS_SITE_MAX of them, and held series
 * no more than the settings say; what is beyond is not begun, and counted.
 *
 * Triggers are known here by site, id and revision, and keep what they were when the alert was saved: so an alert can close though its trigger was
 * deleted while nobody owned the partition.
 *
 * Invariants:
 *  I1  Alerts are in a list in the order of their making, and so are their triggers; a restore keeps both. Those of one series or group hang together too,
 *      by their triggers' ids, which is also the order of the rules (rules.h).
 *  I2  A series' flag alerting says whether there are any of it.
 *  I3  From the first adoption on every trigger here has an index among the rules that the partition goes by (judge.h).
 * Not thread-safe: its task owns it. */
#ifndef MILLRACE_PROCESSOR_ALERTS_H
#define MILLRACE_PROCESSOR_ALERTS_H

#include "common/alert.h"
#include "processor/rules.h"
#include "processor/series_table.h"

enum { ALERTS_SITE_MAX = 100000 };

/* A site with triggers that have alerts here. It stays until alerts_fini(). */
struct alert_site {
	struct str id;
	size_t nr, nr_held;    /* its alerts; of these held for a series */
	uint64_t refused;      /* alerts that were not begun since that was told last */
	int64_t told_ms;       /* when; 0: never */
	int64_t asked_ms;      /* the minute of which judge.c has asked ... */
	bool silence_unknown;  /* ... whether silence means anything in it */
};

/* A trigger with alerts here, or with something to tell. */
struct alert_rule {
	struct alert_rule *next, *prev;
	struct alert_site *site;
	struct str id;
	uint64_t revision;
	int64_t index;       /* among the rules; -1 from a restore to the first adoption (I3) */
	struct buf saved;    /* the Trigger record, from a restore to the first adoption */
	size_t nr;           /* its alerts */
	uint32_t number;     /* the snapshot's own, while it is being encoded */
	int64_t unseen_opened, unseen_closed;     /* alerts that opened in minutes that were judged late, and of these those that closed unseen */
	int64_t unseen_first_ms, unseen_last_ms;  /* the minutes in which the first opened and the last closed */
};

struct alert {
	struct alert *next, *prev; /* (I1) */
	struct alert *sibling;     /* of the same series or group */
	struct alert_rule *rule;
	struct series *series;     /* holds a reference; NULL: a job of check-ins */
	uint8_t key[SERIES_FINGERPRINT_BYTES]; /* the series' fingerprint, or the group */
	struct alert_state state;
	bool held;        /* stays when it is ok */
	bool untold;      /* open, but nobody was told, as its minute was judged late */
	bool has_value;   /* of the minute in which it opened */
	double value;
	int32_t silent;   /* of a held series: minutes without a window, of those that were judged */
	int64_t since_ms; /* of a job: the first minute in which it was judged */
	int64_t due_ms;   /* of a job by cron: when it was due last; 0: not yet since then */
	int64_t next_ms;  /* and when it is next; 0: to be found out. No state */
	int64_t judged_ms; /* the minute in which a window of it was judged. No state */
};

/* Starts zeroed. */
struct alerts {
	struct rules *rules;  /* what the partition goes by; held. NULL: nothing yet */
	struct map by_key;    /* the first sibling, by fingerprint or group */
	struct alert *first, *last;
	struct map rules_by_id; /* by XXH3-128 of site and id */
	struct alert_rule *first_rule, *last_rule;
	struct map sites;     /* by XXH3-128 of the id; owns them */
	size_t nr, nr_held, nr_untold; /* nr_held: of series */
	size_t bytes;         /* allocated, without the maps' slots */
	size_t series_bytes;  /* of the series that have alerts */
	uint64_t unknown;     /* since the assignment: alerts and minutes of which nobody could tell */
};

/* Frees everything; series are given back to their table. */
void alerts_fini(struct alerts *a, struct series_table *series);

/* The alerts of a series or group, linked by sibling; NULL: none. */
struct alert *alerts_first_of(const struct alerts *a, const uint8_t key[SERIES_FINGERPRINT_BYTES]);

/* What an alert is to be of. */
struct alert_place {
	struct series *series;  /* or NULL, and */
	const uint8_t *key;     /* a group */
	struct str site, trigger;
	uint64_t revision;
	int64_t index;          /* of the rule */
	bool held;
	int64_t held_max;
};

/* A new alert, ok, at the end. *out NULL: its site has too many, which is counted. -1 when memory is short. There is none yet at that place. */
int alerts_add(struct alerts *a, const struct alert_place *at, struct alert **out);

/* Removes an alert; its trigger goes with the last one, unless it has something to tell. */
void alerts_remove(struct alerts *a, struct series_table *series, struct alert *alert);

/* Removes a trigger that has neither alerts nor anything to tell. */
void alerts_forget_rule(struct alerts *a, struct alert_rule *rule);

/* The trigger of site and id, made when it is new, with its revision and index. NULL when memory is short. */
struct alert_rule *alerts_rule(struct alerts *a, struct str site, struct str id, uint64_t revision, int64_t index);

/* Sets whether an alert is untold. */
void alerts_set_untold(struct alerts *a, struct alert *alert, bool untold);

/* Is there anything that every minute must be judged for, be there windows in it or not? */
bool alerts_want_minutes(const struct alerts *a);

/* Sets the number of every series that has alerts (series_table.h). */
void alerts_mark(const struct alerts *a, uint32_t mark);

/* A site whose alerts were refused, to be told at a watermark: once an hour of event time each. *at starts at 0; NULL ends. *refused: how many since the
 * last time. */
const struct alert_site *alerts_tell_refused(struct alerts *a, size_t *at, int64_t watermark_ms, uint64_t *refused);

/* How many are open or cooling. Walks over all. */
size_t alerts_open(const struct alerts *a);

/* Is it open or cooling? */
static inline bool alert_is_open(const struct alert *alert)
{
	return alert->state.phase == ALERT_OPEN || alert->state.phase == ALERT_COOLING;
}

/* Bytes allocated. */
size_t alerts_bytes(const struct alerts *a);

/* Appends all of it but the rules; the series have their numbers in the snapshot. Equal states make equal bytes. Failure is sticky in out. */
void alerts_encode(const struct alerts *a, struct buf *out);

/* Fills a, zeroed, from hostile bytes; series: those of the snapshot by number. -1 with a fault in r, or with *err set when memory is short; a is good for
 * alerts_fini() only then. */
int alerts_decode(struct alerts *a, struct codec_reader *r, struct series *const *series, size_t nr_series, struct err *err);

/* The trigger of one that was restored and that no rules have been adopted for since: from its saved record, in arena. NULL when memory is short. */
const struct trigger *alert_rule_saved(const struct alert_rule *rule, struct arena *arena);

#endif
