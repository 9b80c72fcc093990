/* events.h - EventBatch records for tests: each event has a number of its own, which stands in it where its kind has a text. */
#ifndef MILLRACE_TESTS_PROCESSOR_EVENTS_H
#define MILLRACE_TESTS_PROCESSOR_EVENTS_H

#include <inttypes.h>

#include "processor/exemplars.h"
#include "tests/unit/unit.h"

enum { EV_EVENTS = 8, EV_GROUPS = 3, EV_TEXT_SIZE = 24, EV_SLOW = 5 };

/* An event as the models know it. */
struct an_event {
	int64_t number;
	int64_t t_ms;
	enum exemplar_kind kind;
	int group;
	double duration_ms; /* of a transaction; few different ones, as ties matter */
};

/* A batch and what its pointers point to. */
struct ev_batch {
	struct event_batch record;
	struct event events[EV_EVENTS];
	char texts[EV_EVENTS][EV_TEXT_SIZE];
};

static inline void ev_init(struct ev_batch *b, int64_t received_ms)
{
	memset(b, 0, sizeof(*b));
	b->record = (struct event_batch){.events = b->events, .site = STR("site-a"), .received_at = received_ms};
}

static inline void ev_group(int group, uint8_t out[EXEMPLAR_FINGERPRINT_BYTES])
{
	memset(out, 0x60 + group, EXEMPLAR_FINGERPRINT_BYTES);
}

static inline void ev_add(struct ev_batch *b, const struct an_event *a)
{
	size_t i = b->record.events_len++;
	struct event *e = &b->events[i];
	struct str text;

	snprintf(b->texts[i], EV_TEXT_SIZE, "%" PRId64, a->number);
	text = str_from(b->texts[i]);
	*e = (struct event){.t = a->t_ms, .action = STR("orders#show")};
	ev_group(a->group, e->group);
	e->has_error = a->kind == EXEMPLAR_ERROR;
	e->has_transaction = a->kind == EXEMPLAR_TRANSACTION;
	e->has_marker = a->kind == EXEMPLAR_MARKER;
	e->has_check_in = a->kind == EXEMPLAR_CHECK_IN;
	if (e->has_error)
		e->error = (struct error_detail){.class = STR("Oops"), .message = text};
	if (e->has_transaction)
		e->transaction = (struct transaction_detail){.id = text, .duration_ms = a->duration_ms};
	if (e->has_marker)
		e->marker = (struct marker_detail){.revision = STR("1"), .text = text};
	if (e->has_check_in)
		e->check_in = (struct check_in_detail){.name = text, .event = (enum check_in_event)(a->number % 3)};
}

/* The number that stands in an event; -1 when it is of no kind. */
static inline int64_t ev_number(const struct event *e)
{
	struct str text = e->has_error ? e->error.message : e->has_transaction ? e->transaction.id : e->has_marker ? e->marker.text : e->check_in.name;
	char zero[EV_TEXT_SIZE];

	if (e->has_error + e->has_transaction + e->has_marker + e->has_check_in != 1)
		return -1;
	snprintf(zero, sizeof(zero), STR_FMT, STR_ARG(text));
	return strtoll(zero, NULL, 10);
}

/* A random one around now_ms, now and then far back, never before begin_ms. */
static inline struct an_event ev_random(struct unit_random *r, int64_t number, int64_t begin_ms, int64_t now_ms)
{
	int64_t back_ms = (int64_t)unit_random_below(r, unit_random_below(r, 16) ? 90000 : 90 * 60000), t_ms = now_ms - back_ms;
	uint64_t kind = unit_random_below(r, 10);

	return (struct an_event){
		.number = number,
		.t_ms = t_ms < begin_ms ? begin_ms : t_ms,
		.kind = kind < 4 ? EXEMPLAR_ERROR : kind < 8 ? EXEMPLAR_TRANSACTION : kind < 9 ? EXEMPLAR_MARKER : EXEMPLAR_CHECK_IN,
		.group = (int)unit_random_below(r, EV_GROUPS),
		.duration_ms = 0.5 + (double)unit_random_below(r, EV_SLOW),
	};
}

/* The record as it stands in Kafka. */
static inline void ev_encode(const struct ev_batch *b, struct buf *out)
{
	struct err err = ERR_INIT;

	buf_clear(out);
	ck_assert_msg(event_batch_encode(&b->record, out, &err) == 0, "%s", err.msg);
}

#endif
