/* case_parts.h - what cases are built of, for cases.c and case_events.c. Functions that can fail do so for want of memory, and change nothing then. */
#ifndef MILLRACE_NOTIFY_CASE_PARTS_H
#define MILLRACE_NOTIFY_CASE_PARTS_H

#include "sink/notify/cases.h"

/* A new case of rec without alerts, known by its id, and the latest of its site and trigger; copies. On the agenda at now_ms. */
struct one_case *cases_add(struct cases *cs, int64_t now_ms, const struct incident *rec, struct err *err);

/* Takes it out of everything and frees it, whatever is to be written of it. */
void cases_drop(struct cases *cs, struct one_case *c);

/* It is the latest of its site and trigger from now on. */
int cases_make_latest(struct cases *cs, struct one_case *c, struct err *err);

/* The latest of a site and trigger, or NULL. */
struct one_case *cases_latest(const struct cases *cs, struct str site, struct str trigger);

/* Gives it the strings of rec that a trigger may change, unless it has them. */
int cases_set_text(struct cases *cs, struct one_case *c, const struct incident *rec, struct err *err);

/* The acknowledgement's strings. */
int cases_set_ack_text(struct cases *cs, struct one_case *c, struct str by, struct str reason, struct err *err);

/* Another alert: listed, with its name and tags, while there is room for that. Only fingerprint, name, tags of from are looked at. */
struct case_alert *cases_add_alert(struct cases *cs, struct one_case *c, const struct incident_alert *from, bool list, struct err *err);

/* cases_touch() for an alert that opened or closed; NULL: one that is but a number. */
void cases_touch_alert(struct cases *cs, struct one_case *c, int64_t now_ms, struct case_alert *a);

/* Its state follows from the number of its open alerts; if it is over, since at_ms. */
void cases_settle(struct cases *cs, struct one_case *c, int64_t at_ms);

/* Room for one more: the longest resolved of which nothing is on its way give way. False when there is none. */
bool cases_make_room(struct cases *cs);

#endif
