/* series_table.h - the series that a partition's windows know, each stored once.
 *
 * A series' name and tags are long and its windows many, so windows point here. Every pointer that is kept counts as a
 * reference; a series leaves when the last one is given back. Not thread-safe: the task owns it. */
#ifndef MILLRACE_PROCESSOR_SERIES_TABLE_H
#define MILLRACE_PROCESSOR_SERIES_TABLE_H

#include "common/map.h"
#include "common/series.h"

/* One series with its strings, in one allocation. Constant but for refs and number. */
struct series {
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	struct series_id id; /* points behind this struct */
	uint32_t refs;
	uint32_t number; /* the snapshot's own, while it is being encoded */
};

struct series_table {
	struct map by_fingerprint; /* owns the series */
	size_t bytes;              /* of the series and their strings */
};

#define SERIES_TABLE_INIT {.by_fingerprint = MAP_INIT}

/* Frees the table and whatever series are left, referenced or not. */
void series_table_fini(struct series_table *t);

/* The series of this fingerprint, with one more reference; made from a copy of id when it is new. An id whose kind or site is not
 * that of the series known by this fingerprint is ERR_REJECT; ERR_FATAL when memory is short. NULL on failure. */
struct series *series_table_take(struct series_table *t, const struct series_id *id,
				 const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES], struct err *err);

/* What a series takes: its part of bytes. */
size_t series_bytes(const struct series *s);

/* Bytes allocated. */
size_t series_table_bytes(const struct series_table *t);

/* Gives one reference back; s may be gone afterwards. */
void series_table_drop(struct series_table *t, struct series *s);

#endif
