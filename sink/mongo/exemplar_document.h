/* exemplar_document.h - an Exemplar as the document that people read: an error, a slow transaction, a deploy marker, a check-in.
 *
 * One document an exemplar, in the collection that its event's detail says. Its _id is made like an aggregate's (document.h), and so is
 * everything else about how it is written; the fields are described for readers in deploy/mongo/README.md. */
#ifndef MILLRACE_SINK_MONGO_EXEMPLAR_DOCUMENT_H
#define MILLRACE_SINK_MONGO_EXEMPLAR_DOCUMENT_H

#include "sink/mongo/document.h"
#include "sink/mongo/settings.h"

/* Which collection x belongs to. -1 with *err set (ERR_REJECT) when its event has no detail, or more than one. */
int exemplar_document_collection(const struct exemplar *x, enum sink_collection *out, struct err *err);

/* Builds the document of x in m; the result is borrowed until m is used again. NULL with *err set: ERR_REJECT when the record contradicts its
 * schema's words (details, times, durations, keys) or its document is too large; ERR_FATAL when memory is short. */
const bson_t *exemplar_document_build(struct document_maker *m, const struct exemplar *x, const struct document_origin *origin,
				      struct err *err);

#endif
