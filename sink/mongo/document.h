/* document.h - an Aggregate as the document that people query, and what documents of all kinds are made by; exemplar_document.h, alert_document.h and
 * incident_document.h are of the others.
 *
 * One document a fragment. Its _id is made of where the record stands, so that writing it twice is refused by the database and
 * everything may be repeated (sink/README.md). Fields and their order are described for readers in sink/mongo/README.md.
 * A maker keeps its buffers from one document to the next. Not thread-safe: one owner. */
#ifndef MILLRACE_SINK_MONGO_DOCUMENT_H
#define MILLRACE_SINK_MONGO_DOCUMENT_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/hist.h"
#include "schemas/schemas.h"

enum {
	DOCUMENT_ID_BYTES = 44,
	DOCUMENT_MAX_BYTES = 16 * 1024 * 1024, /* what a server takes; a larger one fails its whole batch */
};

/* Where a record stood when it was first written. A retried dead letter keeps its origin, and so its _id. */
struct document_origin {
	int64_t epoch; /* of the cell's topics */
	int32_t partition;
	int64_t offset;
};

struct document_maker {
	struct buf bytes; /* of the document that was built last */
	struct buf key;   /* of a tag, where it cannot be written as it is (exemplar_document.c) */
	bson_t *doc; /* over them; not embedded: a bson_t lies at multiples of 128 bytes */
	struct hist hist; /* merged from the record's histogram, for the percentiles */
};

/* An empty maker. Memory that is short is document_build()'s to say. */
void document_maker_init(struct document_maker *m);

/* Frees its buffers. */
void document_maker_fini(struct document_maker *m);

/* Writes the _id: fingerprint, window start, epoch, partition, offset; integers big-endian. */
void document_id(const uint8_t fingerprint[16], int64_t window_start_ms, const struct document_origin *origin,
		 uint8_t out[DOCUMENT_ID_BYTES]);

/* From 1970 to the last millisecond of the year 9999: what any reader's calendar knows. */
bool document_is_time(int64_t t_ms);

/* A text; one that is empty is absent. */
void document_put_text(struct buf *b, struct str key, struct str value);

/* 16 bytes as 32 hexadecimal digits. */
void document_put_hex(struct buf *b, struct str key, const uint8_t bytes[16]);

/* Opens the i-th document of an array; returns what element_close() takes. A list that makes the whole larger than DOCUMENT_MAX_BYTES need not be written to its
 * end: that document is refused. */
size_t document_open_item(struct buf *b, size_t i);

/* A list of texts; one without any is absent. */
void document_put_texts(struct buf *b, struct str key, const struct str *texts, size_t len);

/* Tags that document_check_tags() took, as a sub-document; absent where there are none. */
void document_put_tags(struct buf *b, const struct tag *tags, size_t len);

/* Refuses tags that make no sub-document: a key with a NUL byte, keys that are not in ascending order, or one that is doubled. -1 with *err set
 * (ERR_REJECT). */
int document_check_tags(const struct tag *tags, size_t len, struct err *err);

/* Ends the document that m->bytes holds whole, and returns it, borrowed until the next one is begun. NULL with *err set: ERR_REJECT when
 * it is too large, ERR_FATAL when memory was short on the way. */
const bson_t *document_finish(struct document_maker *m, struct err *err);

/* Builds the document of a, which must be a window of window_ms. The result is borrowed until the next call. NULL with *err set:
 * ERR_REJECT when the record contradicts its schema's words (count, window, tags, histogram) or its document is too large;
 * ERR_FATAL when memory is short. */
const bson_t *document_build(struct document_maker *m, const struct aggregate *a, int32_t window_ms,
			     const struct document_origin *origin, struct err *err);

#endif
