/* origin.h - where a record stood when it was first written, in a header of the copy that is sent again.
 *
 * A dead letter that an operator retries is a new record at a new offset. What it is known by must not change with that: the sink makes
 * an _id of a record's place, and the processor tells a repeat by it. So the copy carries the first one's place,
 * "v1 topic=T epoch=E partition=P offset=O", all numbers decimal, and a copy of a copy carries the same line.
 * A copy goes to the topic and partition of the first one and comes behind it, so a line that says anything else was not made by a retry,
 * and is refused: nobody may choose what another record is known by. Pure functions, any thread. */
#ifndef MILLRACE_ORIGIN_H
#define MILLRACE_ORIGIN_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

#define ORIGIN_HEADER "millrace-origin"

enum { ORIGIN_TOPIC_MAX = 249 /* what Kafka allows */, ORIGIN_SIZE = 384 };

/* The code of a dead letter whose origin is refused. */
#define ORIGIN_BAD_CODE "bad_origin"

struct origin {
	struct str topic; /* borrowed */
	int64_t epoch;    /* of the cell's topics; any number */
	int32_t partition;
	int64_t offset;
};

/* Writes the line into out and returns out. The topic has 1 to ORIGIN_TOPIC_MAX bytes. */
const char *origin_format(const struct origin *o, char out[ORIGIN_SIZE]);

/* Reads a line; out borrows it. ERR_REJECT when it is not exactly of the form above, or a newer version's; out is written on success only. */
int origin_parse(struct str line, struct origin *out, struct err *err);

/* Can a copy that stands at place have stood at o first? -1 with ERR_REJECT. */
int origin_check(const struct origin *o, const struct origin *place, struct err *err);

/* The origin of a record that was read, whose topic is of this epoch. 0: it carries none, it is a first one; 1: *out is written, and borrows
 * the message; -1 with ERR_REJECT: it carries what origin_parse() or origin_check() refuses, or more than one. */
int origin_of_message(const rd_kafka_message_t *message, int64_t epoch, struct origin *out, struct err *err);

#endif
