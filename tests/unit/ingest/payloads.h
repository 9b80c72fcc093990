/* payloads.h - what the tests of ingest share: decoding a body at a fixed time, and reading off what came of it. */
#ifndef MILLRACE_TESTS_PAYLOADS_H
#define MILLRACE_TESTS_PAYLOADS_H

#include <string.h>

#include "ingest/check.h"
#include "ingest/payload.h"
#include "ingest/push_json.h"
#include "tests/unit/unit.h"

#define NOW_MS INT64_C(1795372012000)
#define NOW "1795372012000"

/* A metric of this kind with these points, and a payload of these metrics. */
#define METRIC(kind, points) "{\"name\":\"m\",\"kind\":\"" kind "\",\"points\":[" points "]}"
#define PAYLOAD(metrics) "{\"metrics\":[" metrics "]}"
#define GAUGE(points) PAYLOAD(METRIC("gauge", points))
#define COUNTER(points) PAYLOAD(METRIC("counter", points))
#define DISTRIBUTION(points) PAYLOAD(METRIC("distribution", points))
#define CHECK_IN(kind, event) "{\"name\":\"n\",\"kind\":\"" kind "\",\"event\":\"" event "\"}"

struct decoded {
	struct arena arena;
	struct payload payload;
	struct refusal no;
	int rc; /* of decoding and checking the whole payload */
};

/* parse is push_json_parse or push_pb_parse. */
static inline void decode_with(struct decoded *d, struct str body, int (*parse)(struct str, struct payload *, struct refusal *))
{
	*d = (struct decoded){.arena = {.limit_bytes = 64 << 20}, .no = {.reason = NR_REASONS}};
	payload_init(&d->payload, &d->arena, NOW_MS);
	d->rc = parse(body, &d->payload, &d->no);
	if (d->rc == 0)
		d->rc = check_payload(&d->payload, &d->no);
}

static inline void decode_bytes(struct decoded *d, struct str body)
{
	decode_with(d, body, push_json_parse);
}

static inline void decode(struct decoded *d, const char *body)
{
	decode_bytes(d, str_from(body));
}

static inline void decoded_fini(struct decoded *d)
{
	arena_fini(&d->arena);
}

/* A body of n times `piece` between head and tail; free() it. */
static inline struct str repeated_text(const char *head, const char *piece, size_t n, const char *tail)
{
	size_t len = strlen(head) + n * strlen(piece) + strlen(tail);
	char *p = malloc(len + 1), *at = p;

	ck_assert_ptr_nonnull(p);
	at = stpcpy(at, head);
	while (n--)
		at = stpcpy(at, piece);
	stpcpy(at, tail);
	return (struct str){p, len};
}

/* All rejections as "metrics[0].points[1] reason, ..". */
static inline const char *rejections(const struct payload *p, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < p->rejections_len && at < size; i++) {
		const struct payload_rejection *r = &p->rejections[i];

		at += (size_t)snprintf(out + at, size - at, "%s%s[%u]", i ? ", " : "", r->list, (unsigned)r->index);
		if (r->point >= 0 && at < size)
			at += (size_t)snprintf(out + at, size - at, ".points[%lld]", (long long)r->point);
		if (at < size)
			at += (size_t)snprintf(out + at, size - at, " %s", reason_name(r->reason));
	}
	return out;
}

/* A named text, tags, a number: only where there is something. */
static inline void show_text(struct buf *out, const char *name, struct str s)
{
	if (s.len)
		buf_printf(out, " %s=" STR_FMT, name, STR_ARG(s));
}

static inline void show_tags(struct buf *out, const char *name, const struct tag *tags, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_printf(out, "%s" STR_FMT "=" STR_FMT "%s", i ? "," : name, STR_ARG(tags[i].key), STR_ARG(tags[i].value), i + 1 < len ? "" : "}");
}

static inline void show_number(struct buf *out, const char *name, double v)
{
	if (v != 0)
		buf_printf(out, " %s=%g", name, v);
}

static inline void show_error(struct buf *out, const struct error_detail *e)
{
	show_text(out, "class", e->class);
	show_text(out, "message", e->message);
	for (size_t i = 0; i < e->backtrace_len; i++) {
		const struct backtrace_frame *f = &e->backtrace[i];

		buf_printf(out, " <" STR_FMT ":%d " STR_FMT "%s>", STR_ARG(f->file), f->line, STR_ARG(f->function), f->in_app ? " app" : "");
	}
	show_tags(out, " params{", e->params, e->params_len);
	for (size_t i = 0; i < e->breadcrumbs_len; i++) {
		const struct breadcrumb *b = &e->breadcrumbs[i];

		buf_printf(out, " (%lld", (long long)(b->t - NOW_MS));
		show_text(out, "category", b->category);
		show_text(out, "action", b->action);
		show_text(out, "message", b->message);
		show_tags(out, " {", b->metadata, b->metadata_len);
		buf_printf(out, ")");
	}
}

static inline void show_transaction(struct buf *out, const struct transaction_detail *t)
{
	show_text(out, "id", t->id);
	show_number(out, "duration", t->duration_ms);
	show_number(out, "queue", t->queue_ms);
	if (t->failed)
		buf_printf(out, " failed");
	for (size_t i = 0; i < t->spans_len; i++) {
		const struct transaction_span *s = &t->spans[i];

		buf_printf(out, " (");
		show_text(out, "id", s->id);
		show_text(out, "parent", s->parent_id);
		show_text(out, "name", s->name);
		show_number(out, "start", s->start_ms);
		show_number(out, "duration", s->duration_ms);
		show_tags(out, " {", s->tags, s->tags_len);
		buf_printf(out, ")");
	}
}

/* All events, one behind the other, as the tables of tests write them; times relative to NOW_MS. buf_fini() it. */
static inline struct buf show_events(const struct payload *p)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < p->events_len; i++) {
		const struct payload_event *e = &p->events[i];
		const struct event *v = &e->event;

		buf_printf(&out, "%s%s[%u] %lld", i ? "; " : "", e->list, (unsigned)e->index, (long long)(v->t - NOW_MS));
		show_text(&out, "action", v->action);
		show_text(&out, "namespace", v->namespace);
		show_tags(&out, " {", v->tags, v->tags_len);
		if (v->has_error)
			show_error(&out, &v->error);
		if (v->has_transaction)
			show_transaction(&out, &v->transaction);
		if (v->has_marker) {
			show_text(&out, "revision", v->marker.revision);
			show_text(&out, "user", v->marker.user);
			show_text(&out, "text", v->marker.text);
		}
		if (v->has_check_in) {
			show_text(&out, "name", v->check_in.name);
			buf_printf(&out, " %s %s", check_in_kind_name(v->check_in.kind), check_in_event_name(v->check_in.event));
		}
		buf_printf(&out, "%s", v->shortened ? " shortened" : "");
	}
	return out;
}

#endif
