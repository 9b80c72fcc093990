/* events.h - what tests of events share: events as a decoder makes them, whole, with one of each list. */
#ifndef MILLRACE_TESTS_EVENTS_H
#define MILLRACE_TESTS_EVENTS_H

#include <string.h>

#include "ingest/event.h"
#include "tests/unit/ingest/payloads.h"

/* A copy of a C string that lives as long as the arena. */
static inline struct str copy_of(struct arena *a, const char *text)
{
	struct str s = arena_str(a, str_from(text));

	ck_assert_ptr_nonnull(s.p);
	return s;
}

/* A text of n bytes: unit again and again, behind as many x as are left over. */
static inline struct str long_text(struct arena *a, const char *unit, size_t n)
{
	char *p = arena_alloc(a, n + 1);
	size_t len = strlen(unit), at = n % len;

	ck_assert_ptr_nonnull(p);
	memset(p, 'x', at);
	for (; at < n; at += len)
		memcpy(p + at, unit, len);
	return (struct str){p, n};
}

/* n tags k0 .. with this value. */
static inline struct tag *many_tags(struct arena *a, size_t n, const char *value)
{
	struct tag *tags = arena_calloc(a, n, sizeof(*tags));
	char key[24];

	ck_assert_ptr_nonnull(tags);
	for (size_t i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "k%03zu", i);
		tags[i] = (struct tag){copy_of(a, key), copy_of(a, value)};
	}
	return tags;
}

static inline void fill_error(struct arena *a, struct error_detail *d)
{
	d->class = STR("IOError");
	d->message = STR("it broke");
	d->backtrace = arena_calloc(a, 1, sizeof(*d->backtrace));
	d->backtrace[0] = (struct backtrace_frame){STR("app/order.rb"), 12, STR("show"), true};
	d->backtrace_len = 1;
	d->params = many_tags(a, 1, "7");
	d->params_len = 1;
	d->breadcrumbs = arena_calloc(a, 1, sizeof(*d->breadcrumbs));
	d->breadcrumbs[0] = (struct breadcrumb){NOW_MS - 5, STR("net"), STR("get"), STR("asked"), many_tags(a, 1, "9"), 1};
	d->breadcrumbs_len = 1;
}

/* A good event of this kind, of now. */
static inline struct payload_event good_event(struct arena *a, enum payload_event_kind kind)
{
	static const char *const lists[] = {"errors", "transactions", "markers", "check_ins"};
	struct payload_event e = {.kind = kind, .list = lists[kind], .has_t = true};

	e.event.t = NOW_MS;
	e.event.action = STR("Orders#show");
	e.event.namespace = STR("web");
	e.event.tags = many_tags(a, 1, "1");
	e.event.tags_len = 1;
	if (kind == PAYLOAD_ERROR)
		fill_error(a, &e.event.error);
	e.event.transaction = (struct transaction_detail){.id = STR("t1"), .duration_ms = 12.5};
	e.event.transaction.spans = arena_calloc(a, 1, sizeof(*e.event.transaction.spans));
	e.event.transaction.spans[0] = (struct transaction_span){STR("s1"), STR(""), STR("sql.query"), 1, 2, many_tags(a, 1, "2"), 1};
	e.event.transaction.spans_len = 1;
	e.event.marker = (struct marker_detail){STR("v7"), STR("ann"), STR("a deploy")};
	e.event.check_in = (struct check_in_detail){STR("nightly"), CHECK_IN_KIND_CRON, CHECK_IN_EVENT_FINISH};
	return e;
}

/* A payload without anything in it. */
static inline void empty_payload(struct payload *p, struct arena *a)
{
	*a = (struct arena){.limit_bytes = 256 << 20};
	payload_init(p, a, NOW_MS);
}

#endif
