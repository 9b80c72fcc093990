/* event.c - see event.h.
 *
 * Functions named judge_ return the reason against something, or FINE; those named keep_ shorten and scrub.
 *
 * An event has a bound of its own, EVENT_BYTES_MAX: a payload can be split by its sender, an event cannot, and would be a 413 for ever. What matters most is
 * kept first, and lists end where the room does. All events of a payload have one, too, which is the arena's: of OTLP, thousands may share a long text that
 * the body has once, and each has it in its record.
 *
 * Memory that is short makes a keeper starved, once and for all: it is asked at the end. */
#include "ingest/event.h"

#include <math.h>
#include <string.h>

#include "common/series.h"
#include "ingest/check.h"
#include "ingest/scrub.h"

#define FINE NR_REASONS

enum {
	HEAD_BYTES = 256,         /* what an event takes beside its texts and lists, at most .. */
	ITEM_BYTES = 32,          /* .. an item of a list .. */
	TAG_BYTES = 4,            /* .. and a tag */
};

/* Of a transaction: longer than any runs, and so short that no clock tells it from none. In between lie fewer buckets than a histogram may have. */
static const double duration_end_ms = 1e12, duration_least_ms = 1e-9;

/* How much of a list of tags is kept. */
struct tags_rule {
	size_t len, value_bytes;
	bool names; /* keys are names, as a series' are */
};

static const struct tags_rule event_tags = {EVENT_TAGS_MAX, EVENT_NAME_BYTES, true};
static const struct tags_rule span_tags = {EVENT_TAGS_MAX, EVENT_VALUE_BYTES, true};
static const struct tags_rule params = {EVENT_PARAMS_MAX, EVENT_VALUE_BYTES, false};

/* An event while it is shortened. */
struct keeper {
	struct payload *payload;
	size_t left_bytes; /* of EVENT_BYTES_MAX */
	bool shortened, starved;
};

/* NaN is not. */
static bool is_duration(double ms)
{
	return ms >= 0 && ms < duration_end_ms;
}

static enum reason judge_check_in(const struct check_in_detail *c)
{
	bool whole = c->name.len && check_in_kind_name(c->kind) && check_in_event_name(c->event);

	return whole ? FINE : REASON_EVENT_FIELD_MISSING;
}

static enum reason judge_transaction(const struct event *v)
{
	if (!v->action.len)
		return REASON_EVENT_FIELD_MISSING;
	return is_duration(v->transaction.duration_ms) && is_duration(v->transaction.queue_ms) ? FINE : REASON_DURATION_INVALID;
}

/* Time first, as of samples. */
static enum reason judge_event(const struct payload *p, const struct payload_event *e)
{
	enum reason why = e->has_t ? check_time(p, e->event.t) : FINE;

	if (why != FINE)
		return why;
	switch (e->kind) {
	case PAYLOAD_ERROR: return e->event.error.class.len ? FINE : REASON_EVENT_FIELD_MISSING;
	case PAYLOAD_TRANSACTION: return judge_transaction(&e->event);
	case PAYLOAD_MARKER: return e->event.marker.revision.len ? FINE : REASON_EVENT_FIELD_MISSING;
	default: return judge_check_in(&e->event.check_in);
	}
}

static void cut(struct keeper *k, struct str *text, size_t max)
{
	if (text->len <= max)
		return;
	*text = str_cut_utf8(*text, max);
	k->shortened = true;
}

/* Cuts a text to what is left, too, and takes that off. */
static void spend(struct keeper *k, struct str *text, size_t max)
{
	cut(k, text, max < k->left_bytes ? max : k->left_bytes);
	k->left_bytes -= text->len;
}

/* Scrubs a text and cuts it to max. */
static void scrub(struct keeper *k, struct str *text, size_t max)
{
	int rc = scrub_beginning(k->payload->scrub, &k->payload->scrubbed, k->payload->arena, text, max);

	k->starved |= rc < 0;
	k->shortened |= rc > 0;
}

static void keep_text(struct keeper *k, struct str *text, size_t max)
{
	scrub(k, text, max);
	spend(k, text, max);
}

/* What the sender made up to find things by: digits, which would pass for a card's now and then, and letters of hexadecimal ones. Anything else is a text. */
static void keep_id(struct keeper *k, struct str *id)
{
	static const char plain[] = "0123456789abcdefABCDEF-";
	size_t n = 0;

	while (n < id->len && memchr(plain, id->p[n], sizeof(plain) - 1))
		n++;
	if (n < id->len)
		scrub(k, id, EVENT_NAME_BYTES);
	spend(k, id, EVENT_NAME_BYTES);
}

