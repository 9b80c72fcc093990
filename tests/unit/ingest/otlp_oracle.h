/* otlp_oracle.h - what OTLP's traces and logs mean, said another way: protobuf-c unpacks, and a model without cleverness makes events of it.
 *
 * Parents are looked for span by span, owners by climbing; whole lists are sorted at the end. It shares with the decoder the structs of events, and no
 * code. Requests must be small, and of a key a list may have one. */
#ifndef MILLRACE_TESTS_OTLP_ORACLE_H
#define MILLRACE_TESTS_OTLP_ORACLE_H

#include <stdarg.h>

#include "pb/otlp_events.pb-c.h"
#include "tests/unit/ingest/otlp_text.h"

enum { ORACLE_SPANS_MAX = 200, ORACLE_TAGS_MAX = 64 };

struct oracle_tags {
	struct tag *tags;
	size_t len;
};

/* Where a span or a record stands. */
struct oracle_place {
	const Otlp__Resource *resource;
	const Otlp__Scope *scope;
};

struct oracle_span {
	const Otlp__Span *span;
	struct oracle_place place;
	uint32_t index;
	int parent, owner; /* places in the list, or -1 */
	struct str action;
};

struct oracle {
	struct payload *p;
	struct oracle_span spans[ORACLE_SPANS_MAX];
	int len;
};

static inline struct str oracle_print(struct oracle *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline struct str oracle_print(struct oracle *o, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return arena_str(o->p->arena, str_from(text));
}

static inline struct str oracle_json(struct oracle *o, const Otlp__AnyValue *v);

static inline struct str oracle_pairs(struct oracle *o, const Otlp__KeyValueList *list)
{
	struct str all = STR("");

	for (size_t i = 0; i < list->n_values; i++) {
		struct str v = oracle_json(o, list->values[i]->value);

		all = oracle_print(o, STR_FMT "%s\"%s\":" STR_FMT, STR_ARG(all), i ? "," : "", list->values[i]->key, STR_ARG(v));
	}
	return oracle_print(o, "{" STR_FMT "}", STR_ARG(all));
}

static inline struct str oracle_json(struct oracle *o, const Otlp__AnyValue *v)
{
	struct str all = STR("");

	switch (v ? v->value_case : OTLP__ANY_VALUE__VALUE__NOT_SET) {
	case OTLP__ANY_VALUE__VALUE_STRING_VALUE:
		return oracle_print(o, "\"%s\"", v->string_value);
	case OTLP__ANY_VALUE__VALUE_BOOL_VALUE:
		return str_from(v->bool_value ? "true" : "false");
	case OTLP__ANY_VALUE__VALUE_INT_VALUE:
		return oracle_print(o, "%lld", (long long)v->int_value);
	case OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE:
		return oracle_print(o, "%g", v->double_value);
	case OTLP__ANY_VALUE__VALUE_BYTES_VALUE:
		ck_assert(v->bytes_value.len == 3 && memcmp(v->bytes_value.data, "\xff\x00\x7f", 3) == 0);
		return STR("\"/wB/\"");
	case OTLP__ANY_VALUE__VALUE_KVLIST_VALUE:
		return oracle_pairs(o, v->kvlist_value);
	case OTLP__ANY_VALUE__VALUE_ARRAY_VALUE:
		for (size_t i = 0; i < v->array_value->n_values; i++) {
			struct str element = oracle_json(o, v->array_value->values[i]);

			all = oracle_print(o, STR_FMT "%s" STR_FMT, STR_ARG(all), i ? "," : "", STR_ARG(element));
		}
		return oracle_print(o, "[" STR_FMT "]", STR_ARG(all));
	default:
		return STR("null");
	}
}

/* As JSON, but that texts and bytes stand without quotes and nothing is nothing. */
static inline struct str oracle_value(struct oracle *o, const Otlp__AnyValue *v)
{
	struct str s = oracle_json(o, v);

	if (str_eq(s, STR("null")))
		return STR("");
	return s.p[0] == '"' ? (struct str){s.p + 1, s.len - 2} : s;
}

static inline struct str oracle_find(struct oracle *o, Otlp__KeyValue *const *list, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i]->key, key) == 0)
			return oracle_value(o, list[i]->value);
	return STR("");
}

