/* names.h - the strings that a partition's series are made of, each stored once.
 *
 * Ten thousand series of a site share its id, a handful of names and some hundred pairs of tags: stored with each series they would be most of the
 * state. A name is kept as it travels, in Avro's encoding (a string, or two for a tag), so that emission and snapshots copy it. Every
 * pointer that is kept counts as a reference; a name leaves with the last one. Not thread-safe: the task owns it. */
#ifndef MILLRACE_PROCESSOR_NAMES_H
#define MILLRACE_PROCESSOR_NAMES_H

#include "common/codec.h"
#include "common/map.h"

/* One encoded string, or pair of them. Constant but for refs and number. */
struct name {
	uint32_t refs;
	uint32_t number; /* the snapshot's own, while it is being encoded */
	uint32_t len;
	bool listed;     /* false: its hash is another's, so it is not shared */
	char bytes[];
};

struct names {
	struct map by_hash; /* owns those that are listed */
	size_t bytes;       /* of all names, allocated */
	struct buf scratch;
};

#define NAMES_INIT {.by_hash = MAP_INIT, .scratch = BUF_INIT}

/* Frees the table. All names must have been given back. */
void names_fini(struct names *n);

/* A string's, or a tag's, name with one more reference; made when it is new. NULL when memory is short. */
struct name *names_take_str(struct names *n, struct str s);
struct name *names_take_tag(struct names *n, const struct tag *tag); /* see above */

/* Gives one reference back; the name may be gone afterwards. */
void names_drop(struct names *n, struct name *name);

/* What the name says; borrowed. */
struct str name_str(const struct name *name);
struct tag name_tag(const struct name *name); /* of a pair */

/* Bytes allocated. */
size_t names_bytes(const struct names *n);

#endif
