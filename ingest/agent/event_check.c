/* event_check.c - see event_check.h.
 *
 * What names something (a class, an action, an id) is up to 255 bytes long, as names are everywhere here; what tells something (a message,
 * a text, a frame) may be as long as the line. Tags follow the rule for series, since transactions yield samples with theirs; keys of
 * params and metadata are the application's own and may be anything. */
#include "ingest/agent/event_check.h"

#include "common/series.h"
#include "pb/push.pb-c.h"

/* What an event cannot do without. */
static const char *const needed[NR_EVENT_KINDS][4] = {
	[EVENT_ERROR] = {"class"},
	[EVENT_TRANSACTION] = {"action", "duration_ms"},
	[EVENT_MARKER] = {"revision"},
	[EVENT_CHECK_IN] = {"name", "kind", "event"},
};

static bool bad_value(struct lines_refusal *no, const char *field, const char *what)
{
	return event_refuse(no, LINES_BAD_VALUE, "%s: %s", field, what);
}

/* A name: may be missing. */
static bool name_good(struct lines_refusal *no, const char *field, const char *value)
{
	return strlen(value) <= SERIES_STRING_MAX || bad_value(no, field, "more than 255 bytes");
}

static bool duration_good(struct lines_refusal *no, const char *field, double ms)
{
	return ms >= 0 || bad_value(no, field, "it is negative");
}

/* entries: of a map that is called tags (all maps' entries are alike). */
static bool tags_good(struct lines_refusal *no, void *entries, size_t nr)
{
	Millrace__Push__Error__TagsEntry **tags = entries;

	if (nr > SERIES_TAGS_MAX)
		return event_refuse(no, LINES_BAD_TAGS, "more than 32 tags");
	for (size_t i = 0; i < nr; i++) {
		if (!series_name_valid(str_from(tags[i]->key)))
			return event_refuse(no, LINES_BAD_TAGS, "a tag's key consists of 1 to 255 of [A-Za-z0-9_.:/-]");
		if (strlen(tags[i]->value) > SERIES_STRING_MAX)
			return event_refuse(no, LINES_BAD_TAGS, "a tag's value is longer than 255 bytes");
	}
	return true;
}

static bool keys_good(struct lines_refusal *no, const char *field, void *entries, size_t nr)
{
	Millrace__Push__Error__TagsEntry **e = entries;

	for (size_t i = 0; i < nr; i++)
		if (!*e[i]->key || strlen(e[i]->key) > SERIES_STRING_MAX)
			return bad_value(no, field, "a key has 1 to 255 bytes");
	return true;
}

static bool error_good(const Millrace__Push__Error *e, struct lines_refusal *no)
{
	if (!name_good(no, "class", e->class_) || !name_good(no, "action", e->action) || !name_good(no, "namespace", e->namespace_) ||
	    !tags_good(no, e->tags, e->n_tags) || !keys_good(no, "params", e->params, e->n_params))
		return false;
	for (size_t i = 0; i < e->n_breadcrumbs; i++) {
		const Millrace__Push__Breadcrumb *b = e->breadcrumbs[i];

		if (!name_good(no, "breadcrumbs.category", b->category) || !name_good(no, "breadcrumbs.action", b->action) ||
		    !keys_good(no, "breadcrumbs.metadata", b->metadata, b->n_metadata))
			return false;
	}
	return true;
}

static bool span_good(const Millrace__Push__Span *s, struct lines_refusal *no)
{
	if (!*s->name)
		return event_refuse(no, LINES_FIELD_MISSING, "spans.name is missing");
	return name_good(no, "spans.id", s->id) && name_good(no, "spans.parent_id", s->parent_id) && name_good(no, "spans.name", s->name) &&
	       duration_good(no, "spans.start_ms", s->start_ms) && duration_good(no, "spans.duration_ms", s->duration_ms) &&
	       tags_good(no, s->tags, s->n_tags);
}

static bool transaction_good(const Millrace__Push__Transaction *t, struct lines_refusal *no)
{
	if (!name_good(no, "id", t->id) || !name_good(no, "action", t->action) || !name_good(no, "namespace", t->namespace_) ||
	    !duration_good(no, "duration_ms", t->duration_ms) || !duration_good(no, "queue_ms", t->queue_ms) || !tags_good(no, t->tags, t->n_tags))
		return false;
	for (size_t i = 0; i < t->n_spans; i++)
		if (!span_good(t->spans[i], no))
			return false;
	return true;
}

/* The field is there, and if it is text, there is some. */
static bool is_there(const struct event_json *e, const char *name)
{
	const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(e->message->descriptor, name);

	return event_json_has(e, name) && (f->type != PROTOBUF_C_TYPE_STRING || **(char **)((char *)e->message + f->offset));
}

static bool needed_there(const struct event_json *e, struct lines_refusal *no)
{
	const char *const *name = needed[e->kind];

	for (; name < needed[e->kind] + 4 && *name; name++)
		if (!is_there(e, *name))
			return event_refuse(no, LINES_FIELD_MISSING, "%s.%s is missing", event_kind_name(e->kind), *name);
	return true;
}

static bool time_good(int64_t t_ms, int64_t now_ms, struct lines_refusal *no)
{
	if (t_ms >= now_ms - LINES_PAST_MS && t_ms <= now_ms + LINES_FUTURE_MS)
		return true;
	return event_refuse(no, LINES_BAD_TIME, t_ms > now_ms ? "t lies more than 10 min ahead" : "t lies more than 48 h back");
}

bool event_check(const struct event_json *e, int64_t now_ms, struct lines_refusal *no)
{
	const Millrace__Push__Error *error = (const void *)e->message;
	const Millrace__Push__Transaction *transaction = (const void *)e->message;
	const Millrace__Push__Marker *marker = (const void *)e->message;
	const Millrace__Push__CheckIn *check_in = (const void *)e->message;

	if (!needed_there(e, no))
		return false;
	switch (e->kind) {
	case EVENT_ERROR:
		return time_good(error->t, now_ms, no) && error_good(error, no);
	case EVENT_TRANSACTION:
		return time_good(transaction->t, now_ms, no) && transaction_good(transaction, no);
	case EVENT_MARKER:
		return time_good(marker->t, now_ms, no) && name_good(no, "revision", marker->revision) && name_good(no, "user", marker->user);
	case EVENT_CHECK_IN:
	case NR_EVENT_KINDS:
		break;
	}
	return time_good(check_in->t, now_ms, no) && name_good(no, "name", check_in->name);
}
