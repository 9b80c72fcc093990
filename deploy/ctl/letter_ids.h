/* letter_ids.h - which dead letters: their offsets in millrace.deadletter, as an operator types them and the operator log keeps them.
 *
 * "12", "12-40", and lists of them, "12,15-20". Pure functions; errors are ERR_REJECT, or ERR_FATAL when memory is short. */
#ifndef MILLRACE_CTL_LETTER_IDS_H
#define MILLRACE_CTL_LETTER_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

struct letter_range {
	int64_t from, to; /* both are in it */
};

struct letter_ids {
	struct letter_range *ranges; /* in the order in which they came; may overlap */
	size_t nr, cap;
};

#define LETTER_IDS_INIT {0}

/* Frees. */
void letter_ids_fini(struct letter_ids *ids);

/* Forgets all. */
void letter_ids_clear(struct letter_ids *ids);

/* Adds one; one that follows the last makes that range longer. */
int letter_ids_add(struct letter_ids *ids, int64_t id, struct err *err);

/* Adds what a text names; nothing when it is refused. */
int letter_ids_parse(struct letter_ids *ids, struct str text, struct err *err);

/* Is it among them? */
bool letter_ids_has(const struct letter_ids *ids, int64_t id);

/* The lowest and the highest of them; there must be one. */
int64_t letter_ids_min(const struct letter_ids *ids);
int64_t letter_ids_max(const struct letter_ids *ids); /* see above */

/* Appends them as text. Failure is sticky in out. */
void letter_ids_print(const struct letter_ids *ids, struct buf *out);

#endif