static inline struct str oracle_of_resource(struct oracle *o, struct oracle_place at, const char *key)
{
	return at.resource ? oracle_find(o, at.resource->attributes, at.resource->n_attributes, key) : STR("");
}

static inline struct oracle_tags oracle_tags_new(struct oracle *o)
{
	return (struct oracle_tags){arena_calloc(o->p->arena, ORACLE_TAGS_MAX, sizeof(struct tag)), 0};
}

static inline void oracle_put(struct oracle_tags *all, struct str key, struct str value)
{
	for (size_t i = 0; i < all->len; i++)
		if (str_eq(all->tags[i].key, key))
			return;
	ck_assert_uint_lt(all->len, ORACLE_TAGS_MAX);
	all->tags[all->len++] = (struct tag){key, value};
}

static inline int oracle_by_key(const void *a, const void *b)
{
	return str_cmp(((const struct tag *)a)->key, ((const struct tag *)b)->key);
}

static inline void oracle_sort(struct oracle_tags *all)
{
	qsort(all->tags, all->len, sizeof(*all->tags), oracle_by_key);
}

/* prefix: keys that begin so are left out; NULL: none. */
static inline void oracle_put_all(struct oracle *o, struct oracle_tags *all, Otlp__KeyValue *const *list, size_t n, const char *prefix)
{
	for (size_t i = 0; i < n; i++)
		if (!prefix || strncmp(list[i]->key, prefix, strlen(prefix)) != 0)
			oracle_put(all, str_from(list[i]->key), oracle_value(o, list[i]->value));
}

static inline void oracle_describe(struct oracle *o, struct oracle_place at, struct oracle_tags extra, struct payload_event *e)
{
	static const char *const wanted[] = {"service.name", "deployment.environment", "action", "tier"};
	static const char *const few[] = {"service.name", "service.version"};
	struct oracle_tags tags = oracle_tags_new(o), series = oracle_tags_new(o);

	for (size_t i = 0; i < NR(wanted); i++) {
		struct str value = at.scope ? oracle_find(o, at.scope->attributes, at.scope->n_attributes, wanted[i]) : STR("");

		if (!value.len)
			value = oracle_of_resource(o, at, wanted[i]);
		if (value.len)
			oracle_put(&series, str_from(wanted[i]), value);
	}
	for (size_t i = 0; i < series.len; i++)
		oracle_put(&tags, series.tags[i].key, series.tags[i].value);
	for (size_t i = 0; i < NR(few); i++)
		if (oracle_of_resource(o, at, few[i]).len)
			oracle_put(&tags, str_from(few[i]), oracle_of_resource(o, at, few[i]));
	for (size_t i = 0; i < extra.len; i++)
		oracle_put(&tags, extra.tags[i].key, extra.tags[i].value);
	oracle_sort(&series);
	oracle_sort(&tags);
	e->series_tags = series.tags;
	e->series_tags_len = series.len;
	e->event.tags = tags.tags;
	e->event.tags_len = tags.len;
	e->event.host = oracle_of_resource(o, at, "host.name");
	e->event.environment = oracle_of_resource(o, at, "deployment.environment");
	e->event.revision = oracle_of_resource(o, at, "service.version");
}

static inline struct str oracle_hex(struct oracle *o, ProtobufCBinaryData id)
{
	char text[64] = "";

	for (size_t i = 0; i < id.len; i++)
		snprintf(text + 2 * i, 3, "%02x", id.data[i]);
	return arena_str(o->p->arena, str_from(text));
}

static inline bool oracle_is_exception(struct oracle *o, Otlp__KeyValue *const *list, size_t n)
{
	return oracle_find(o, list, n, "exception.type").len || oracle_find(o, list, n, "exception.message").len;
}

/* What an exception's own attributes say. */
static inline void oracle_fill_error(struct oracle *o, struct payload_event *e, Otlp__KeyValue *const *list, size_t n, struct str body,
				     struct oracle_tags params)
{
	struct error_detail *d = &e->event.error;
	struct str function = oracle_find(o, list, n, "code.function");

