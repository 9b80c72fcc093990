/* record_any.h - any record of ours, of any version, read by the text of its schema: for those who show records and do not work with them.
 *
 * A message is first read by the decoder that schemas/gen.py wrote, which is made for hostile bytes; only what that one took is given to avro-c, whose
 * generic values have all fields with their names. Not thread-safe. */
#ifndef MILLRACE_CTL_RECORD_ANY_H
#define MILLRACE_CTL_RECORD_ANY_H

#include <avro.h>
#include <stdbool.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"
#include "deploy/ctl/json_write.h"
#include "schemas/texts.h"

struct record_reader;

/* Reads no schema yet: each is, when its first record comes. NULL with *err set. */
struct record_reader *record_reader_new(struct err *err);
void record_reader_free(struct record_reader *r); /* NULL is a no-op */

/* A record that was read. Valid until the next record_read(). */
struct record_any {
	const struct schema_text *schema; /* constant */
	avro_value_t value;               /* borrowed */
};

/* Reads a message with its five bytes of header. -1 with *err set: ERR_REJECT: it is no record of ours; ERR_RETRY: its schema id is not known here, as of a
 * newer program; ERR_FATAL: memory. */
int record_read(struct record_reader *r, struct str message, struct record_any *out, struct err *err);

/* Writes a value: records and maps as objects, bytes as hexadecimal digits, times as the number that stands there (milliseconds since 1970), an enum as its symbol,
 * of a union what is in it or null; NaN and infinities, for which JSON has no numbers, as texts "NaN", "Infinity" and "-Infinity". */
void record_any_write(struct json_writer *w, const char *key, const avro_value_t *value);

/* Has a record a text field of that name, at any depth, that is text? */
bool record_any_has(const avro_value_t *value, const char *field, struct str text);

/* The main fields of a record for a person, in one line: those at its top that are no bytes, of lists how many there are. Printable; at most max bytes. */
void record_any_summary(const struct record_any *record, size_t max, struct buf *out);

#endif
