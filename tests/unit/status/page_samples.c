/* page_samples.c - see page_samples.h. */
#include "tests/unit/status/page_samples.h"

#include <stdio.h>
#include <stdlib.h>

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define AGO(ms) (SAMPLE_NOW_MS - (ms))

const char *const sample_names[] = {"operational", "maintenance", "degraded", "partial", "major", "stale", "from_disk", "empty", "cells", "long", "hostile", NULL};

int sample_say(struct sample *s, struct status_entry e)
{
	struct err err = ERR_INIT;
	char id[STATUS_ENTRY_ID_SIZE];
	int rc;

	snprintf(id, sizeof(id), "%016x", ++s->nr_entries);
	e.entry = str_from(id);
	e.title = e.title.p ? e.title : STR("");
	e.text = e.text.p ? e.text : STR("");
	rc = status_incidents_take(&s->incidents, &e, &err);
	if (rc < 0) {
		fprintf(stderr, "sample: %s\n", err.msg);
		abort();
	}
	return rc;
}

static struct status_component *add(struct sample *s, const char *id, const char *title)
{
	size_t n = s->page.nr_components++;
	struct status_component *c = &s->components[n];

	if (n >= SAMPLE_COMPONENTS_MAX)
		abort();
	snprintf(s->ids[n], sizeof(s->ids[n]), "%s", id);
	snprintf(s->titles[n], sizeof(s->titles[n]), "%s", title);
	*c = (struct status_component){.id = str_from(s->ids[n]), .title = str_from(s->titles[n]), .since = AGO(9 * DAY), .left_at = AGO(9 * DAY), .detail = STR(""),
				       .behind_ms = 0, .left_ms = -1, .recovery_ms = -1, .share = -1};
	return c;
}

static void worsen(struct status_component *c, enum component_state state, int64_t since, const char *detail)
{
	c->state = state;
	c->since = since;
	c->left_at = since;
	c->detail = str_from(detail);
}

/* Components of three cells, all operational. */
static void house(struct sample *s)
{
	add(s, "push", "Push API")->share = 1;
	add(s, "processing", "Processing");
	add(s, "storage/amber", "Storage, Europe");
	add(s, "storage/birch", "Storage, North America");
	add(s, "storage/cedar", "Storage, Asia");
	add(s, "alerts", "Alerts");
	add(s, "notifications", "Notifications");
}

/* What nobody may see. */
static void secrets(struct sample *s)
{
	const struct str x[] = {STR("storage/amber")};
	struct status_entry draft = {.incident = STR("secret-draft"), .at = AGO(MINUTE), .action = STATUS_ACTION_DRAFT, .has_impact = true,
				     .impact = STATUS_IMPACT_DEGRADED, .components = (struct str *)(uintptr_t)x, .components_len = 1, .title = STR("SECRET draft"), .text = STR("SECRET text")};
	struct status_entry veto = draft;

	sample_say(s, draft);
	veto.incident = STR("secret-vetoed");
	sample_say(s, veto);
	sample_say(s, (struct status_entry){.incident = STR("secret-vetoed"), .at = AGO(MINUTE), .action = STATUS_ACTION_VETO, .text = STR("SECRET veto"),
					    .has_author = true, .author = STR("SECRET author")});
}

