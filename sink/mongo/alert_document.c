/* alert_document.c - see alert_document.h.
 *
 * What binds events is `alert`: opening and closing of one alert have it in common. As elsewhere, what is unknown or empty is absent; so is what only a
 * summary counts, and the series of a summary, which has none. */
#include "sink/mongo/alert_document.h"

#include <inttypes.h>

#include "sink/mongo/element.h"

static int check(const struct alert_event *e, struct err *err)
{
	const struct {
		const char *name;
		int64_t t_ms;
	} times[] = {{"minute", e->minute}, {"opened_at", e->opened_at}, {"at", e->at}};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (!document_is_time(times[i].t_ms))
			return err_set(err, ERR_REJECT, "%s is %" PRId64 ", out of range", times[i].name, times[i].t_ms);
	return document_check_tags(e->tags, e->tags_len, err);
}

/* What the trigger says. */
static void put_trigger(struct buf *b, const struct alert_event *e)
{
	document_put_text(b, STR("description"), e->description);
	document_put_text(b, STR("condition"), e->condition);
	document_put_texts(b, STR("receivers"), e->receivers, e->receivers_len);
	element_put_int32(b, STR("warm_up_minutes"), e->warm_up_minutes);
	element_put_int32(b, STR("cooldown_minutes"), e->cooldown_minutes);
}

static void put_series(struct buf *b, const struct alert_event *e)
{
	if (e->kind != ALERT_EVENT_KIND_SUMMARY)
		document_put_hex(b, STR("series"), e->fingerprint);
	document_put_text(b, STR("name"), e->name);
	if (e->has_series_kind)
		element_put_text(b, STR("series_kind"), str_from(series_kind_name(e->series_kind)));
	document_put_tags(b, e->tags, e->tags_len);
}

static void put_event(struct buf *b, const struct alert_event *e)
{
	element_put_text(b, STR("site"), e->site);
	element_put_date(b, STR("t"), e->minute);
	element_put_text(b, STR("trigger"), e->trigger);
	element_put_text(b, STR("kind"), str_from(alert_event_kind_name(e->kind)));
	element_put_text(b, STR("severity"), str_from(alert_severity_name(e->severity)));
	document_put_text(b, STR("site_name"), e->site_name);
	document_put_hex(b, STR("alert"), e->episode);
	document_put_hex(b, STR("event"), e->id);
	put_trigger(b, e);
	put_series(b, e);
	if (e->has_value)
		element_put_double(b, STR("value"), e->value);
	document_put_text(b, STR("reason"), e->reason);
	element_put_date(b, STR("opened_at"), e->opened_at);
	element_put_date(b, STR("at"), e->at);
	if (e->kind == ALERT_EVENT_KIND_SUMMARY) {
		element_put_int64(b, STR("opened"), e->opened);
		element_put_int64(b, STR("closed"), e->closed);
	}
}

const bson_t *alert_document_build(struct document_maker *m, const struct alert_event *e, const struct document_origin *origin, struct err *err)
{
	uint8_t id[DOCUMENT_ID_BYTES];
	size_t doc;

	if (check(e, err) < 0)
		return NULL;
	document_id(e->fingerprint, e->minute, origin, id);
	buf_clear(&m->bytes);
	doc = element_open_outermost(&m->bytes);
	element_put_binary(&m->bytes, STR("_id"), id, sizeof(id));
	put_event(&m->bytes, e);
	element_close(&m->bytes, doc);
	return document_finish(m, err);
}
