/* otlp_text.h - what a request of OTLP came to, as lines that a test can state: one an event, rejections, and the figures.
 *
 *   error spans[0] t=-1000 A/web/host/env/rev tags{k=v} series{k=v} Class: message frames[file:1 fn] params{k=v} crumbs[-5 name{k=v}]
 *   transaction spans[1] t=-1000 A/web/host/env/rev tags{} series{} <id> 1.5ms failed [<id> of <parent> name 0.5+1{k=v}]
 * Times are relative to NOW_MS; what is empty at the end of a line is left out. */
#ifndef MILLRACE_TESTS_OTLP_TEXT_H
#define MILLRACE_TESTS_OTLP_TEXT_H

#include "common/series.h"
#include "ingest/otlp.h"
#include "tests/unit/ingest/payloads.h"

/* Tests of the decoders have rules of their own. */
static const struct otlp_rules otlp_test_rules = {
	.resource_tags = {{"service.name", 12}, {"deployment.environment", 22}, {"host.name", 9}, {"action", 6}, {"tier", 4}},
	.resource_tags_len = 5,
};

static inline void text_tags(struct buf *out, const char *name, const struct tag *tags, size_t len)
{
	if (len)
		buf_printf(out, "%s{", name);
	for (size_t i = 0; i < len; i++)
		buf_printf(out, "%s" STR_FMT "=" STR_FMT, i ? "," : "", STR_ARG(tags[i].key), STR_ARG(tags[i].value));
	if (len)
		buf_printf(out, "}");
}

static inline void text_error(struct buf *out, const struct error_detail *e)
{
	buf_printf(out, " " STR_FMT ": " STR_FMT, STR_ARG(e->class), STR_ARG(e->message));
	for (size_t i = 0; i < e->backtrace_len; i++)
		buf_printf(out, " at " STR_FMT ":%d " STR_FMT "%s", STR_ARG(e->backtrace[i].file), (int)e->backtrace[i].line,
			   STR_ARG(e->backtrace[i].function), e->backtrace[i].in_app ? "!" : "");
	text_tags(out, " params", e->params, e->params_len);
	for (size_t i = 0; i < e->breadcrumbs_len; i++) {
		const struct breadcrumb *b = &e->breadcrumbs[i];

		buf_printf(out, " crumb[%lld " STR_FMT "/" STR_FMT "/" STR_FMT, (long long)(b->t - NOW_MS), STR_ARG(b->category),
			   STR_ARG(b->action), STR_ARG(b->message));
		text_tags(out, " ", b->metadata, b->metadata_len);
		buf_printf(out, "]");
	}
}

static inline void text_transaction(struct buf *out, const struct transaction_detail *t)
{
	buf_printf(out, " " STR_FMT " %gms%s", STR_ARG(t->id), t->duration_ms, t->failed ? " failed" : "");
	for (size_t i = 0; i < t->spans_len; i++) {
		const struct transaction_span *s = &t->spans[i];

		buf_printf(out, " [" STR_FMT " of " STR_FMT " " STR_FMT " %g+%g", STR_ARG(s->id), STR_ARG(s->parent_id), STR_ARG(s->name),
			   s->start_ms, s->duration_ms);
		text_tags(out, " ", s->tags, s->tags_len);
		buf_printf(out, "]");
	}
}

static inline void text_event(struct buf *out, const struct payload_event *e)
{
	const struct event *v = &e->event;

	buf_printf(out, "%s %s[%u] t=%lld " STR_FMT "/" STR_FMT "/" STR_FMT "/" STR_FMT "/" STR_FMT, payload_event_name(e->kind), e->list,
		   (unsigned)e->index, (long long)(v->t - NOW_MS), STR_ARG(v->action), STR_ARG(v->namespace), STR_ARG(v->host),
		   STR_ARG(v->environment), STR_ARG(v->revision));
	text_tags(out, " tags", v->tags, v->tags_len);
	text_tags(out, " series", e->series_tags, e->series_tags_len);
	if (v->has_error)
		text_error(out, &v->error);
	if (v->has_transaction)
		text_transaction(out, &v->transaction);
	buf_printf(out, "%s\n", v->shortened ? " shortened" : "");
}

/* All of p; buf_fini() it. NUL-terminated. */
static inline struct buf text_payload(const struct payload *p)
{
	struct buf out = BUF_INIT;
	char rejected[4096];

	for (size_t i = 0; i < p->events_len; i++)
		text_event(&out, &p->events[i]);
	if (p->rejections_len)
		buf_printf(&out, "rejected %s\n", rejections(p, rejected, sizeof(rejected)));
	buf_printf(&out, "%llu = %llu + %llu, ignored %llu + %llu", (unsigned long long)p->received, (unsigned long long)p->accepted,
		   (unsigned long long)p->rejected, (unsigned long long)p->ignored[PAYLOAD_IGNORED_SPAN],
		   (unsigned long long)p->ignored[PAYLOAD_IGNORED_LOG]);
	buf_add(&out, "", 1);
	ck_assert(!buf_failed(&out));
	return out;
}

/* Parses at NOW_MS; payload and arena are the caller's. */
static inline int otlp_test_parse(struct str body, struct payload *p, struct arena *arena, struct refusal *no,
				  int (*parse)(struct str, struct payload *, const struct otlp_rules *, struct refusal *))
{
	*no = (struct refusal){.reason = NR_REASONS};
	payload_init(p, arena, NOW_MS);
	return parse(body, p, &otlp_test_rules, no);
}

#endif
