/* status.h - what `millrace-ctl status` knows, and when it is not content.
 *
 * Gathering (Kafka), judging (pure, tested by itself) and printing are apart. A problem is a sentence that
 * names the thing; the exit code is 1 when there is one. */
#ifndef MILLRACE_CTL_STATUS_H
#define MILLRACE_CTL_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/arena.h"
#include "common/clock.h"
#include "deploy/ctl/json_write.h"
#include "deploy/ctl/lag.h"
#include "deploy/ctl/store.h"

/* A heartbeat is stale after so many of its intervals; and forgiven after so long (both real time), when
 * another instance of the program has taken its place: instances that are named after a process leave their
 * last beat behind. */
enum { STATUS_STALE_INTERVALS = 3, STATUS_GONE_MS = 15 * 60 * 1000 };

enum status_state { STATUS_READY, STATUS_NOT_READY, STATUS_STALE, STATUS_GONE, STATUS_UNREADABLE };

struct status_beat {
	const struct store_item *item;
	enum status_state state;
	int64_t age_ms, up_ms; /* real; virtual */
};

struct status {
	const struct store *store;
	const char *brokers; /* as asked */
	int nr_brokers;
	struct status_beat *beats; /* sorted by program and instance */
	size_t nr_beats;
	struct lag_group *groups; /* LAG_GROUPS a cell, cells sorted */
	size_t nr_groups;
	size_t nr_cells, nr_sites;
	int64_t max_lag;       /* of a group, in records */
	int64_t now_ms;        /* virtual; when the beats were judged */
	struct arena arena;    /* owns all of the above but the store */
	const char **problems;
	size_t nr_problems, cap_problems;
};

/* Fills beats from the store's heartbeats: ages and states; and now_ms. */
int status_judge_beats(struct status *s, const struct clock *clock, struct err *err);

/* Fills problems from beats, groups, cells and triggers. */
int status_find_problems(struct status *s, struct err *err);

/* Prints one screen. */
void status_print(const struct status *s, bool colour, FILE *out);

/* Writes all of it as members of the object that is open. */
void status_write_json(const struct status *s, struct json_writer *w);

/* "ready", "not ready", "stale", "gone", "unreadable". */
const char *status_state_name(enum status_state state);

#endif
