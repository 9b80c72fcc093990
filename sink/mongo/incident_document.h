/* incident_document.h - an Incident as the document that people read: how it stood after one change.
 *
 * One document a record, in collection incidents: of those of an incident the one of the highest version says how it stands. The fields are described for
 * readers in deploy/mongo/README.md. */
#ifndef MILLRACE_SINK_MONGO_INCIDENT_DOCUMENT_H
#define MILLRACE_SINK_MONGO_INCIDENT_DOCUMENT_H

#include "sink/mongo/document.h"

/* Builds the document of n in m; the result is borrowed until m is used again. NULL with *err set: ERR_REJECT when the record contradicts its
 * schema's words (times, keys) or its document is too large; ERR_FATAL when memory is short. */
const bson_t *incident_document_build(struct document_maker *m, const struct incident *n, const struct document_origin *origin, struct err *err);

#endif
