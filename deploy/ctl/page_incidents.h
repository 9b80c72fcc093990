/* page_incidents.h - the incidents of the status page, by Kafka or by the page's own admin port.
 *
 * Of either way the outcome is the same fold (common/status_incident.h), so that what a command refuses does not depend on how it asked. The port tells of each
 * incident what it has come to and what was said, but not all that each entry changed: lines of a fold that came by it hold id, time, author, action and
 * text alone. */
#ifndef MILLRACE_CTL_PAGE_INCIDENTS_H
#define MILLRACE_CTL_PAGE_INCIDENTS_H

#include "common/status_incident.h"
#include "deploy/ctl/ctl.h"

#define PAGE_DESK "/status-entries"

/* Reads all of them into s, zeroed: by --admin from that port, else from the topic. Entries that cannot be read are told of on standard error. ERR_RETRY: nobody
 * answers, or the topic is not there (says what to run); ERR_REJECT: the port refuses. Free with status_incidents_fini() in any case. */
int page_incidents_read(struct status_incidents *s, struct ctl *ctl, struct err *err);

/* Likewise from the answer of such a port. Hostile text is ERR_REJECT. */
int page_incidents_from_json(struct status_incidents *s, struct str text, struct err *err);

/* Hands an entry over, and waits until it is acknowledged. ERR_REJECT: it is refused, with the reason; ERR_RETRY: it may or may not be there. */
int page_incidents_write(struct ctl *ctl, const struct status_entry *e, struct err *err);

/* "draft", "posted", .. */
const char *page_incidents_state_name(enum status_incident_state state);

/* Writes them as the member "incidents" of the object that is open, or one of them as the object "incident": as the port does. all: also what is over. */
void page_incidents_write_json(struct json_writer *w, const struct status_incidents *s, bool all);
void page_incidents_write_one(struct json_writer *w, const char *key, const struct status_incident *i); /* see above */

#endif
