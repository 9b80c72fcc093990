/* incident_maker.h - incidents for tests of what is told of them. */
#ifndef MILLRACE_TESTS_NOTIFY_INCIDENT_MAKER_H
#define MILLRACE_TESTS_NOTIFY_INCIDENT_MAKER_H

#include <string.h>

#include "schemas/schemas.h"
#include "sink/notify/notification.h"

#define AT_MS INT64_C(1524179640000) /* 2018-04-19T23:14:00.000Z */
#define AT "2018-04-19T23:14:00.000Z"

enum { MAKER_ALERTS_MAX = 260 };

struct maker {
	struct incident incident;
	struct incident_alert alerts[MAKER_ALERTS_MAX];
};

/* An open one without alerts; the id is 00, 01, .. 0f. */
static inline void maker_init(struct maker *m)
{
	memset(m, 0, sizeof(*m));
	m->incident = (struct incident){.cell = STR("eu"), .site = STR("shop"), .site_name = STR("Shop"), .trigger = STR("slow-checkout"),
					.description = STR("Checkout is slow"), .severity = ALERT_SEVERITY_CRITICAL,
					.condition = STR("p95 of http.duration > 500"), .version = 3, .opened_at = AT_MS, .created_at = AT_MS,
					.updated_at = AT_MS, .alerts = m->alerts};
	for (uint8_t i = 0; i < sizeof(m->incident.id); i++)
		m->incident.id[i] = i;
}

/* One more alert, open; its fingerprint is its number in the last byte. */
static inline struct incident_alert *maker_add(struct maker *m, const char *name, struct tag *tags, size_t nr)
{
	struct incident_alert *a = &m->alerts[m->incident.alerts_len++];

	*a = (struct incident_alert){.name = str_from(name), .tags = tags, .tags_len = nr, .opened_at = AT_MS, .has_series_kind = true};
	a->fingerprint[15] = (uint8_t)m->incident.alerts_len;
	m->incident.alerts_total++;
	m->incident.open_alerts++;
	return a;
}

static inline void maker_close(struct maker *m, struct incident_alert *a)
{
	a->state = INCIDENT_ALERT_STATE_CLOSED;
	a->has_closed_at = true;
	a->closed_at = AT_MS + 120000;
	m->incident.open_alerts--;
}

static inline struct notification maker_notification(const struct maker *m)
{
	return (struct notification){.incident = &m->incident, .receiver = STR("ops"), .sequence = 1, .state = m->incident.state,
				     .external_url = "https://millrace.example/"};
}

#endif