/* Is there room for one more item of a list? */
static bool keep_item(struct keeper *k)
{
	if (k->left_bytes < ITEM_BYTES) {
		k->shortened = true;
		return false;
	}
	k->left_bytes -= ITEM_BYTES;
	return true;
}

/* The length that is kept of a list. */
static size_t keep_len(struct keeper *k, size_t len, size_t max)
{
	k->shortened |= len > max;
	return len < max ? len : max;
}

/* A key becomes a name: other bytes become _. */
static struct str as_name(struct keeper *k, struct str key)
{
	char *copy;

	if (key.len == 0)
		return STR("_");
	if (series_name_valid(key))
		return key;
	copy = arena_alloc_raw(k->payload->arena, key.len);
	if (!copy) {
		k->starved = true;
		return STR("_");
	}
	for (size_t i = 0; i < key.len; i++)
		copy[i] = series_name_valid((struct str){key.p + i, 1}) ? key.p[i] : '_';
	return (struct str){copy, key.len};
}

static int compare_tags(const struct tag *a, const struct tag *b)
{
	int order = str_cmp(a->key, b->key);

	return order ? order : str_cmp(a->value, b->value);
}

/* By key. Of a key that stands there twice, as it may once it is cut, the lower value stays: which one came first may differ from sender to sender. */
static size_t sort_tags(struct keeper *k, struct tag *tags, size_t len)
{
	size_t kept = 0;

	for (size_t i = 1; i < len; i++) {
		struct tag t = tags[i];
		size_t j = i;

		for (; j && compare_tags(&tags[j - 1], &t) > 0; j--)
			tags[j] = tags[j - 1];
		tags[j] = t;
	}
	for (size_t i = 0; i < len; i++)
		if (!kept || !str_eq(tags[i].key, tags[kept - 1].key))
			tags[kept++] = tags[i];
	k->shortened |= kept < len;
	return kept;
}

/* Scrubbed by the keys that the sender wrote, before they are made good. */
static void keep_tags(struct keeper *k, struct tag *tags, size_t *len, const struct tags_rule *rule)
{
	*len = keep_len(k, *len, rule->len);
	for (size_t i = 0; i < *len; i++) {
		if (tags[i].value.len && scrub_key_is_secret(k->payload->scrub, tags[i].key))
			tags[i].value = STR(SCRUBBED);
		scrub(k, &tags[i].value, rule->value_bytes);
		if (!series_name_valid(tags[i].key)) /* a body that was taken for a form is one key */
			scrub(k, &tags[i].key, EVENT_NAME_BYTES);
		cut(k, &tags[i].key, EVENT_NAME_BYTES);
		if (rule->names)
			tags[i].key = as_name(k, tags[i].key);
		cut(k, &tags[i].value, rule->value_bytes);
	}
	*len = sort_tags(k, tags, *len);
	for (size_t i = 0; i < *len; i++) {
		if (k->left_bytes < tags[i].key.len + TAG_BYTES) { /* half of a key is another key */
			*len = i;
			k->shortened = true;
			return;
		}
		k->left_bytes -= tags[i].key.len + TAG_BYTES;
		spend(k, &tags[i].value, rule->value_bytes);
	}
}

static void keep_frames(struct keeper *k, struct error_detail *d)
{
	size_t len = keep_len(k, d->backtrace_len, EVENT_FRAMES_MAX);

	for (d->backtrace_len = 0; d->backtrace_len < len && keep_item(k); d->backtrace_len++) {
		struct backtrace_frame *f = &d->backtrace[d->backtrace_len];

		keep_text(k, &f->file, EVENT_NAME_BYTES);
		keep_text(k, &f->function, EVENT_NAME_BYTES);
		if (f->line < 0)
			f->line = 0;
	}
}

/* A time that no one could have meant is the error's own. */
static void keep_breadcrumb(struct keeper *k, struct breadcrumb *b, int64_t error_t_ms)
{
	b->t = b->t && check_time(k->payload, b->t) == FINE ? b->t + k->payload->shift_ms : error_t_ms;
	keep_text(k, &b->category, EVENT_NAME_BYTES);
	keep_text(k, &b->action, EVENT_NAME_BYTES);
	keep_text(k, &b->message, EVENT_MESSAGE_BYTES);
	keep_tags(k, b->metadata, &b->metadata_len, &params);
}

