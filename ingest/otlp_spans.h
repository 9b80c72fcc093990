/* otlp_spans.h - what the spans of a request come to: transactions, with the spans inside of them, and errors.
 *
 * A request may hold pieces of many traces, in any order, and only what is in it is known: a span whose parent came with another request stands
 * alone. A span belongs to the nearest transaction among its ancestors. */
#ifndef MILLRACE_INGEST_OTLP_SPANS_H
#define MILLRACE_INGEST_OTLP_SPANS_H

#include "ingest/otlp_scope.h"

enum { OTLP_TRACE_ID_BYTES = 16, OTLP_SPAN_ID_BYTES = 8 };

enum otlp_span_kind { OTLP_SPAN_UNSPECIFIED, OTLP_SPAN_INTERNAL, OTLP_SPAN_SERVER, OTLP_SPAN_CLIENT, OTLP_SPAN_PRODUCER, OTLP_SPAN_CONSUMER };

/* What happened in a span: its attributes say more. */
struct otlp_span_event {
	uint64_t t_ns;
	struct str name;
	struct tag *attributes;
	size_t attributes_len;
	uint32_t index; /* in its span */
};

/* A span that is sound. The decoder fills it up to scope. */
struct otlp_span {
	uint8_t trace_id[OTLP_TRACE_ID_BYTES], span_id[OTLP_SPAN_ID_BYTES], parent_id[OTLP_SPAN_ID_BYTES];
	bool has_parent, failed;
	int32_t kind; /* an enum otlp_span_kind, or none of them */
	uint32_t index; /* in the request */
	uint64_t start_ns, end_ns; /* in this order */
	struct str name;
	struct tag *attributes;
	struct otlp_span_event *events;
	size_t attributes_len, events_len;
	struct otlp_scope *scope;

	struct otlp_span *next;    /* in the request */
	struct otlp_span *chained; /* in the table of ids */
	struct otlp_span *parent;
	struct otlp_span *owner;   /* its transaction, itself when it is one */
	struct otlp_span *inner;   /* of a transaction: the spans that it owns .. */
	struct otlp_span *sibling; /* .. in a list, the last first */
	size_t inner_len;
	int walk; /* whether owner is known */
	bool in_error; /* an error tells of it */
};

struct otlp_spans {
	struct otlp_span *first, *last;
	size_t len;
};

/* A span of the request, zeroed but for its index, appended to all. NULL when memory is short. */
struct otlp_span *otlp_spans_add(struct otlp_spans *all, struct arena *arena);

/* Turns the spans into events of p, and counts those that are none. -1 when memory is short. */
int otlp_spans_settle(struct otlp_spans *all, struct payload *p, const struct otlp_rules *rules);

#endif
