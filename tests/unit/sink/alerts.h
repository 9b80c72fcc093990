/* alerts.h - random alert events and incidents, as processor and notifier may write them, for the tests of what the sink makes of them. */
#ifndef MILLRACE_TESTS_SINK_ALERTS_H
#define MILLRACE_TESTS_SINK_ALERTS_H

#include "tests/unit/sink/exemplars.h"

#define ALERTS_T_MS (EXEMPLAR_T_S * INT64_C(1000))

static inline int64_t alerts_time(struct unit_random *r)
{
	return ALERTS_T_MS + (int64_t)unit_random_below(r, 1000) * 60000;
}

static inline void alerts_hash(struct unit_random *r, uint8_t out[16])
{
	for (int i = 0; i < 16; i++)
		out[i] = (uint8_t)unit_random_next(r);
}

static inline struct str *alerts_receivers(struct unit_random *r, struct arena *a, size_t *len)
{
	struct str *out = arena_alloc(a, 3 * sizeof(*out));

	*len = unit_random_below(r, 3);
	for (size_t i = 0; i < *len; i++)
		out[i] = exemplar_text(r, a, false);
	return *len ? out : NULL;
}

/* All texts and lists live in a. */
static inline struct alert_event alerts_event(struct unit_random *r, struct arena *a)
{
	struct alert_event e = {
		.kind = (enum alert_event_kind)unit_random_below(r, 4), .trigger = STR("slow"), .cell = STR("main"), .epoch = (int64_t)unit_random_next(r),
		.site = unit_random_below(r, 2) ? STR("shop") : STR("blog"), .site_name = exemplar_text(r, a, false), .description = exemplar_text(r, a, false),
		.severity = (enum alert_severity)unit_random_below(r, 3), .condition = exemplar_text(r, a, false),
		.warm_up_minutes = (int32_t)unit_random_below(r, 9), .cooldown_minutes = (int32_t)unit_random_below(r, 9),
		.has_series_kind = unit_random_below(r, 2), .series_kind = (enum series_kind)unit_random_below(r, 3), .name = exemplar_text(r, a, true),
		.opened_at = alerts_time(r), .minute = alerts_time(r), .has_value = unit_random_below(r, 2), .value = unit_random_unit(r) * 100 - 50,
		.reason = exemplar_text(r, a, false), .opened = (int64_t)unit_random_below(r, 9), .closed = (int64_t)unit_random_below(r, 9), .at = alerts_time(r)};

	alerts_hash(r, e.id);
	alerts_hash(r, e.episode);
	alerts_hash(r, e.fingerprint);
	e.receivers = alerts_receivers(r, a, &e.receivers_len);
	e.tags = exemplar_tags(r, a, &e.tags_len, true);
	return e;
}

static inline struct incident_alert alerts_of_incident(struct unit_random *r, struct arena *a)
{
	struct incident_alert x = {
		.state = (enum incident_alert_state)unit_random_below(r, 3), .has_series_kind = unit_random_below(r, 2),
		.series_kind = (enum series_kind)unit_random_below(r, 3), .name = exemplar_text(r, a, true), .opened_at = alerts_time(r),
		.has_closed_at = unit_random_below(r, 2), .closed_at = alerts_time(r), .has_value = unit_random_below(r, 2), .value = unit_random_unit(r),
		.has_join_until = unit_random_below(r, 2), .join_until = alerts_time(r)};

	alerts_hash(r, x.fingerprint);
	alerts_hash(r, x.episode);
	x.tags = exemplar_tags(r, a, &x.tags_len, true);
	return x;
}

/* The same. */
static inline struct incident alerts_incident(struct unit_random *r, struct arena *a)
{
	struct incident n = {
		.cell = STR("main"), .site = unit_random_below(r, 2) ? STR("shop") : STR("blog"), .site_name = exemplar_text(r, a, false), .trigger = STR("slow"),
		.description = exemplar_text(r, a, false), .severity = (enum alert_severity)unit_random_below(r, 3), .condition = exemplar_text(r, a, false),
		.state = (enum incident_state)unit_random_below(r, 2), .version = 1 + (int64_t)unit_random_below(r, 99), .changed_version = 1,
		.opened_at = alerts_time(r), .created_at = alerts_time(r), .updated_at = alerts_time(r),
		.has_resolved_at = unit_random_below(r, 2), .resolved_at = alerts_time(r), .has_acked_at = unit_random_below(r, 2), .acked_at = alerts_time(r),
		.has_acked_by = unit_random_below(r, 2), .acked_by = exemplar_text(r, a, false), .has_ack_reason = unit_random_below(r, 2),
		.ack_reason = exemplar_text(r, a, false), .alerts_total = (int64_t)unit_random_below(r, 2000), .open_alerts = (int64_t)unit_random_below(r, 2000),
		.behind_opened = (int64_t)unit_random_below(r, 2), .behind_closed = (int64_t)unit_random_below(r, 2)};

	alerts_hash(r, n.id);
	n.receivers = alerts_receivers(r, a, &n.receivers_len);
	n.alerts_len = unit_random_below(r, 4);
	n.alerts = n.alerts_len ? arena_alloc(a, n.alerts_len * sizeof(*n.alerts)) : NULL;
	for (size_t i = 0; i < n.alerts_len; i++)
		n.alerts[i] = alerts_of_incident(r, a);
	return n;
}

#endif
