/* notification.h - what a receiver is told: the part of it that webhook and mail have in common. */
#ifndef MILLRACE_NOTIFY_NOTIFICATION_H
#define MILLRACE_NOTIFY_NOTIFICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"
#include "schemas/schemas.h"

enum {
	NOTIFICATION_ALERTS_MAX = 200, /* that a body tells of; the others are counted */
	NOTIFICATION_ID_SIZE = 33,     /* of an incident's id or a fingerprint in hex, with its NUL */
	NOTIFICATION_KEY_SIZE = 160,
};

/* Borrows everything. */
struct notification {
	const struct incident *incident; /* its alerts are those to be told of */
	struct str receiver;             /* id */
	int64_t sequence;
	enum incident_state state;       /* what is told */
	int64_t beyond;                  /* alerts of the incident that its record has no room for */
	const char *external_url;        /* empty: none */
};

/* 16 bytes in hex. Returns out. */
const char *notification_hex(const uint8_t id[16], char out[NOTIFICATION_ID_SIZE]);

/* "HEX(incident)-RECEIVER-SEQUENCE": the idempotency key. Returns out. */
const char *notification_key(const struct notification *n, int64_t sequence, char out[NOTIFICATION_KEY_SIZE]);

/* Is it over for this alert? One that has moved goes on, until it is heard of again or its time is up. */
static inline bool notification_is_closed(const struct incident_alert *a)
{
	return a->state == INCIDENT_ALERT_STATE_CLOSED;
}

/* The alerts' order in a body: those that are open first, so that what is left out is what is over. Zeroed it begins. */
struct notification_walk {
	size_t at, given;
	bool closed; /* the open ones are through */
};

/* NULL: there are no more, or NOTIFICATION_ALERTS_MAX have been. */
const struct incident_alert *notification_next(const struct notification *n, struct notification_walk *walk);

/* How many notification_next() gives, and how many alerts it leaves out, with those that the record has no room for. */
size_t notification_told(const struct notification *n);
int64_t notification_left_out(const struct notification *n); /* see above */

/* The alerts' page: external_url, "/incidents/", the id. Empty where there is no external_url. */
void notification_link(const struct notification *n, struct buf *out);

/* The condition with the alert's value when it opened, "p95 of http.duration > 500 (was 734.2)"; for the incident as a whole (a NULL) with what
 * happened while processing was behind, if something did. */
void notification_condition(const struct notification *n, const struct incident_alert *a, struct buf *out);

/* Appends text that is UTF-8 whatever s is: in one that is not, a question mark stands for each byte above 0x7f. */
void notification_add_text(struct buf *out, struct str s);

#endif
