/* letter_value.h - what a dead letter's record says, for a person: JSON where its schema is known, else bytes. */
#ifndef MILLRACE_CTL_LETTER_VALUE_H
#define MILLRACE_CTL_LETTER_VALUE_H

#include <stdbool.h>
#include <stdio.h>

#include "common/codec.h"
#include "common/str.h"
#include "deploy/ctl/json_write.h"

/* The name of the schema that a value says it is of, or NULL. */
const char *letter_value_schema(struct str value);

/* Writes the value as the object "key": an Aggregate, a SampleBatch, an EventBatch, an Exemplar, an AlertEvent or an Incident. False, and nothing is
 * written, when it is something else or cannot be decoded. Numbers that are not finite become texts. */
bool letter_value_write(struct json_writer *w, const char *key, struct str value);

/* A list of {key, value}: a record's tags, whatever they say. */
void letter_value_write_tags(struct json_writer *w, const char *key, const struct tag *tags, size_t nr);

/* A number, or a text where it is not finite. */
void letter_value_write_number(struct json_writer *w, const char *key, double v);

/* Text that holds the bytes in hexadecimal. */
void letter_value_write_hex(struct json_writer *w, const char *key, struct str bytes);

/* Prints bytes sixteen a line: where, hexadecimal, printable ASCII. No more than max of them. */
void letter_value_dump(FILE *out, struct str bytes, size_t max);

#endif
