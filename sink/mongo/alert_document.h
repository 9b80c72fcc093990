/* alert_document.h - an AlertEvent as the document that people read: an alert opened, closed, moved, or came and went unseen.
 *
 * One document an event, in collection alerts. The fields are described for readers in deploy/mongo/README.md. */
#ifndef MILLRACE_SINK_MONGO_ALERT_DOCUMENT_H
#define MILLRACE_SINK_MONGO_ALERT_DOCUMENT_H

#include "sink/mongo/document.h"

/* Builds the document of e in m; the result is borrowed until m is used again. NULL with *err set: ERR_REJECT when the record contradicts its
 * schema's words (times, keys) or its document is too large; ERR_FATAL when memory is short. */
const bson_t *alert_document_build(struct document_maker *m, const struct alert_event *e, const struct document_origin *origin, struct err *err);

#endif