	e->kind = PAYLOAD_ERROR;
	e->event.has_error = true;
	d->class = oracle_find(o, list, n, "exception.type");
	if (!d->class.len)
		d->class = STR("exception");
	d->message = oracle_find(o, list, n, "exception.message");
	if (!d->message.len)
		d->message = body;
	oracle_sort(&params);
	d->params = params.tags;
	d->params_len = params.len;
	if (!function.len)
		return;
	d->backtrace = arena_alloc(o->p->arena, sizeof(*d->backtrace));
	d->backtrace[0] = (struct backtrace_frame){.file = STR(""), .function = function, .in_app = true};
	d->backtrace_len = 1;
}

static inline bool oracle_is_transaction(const Otlp__Span *s)
{
	return s->kind == 2 || s->kind == 5 || s->parent_span_id.len == 0;
}

static inline struct str oracle_namespace(const Otlp__Span *s)
{
	return s->kind == 2 ? STR("web") : STR("background");
}

static inline bool oracle_same(ProtobufCBinaryData a, ProtobufCBinaryData b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static inline struct str oracle_action(struct oracle *o, const Otlp__Span *s)
{
	struct str route = oracle_find(o, s->attributes, s->n_attributes, "http.route");
	struct str method = oracle_find(o, s->attributes, s->n_attributes, "http.request.method");

	if (!method.len)
		method = oracle_find(o, s->attributes, s->n_attributes, "http.method");
	if (!oracle_is_transaction(s))
		return str_from(s->name);
	if (route.len)
		return method.len ? oracle_print(o, STR_FMT " " STR_FMT, STR_ARG(method), STR_ARG(route)) : route;
	return str_from(s->name[0] ? s->name : "unknown");
}

static inline void oracle_take_span(struct oracle *o, const Otlp__Span *s, struct oracle_place place, uint32_t index)
{
	if (s->trace_id.len != 16 || s->span_id.len != 8 || (s->parent_span_id.len != 0 && s->parent_span_id.len != 8)) {
		payload_reject(o->p, "spans", index, -1, REASON_ID_INVALID, 1);
	} else if (s->end_time_unix_nano < s->start_time_unix_nano) {
		payload_reject(o->p, "spans", index, -1, REASON_DURATION_INVALID, 1);
	} else {
		ck_assert_int_lt(o->len, ORACLE_SPANS_MAX);
		o->spans[o->len++] = (struct oracle_span){s, place, index, -1, -1, oracle_action(o, s)};
	}
}

static inline void oracle_find_parents(struct oracle *o)
{
	for (int i = 0; i < o->len; i++)
		for (int k = o->len - 1; k >= 0; k--)
			if (oracle_same(o->spans[k].span->trace_id, o->spans[i].span->trace_id) &&
			    oracle_same(o->spans[k].span->span_id, o->spans[i].span->parent_span_id))
				o->spans[i].parent = k;
	for (int i = 0; i < o->len; i++)
		for (int at = i, steps = 0; at >= 0 && steps <= o->len; at = o->spans[at].parent, steps++)
			if (oracle_is_transaction(o->spans[at].span)) {
				o->spans[i].owner = at;
				break;
			}
}

/* Events of a span by time, in a list of their own. */
static inline Otlp__Event **oracle_events_by_time(struct oracle *o, const Otlp__Span *s)
{
	Otlp__Event **sorted = arena_calloc(o->p->arena, s->n_events + 1, sizeof(Otlp__Event *));

	for (size_t i = 0; i < s->n_events; i++) {
		size_t at = i;

		for (; at && sorted[at - 1]->time_unix_nano > s->events[i]->time_unix_nano; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = s->events[i];
	}
	return sorted;
}

static inline void oracle_add_crumb(struct oracle *o, struct error_detail *d, const Otlp__Event *e, int64_t error_t_ms)
{
	struct oracle_tags metadata = oracle_tags_new(o);

	oracle_put_all(o, &metadata, e->attributes, e->n_attributes, NULL);
	oracle_sort(&metadata);
	d->breadcrumbs[d->breadcrumbs_len++] = (struct breadcrumb){
		.t = e->time_unix_nano ? (int64_t)(e->time_unix_nano / 1000000) : error_t_ms,
		.category = STR("event"), .action = str_from(e->name), .message = STR(""), .metadata = metadata.tags, .metadata_len = metadata.len};
}

/* How many errors it came to. */
static inline int oracle_errors(struct oracle *o, const struct oracle_span *at)
{
	const Otlp__Span *s = at->span, *owner = at->owner >= 0 ? o->spans[at->owner].span : NULL;
	Otlp__Event **events = oracle_events_by_time(o, s);
	int errors = 0;

	for (size_t i = 0; i < s->n_events; i++) {
		struct payload_event e = {.list = "spans", .index = at->index};
		struct oracle_tags params = oracle_tags_new(o), extra = oracle_tags_new(o);
		uint64_t t_ns = events[i]->time_unix_nano ? events[i]->time_unix_nano : s->end_time_unix_nano;

		if (!oracle_is_exception(o, events[i]->attributes, events[i]->n_attributes))
			continue;
		e.event.t = (int64_t)(t_ns / 1000000);
		e.event.action = owner ? o->spans[at->owner].action : str_from(s->name);
		e.event.namespace = owner ? oracle_namespace(owner) : STR("");
		oracle_put_all(o, &params, events[i]->attributes, events[i]->n_attributes, "exception.");
		oracle_put_all(o, &params, s->attributes, s->n_attributes, "exception.");
		oracle_put(&extra, STR("trace_id"), oracle_hex(o, s->trace_id));
		oracle_describe(o, at->place, extra, &e);
		oracle_fill_error(o, &e, events[i]->attributes, events[i]->n_attributes, STR(""), params);
		e.event.error.breadcrumbs = arena_calloc(o->p->arena, s->n_events, sizeof(struct breadcrumb));
		for (size_t k = 0; k < i; k++)
			if (!oracle_is_exception(o, events[k]->attributes, events[k]->n_attributes))
				oracle_add_crumb(o, &e.event.error, events[k], e.event.t);
		payload_add_event(o->p, &e);
		errors++;
	}
	return errors;
}

static inline double oracle_ms(uint64_t from_ns, uint64_t to_ns)
{
	return ((double)(int64_t)(to_ns - from_ns)) / 1e6;
}

static inline void oracle_add_inner(struct oracle *o, struct transaction_detail *d, int nr, const struct oracle_span *in)
{
	struct oracle_tags tags = oracle_tags_new(o);
	const Otlp__Span *s = in->span;
	struct transaction_span inner = {.id = oracle_hex(o, s->span_id),
					 .parent_id = in->parent == nr ? STR("") : oracle_hex(o, s->parent_span_id),
					 .name = str_from(s->name),
					 .start_ms = oracle_ms(o->spans[nr].span->start_time_unix_nano, s->start_time_unix_nano),
					 .duration_ms = oracle_ms(s->start_time_unix_nano, s->end_time_unix_nano)};
	size_t at = d->spans_len++;

	oracle_put_all(o, &tags, s->attributes, s->n_attributes, NULL);
	oracle_sort(&tags);
	inner.tags = tags.tags;
	inner.tags_len = tags.len;
	for (; at && d->spans[at - 1].start_ms > inner.start_ms; at--)
		d->spans[at] = d->spans[at - 1];
	d->spans[at] = inner;
}

static inline void oracle_transaction(struct oracle *o, int nr)
{
	const struct oracle_span *at = &o->spans[nr];
	const Otlp__Span *s = at->span;
	struct payload_event e = {.kind = PAYLOAD_TRANSACTION, .list = "spans", .index = at->index};
	struct transaction_detail *d = &e.event.transaction;
	struct oracle_tags extra = oracle_tags_new(o);

	e.event.t = (int64_t)(s->start_time_unix_nano / 1000000);
	e.event.action = at->action;
	e.event.namespace = oracle_namespace(s);
	e.event.has_transaction = true;
	oracle_put_all(o, &extra, s->attributes, s->n_attributes, NULL);
	oracle_describe(o, at->place, extra, &e);
	d->id = oracle_hex(o, s->trace_id);
	d->duration_ms = oracle_ms(s->start_time_unix_nano, s->end_time_unix_nano);
	d->failed = s->status && s->status->code == 2;
	d->spans = arena_calloc(o->p->arena, ORACLE_SPANS_MAX, sizeof(*d->spans));
	for (int i = 0; i < o->len; i++)
		if (i != nr && o->spans[i].owner == nr)
			oracle_add_inner(o, d, nr, &o->spans[i]);
	payload_add_event(o->p, &e);
}

static inline void oracle_traces(struct payload *p, const Otlp__Traces *m)
{
	struct oracle *o = calloc(1, sizeof(*o));
	uint32_t index = 0;
	int errors[ORACLE_SPANS_MAX];

	o->p = p;
	for (size_t i = 0; i < m->n_resource_spans; i++)
		for (size_t k = 0; k < m->resource_spans[i]->n_scope_spans; k++) {
			const Otlp__ScopeSpans *in = m->resource_spans[i]->scope_spans[k];

			for (size_t l = 0; l < in->n_spans; l++)
				oracle_take_span(o, in->spans[l], (struct oracle_place){m->resource_spans[i]->resource, in->scope}, index++);
		}
	oracle_find_parents(o);
	for (int i = 0; i < o->len; i++)
		errors[i] = oracle_errors(o, &o->spans[i]);
	for (int i = 0; i < o->len; i++) {
		if (oracle_is_transaction(o->spans[i].span)) {
			oracle_transaction(o, i);
			continue;
		}
		p->received++;
		p->accepted++;
		p->ignored[PAYLOAD_IGNORED_SPAN] += o->spans[i].owner < 0 && !errors[i];
	}
	free(o);
}

static inline void oracle_record(struct oracle *o, const Otlp__LogRecord *r, struct oracle_place place, uint32_t index)
{
	struct payload_event e = {.list = "log_records", .index = index, .event = {.action = STR(""), .namespace = STR("")}};
	struct oracle_tags params = oracle_tags_new(o), extra = oracle_tags_new(o);
	uint64_t t_ns = r->time_unix_nano ? r->time_unix_nano : r->observed_time_unix_nano;

	if (!oracle_is_exception(o, r->attributes, r->n_attributes)) {
		o->p->received++;
		o->p->accepted++;
		o->p->ignored[PAYLOAD_IGNORED_LOG]++;
		return;
	}
	e.event.t = t_ns ? (int64_t)(t_ns / 1000000) : NOW_MS;
	if (r->severity_text[0])
		oracle_put(&extra, STR("severity"), str_from(r->severity_text));
	if (r->trace_id.len == 16)
		oracle_put(&extra, STR("trace_id"), oracle_hex(o, r->trace_id));
	if (place.scope && place.scope->name[0])
		oracle_put(&extra, STR("logger"), str_from(place.scope->name));
	oracle_put_all(o, &params, r->attributes, r->n_attributes, "exception.");
	oracle_describe(o, place, extra, &e);
	oracle_fill_error(o, &e, r->attributes, r->n_attributes, oracle_value(o, r->body), params);
	payload_add_event(o->p, &e);
}

static inline void oracle_logs(struct payload *p, const Otlp__Logs *m)
{
	struct oracle *o = calloc(1, sizeof(*o));
	uint32_t index = 0;

	o->p = p;
	for (size_t i = 0; i < m->n_resource_logs; i++)
		for (size_t k = 0; k < m->resource_logs[i]->n_scope_logs; k++) {
			const Otlp__ScopeLogs *in = m->resource_logs[i]->scope_logs[k];

			for (size_t l = 0; l < in->n_log_records; l++)
				oracle_record(o, in->log_records[l], (struct oracle_place){m->resource_logs[i]->resource, in->scope}, index++);
		}
	free(o);
}

#endif
