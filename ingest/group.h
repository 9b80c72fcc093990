/* group.h - which errors are the same error to a person.
 *
 * A group is named by class, action and the first frame of the application's own code (DESIGN.md, Ingest), that frame by file and function without
 * line, column, address, hash or version, since those change with every release. Without such a frame the message stands for it, without numbers, addresses,
 * ids and quoted words. A transaction's group is its namespace and action, a check-in's its name; all markers of a site are one. */
#ifndef MILLRACE_INGEST_GROUP_H
#define MILLRACE_INGEST_GROUP_H

#include "ingest/payload.h"

/* Sets e->event.group: that of an event of this site. Strings beyond their bounds are cut. */
void group_name(struct payload_event *e, struct str site);

#endif
