/* specimens.h - events that are kept as they came: each an Exemplar record but for its epoch, which is that of the topic it goes to one day.
 *
 * Held by their group while its minute is open (exemplars.h), in a list of these on their way out. Not thread-safe. */
#ifndef MILLRACE_PROCESSOR_SPECIMENS_H
#define MILLRACE_PROCESSOR_SPECIMENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"
#include "schemas/schemas.h"

enum {
	EXEMPLAR_FINGERPRINT_BYTES = 16,
	SPECIMEN_BYTES_MAX = 900000, /* larger ones would not fit into a record everywhere: brokers take 1 MB */
};

/* What kind an event is of, by the one detail that it has. */
enum exemplar_kind { EXEMPLAR_ERROR, EXEMPLAR_TRANSACTION, EXEMPLAR_MARKER, EXEMPLAR_CHECK_IN, NR_EXEMPLAR_KINDS };

/* "error", "transaction", "marker", "check_in". */
const char *exemplar_kind_name(enum exemplar_kind kind);

struct specimen {
	struct specimen *next;
	double duration_ms; /* of a transaction */
	uint32_t len;
	uint8_t kind;       /* enum exemplar_kind */
	bool flushed;       /* it left its group before its time, to make room */
	uint8_t bytes[];    /* the fingerprint, and what stands behind the epoch */
};

/* On their way out, in order. Starts zeroed. */
struct specimens {
	struct specimen *first, **end; /* end: where the next one is hung; NULL means &first */
	size_t nr, bytes; /* bytes: allocated */
	size_t nr_flushed;
};

/* Makes one of an event of a site, which belongs to this minute. 1: it would be larger than SPECIMEN_BYTES_MAX, and there is none; -1 with ERR_FATAL when
 * memory is short. The caller frees it with free(). */
int specimen_new(struct str site, int64_t minute_ms, const struct event *event, enum exemplar_kind kind, struct specimen **out, struct err *err);

/* The same from its bytes, copied: at least a fingerprint and one more, at most SPECIMEN_BYTES_MAX. NULL when memory is short. */
struct specimen *specimen_of(struct str bytes, enum exemplar_kind kind);

/* Bytes allocated. */
size_t specimen_bytes(const struct specimen *s);

/* Appends the Exemplar record to out. -1 with ERR_FATAL when memory is short. */
int specimen_encode(const struct specimen *s, int64_t epoch, struct buf *out, struct err *err);

/* Takes s to the end of the list. */
void specimens_append(struct specimens *list, struct specimen *s);

/* Frees the first nr, or as many as there are. */
void specimens_drop(struct specimens *list, size_t nr);

#endif
