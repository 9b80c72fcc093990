/* letter_alert.h - what a dead letter's alert or incident says, for a person: JSON, as letter_value.h writes values. */
#ifndef MILLRACE_CTL_LETTER_ALERT_H
#define MILLRACE_CTL_LETTER_ALERT_H

#include "deploy/ctl/json_write.h"
#include "schemas/schemas.h"

/* Writes the members of an AlertEvent into the object that is open. Numbers that are not finite become texts. */
void letter_alert_write(struct json_writer *w, const struct alert_event *e);

/* The same of an Incident. */
void letter_alert_write_incident(struct json_writer *w, const struct incident *n);

#endif
