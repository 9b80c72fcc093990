/* exemplar_document.c - see exemplar_document.h.
 *
 * As with aggregates, what the record leaves unknown is absent, never null and never empty: an empty text, an empty list, line 0, no time of
 * waiting. What is a truth by its nature (failed, in_app) always stands there, but shortened, which is the exception.
 *
 * What contradicts the schema is refused: ingest lets none of it through. But nothing is that an application may say, else one of them could fill
 * deadletter and stop its cell's sink. So a breadcrumb's time that no calendar has is unknown; and of what applications call their parameters, a
 * dollar sign in front, which servers before 5.0 refuse (as in OData's "$filter"), becomes the wide one, and a NUL byte, at which BSON's keys end, the sign for
 * it. Texts go in as they are. */
#include "sink/mongo/exemplar_document.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "sink/mongo/element.h"

int exemplar_document_collection(const struct exemplar *x, enum sink_collection *out, struct err *err)
{
	const struct event *e = &x->event;
	int details = e->has_error + e->has_transaction + e->has_marker + e->has_check_in;

	if (details != 1)
		return err_set(err, ERR_REJECT, "the event has %d details, not one", details);
	*out = e->has_error ? SINK_IN_ERRORS : e->has_transaction ? SINK_IN_TRACES : e->has_marker ? SINK_IN_MARKERS : SINK_IN_CHECKINS;
	return 0;
}

/* A duration by the schema's words. */
static int check_duration(double ms, const char *what, struct err *err)
{
	return isfinite(ms) && ms >= 0 ? 0 : err_set(err, ERR_REJECT, "%s is %g", what, ms);
}

static int check_transaction(const struct transaction_detail *d, struct err *err)
{
	if (check_duration(d->duration_ms, "duration_ms", err) < 0 || check_duration(d->queue_ms, "queue_ms", err) < 0)
		return -1;
	for (size_t i = 0; i < d->spans_len; i++) {
		const struct transaction_span *span = &d->spans[i];

		if (!isfinite(span->start_ms))
			return err_set(err, ERR_REJECT, "span %zu: start_ms is %g", i, span->start_ms);
		if (check_duration(span->duration_ms, "duration_ms", err) < 0)
			return err_wrap(err, "span %zu", i);
	}
	return 0;
}

static int check(const struct exemplar *x, struct err *err)
{
	const struct event *e = &x->event;

	if (!document_is_time(e->t))
		return err_set(err, ERR_REJECT, "t is %" PRId64 ", out of range", e->t);
	if (!document_is_time(x->window_start))
		return err_set(err, ERR_REJECT, "window_start is %" PRId64 ", out of range", x->window_start);
	if (document_check_tags(e->tags, e->tags_len, err) < 0)
		return -1;
	return e->has_transaction ? check_transaction(&e->transaction, err) : 0;
}

/* A key that any server takes, borrowed until the next one. */
static struct str key_of(struct document_maker *m, struct str key)
{
	bool dollar = key.len && key.p[0] == '$';

	if (!key.len || (!dollar && !memchr(key.p, 0, key.len)))
		return key;
	buf_clear(&m->key);
	if (dollar)
		buf_add(&m->key, "\xef\xbc\x84", 3); /* U+FF04 */
	for (size_t i = dollar; i < key.len; i++) {
		if (key.p[i])
			buf_add(&m->key, &key.p[i], 1);
		else
			buf_add(&m->key, "\xe2\x90\x80", 3); /* U+2400 */
	}
	m->bytes.failed |= buf_failed(&m->key);
	return buf_str(&m->key);
}

static void put_map(struct document_maker *m, struct str name, const struct tag *tags, size_t len)
{
	struct buf *b = &m->bytes;
	size_t map;

	if (!len)
		return;
	map = element_open(b, ELEMENT_DOCUMENT, name);
	for (size_t i = 0; i < len && b->len <= DOCUMENT_MAX_BYTES; i++)
		element_put_text(b, key_of(m, tags[i].key), tags[i].value);
	element_close(b, map);
}

static void put_backtrace(struct buf *b, const struct backtrace_frame *frames, size_t len)
{
	size_t array;

	if (!len)
		return;
	array = element_open(b, ELEMENT_ARRAY, STR("backtrace"));
	for (size_t i = 0; i < len && b->len <= DOCUMENT_MAX_BYTES; i++) {
		size_t item = document_open_item(b, i);

		document_put_text(b, STR("file"), frames[i].file);
		if (frames[i].line > 0)
			element_put_int32(b, STR("line"), frames[i].line);
		document_put_text(b, STR("function"), frames[i].function);
		element_put_bool(b, STR("in_app"), frames[i].in_app);
		element_close(b, item);
	}
	element_close(b, array);
}

