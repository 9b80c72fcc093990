/* series_codec.h - series in a snapshot: each string, and each pair of a tag, stands there once.
 *
 * A string or pair is a number: 0 when it comes for the first time and follows at once, else which of those that came before it is, from 1. Strings
 * (sites and names) and pairs are counted apart. Not thread-safe. */
#ifndef MILLRACE_PROCESSOR_SERIES_CODEC_H
#define MILLRACE_PROCESSOR_SERIES_CODEC_H

#include "common/codec.h"
#include "processor/series_table.h"

enum { SERIES_CODEC_BYTES_MIN = SERIES_FINGERPRINT_BYTES + 4 /* the least that a series takes */ };

/* What has been written so far; zero at the beginning. */
struct series_writer {
	uint32_t nr_strings, nr_tags;
};

/* Of each series that is going to be written, before the first one is: none of its strings has been. */
void series_codec_forget(const struct series *s);

/* Appends fingerprint, kind, site, name, tags. Failure is sticky in out. */
void series_codec_write(struct series_writer *w, const struct series *s, struct buf *out);

/* What has been read so far; zero at the beginning. Borrows the input. */
struct series_reader {
	struct str *strings; /* owned */
	struct tag *tags;    /* owned */
	size_t nr_strings, strings_cap, nr_tags, tags_cap;
};

/* Frees what was kept of it. */
void series_reader_fini(struct series_reader *sr);

/* Reads one, from hostile bytes; id borrows the input, its tags are written to tags. -1 with a fault in r, or with *err set when memory is
 * short. */
int series_codec_read(struct series_reader *sr, struct codec_reader *r, uint8_t fingerprint[SERIES_FINGERPRINT_BYTES], struct series_id *id,
		      struct tag tags[SERIES_TAGS_MAX], struct err *err);

#endif
