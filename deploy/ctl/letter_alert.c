/* letter_alert.c - see letter_alert.h. As everywhere in a dead letter, names are the schema's, and what the record leaves null is absent. */
#include "deploy/ctl/letter_alert.h"

#include "deploy/ctl/letter_value.h"

static void write_texts(struct json_writer *w, const char *key, const struct str *texts, size_t nr)
{
	json_write_array(w, key);
	for (size_t i = 0; i < nr; i++)
		json_write_text(w, NULL, texts[i]);
	json_write_array_end(w);
}

static void write_time(struct json_writer *w, const char *key, bool has, int64_t t_ms)
{
	if (has)
		json_write_int(w, key, t_ms);
}

static void write_text(struct json_writer *w, const char *key, bool has, struct str text)
{
	if (has)
		json_write_text(w, key, text);
}

static void write_series(struct json_writer *w, bool has_kind, enum series_kind kind, struct str name, const struct tag *tags, size_t nr)
{
	if (has_kind)
		json_write_text(w, "series_kind", str_from(series_kind_name(kind)));
	json_write_text(w, "name", name);
	letter_value_write_tags(w, "tags", tags, nr);
}

void letter_alert_write(struct json_writer *w, const struct alert_event *e)
{
	json_write_hex(w, "id", e->id, sizeof(e->id));
	json_write_hex(w, "episode", e->episode, sizeof(e->episode));
	json_write_text(w, "kind", str_from(alert_event_kind_name(e->kind)));
	json_write_text(w, "trigger", e->trigger);
	json_write_text(w, "cell", e->cell);
	json_write_int(w, "epoch", e->epoch);
	json_write_text(w, "site", e->site);
	json_write_text(w, "site_name", e->site_name);
	json_write_text(w, "description", e->description);
	json_write_text(w, "severity", str_from(alert_severity_name(e->severity)));
	json_write_text(w, "condition", e->condition);
	write_texts(w, "receivers", e->receivers, e->receivers_len);
	json_write_int(w, "warm_up_minutes", e->warm_up_minutes);
	json_write_int(w, "cooldown_minutes", e->cooldown_minutes);
	json_write_hex(w, "fingerprint", e->fingerprint, sizeof(e->fingerprint));
	write_series(w, e->has_series_kind, e->series_kind, e->name, e->tags, e->tags_len);
	json_write_int(w, "opened_at", e->opened_at);
	json_write_int(w, "minute", e->minute);
	if (e->has_value)
		letter_value_write_number(w, "value", e->value);
	json_write_text(w, "reason", e->reason);
	json_write_int(w, "opened", e->opened);
	json_write_int(w, "closed", e->closed);
	json_write_int(w, "at", e->at);
}

static void write_alert(struct json_writer *w, const struct incident_alert *a)
{
	json_write_map(w, NULL);
	json_write_hex(w, "fingerprint", a->fingerprint, sizeof(a->fingerprint));
	json_write_hex(w, "episode", a->episode, sizeof(a->episode));
	json_write_text(w, "state", str_from(incident_alert_state_name(a->state)));
	write_series(w, a->has_series_kind, a->series_kind, a->name, a->tags, a->tags_len);
	json_write_int(w, "opened_at", a->opened_at);
	write_time(w, "closed_at", a->has_closed_at, a->closed_at);
	if (a->has_value)
		letter_value_write_number(w, "value", a->value);
	write_time(w, "join_until", a->has_join_until, a->join_until);
	json_write_map_end(w);
}

/* What happened to it. */
static void write_story(struct json_writer *w, const struct incident *n)
{
	json_write_int(w, "opened_at", n->opened_at);
	json_write_int(w, "created_at", n->created_at);
	json_write_int(w, "updated_at", n->updated_at);
	write_time(w, "resolved_at", n->has_resolved_at, n->resolved_at);
	write_time(w, "acked_at", n->has_acked_at, n->acked_at);
	write_text(w, "acked_by", n->has_acked_by, n->acked_by);
	write_text(w, "ack_reason", n->has_ack_reason, n->ack_reason);
	json_write_array(w, "alerts");
	for (size_t i = 0; i < n->alerts_len; i++)
		write_alert(w, &n->alerts[i]);
	json_write_array_end(w);
	json_write_int(w, "alerts_total", n->alerts_total);
	json_write_int(w, "open_alerts", n->open_alerts);
	json_write_int(w, "behind_opened", n->behind_opened);
	json_write_int(w, "behind_closed", n->behind_closed);
}

void letter_alert_write_incident(struct json_writer *w, const struct incident *n)
{
	json_write_hex(w, "id", n->id, sizeof(n->id));
	json_write_text(w, "cell", n->cell);
	json_write_text(w, "site", n->site);
	json_write_text(w, "site_name", n->site_name);
	json_write_text(w, "trigger", n->trigger);
	json_write_text(w, "description", n->description);
	json_write_text(w, "severity", str_from(alert_severity_name(n->severity)));
	json_write_text(w, "condition", n->condition);
	write_texts(w, "receivers", n->receivers, n->receivers_len);
	json_write_text(w, "state", str_from(incident_state_name(n->state)));
	json_write_int(w, "version", n->version);
	json_write_int(w, "changed_version", n->changed_version);
	write_story(w, n);
}