static void storage_incident(struct sample *s, bool edited)
{
	const struct str x[] = {STR("storage/amber"), STR("alerts")};
	const struct str id = STR("20261127-1322-storage-amber");
	struct status_entry e = {.incident = id, .at = AGO(38 * MINUTE), .action = STATUS_ACTION_DRAFT, .has_impact = true, .impact = STATUS_IMPACT_PARTIAL_OUTAGE,
				 .components = (struct str *)(uintptr_t)x, .components_len = 2, .title = STR("Storing data in Europe is delayed"), .text = STR("SECRET first words"),
				 .has_opened_at = true, .opened_at = AGO(40 * MINUTE), .has_publish_at = true, .publish_at = AGO(30 * MINUTE)};

	sample_say(s, e);
	e.text = STR("Europe: what is stored is 12 min behind. Data is delayed, not lost: it is kept for another 2 days 21 h. When it will be over is not known yet.");
	e.at = AGO(30 * MINUTE);
	e.action = STATUS_ACTION_POST;
	e.has_phase = true;
	e.phase = STATUS_PHASE_INVESTIGATING;
	sample_say(s, e);
	e = (struct status_entry){.incident = id, .at = AGO(14 * MINUTE), .action = STATUS_ACTION_UPDATE, .has_phase = true, .phase = STATUS_PHASE_IDENTIFIED,
				  .text = STR("A storage server stopped answering, and its successor is warming up.\nNothing needs to be done on your side: agents go on, and so do alerts."),
				  .has_author = edited, .author = edited ? STR("SECRET anna") : STR("")};
	sample_say(s, e);
	e = (struct status_entry){.incident = id, .at = AGO(5 * MINUTE), .action = STATUS_ACTION_UPDATE, .has_phase = true, .phase = STATUS_PHASE_MONITORING,
				  .text = STR("It is becoming less. Expected to be over at about 14:40 UTC, in 42 min."), .has_recovery_at = true,
				  .recovery_at = SAMPLE_NOW_MS + 38 * MINUTE, .has_author = edited, .author = edited ? STR("SECRET anna") : STR("")};
	sample_say(s, e);
	e.action = STATUS_ACTION_REMIND;
	e.text = STR("SECRET reminder");
	e.at = AGO(2 * MINUTE);
	sample_say(s, e);
	e.action = STATUS_ACTION_VETO;
	e.text = STR("SECRET: refused, as it is public");
	sample_say(s, e);
	if (edited)
		sample_say(s, (struct status_entry){.incident = id, .at = AGO(MINUTE), .action = STATUS_ACTION_UPDATE, .text = STR("SECRET: refused, as an operator has it now")});
}

static void push_incident(struct sample *s)
{
	const struct str x[] = {STR("push")};

	sample_say(s, (struct status_entry){.incident = STR("20261127-1354-push"), .at = AGO(6 * MINUTE), .action = STATUS_ACTION_POST, .has_impact = true,
					    .impact = STATUS_IMPACT_MAJOR_OUTAGE, .components = (struct str *)(uintptr_t)x, .components_len = 1,
					    .title = STR("The Push API does not take data"),
					    .text = STR("Agents keep what they measure on their own disks and send it when the API takes it again: nothing is lost. We are looking into it."),
					    .has_opened_at = true, .opened_at = AGO(8 * MINUTE), .has_author = true, .author = STR("SECRET anna")});
}

static void maintenance(struct sample *s, int64_t from, int64_t until)
{
	const struct str x[] = {STR("storage/birch")};

	sample_say(s, (struct status_entry){.incident = STR("replica-set-birch"), .at = AGO(2 * DAY), .action = STATUS_ACTION_POST, .has_impact = true,
					    .impact = STATUS_IMPACT_MAINTENANCE, .components = (struct str *)(uintptr_t)x, .components_len = 1,
					    .title = STR("New machines for storage in North America"), .text = STR("Data may be stored up to ten minutes late meanwhile. Nothing is lost."),
					    .has_opened_at = true, .opened_at = from, .has_recovery_at = true, .recovery_at = until, .has_author = true,
					    .author = STR("SECRET ben")});
}

