/* statsd.h - what StatsD and DogStatsD clients send, read where it lies.
 *
 * A datagram is lines, a line is a metric, an event or a service check:
 *     name:value[:value..]|type[|@rate][|#tag,key:value,..][|c:container][|e:external][|card:..][|Tseconds]
 *     _e{title length,text length}:title|text..     _sc|name|status..
 * Types: c counter, g gauge (a signed number adds to it, as in StatsD), ms and h and d distributions, s set. Several values of a line
 * (DogStatsD 1.1) share all the rest; values of a set cannot be told from a member with colons, which a member may contain, so a set has
 * one. @rate weighs each value of counters and distributions by round(1 / rate), an integer; gauges and sets are not weighed. T is
 * honoured, whatever the type; container, external data, cardinality and fields of a later day are skipped.
 * A line is taken as a whole or not at all. Pure: no state, no allocation, nothing is copied; bytes are hostile. */
#ifndef MILLRACE_AGENT_STATSD_H
#define MILLRACE_AGENT_STATSD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"
#include "ingest/agent/cause.h"

enum { STATSD_WEIGHT_MAX = 1000000 }; /* what one value may stand for */

enum statsd_what { STATSD_END, STATSD_METRIC, STATSD_EVENT, STATSD_SERVICE_CHECK, STATSD_REFUSED };

enum statsd_kind { STATSD_COUNTER, STATSD_GAUGE, STATSD_GAUGE_ADD, STATSD_DISTRIBUTION, STATSD_SET };

/* A metric's line, good as a whole; its strings are the datagram's. */
struct statsd_metric {
	enum statsd_kind kind;
	uint32_t weight;    /* 1 without a rate */
	int64_t t_ms;       /* 0: the time of receipt */
	struct str name;    /* 1 to 255 bytes, as they came: label.h says what becomes of them */
	struct str tags;    /* behind `|#`, as they came; empty: none */
	struct str member;  /* of a set */
	double value;       /* the first one */
	struct str values;  /* the text of the others, for statsd_value(); each of them good */
};

/* Takes the next line off *rest (empty ones are passed over) and says what it is: STATSD_METRIC with *out, STATSD_REFUSED with *why,
 * STATSD_END when nothing is left. */
enum statsd_what statsd_next(struct str *rest, struct statsd_metric *out, enum cause *why);

/* The line's next value behind the first: takes it off m->values and puts it into m->value. False: there is none. */
bool statsd_value(struct statsd_metric *m);

#endif
