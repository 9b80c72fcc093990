/* otlp_metrics_points.h - data points of OTLP's five kinds. Only otlp_metrics.c includes this. */
#ifndef MILLRACE_INGEST_OTLP_METRICS_POINTS_H
#define MILLRACE_INGEST_OTLP_METRICS_POINTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/series.h"
#include "ingest/otlp.h"
#include "ingest/otlp_buckets.h"
#include "ingest/payload.h"
#include "ingest/pb_reader.h"

/* The metric's data, by its field's number. */
enum otlp_metrics_data {
	OTLP_METRICS_NONE = 0,
	OTLP_METRICS_GAUGE = 5,
	OTLP_METRICS_SUM = 7,
	OTLP_METRICS_HISTOGRAM = 9,
	OTLP_METRICS_EXPONENTIAL = 10,
	OTLP_METRICS_SUMMARY = 11,
};

enum { OTLP_METRICS_INHERITED_MAX = 2 * OTLP_RESOURCE_TAGS_MAX };

/* Tags that many points have. */
struct otlp_metrics_tags {
	struct tag tags[OTLP_METRICS_INHERITED_MAX];
	size_t len;
};

struct otlp_metrics_parser {
	struct pb_reader reader;
	struct payload *payload;
	const struct otlp_rules *rules;

	struct otlp_metrics_tags resource, scope;
	struct otlp_metrics_tags *into; /* the one of them that is being read */

	/* Of the metric that is being read: what its first pass found. */
	struct str name;
	enum otlp_metrics_data data; /* the one that stands there last */
	const uint8_t *data_from;    /* where it begins to be the last */
	int64_t aggregation;         /* AggregationTemporality */
	bool monotonic;
	bool untold;                 /* aggregation says neither delta nor cumulative, and should */
	bool reading;                /* what is read counts: it is not replaced by other data behind it */
	struct payload_metric metric;
	struct otlp_metrics_tags inherited;

	/* Of the point that is being read. */
	struct tag tags[SERIES_TAGS_MAX + 1]; /* the last one only shows that there were too many */
	size_t tags_len;
	struct payload_point point;
	struct payload_figures figures;
	bool has_sum, sum_estimated;
	int64_t flags;
	struct otlp_words bounds, buckets; /* of an explicit histogram */
	struct otlp_counts counts, neg_counts;
	struct otlp_counts *side; /* the one of them that is being read, and its offset */
	int64_t *side_offset;
	struct otlp_layout layout; /* of the last bounds */

	uint32_t resources_len, scopes_len, metrics_len, points_len, attributes_len; /* elements so far, with the one being read */
	uint32_t metrics_before; /* in other scopes */
};

/* The parser that a reader begins. */
static inline struct otlp_metrics_parser *otlp_metrics_parser_of(struct pb_reader *r)
{
	return (struct otlp_metrics_parser *)r;
}

/* Notes that the payload's memory was short at this place; always NULL. */
const uint8_t *otlp_metrics_no_memory(struct otlp_metrics_parser *ps, const uint8_t *at);

/* Reads a KeyValue, behind its field's key: its key as a tag may be called, its value as long as one may be. */
const uint8_t *otlp_metrics_read_tag(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end, struct tag *out);

/* s with '_' for each byte that a name may not have: itself or a copy. p is NULL when memory is short. */
struct str otlp_metrics_name(struct otlp_metrics_parser *ps, struct str s);

/* Reads a data point of the metric's kind of data, behind its field's key, and hands it to the judge. */
const uint8_t *otlp_metrics_read_number(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end);
const uint8_t *otlp_metrics_read_histogram(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end);   /* see above */
const uint8_t *otlp_metrics_read_exponential(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end); /* see above */
const uint8_t *otlp_metrics_read_summary(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end);     /* see above */

#endif
