/* tail_line.h - a record of any of our topics as one line: for a person, or as JSON. Not thread-safe. */
#ifndef MILLRACE_CTL_TAIL_LINE_H
#define MILLRACE_CTL_TAIL_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"
#include "deploy/ctl/record_any.h"

/* How lines are written, and of which records. */
struct tail_style {
	bool json;
	bool colour;       /* for a person at a terminal */
	const char *site;  /* only records with a field site that is this; NULL: all. Borrowed */
	const char *name;  /* likewise with a field name */
};

/* A record as Kafka gives it. value.p NULL: none, a deletion of its key. All borrowed. */
struct tail_record {
	const char *topic;
	int32_t partition;
	int64_t offset;
	int64_t at_ms; /* Kafka's time of it; below 0: none */
	struct str key, value;
};

enum tail_verdict { TAIL_SHOWN, TAIL_OTHER, TAIL_UNREAD };

/* Appends the line of a record, with its newline, to out: TAIL_SHOWN; TAIL_UNREAD: the line says why it cannot be read, also when a site or name is asked for;
 * TAIL_OTHER: it is not wanted, nothing is appended. -1 with *err set: memory. */
int tail_line(struct record_reader *reader, const struct tail_style *style, const struct tail_record *record, struct buf *out, struct err *err);

#endif
