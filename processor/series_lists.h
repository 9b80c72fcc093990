/* series_lists.h - lists of series that have come before, by their bytes.
 *
 * An agent sends the same series with every payload, so the first field of its records is the same bytes each time, and these bytes alone lead to
 * the series: nothing of them is decoded, checked and looked up again. A list is known by XXH3-128 of its bytes with a secret seed. Whoever uses
 * one must compare the site with the record's: then a collision that someone found in spite of the seed mixes up nothing but his own.
 *
 * This is a cache, no state: it holds no reference to a series, forgets all when any series of any list has left the table (series_table.h, left), and may be
 * emptied at any time. Not thread-safe: the task owns it. */
#ifndef MILLRACE_PROCESSOR_SERIES_LISTS_H
#define MILLRACE_PROCESSOR_SERIES_LISTS_H

#include "processor/series_table.h"

/* A list that was seen. Constant. */
struct series_list {
	uint64_t hash[2];
	uint32_t nr_bytes, nr;
	struct series *series[]; /* borrowed; nr of them, all of one site */
};

struct series_lists {
	struct map by_first; /* owns the lists; by the fingerprint of their first series */
	size_t bytes;        /* of the lists */
	size_t nr_series;    /* in all of them */
	uint64_t left;       /* the table's, when the first was added */
	uint64_t seed;       /* 0: none yet */
};

#define SERIES_LISTS_INIT {.by_first = MAP_INIT}

/* Frees everything. */
void series_lists_fini(struct series_lists *l);

/* The list that body, a SampleBatch without its header, begins with, if it is known and all its series are still in table; else NULL. Brings its
 * series into the cache. */
const struct series_list *series_lists_find(struct series_lists *l, const struct series_table *table, struct str body);

/* Remembers a list: its bytes as they stand at a body's beginning, and its series, all of them in table and referenced from elsewhere. When memory is
 * short, it is not remembered. */
void series_lists_add(struct series_lists *l, const struct series_table *table, struct str bytes, struct series *const *series, size_t nr);

/* Bytes allocated. */
size_t series_lists_bytes(const struct series_lists *l);

#endif
