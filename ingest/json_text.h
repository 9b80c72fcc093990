/* json_text.h - what a JSON parser leaves to its user: exact numbers, and text that is text.
 *
 * Numbers come as their characters, since a double cannot carry an int64 and a parser's integers cannot carry 1.0e3. */
#ifndef MILLRACE_INGEST_JSON_TEXT_H
#define MILLRACE_INGEST_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yajl/yajl_parse.h>

#include "common/arena.h"
#include "common/str.h"
#include "ingest/refusal.h"

/* Is a whole body Unicode? Refuses bytes that are not UTF-8 and \u escapes that name half of a surrogate pair, which the
 * parser would turn into other text silently. */
int json_text_check(struct str body, struct refusal *no);

/* A part of well-formed JSON without escapes of printable ASCII that need none, as \u0070assword: itself when there are none, else a copy. -1 when memory is
 * short. */
int json_text_plain(struct arena *arena, struct str *json);

/* The value of a well-formed JSON number as an int64, in whatever notation: 7, 7.0, 0.7e1. 0, or -1 when it is not
 * integral or does not fit; then *out is untouched. */
int json_number_int(struct str text, int64_t *out);

/* The same as a uint64; -0 is 0, any other negative number does not fit. */
int json_number_uint(struct str text, uint64_t *out);

/* Is text, which no parser has seen as a number, one by JSON's grammar, without a blank around it? */
bool json_is_number(struct str text);

/* The double nearest to a well-formed JSON number; infinity where it is out of range. arena serves numbers of extraordinary
 * length; -1 when it is short of memory. */
int json_number_double(struct str text, struct arena *arena, double *out);

/* Runs a whole body through yajl's callbacks, which get ctx. yajl is as strict as it comes: no comments, no trailing text, strings validated; and the
 * body is checked as above first. *during, unless NULL, is the parser while callbacks run. A callback that returns 0 to end the parse sets *no
 * itself. 0; or -1 with *no set: by a callback, bad_json, or over_budget when memory is short. */
int json_text_parse(struct str body, const yajl_callbacks *callbacks, void *ctx, yajl_handle *during, struct refusal *no);

#endif
