/* status_incident.h - an incident on the status page: what its entries (schemas/status_entry.avsc) fold into.
 *
 * Nobody rewrites anybody's words: an operator (millrace-ctl), an instance of millrace-status and an admin port each add entries of their own, and an
 * incident is the fold of them in the topic's order, the same for every reader. An entry that means nothing where it stands (an update of what is
 * resolved, a post of what was vetoed) changes nothing and is kept as refused, so that whoever wrote it can be told. Copies what it takes. Not
 * thread-safe: one owner. */
#ifndef MILLRACE_STATUS_INCIDENT_H
#define MILLRACE_STATUS_INCIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/map.h"
#include "common/str.h"
#include "common/table.h"
#include "schemas/schemas.h"

#define TOPIC_STATUS "millrace.status"

enum {
	STATUS_INCIDENT_ID_MAX = 64,
	STATUS_ENTRY_ID_SIZE = 17,    /* 16 hex digits and a NUL */
	STATUS_KEY_SIZE = STATUS_INCIDENT_ID_MAX + STATUS_ENTRY_ID_SIZE + 1,
	STATUS_TITLE_MAX = 200,       /* bytes of UTF-8 */
	STATUS_TEXT_MAX = 4000,
	STATUS_COMPONENTS_MAX = 1000, /* that one incident may name */
	STATUS_MOMENTS_MAX = 200,     /* of a timeline */
	STATUS_MOMENT_TEXT_MAX = 400,
};

enum status_incident_state { STATUS_INCIDENT_DRAFT, STATUS_INCIDENT_POSTED, STATUS_INCIDENT_RESOLVED, STATUS_INCIDENT_VETOED };

/* One entry as it was taken. */
struct status_line {
	struct status_entry entry; /* what it points to lives in the incidents' arena */
	bool refused;              /* it meant nothing where it stood */
};

struct status_incident {
	struct str id;
	enum status_incident_state state;
	enum status_phase phase;
	enum status_impact impact;
	struct str title;
	const struct str *components;
	size_t nr_components;
	bool edited;               /* an operator has had a hand in it: it is never posted, vetoed or resolved by itself any more */
	int64_t opened_at;         /* when the trouble began, or the maintenance begins */
	int64_t posted_at, ended_at; /* 0: not yet; ended: resolved or vetoed */
	int64_t publish_at;        /* of a draft that nobody edited: when it is posted; 0: not by itself */
	int64_t recovery_at;       /* 0: not known */
	int64_t told_at;           /* of the last entry that had a text for the public and was taken; 0: none */
	int64_t reminded_at;       /* of the last reminder; 0: none */
	const struct status_moment *timeline;
	size_t nr_timeline;
	struct status_line *lines; /* oldest first */
	size_t nr_lines, cap_lines;
};

struct status_incidents {
	struct status_incident **list; /* in the order of their first entries */
	size_t nr, cap;
	struct map index; /* of the id's hash */
	struct map seen;  /* entries taken: their keys' hashes */
	struct arena arena;
};

/* Zeroed it is empty. Frees all; s is as zeroed. */
void status_incidents_fini(struct status_incidents *s);

/* Is e well formed by itself: ids, lengths, no control characters but \n in text, components known by form, times. ERR_REJECT with the field's name first. */
int status_entry_check(const struct status_entry *e, struct err *err);

/* Folds an entry in; one whose key was seen is passed over. 1: taken; 0: refused, or seen before; -1 with *err set: it is malformed (ERR_REJECT) or memory. */
int status_incidents_take(struct status_incidents *s, const struct status_entry *e, struct err *err);

/* Why e would be refused, as a sentence of static lifetime for who writes it; NULL: it would be taken. Changes nothing. */
const char *status_incidents_why_not(const struct status_incidents *s, const struct status_entry *e);

/* A row of TOPIC_STATUS, for struct table_spec; ctx: struct status_incidents. A deletion is passed over: what was said stays said until a restart. */
int status_incidents_take_row(void *ctx, const struct table_row *row, struct err *err);

/* The incident of an id, or NULL. Borrowed until the next entry is taken. */
const struct status_incident *status_incidents_find(const struct status_incidents *s, struct str id);

/* The one incident whose id is prefix or begins with it. NULL with *err set: none, or several, which are named. */
const struct status_incident *status_incidents_match(const struct status_incidents *s, const char *prefix, struct err *err);

/* Is it on the page now: posted, or (maintenance) posted and not yet begun? Drafts and vetoed ones never are. */
bool status_incident_is_public(const struct status_incident *i);

/* Draws an entry's id. */
void status_entry_id(char out[STATUS_ENTRY_ID_SIZE]);

/* Writes an entry's key into out and returns out. */
const char *status_entry_key(const struct status_entry *e, char out[STATUS_KEY_SIZE]);

#endif
