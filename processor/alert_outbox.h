/* alert_outbox.h - AlertEvents on their way out, in order: encoded when their minute is judged, gone when their transaction is committed.
 *
 * As their minutes are closed with them (task.h, I3) an aborted checkpoint emits the same again. Not thread-safe: its task owns it. */
#ifndef MILLRACE_PROCESSOR_ALERT_OUTBOX_H
#define MILLRACE_PROCESSOR_ALERT_OUTBOX_H

#include "common/err.h"
#include "common/str.h"
#include "schemas/schemas.h"

enum { NR_ALERT_EVENT_KINDS = ALERT_EVENT_KIND_SUMMARY + 1 };

struct alert_letter {
	struct alert_letter *next;
	uint32_t key_len, len;
	uint8_t kind;    /* enum alert_event_kind */
	uint8_t bytes[]; /* the key, then the record */
};

/* Starts zeroed. */
struct alert_outbox {
	struct alert_letter *first, **end; /* end: where the next one is hung; NULL means &first */
	size_t nr, bytes; /* bytes: allocated */
};

/* Encodes an event to the end. -1 with ERR_FATAL when memory is short. */
int alert_outbox_add(struct alert_outbox *o, const struct alert_event *event, struct err *err);

/* Frees the first nr, or as many as there are. */
void alert_outbox_drop(struct alert_outbox *o, size_t nr);

/* The record's key, the trigger's id, and the record. Borrowed. */
static inline struct str alert_letter_key(const struct alert_letter *l)
{
	return (struct str){(const char *)l->bytes, l->key_len};
}

/* See above. */
static inline struct str alert_letter_record(const struct alert_letter *l)
{
	return (struct str){(const char *)l->bytes + l->key_len, l->len};
}

#endif