/* An incident that is over, with a timeline, of so many days ago. */
static void past(struct sample *s, int days, const char *title)
{
	struct str x[] = {STR("processing"), STR("alerts")};
	struct status_moment moments[] = {{AGO(days * DAY), STR("Processing in Europe was 3 min behind.")}, {AGO(days * DAY - 9 * MINUTE), STR("A processor started in Europe.")},
					  {AGO(days * DAY - 20 * MINUTE), STR("Processing in Europe has caught up.")}};
	char id[STATUS_INCIDENT_ID_MAX];

	snprintf(id, sizeof(id), "past-%d", days);
	sample_say(s, (struct status_entry){.incident = str_from(id), .at = AGO(days * DAY - 2 * MINUTE), .action = STATUS_ACTION_POST, .has_impact = true,
					    .impact = STATUS_IMPACT_DEGRADED, .components = x, .components_len = 2, .title = str_from(title),
					    .text = STR("Processing is 3 min behind. Data is delayed, not lost."), .has_opened_at = true, .opened_at = AGO(days * DAY)});
	sample_say(s, (struct status_entry){.incident = str_from(id), .at = AGO(days * DAY - 25 * MINUTE), .action = STATUS_ACTION_RESOLVE,
					    .text = STR("It is over. All that waited has been taken, and nothing was lost."), .timeline = moments, .timeline_len = 3});
	sample_say(s, (struct status_entry){.incident = str_from(id), .at = AGO(days * DAY - 5 * HOUR), .action = STATUS_ACTION_UPDATE, .has_author = true,
					    .author = STR("SECRET anna"), .text = STR("The cause was a full disk; there is an alarm for it now.")});
}

static void degrade(struct sample *s)
{
	struct status_component *c = &s->components[2];

	worsen(c, COMPONENT_STATE_DEGRADED, AGO(40 * MINUTE), "Europe is 12 min behind, and it becomes less. Data is delayed, not lost: it is kept for another 2 days 21 h.");
	c->behind_ms = 12 * MINUTE;
	c->waiting_records = 48213;
	c->left_ms = 69 * HOUR;
	c->recovery_ms = 38 * MINUTE;
	c->draining = true;
}

static void partial(struct sample *s)
{
	degrade(s);
	s->components[2].state = COMPONENT_STATE_PARTIAL_OUTAGE;
	worsen(&s->components[5], COMPONENT_STATE_DEGRADED, AGO(7 * MINUTE), "Alerts in Europe are 3 min late.");
}

static void major(struct sample *s)
{
	partial(s);
	worsen(&s->components[0], COMPONENT_STATE_MAJOR_OUTAGE, AGO(8 * MINUTE), "No instance takes data. Agents keep what is not taken, and send it again.");
	s->components[0].share = 0.1234;
	worsen(&s->components[2], COMPONENT_STATE_MAJOR_OUTAGE, AGO(40 * MINUTE), "Europe stands still, 12 min behind. Data is delayed, not lost: it is kept for another 2 days 21 h.");
	s->components[2].recovery_ms = -1;
}

static void many_cells(struct sample *s)
{
	char id[48], title[96];

	add(s, "push", "Push API")->share = 1;
	add(s, "processing", "Processing");
	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "storage/cell-%02d", i);
		snprintf(title, sizeof(title), "Storage, cell-%02d", i);
		add(s, id, title);
	}
	add(s, "alerts", "Alerts");
	worsen(&s->components[5], COMPONENT_STATE_PARTIAL_OUTAGE, AGO(40 * MINUTE), "cell-03 is 22 min behind. Data is delayed, not lost: it is kept for another 2 days 21 h.");
	worsen(&s->components[9], COMPONENT_STATE_DEGRADED, AGO(5 * MINUTE), "cell-07 is 2 min behind. Data is delayed, not lost: it is kept for another 2 days 23 h.");
}

/* As long as the fold takes them, and without a place to break at. */
static void long_texts(struct sample *s)
{
	static char title[STATUS_TITLE_MAX + 1], text[STATUS_TEXT_MAX + 1];
	struct str x[SAMPLE_COMPONENTS_MAX];

	many_cells(s);
	for (size_t i = 0; i < s->page.nr_components; i++)
		x[i] = s->components[i].id;
	memset(title, 'W', sizeof(title) - 1);
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		text[i] = i % 97 == 96 ? '\n' : i % 1000 > 700 ? 'M' : i % 7 == 6 ? ' ' : 'e';
	s->components[5].detail = str_from(text);
	s->components[5].title = str_from(title);
	sample_say(s, (struct status_entry){.incident = STR("0123456789-0123456789-0123456789-0123456789-0123456789-012345678"), .at = AGO(MINUTE), .action = STATUS_ACTION_POST,
					    .has_impact = true, .impact = STATUS_IMPACT_PARTIAL_OUTAGE, .components = x, .components_len = s->page.nr_components,
					    .title = str_from(title), .text = str_from(text)});
}

