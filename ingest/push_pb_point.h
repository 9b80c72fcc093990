/* push_pb_point.h - a point of push_pb.c's, with its figures and its histogram. Only push_pb.c includes this. */
#ifndef MILLRACE_INGEST_PUSH_PB_POINT_H
#define MILLRACE_INGEST_PUSH_PB_POINT_H

#include <stddef.h>
#include <stdint.h>

#include "ingest/draft.h"
#include "ingest/payload.h"
#include "ingest/pb_reader.h"

/* A histogram's list while it grows. */
struct push_pb_counts {
	int64_t *p; /* in the payload's arena */
	size_t len, cap;
};

struct push_pb_parser {
	struct pb_reader reader;
	struct payload *payload;
	struct draft draft;          /* of the metric that is being read */
	struct payload_point *point; /* the draft's last */
	struct push_pb_counts counts, neg_counts; /* of the point's histogram */
	struct payload_truncation truncation;
	bool truncation_has_agent;
	struct tag *tag; /* likewise */
	uint32_t metrics_len, truncated_len, points_len, events_len[4]; /* elements so far, with the one being read */
};

/* The parser that a reader begins. */
static inline struct push_pb_parser *push_pb_parser_of(struct pb_reader *r)
{
	return (struct push_pb_parser *)r;
}

/* Notes that the payload's memory was short at this place; always NULL. */
const uint8_t *push_pb_no_memory(struct push_pb_parser *ps, const uint8_t *at);

/* Reads a Point, behind its field's key, into the draft. */
const uint8_t *push_pb_read_point(struct push_pb_parser *ps, const uint8_t *at, const uint8_t *end);

#endif
