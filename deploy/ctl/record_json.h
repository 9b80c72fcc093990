/* record_json.h - cells and sites as JSON: what lists print, exports hold and apply reads.
 *
 * Writing and reading are each other's inverse: what was written reads back as the same record, epochs
 * apart, which are written for information and never read (topics.h has the reason). An export holds triggers and receivers too, in the
 * shapes of rule_json.h. */
#ifndef MILLRACE_CTL_RECORD_JSON_H
#define MILLRACE_CTL_RECORD_JSON_H

#include "common/err.h"
#include "deploy/ctl/json_read.h"
#include "deploy/ctl/json_write.h"
#include "deploy/ctl/store.h"
#include "schemas/schemas.h"

/* Writes a cell or a site as an object: the next element of the array that is open, or member "key". */
void record_json_write_cell(struct json_writer *w, const char *key, const struct cell *cell);
void record_json_write_site(struct json_writer *w, const char *key, const struct site *site); /* see above */

/* Writes all readable cells or sites of a store, sorted, as the array "cells" or "sites". */
int record_json_write_cells(struct json_writer *w, const struct store *s, struct err *err);
int record_json_write_sites(struct json_writer *w, const struct store *s, struct err *err); /* see above */

/* created_at of a record whose file leaves it out. */
enum { RECORD_JSON_NO_TIME = -1 };

/* Reads a whole export into an empty store; its strings borrow root's text. Checks every rule of check.h
 * but those that need the live store. ERR_REJECT names line and path. What may be left out: name (the id),
 * created_at (RECORD_JSON_NO_TIME), disabled, keys, limits, the lists receivers and triggers. */
int record_json_read_store(const struct json *root, struct store *out, struct err *err);

/* The format's name and version, as "format" and "version". */
#define RECORD_JSON_FORMAT "millrace-export"
enum { RECORD_JSON_VERSION = 1 };

#endif
