/* letter_event.h - what a dead letter's event says, for a person: JSON, as letter_value.h writes values. */
#ifndef MILLRACE_CTL_LETTER_EVENT_H
#define MILLRACE_CTL_LETTER_EVENT_H

#include "deploy/ctl/json_write.h"
#include "schemas/schemas.h"

/* Writes the event as the object "key" (NULL: an item of a list). Numbers that are not finite become texts. */
void letter_event_write(struct json_writer *w, const char *key, const struct event *e);

#endif