/* The last ones: what happened right before the error says most. */
static void keep_breadcrumbs(struct keeper *k, struct error_detail *d, int64_t error_t_ms)
{
	size_t len = keep_len(k, d->breadcrumbs_len, EVENT_BREADCRUMBS_MAX);
	struct breadcrumb *first = d->breadcrumbs + d->breadcrumbs_len;

	for (d->breadcrumbs_len = 0; d->breadcrumbs_len < len && keep_item(k); d->breadcrumbs_len++)
		keep_breadcrumb(k, --first, error_t_ms);
	d->breadcrumbs = first;
}

static bool is_span(const struct transaction_span *s)
{
	return isfinite(s->start_ms) && isfinite(s->duration_ms) && s->duration_ms >= 0;
}

/* One without a place in time says nothing, and is no reason to lose the others. */
static void keep_spans(struct keeper *k, struct transaction_detail *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->spans_len && kept < EVENT_SPANS_MAX; i++) {
		struct transaction_span *s = &d->spans[kept];

		if (!is_span(&d->spans[i]))
			continue;
		if (!keep_item(k))
			break;
		*s = d->spans[i];
		keep_id(k, &s->id);
		keep_id(k, &s->parent_id);
		keep_text(k, &s->name, EVENT_NAME_BYTES);
		keep_tags(k, s->tags, &s->tags_len, &span_tags);
		kept++;
	}
	d->spans_len = keep_len(k, d->spans_len, kept);
}

/* What can be long comes after what is always short. */
static void keep_detail(struct keeper *k, struct payload_event *e)
{
	struct event *v = &e->event;

	switch (e->kind) {
	case PAYLOAD_ERROR:
		keep_frames(k, &v->error);
		keep_tags(k, v->error.params, &v->error.params_len, &params);
		keep_breadcrumbs(k, &v->error, v->t);
		break;
	case PAYLOAD_TRANSACTION:
		if (v->transaction.duration_ms < duration_least_ms)
			v->transaction.duration_ms = 0;
		keep_id(k, &v->transaction.id);
		keep_spans(k, &v->transaction);
		break;
	case PAYLOAD_MARKER:
		keep_text(k, &v->marker.user, EVENT_NAME_BYTES);
		keep_text(k, &v->marker.text, EVENT_MESSAGE_BYTES);
		break;
	default:
		break;
	}
}

/* What an event is found by. */
static void keep_names(struct keeper *k, struct payload_event *e)
{
	struct event *v = &e->event;

	keep_text(k, &v->action, EVENT_NAME_BYTES);
	keep_text(k, &v->namespace, EVENT_NAME_BYTES);
	keep_text(k, &v->host, EVENT_NAME_BYTES);
	keep_text(k, &v->environment, EVENT_NAME_BYTES);
	keep_text(k, &v->revision, EVENT_NAME_BYTES);
	if (e->kind == PAYLOAD_ERROR) {
		keep_text(k, &v->error.class, EVENT_NAME_BYTES);
		keep_text(k, &v->error.message, EVENT_MESSAGE_BYTES);
	} else if (e->kind == PAYLOAD_MARKER) {
		keep_text(k, &v->marker.revision, EVENT_NAME_BYTES);
	} else if (e->kind == PAYLOAD_CHECK_IN) {
		keep_text(k, &v->check_in.name, EVENT_NAME_BYTES);
	}
	keep_tags(k, v->tags, &v->tags_len, &event_tags);
}

int event_add(struct payload *p, struct payload_event *e)
{
	struct keeper k = {.payload = p, .left_bytes = EVENT_BYTES_MAX - HEAD_BYTES};
	enum reason why = judge_event(p, e);

	if (why != FINE)
		return payload_reject(p, e->list, e->index, -1, why, 1);
	e->event.t = e->has_t ? e->event.t + p->shift_ms : p->received_at_ms;
	e->event.has_error = e->kind == PAYLOAD_ERROR;
	e->event.has_transaction = e->kind == PAYLOAD_TRANSACTION;
	e->event.has_marker = e->kind == PAYLOAD_MARKER;
	e->event.has_check_in = e->kind == PAYLOAD_CHECK_IN;
	keep_names(&k, e);
	keep_detail(&k, e);
	e->event.shortened = k.shortened;
	p->event_bytes += EVENT_BYTES_MAX - k.left_bytes;
	if (k.starved || (p->arena->limit_bytes && p->event_bytes + p->scrubbed.read_bytes > p->arena->limit_bytes))
		return -1;
	return payload_add_event(p, e);
}
