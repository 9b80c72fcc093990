/* status.h - what `millrace-ctl status` knows, and when it is not content.
 *
 * Gathering (Kafka), judging (pure, tested by itself) and printing are apart. A problem is a sentence that names the thing and, where
 * that is known, what to do; problems stand by how much depends on them. The exit code is 1 when there is one that is more than a hint. */
#ifndef MILLRACE_CTL_STATUS_H
#define MILLRACE_CTL_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/arena.h"
#include "common/clock.h"
#include "deploy/ctl/json_write.h"
#include "common/lag.h"
#include "deploy/ctl/letter_tally.h"
#include "deploy/ctl/store.h"

/* A heartbeat is stale after so many of its intervals; and forgiven after so long (both real time), when
 * another instance of the program has taken its place: instances that are named after a process leave their
 * last beat behind. */
enum { STATUS_STALE_INTERVALS = 3, STATUS_GONE_MS = 15 * 60 * 1000 };

/* Bad from here on: memory against its budget; how near retention may come to what is unread; how long a program may take to obey. */
enum { STATUS_MEMORY_PERCENT = 95, STATUS_LOSS_NEAR_MS = 24 * 3600 * 1000, STATUS_LOSS_AT_HAND_MS = 6 * 3600 * 1000, STATUS_OBEY_MS = 30000 };

enum status_beat_state { STATUS_READY, STATUS_NOT_READY, STATUS_STALE, STATUS_GONE, STATUS_UNREADABLE };

struct status_beat {
	const struct store_item *item;
	enum status_beat_state state;
	int64_t age_ms, up_ms; /* real; virtual */
};

/* By how much depends on it. */
enum status_severity {
	STATUS_LOSS,     /* data is lost, or soon will be */
	STATUS_STANDS,   /* a cell, or all of it, does not do one of its works */
	STATUS_DELAYED,  /* it does, too late */
	STATUS_DEGRADED, /* it does, with less than it should have */
	STATUS_HINT,     /* good to know, and no reason for an exit code */
	NR_STATUS_SEVERITIES
};

struct status_problem {
	enum status_severity severity;
	const char *text;
	const char *runbook; /* of deploy/runbooks, without ".md"; NULL: the text says all there is */
};

/* Instances of a program of one build; those that have a heartbeat that is not gone. */
struct status_build {
	struct str program, build;
	size_t nr;
};

struct status {
	const struct store *store;
	const char *brokers; /* as asked */
	struct topic_list topics;
	struct status_beat *beats; /* sorted by program and instance */
	size_t nr_beats;
	struct status_build *builds; /* likewise, by program */
	size_t nr_builds;
	struct lag_group *groups; /* LAG_GROUPS a cell, cells sorted */
	size_t nr_groups;
	const struct control **controls; /* in force */
	size_t nr_controls;
	struct letter_tally letters;
	size_t nr_cells, nr_sites;
	int64_t max_lag;       /* of a group, in records */
	int64_t max_age_ms;    /* of a group, virtual */
	const struct clock *clock;
	int64_t now_ms;        /* virtual; when the beats were judged */
	struct arena arena;    /* owns all of the above but the store and the clock */
	struct status_problem *problems; /* worst first */
	size_t nr_problems, cap_problems, nr_hints; /* hints are among the problems */
};

/* Fills beats and builds from the store's heartbeats: ages and states; and now_ms. Borrows the clock. */
int status_judge_beats(struct status *s, const struct clock *clock, struct err *err);

/* Fills controls from the store. */
int status_list_controls(struct status *s, struct err *err);

/* Fills problems from all the rest. */
int status_find_problems(struct status *s, struct err *err);

/* Is it a beat of this program ("millrace-sink") that can be read, and lately? */
bool status_is_live(const struct status_beat *b, const char *program);

/* A figure of a heartbeat: false when it has none of that name. */
bool status_figure(const struct status_beat *b, const char *name, double *out);

/* Of a sink that is live: 0 closed, 1 half-open, 2 open, and why it is not closed, which borrows the beat. */
int status_breaker(const struct status_beat *b, struct str *reason);

/* Memory in percent of its budget; -1: not known. */
int status_memory_percent(const struct status_beat *b);

/* Do all programs have the same build? */
bool status_is_one_build(const struct status *s);

/* Prints one screen; width: its columns, 0 where sentences stay in one line each. */
void status_print(const struct status *s, bool colour, int width, FILE *out);

/* Writes all of it as members of the object that is open; README.md has the names. */
void status_write_json(const struct status *s, struct json_writer *w);

/* "ready", "not ready", "stale", "gone", "unreadable". */
const char *status_state_name(enum status_beat_state state);

/* "loss", "stands", "delayed", "degraded", "hint". */
const char *status_severity_name(enum status_severity severity);

/* "closed", "half-open", "open". */
const char *status_breaker_name(int state);

#endif
