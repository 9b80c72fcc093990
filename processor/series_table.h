/* series_table.h - the series that a partition's windows know, each stored once.
 *
 * A series' name and tags are long and its windows many, so windows point here, and the strings are shared (names.h). Every pointer that is kept
 * counts as a reference; a series leaves when the last one is given back. Not thread-safe: the task owns it. */
#ifndef MILLRACE_PROCESSOR_SERIES_TABLE_H
#define MILLRACE_PROCESSOR_SERIES_TABLE_H

#include "processor/names.h"
#include "processor/series_caps.h"

enum series_recent { RECENT_MINUTE, RECENT_HOUR, NR_RECENT };

/* One series, in one allocation. Constant but for recent, refs, number, listed, alerting and rules. */
struct series {
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	struct window *recent[NR_RECENT]; /* the one used last of each length, if it is still there: found without a look into its pane */
	struct name *site, *name;
	uint32_t refs;
	uint32_t number; /* the snapshot's own, while it is being encoded */
	uint8_t kind;    /* enum series_kind */
	uint8_t tags_len;
	bool listed;     /* somebody remembers it without a reference (series_lists.h) */
	bool alerting;   /* it has alerts (alerts.h) */
	uint32_t rules;  /* the number of its set of triggers (rules.h) among those that its partition goes by; RULES_UNMATCHED: not asked yet */
	struct name *tags[]; /* sorted bytewise by key, as they came */
};

struct series_table {
	struct series **slots; /* by fingerprint, open addressing; a power of two of them, or NULL. Owns the series */
	size_t nr_slots, len;
	uint64_t secret;       /* where a fingerprint leads to (common/map.h), from the first slots on */
	size_t bytes;          /* of the series, without their names */
	uint64_t left;         /* how many have left so far that were listed */
	struct names names;
	struct series_caps caps; /* counts the series by site */
};

#define SERIES_TABLE_INIT {.names = NAMES_INIT}

/* Frees the table and whatever series are left, referenced or not. */
void series_table_fini(struct series_table *t);

/* The series of this fingerprint, or NULL. */
struct series *series_table_get(const struct series_table *t, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES]);

/* *out: the series of this fingerprint, with one more reference. 1; 0 when there is none; -1 with ERR_REJECT when its kind or site is not id's. */
int series_table_find(struct series_table *t, const struct series_id *id, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES],
		      struct series **out, struct err *err);

/* The same; made from a copy of id when it is new, whatever the caps say. NULL with ERR_REJECT as above, or ERR_FATAL when memory is short. */
struct series *series_table_take(struct series_table *t, const struct series_id *id,
				 const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES], struct err *err);

/* Makes room for n series in all. -1 when memory is short. */
int series_table_reserve(struct series_table *t, size_t n);

/* Brings the place where a series of this fingerprint would be found into the cache. */
void series_table_prefetch(const struct series_table *t, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES]);

/* Gives one reference back; s may be gone afterwards. */
void series_table_drop(struct series_table *t, struct series *s);

/* Walks all series in no order: *at starts at 0; NULL ends. The table must not change meanwhile. */
struct series *series_table_next(const struct series_table *t, size_t *at);

/* What a series is called; its strings borrow the table's, its tags are written to tags. */
struct series_id series_id_of(const struct series *s, struct tag tags[SERIES_TAGS_MAX]);

/* What a series takes: its part of bytes. */
size_t series_bytes(const struct series *s);

/* Bytes allocated, names included. */
size_t series_table_bytes(const struct series_table *t);

#endif
