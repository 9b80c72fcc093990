/* scrub_pairs.h - key and value inside of a text: key=value, key: value, "key": "value", :key=>"value", key%3Dvalue, --key value, <key>value</key>; and JSON within JSON, to any
 * depth of backslashes. */
#ifndef MILLRACE_INGEST_SCRUB_PAIRS_H
#define MILLRACE_INGEST_SCRUB_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/str.h"
#include "ingest/scrub_keys.h"
#include "ingest/scrub_shapes.h"

/* Bytes that may stand between a key and its value. */
static inline bool scrub_pair_divides(char c)
{
	return c == '=' || c == ':' || c == '>' || c == '%' || c == ' ';
}

/* Does text[i] divide a secret's key from a value? Then *out is the value, which is not empty. */
bool scrub_pair_at(const struct scrub_keys *k, struct str text, size_t i, struct scrub_span *out);

#endif
