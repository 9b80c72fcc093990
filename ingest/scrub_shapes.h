/* scrub_shapes.h - what looks like a secret wherever it stands: tokens by their prefix, credentials of HTTP and of URLs, private keys, card numbers. */
#ifndef MILLRACE_INGEST_SCRUB_SHAPES_H
#define MILLRACE_INGEST_SCRUB_SHAPES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/str.h"

struct scrub_span {
	size_t from, to;
};

/* May a shape begin with this byte? A letter or digit does so only where none stands before it. */
bool scrub_shape_begins(char c);

/* Is text[i] the first byte of a secret, of its name (Bearer), or of the :// before one? Then *out is the part to be hidden, from i or later. Looks at a bounded number of bytes
 * unless it finds something, but for a private key. */
bool scrub_shape_at(struct str text, size_t i, struct scrub_span *out);

#endif