static void hostile(struct sample *s)
{
	struct str x[] = {STR("push")};
	struct status_moment moments[] = {{AGO(HOUR), STR(SAMPLE_HOSTILE)}};

	house(s);
	s->page.title = STR(SAMPLE_HOSTILE);
	s->page.build = STR(SAMPLE_HOSTILE);
	worsen(&s->components[0], COMPONENT_STATE_DEGRADED, AGO(HOUR), SAMPLE_HOSTILE);
	s->components[2].title = STR("Storage, " SAMPLE_HOSTILE);
	sample_say(s, (struct status_entry){.incident = STR("hostile"), .at = AGO(HOUR), .action = STATUS_ACTION_POST, .has_impact = true,
					    .impact = STATUS_IMPACT_DEGRADED, .components = x, .components_len = 1, .title = STR(SAMPLE_HOSTILE "\xe2\x80\xae \xef\xbf\xbf"),
					    .text = STR(SAMPLE_HOSTILE "\n\n\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d\n" SAMPLE_HOSTILE)});
	sample_say(s, (struct status_entry){.incident = STR("hostile-over"), .at = AGO(HOUR), .action = STATUS_ACTION_POST, .has_impact = true,
					    .impact = STATUS_IMPACT_DEGRADED, .components = x, .components_len = 1, .title = STR(SAMPLE_HOSTILE)});
	sample_say(s, (struct status_entry){.incident = STR("hostile-over"), .at = AGO(MINUTE), .action = STATUS_ACTION_RESOLVE, .text = STR(SAMPLE_HOSTILE),
					    .timeline = moments, .timeline_len = 1});
}

static void fill(struct sample *s, const char *name)
{
	bool old = strcmp(name, "stale") == 0 || strcmp(name, "from_disk") == 0;

	if (strcmp(name, "cells") == 0) {
		many_cells(s);
	} else if (strcmp(name, "long") == 0) {
		long_texts(s);
	} else if (strcmp(name, "hostile") == 0) {
		hostile(s);
	} else {
		house(s);
		past(s, 3, "Processing was delayed");
		past(s, 40, "Processing was delayed in October");
		past(s, 43, "Alerts came late");
	}
	if (strcmp(name, "operational") == 0)
		maintenance(s, SAMPLE_NOW_MS + 31 * HOUR, SAMPLE_NOW_MS + 33 * HOUR);
	if (strcmp(name, "maintenance") == 0) {
		maintenance(s, AGO(20 * MINUTE), SAMPLE_NOW_MS + 100 * MINUTE);
		worsen(&s->components[3], COMPONENT_STATE_MAINTENANCE, AGO(20 * MINUTE), "Maintenance: New machines for storage in North America.");
	}
	if (strcmp(name, "degraded") == 0 || old) {
		degrade(s);
		storage_incident(s, false);
	}
	if (strcmp(name, "partial") == 0) {
		partial(s);
		storage_incident(s, true);
	}
	if (strcmp(name, "major") == 0) {
		major(s);
		storage_incident(s, true);
		push_incident(s);
	}
	s->page.stale = old;
	s->page.from_disk = strcmp(name, "from_disk") == 0;
	s->page.as_of_ms = s->page.from_disk ? AGO(3 * HOUR) : old ? AGO(12 * MINUTE) : AGO(4000);
	secrets(s);
}

struct sample *sample_new(const char *name)
{
	struct sample *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->page = (struct page){.title = STR("Example Monitoring"), .url = STR("https://status.example.com"), .build = STR("1.4.0+0123abc"), .now_ms = SAMPLE_NOW_MS,
				.components = s->components, .incidents = &s->incidents, .cadence_ms = 30 * MINUTE};
	if (strcmp(name, "empty") == 0)
		s->page.url = STR("");
	else
		fill(s, name);
	return s;
}

void sample_free(struct sample *s)
{
	status_incidents_fini(&s->incidents);
	free(s);
}