static void put_breadcrumbs(struct document_maker *m, const struct breadcrumb *crumbs, size_t len)
{
	struct buf *b = &m->bytes;
	size_t array;

	if (!len)
		return;
	array = element_open(b, ELEMENT_ARRAY, STR("breadcrumbs"));
	for (size_t i = 0; i < len && b->len <= DOCUMENT_MAX_BYTES; i++) {
		size_t item = document_open_item(b, i);

		if (document_is_time(crumbs[i].t))
			element_put_date(b, STR("t"), crumbs[i].t);
		document_put_text(b, STR("category"), crumbs[i].category);
		document_put_text(b, STR("action"), crumbs[i].action);
		document_put_text(b, STR("message"), crumbs[i].message);
		put_map(m, STR("metadata"), crumbs[i].metadata, crumbs[i].metadata_len);
		element_close(b, item);
	}
	element_close(b, array);
}

static void put_error(struct document_maker *m, const struct error_detail *d)
{
	struct buf *b = &m->bytes;

	document_put_text(b, STR("class"), d->class);
	document_put_text(b, STR("message"), d->message);
	put_backtrace(b, d->backtrace, d->backtrace_len);
	put_map(m, STR("params"), d->params, d->params_len);
	put_breadcrumbs(m, d->breadcrumbs, d->breadcrumbs_len);
}

static void put_spans(struct document_maker *m, const struct transaction_span *spans, size_t len)
{
	struct buf *b = &m->bytes;
	size_t array;

	if (!len)
		return;
	array = element_open(b, ELEMENT_ARRAY, STR("spans"));
	for (size_t i = 0; i < len && b->len <= DOCUMENT_MAX_BYTES; i++) {
		size_t item = document_open_item(b, i);

		document_put_text(b, STR("id"), spans[i].id);
		document_put_text(b, STR("parent_id"), spans[i].parent_id);
		document_put_text(b, STR("name"), spans[i].name);
		element_put_double(b, STR("start_ms"), spans[i].start_ms);
		element_put_double(b, STR("duration_ms"), spans[i].duration_ms);
		put_map(m, STR("tags"), spans[i].tags, spans[i].tags_len);
		element_close(b, item);
	}
	element_close(b, array);
}

static void put_transaction(struct document_maker *m, const struct transaction_detail *d)
{
	struct buf *b = &m->bytes;

	document_put_text(b, STR("id"), d->id);
	element_put_double(b, STR("duration_ms"), d->duration_ms);
	if (d->queue_ms > 0)
		element_put_double(b, STR("queue_ms"), d->queue_ms);
	element_put_bool(b, STR("failed"), d->failed);
	put_spans(m, d->spans, d->spans_len);
}

static void put_check_in(struct buf *b, const struct check_in_detail *d)
{
	document_put_text(b, STR("name"), d->name);
	element_put_text(b, STR("kind"), str_from(check_in_kind_name(d->kind)));
	element_put_text(b, STR("event"), str_from(check_in_event_name(d->event)));
}

/* A marker's revision is the one that was deployed, if it says one: a document has one field of a name. */
static void put_common(struct document_maker *m, const struct exemplar *x)
{
	struct buf *b = &m->bytes;
	const struct event *e = &x->event;
	bool deployed = e->has_marker && e->marker.revision.len;

	element_put_text(b, STR("site"), x->site);
	element_put_date(b, STR("t"), e->t);
	document_put_hex(b, STR("group"), e->group);
	document_put_text(b, STR("action"), e->action);
	document_put_text(b, STR("namespace"), e->namespace);
	document_put_text(b, STR("host"), e->host);
	document_put_text(b, STR("environment"), e->environment);
	document_put_text(b, STR("revision"), deployed ? e->marker.revision : e->revision);
	put_map(m, STR("tags"), e->tags, e->tags_len);
	if (e->shortened)
		element_put_bool(b, STR("shortened"), true);
}

static void put_detail(struct document_maker *m, const struct event *e)
{
	struct buf *b = &m->bytes;

	if (e->has_error)
		put_error(m, &e->error);
	if (e->has_transaction)
		put_transaction(m, &e->transaction);
	if (e->has_marker) {
		document_put_text(b, STR("user"), e->marker.user);
		document_put_text(b, STR("text"), e->marker.text);
	}
	if (e->has_check_in)
		put_check_in(b, &e->check_in);
}

const bson_t *exemplar_document_build(struct document_maker *m, const struct exemplar *x, const struct document_origin *origin,
				      struct err *err)
{
	uint8_t id[DOCUMENT_ID_BYTES];
	struct buf *b = &m->bytes;
	enum sink_collection collection;
	size_t doc;

	if (exemplar_document_collection(x, &collection, err) < 0 || check(x, err) < 0)
		return NULL;
	document_id(x->fingerprint, x->window_start, origin, id);
	buf_clear(b);
	doc = element_open_outermost(b);
	element_put_binary(b, STR("_id"), id, sizeof(id));
	put_common(m, x);
	put_detail(m, &x->event);
	element_close(b, doc);
	return document_finish(m, err);
}
