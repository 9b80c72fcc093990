/* incident_document.c - see incident_document.h.
 *
 * t is when the incident changed, not when it opened: documents leave by their age, and the latest of an incident that is open for long must stay. */
#include "sink/mongo/incident_document.h"

#include <inttypes.h>

#include "sink/mongo/element.h"

/* A time that the record may lack. */
struct moment {
	const char *name;
	bool has;
	int64_t t_ms;
};

static int check_moments(const struct moment *moments, size_t len, struct err *err)
{
	for (size_t i = 0; i < len; i++)
		if (moments[i].has && !document_is_time(moments[i].t_ms))
			return err_set(err, ERR_REJECT, "%s is %" PRId64 ", out of range", moments[i].name, moments[i].t_ms);
	return 0;
}

static void put_moments(struct buf *b, const struct moment *moments, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (moments[i].has)
			element_put_date(b, str_from(moments[i].name), moments[i].t_ms);
}

enum { INCIDENT_MOMENTS = 4, ALERT_MOMENTS = 3 };

static void moments_of(const struct incident *n, struct moment out[INCIDENT_MOMENTS])
{
	out[0] = (struct moment){"opened_at", true, n->opened_at};
	out[1] = (struct moment){"created_at", true, n->created_at};
	out[2] = (struct moment){"resolved_at", n->has_resolved_at, n->resolved_at};
	out[3] = (struct moment){"acked_at", n->has_acked_at, n->acked_at};
}

static void moments_of_alert(const struct incident_alert *a, struct moment out[ALERT_MOMENTS])
{
	out[0] = (struct moment){"opened_at", true, a->opened_at};
	out[1] = (struct moment){"closed_at", a->has_closed_at, a->closed_at};
	out[2] = (struct moment){"join_until", a->has_join_until, a->join_until};
}

static int check(const struct incident *n, struct err *err)
{
	const struct moment updated = {"updated_at", true, n->updated_at};
	struct moment moments[INCIDENT_MOMENTS];

	moments_of(n, moments);
	if (check_moments(&updated, 1, err) < 0 || check_moments(moments, INCIDENT_MOMENTS, err) < 0)
		return -1;
	for (size_t i = 0; i < n->alerts_len; i++) {
		struct moment of_alert[ALERT_MOMENTS];

		moments_of_alert(&n->alerts[i], of_alert);
		if (check_moments(of_alert, ALERT_MOMENTS, err) < 0 || document_check_tags(n->alerts[i].tags, n->alerts[i].tags_len, err) < 0)
			return err_wrap(err, "alert %zu", i);
	}
	return 0;
}

static void put_alert(struct buf *b, const struct incident_alert *a)
{
	struct moment moments[ALERT_MOMENTS];

	element_put_text(b, STR("state"), str_from(incident_alert_state_name(a->state)));
	document_put_text(b, STR("name"), a->name);
	if (a->has_series_kind)
		element_put_text(b, STR("series_kind"), str_from(series_kind_name(a->series_kind)));
	document_put_tags(b, a->tags, a->tags_len);
	if (a->has_value)
		element_put_double(b, STR("value"), a->value);
	moments_of_alert(a, moments);
	put_moments(b, moments, ALERT_MOMENTS);
	document_put_hex(b, STR("series"), a->fingerprint);
	document_put_hex(b, STR("alert"), a->episode);
}

static void put_alerts(struct buf *b, const struct incident_alert *alerts, size_t len)
{
	size_t array;

	if (!len)
		return;
	array = element_open(b, ELEMENT_ARRAY, STR("alerts"));
	for (size_t i = 0; i < len && b->len <= DOCUMENT_MAX_BYTES; i++) {
		size_t item = document_open_item(b, i);

		put_alert(b, &alerts[i]);
		element_close(b, item);
	}
	element_close(b, array);
}

/* Who took care of it. */
static void put_ack(struct buf *b, const struct incident *n)
{
	if (n->has_acked_by)
		document_put_text(b, STR("acked_by"), n->acked_by);
	if (n->has_ack_reason)
		document_put_text(b, STR("ack_reason"), n->ack_reason);
}

static void put_counts(struct buf *b, const struct incident *n)
{
	element_put_int64(b, STR("alerts_total"), n->alerts_total);
	element_put_int64(b, STR("open_alerts"), n->open_alerts);
	if (n->behind_opened || n->behind_closed) {
		element_put_int64(b, STR("behind_opened"), n->behind_opened);
		element_put_int64(b, STR("behind_closed"), n->behind_closed);
	}
}

static void put_incident(struct buf *b, const struct incident *n)
{
	struct moment moments[INCIDENT_MOMENTS];

	element_put_text(b, STR("site"), n->site);
	element_put_date(b, STR("t"), n->updated_at);
	element_put_text(b, STR("trigger"), n->trigger);
	document_put_hex(b, STR("incident"), n->id);
	element_put_int64(b, STR("version"), n->version);
	element_put_text(b, STR("state"), str_from(incident_state_name(n->state)));
	element_put_text(b, STR("severity"), str_from(alert_severity_name(n->severity)));
	document_put_text(b, STR("site_name"), n->site_name);
	document_put_text(b, STR("description"), n->description);
	document_put_text(b, STR("condition"), n->condition);
	document_put_texts(b, STR("receivers"), n->receivers, n->receivers_len);
	moments_of(n, moments);
	put_moments(b, moments, INCIDENT_MOMENTS);
	put_ack(b, n);
	put_counts(b, n);
	put_alerts(b, n->alerts, n->alerts_len);
}

const bson_t *incident_document_build(struct document_maker *m, const struct incident *n, const struct document_origin *origin, struct err *err)
{
	uint8_t id[DOCUMENT_ID_BYTES];
	size_t doc;

	if (check(n, err) < 0)
		return NULL;
	document_id(n->id, n->updated_at, origin, id);
	buf_clear(&m->bytes);
	doc = element_open_outermost(&m->bytes);
	element_put_binary(&m->bytes, STR("_id"), id, sizeof(id));
	put_incident(&m->bytes, n);
	element_close(&m->bytes, doc);
	return document_finish(m, err);
}
