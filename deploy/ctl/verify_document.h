/* verify_document.h - a document of `minutely` or `hourly` as a fragment of a window in the sheet.
 *
 * deploy/mongo/README.md says what stands in one and how fragments merge. Whoever has a database open may have edited it: numbers may be of
 * any type that holds the value. Not thread-safe. */
#ifndef MILLRACE_CTL_VERIFY_DOCUMENT_H
#define MILLRACE_CTL_VERIFY_DOCUMENT_H

#include <bson/bson.h>

#include "deploy/ctl/verify_sheet.h"

enum verify_document { VERIFY_DOCUMENT_TAKEN, VERIFY_DOCUMENT_FOREIGN /* of other topics, by its epoch */, VERIFY_DOCUMENT_BAD };

/* Adds a document to what is stored. hourly: of that collection. fault: what is wrong with a bad one, a literal. -1 with *err set:
 * memory. */
int verify_document_take(struct verify_sheet *sheet, const bson_t *document, bool hourly, int64_t epoch, const char **fault,
			 struct err *err);

#endif
