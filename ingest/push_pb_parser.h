/* push_pb_parser.h - what the files of the protobuf decoder share: its state, and what any of its messages may hold. Only push_pb*.c
 * include this. */
#ifndef MILLRACE_INGEST_PUSH_PB_PARSER_H
#define MILLRACE_INGEST_PUSH_PB_PARSER_H

#include <stddef.h>
#include <stdint.h>

#include "ingest/draft.h"
#include "ingest/event_draft.h"
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
	struct tag *tag; /* the map's entry that is being read */
	struct event_draft event;    /* that is being read */
	int64_t line;                /* of its frame */
	uint32_t metrics_len, truncated_len, points_len; /* elements so far, with the one being read */
	uint32_t events_len[NR_PAYLOAD_EVENT_KINDS], backtrace_len, breadcrumbs_len, spans_len; /* see above */
};

/* The parser that a reader begins. */
static inline struct push_pb_parser *push_pb_parser_of(struct pb_reader *r)
{
	return (struct push_pb_parser *)r;
}

/* Notes that the payload's memory was short at this place; always NULL. */
const uint8_t *push_pb_no_memory(struct push_pb_parser *ps, const uint8_t *at);

/* Reads a bool. */
static inline const uint8_t *push_pb_read_bool(struct push_pb_parser *ps, const uint8_t *at, const uint8_t *end, bool *out)
{
	int64_t n;

	at = pb_read_int64(&ps->reader, at, end, &n);
	*out = n != 0;
	return at;
}

/* Reads an entry of a map into tag, which is empty; either half of it may be left out. */
const uint8_t *push_pb_read_entry(struct push_pb_parser *ps, struct tag *tag, const uint8_t *at, const uint8_t *end);

#endif
