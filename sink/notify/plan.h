/* plan.h - whom an incident is for, and what each of them is to be told next, and when.
 *
 * Pure: it looks at a case, at receivers and silences, and changes nothing. */
#ifndef MILLRACE_NOTIFY_PLAN_H
#define MILLRACE_NOTIFY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sink/notify/cases.h"
#include "sink/notify/receivers.h"
#include "sink/notify/silences.h"

/* What silences make of a case at a time. */
struct plan_view {
	bool silenced;        /* nothing of it is left to tell of: of one that is open no open alert, else none at all */
	int64_t news_version; /* the latest in which an alert opened or closed that is not silenced */
	int64_t end_ms;       /* when the first of the silences that might matter ends; INT64_MAX: there is none */
};

/* Picks the silences of the case, too, for what follows. */
struct plan_view plan_view(struct silences *s, const struct one_case *c, int64_t now_ms);

/* Is this alert left out? */
bool plan_leaves_out(const struct silences *s, const struct case_alert *a, int64_t now_ms);

/* Is there an open alert that was silenced when t told of the case, and is not any more? The silences of the case are picked. */
bool plan_reappears(const struct silences *s, const struct one_case *c, const struct told *t, int64_t now_ms);

struct plan_member {
	struct receiver_row *to;
	struct told *told; /* NULL: nothing yet */
	bool gets;         /* it is for it: by itself, or by an escalation; else it has been told before, and is owed an end alone */
	bool by_escalation;
};

/* Fills members, which has room for all receivers, with those that the case concerns. Returns how many; *next_ms falls to the time at which the next
 * escalation is due. */
size_t plan_members(const struct receivers *rs, const struct one_case *c, int64_t now_ms, struct plan_member *members, int64_t *next_ms);

enum plan_what {
	PLAN_NOTHING,
	PLAN_FIRST,    /* the receiver has not been told of it yet */
	PLAN_NEWS,     /* alerts opened or closed since, or it is over */
	PLAN_REPEAT,   /* nothing changed, but it is still open */
	PLAN_AGAIN,    /* the notification of before has no outcome, and says all: the same once more */
};

struct plan_step {
	enum plan_what what;
	int64_t due_ms;
};

/* What m is to be told next, silences, pauses and limits aside. news_version: as in struct plan_view; reappears: of m's told. */
struct plan_step plan_next(const struct one_case *c, const struct plan_member *m, int64_t news_version, bool reappears);

#endif
