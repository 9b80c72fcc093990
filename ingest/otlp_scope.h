/* otlp_scope.h - what a resource and a scope say of all the spans and records below them.
 *
 * Both may stand behind what they speak of: so a decoder makes one of each where it begins, and asks it for something only when all is read.
 * All live in the payload's arena. */
#ifndef MILLRACE_INGEST_OTLP_SCOPE_H
#define MILLRACE_INGEST_OTLP_SCOPE_H

#include "ingest/otlp.h"
#include "ingest/otlp_value.h"

enum { OTLP_FEW_MAX = 8 }; /* attributes of a resource that every event shows, whatever the rules say */

/* Settled once, by the first event that asks: a resource may have many scopes. */
struct otlp_resource {
	struct otlp_attributes attributes;
	bool settled;
	struct str host, environment, revision;
	const struct str *wanted[OTLP_RESOURCE_TAGS_MAX]; /* values by the rules' place, NULL: none */
	struct tag few[OTLP_FEW_MAX];
	size_t few_len;
};

struct otlp_scope {
	struct otlp_resource *resource;
	struct str name;
	struct otlp_attributes attributes;
	bool settled;
	struct tag *series_tags; /* sorted, without secrets */
	size_t series_tags_len;
};

/* A scope below resource, of which nothing is known. NULL when memory is short. */
struct otlp_scope *otlp_scope_new(struct arena *arena, struct otlp_resource *resource);

/* Reads an InstrumentationScope behind its length. */
const uint8_t *otlp_read_scope(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena, struct otlp_scope *scope);

/* Reads a KeyValue, or a Resource, behind its length, into all. */
const uint8_t *otlp_read_framed_attribute(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena, struct otlp_attributes *all);
const uint8_t *otlp_read_framed_resource(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena,
					 struct otlp_attributes *all); /* see above */

/* A time in nanoseconds. */
static inline const uint8_t *otlp_read_time(struct pb_reader *r, const uint8_t *at, const uint8_t *end, uint64_t *out_ns)
{
	struct pb_read v = pb_read_fixed64(at, end);

	*out_ns = v.value;
	return v.at ? v.at : pb_malformed(r, at, v);
}

/* Fills in what scope and resource say of e: host, environment, revision, series_tags, and tags, where theirs come first and then those of
 * tags, as far as their keys are new. -1 when memory is short. */
int otlp_scope_describe(struct otlp_scope *scope, const struct otlp_rules *rules, struct payload *p, const struct tag *tags, size_t len,
			struct payload_event *e);

/* The tags of all alone, as long as they are; NULL when memory is short. */
struct tag *otlp_attributes_copy(const struct otlp_attributes *all, struct arena *arena);

/* Appends tag to the len tags of list, unless its key stands there or max has been reached; gives the new len. For short lists. */
size_t otlp_tags_add(struct tag *list, size_t len, size_t max, struct tag tag);

/* n bytes as hexadecimal digits, in the arena; p is NULL when memory is short. */
struct str otlp_hex(struct arena *arena, const uint8_t *bytes, size_t n);

#endif
