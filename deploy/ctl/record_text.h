/* record_text.h - a record of the control plane as one line of JSON: what the operator log keeps of a change.
 *
 * The same names and shapes as in exports and lists (record_json.h, rule_json.h, word_json.h). Not thread-safe. */
#ifndef MILLRACE_CTL_RECORD_TEXT_H
#define MILLRACE_CTL_RECORD_TEXT_H

#include "common/err.h"
#include "common/str.h"

/* Which struct a pointer to a record leads to: struct cell, struct site, .. */
enum record_kind { RECORD_NONE, RECORD_CELL, RECORD_SITE, RECORD_CONTROL, RECORD_SILENCE, RECORD_ACK, RECORD_TRIGGER, RECORD_RECEIVER };

/* Appends it; NULL: "null". -1 with *err set when memory is short. */
int record_text(enum record_kind kind, const void *record, struct buf *out, struct err *err);

#endif
