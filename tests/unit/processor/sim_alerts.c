/* sim_alerts.c - see sim_alerts.h. */
#include "tests/unit/processor/sim_alerts.h"

#include <inttypes.h>

#include "common/control.h"
#include "tests/unit/processor/ledger.h"
#include "tests/unit/processor/sim_twin.h"

/* What the triggers are about; thresholds, warm-ups and cooldowns change. ends: all of its alerts have closed some time after the last sample. */
static const struct {
	const char *id, *metric, *cron;
	int absent, every;
	enum trigger_field field;
	enum trigger_comparison comparison;
	bool ends;
} kinds[SIM_TRIGGERS] = {
	{.id = "sum", .metric = "m.0", .field = TRIGGER_FIELD_SUM, .comparison = TRIGGER_COMPARISON_GT, .ends = true},
	{.id = "last", .metric = "m.1", .field = TRIGGER_FIELD_LAST, .comparison = TRIGGER_COMPARISON_GT, .ends = true},
	{.id = "p95", .metric = "m.2", .field = TRIGGER_FIELD_P95, .comparison = TRIGGER_COMPARISON_GE, .ends = true},
	{.id = "few", .metric = "m.3", .field = TRIGGER_FIELD_COUNT, .comparison = TRIGGER_COMPARISON_LT},
	{.id = "absent", .metric = "m.4", .absent = 2},
	{.id = "absent-long", .metric = "m.2", .absent = 6},
	{.id = "beat", .every = 2},
	{.id = "cron", .cron = "*/7 * * * *"},
};

/* The group of the check-ins that a trigger is about: what events.h gives them. */
static uint8_t group_byte(int i)
{
	return (uint8_t)(0x60 + i % 2);
}

static void put_site(struct sim_alerts *a, const struct route *routes, size_t nr)
{
	struct site site = {.id = STR("site-a"), .name = STR("A"), .routes = (struct route *)(uintptr_t)routes, .routes_len = nr};

	buf_clear(&a->bytes);
	ck_assert_int_eq(site_encode(&site, &a->bytes, NULL), 0);
	ck_assert_int_eq(placements_take(&a->placements, &(struct table_row){.key = site.id, .value = buf_str(&a->bytes)}, NULL), 0);
}

static void draw_trigger(struct sim_alerts *a, int i)
{
	a->triggers[i] = (struct sim_trigger){
		.there = true,
		.threshold = 1.5 * (double)(1 << fake_dice(a->kafka, L_VALUES)),
		.warm_up = (int)fake_dice(a->kafka, 3),
		.cooldown = (int)fake_dice(a->kafka, 3),
		.version = ++a->version,
	};
}

void sim_alerts_init(struct sim_alerts *a, struct fake_kafka *k)
{
	static const struct clock unused = {0}; /* the fake one is asked */
	const struct route first = {.effective_from = 0, .cell = STR("sim"), .shards = 3};

	memset(a, 0, sizeof(*a));
	a->kafka = k;
	a->placements = (struct placements)PLACEMENTS_INIT;
	a->placements.cell = "sim";
	a->placements.partitions = FAKE_PARTITIONS;
	a->closures = closures_new("sim");
	a->controls = controls_new(&unused, CONTROL_PROGRAM_PROCESSOR, NULL);
	ck_assert(a->closures && a->controls);
	put_site(a, &first, 1);
	a->nr_routes = 1;
	for (int i = 0; i < SIM_TRIGGERS; i++)
		if (!fake_once_in(k, 4))
			draw_trigger(a, i);
}

void sim_alerts_fini(struct sim_alerts *a)
{
	for (int i = 0; i < FAKE_HOSTS; i++)
		sim_alerts_end(a, i);
	placements_fini(&a->placements);
	closures_free(a->closures);
	controls_free(a->controls);
	buf_fini(&a->bytes);
}

/* A trigger's row, as a host's rulebook takes it. */
static void put_trigger(struct sim_alerts *a, struct rulebook *book, int i)
{
	const struct sim_trigger *now = &a->triggers[i];
	struct trigger t = {.id = str_from(kinds[i].id), .site = STR("site-a"), .metric = str_from(kinds[i].metric), .author = STR("sim"), .updated_at = 1,
			    .warm_up_minutes = now->warm_up, .cooldown_minutes = now->cooldown};
	struct table_row row = {.key = t.id};
	struct err err = ERR_INIT;

	t.has_threshold = kinds[i].ends || strcmp(kinds[i].id, "few") == 0;
	t.threshold = (struct threshold_rule){kinds[i].field, kinds[i].comparison, now->threshold};
	t.has_absent_minutes = kinds[i].absent > 0;
	t.absent_minutes = kinds[i].absent;
	t.has_check_in = !t.has_threshold && !t.has_absent_minutes;
	t.check_in = (struct check_in_rule){.name = t.id, .cron = str_from(kinds[i].cron), .every_minutes = kinds[i].every, .grace_minutes = 1};
	buf_clear(&a->bytes);
	ck_assert_int_eq(trigger_encode(&t, &a->bytes, NULL), 0);
	if (now->there)
		row.value = buf_str(&a->bytes);
	ck_assert_msg(rulebook_take(book, &row, &err) == 0, "%s", err.msg);
}

void sim_alerts_follow(struct sim_alerts *a, int host, bool all)
{
	struct rulebook *book = a->books[host];
	struct rules *rules;

	if (!book || a->followed[host] == a->version || (!all && !fake_once_in(a->kafka, 4)))
		return;
	for (int i = 0; i < SIM_TRIGGERS; i++)
		if (a->triggers[i].version > a->followed[host])
			put_trigger(a, book, i);
	a->followed[host] = a->version;
	rules = rulebook_rules(book, NULL);
	ck_assert_ptr_nonnull(rules);
	for (size_t i = 0; i < rules->nr; i++)
		if (rules->rule[i].trigger.has_check_in) /* the events here are not grouped by their names */
			memset((uint8_t *)(uintptr_t)rules->rule[i].group, group_byte(rules->rule[i].trigger.check_in.cron.len > 0), SERIES_FINGERPRINT_BYTES);
}

const struct judging_tables *sim_alerts_start(struct sim_alerts *a, int host)
{
	a->books[host] = rulebook_new(&a->placements);
	a->followed[host] = 0;
	ck_assert_ptr_nonnull(a->books[host]);
	sim_alerts_follow(a, host, true);
	a->tables[host] = (struct judging_tables){a->books[host], &a->placements, a->closures, a->controls};
	return &a->tables[host];
}

void sim_alerts_end(struct sim_alerts *a, int host)
{
	rulebook_free(a->books[host]);
	a->books[host] = NULL;
}

static void change_trigger(struct sim_alerts *a)
{
	int i = (int)fake_dice(a->kafka, SIM_TRIGGERS);

	fake_note(a->kafka, FAKE_TRIGGER_CHANGED, NULL, i);
	if (!a->triggers[i].there || !fake_once_in(a->kafka, 3)) {
		draw_trigger(a, i);
	} else {
		a->triggers[i].there = false;
		a->triggers[i].version = ++a->version;
	}
}

static void mute(struct sim_alerts *a)
{
	int64_t now_ms = a->kafka->now_ms;
	struct control c = {.on = CONTROL_PROGRAM_PROCESSOR, .action = CONTROL_ACTION_MUTE, .has_trigger = true, .reason = STR("sim"), .author = STR("sim"),
			    .created_at = now_ms, .expires_at = now_ms + 1 + (int64_t)fake_dice(a->kafka, 300000)};
	char id[CONTROL_ID_SIZE];

	c.trigger = str_from(kinds[fake_dice(a->kafka, SIM_TRIGGERS)].id);
	ck_assert_int_eq(control_make_id(&c, id, NULL), 0);
	c.id = str_from(id);
	ck_assert_int_eq(controls_put(a->controls, &c, NULL), CONTROLS_DONE);
	fake_note(a->kafka, FAKE_MUTED, NULL, c.expires_at - now_ms);
}

static void close_ingest(struct sim_alerts *a)
{
	int64_t now_ms = a->kafka->now_ms;
	struct control c = {.id = STR("ingest/close"), .on = CONTROL_PROGRAM_INGEST, .action = CONTROL_ACTION_CLOSE, .reason = STR("sim"), .author = STR("sim"),
			    .created_at = now_ms, .expires_at = now_ms + 1 + (int64_t)fake_dice(a->kafka, 180000)};

	buf_clear(&a->bytes);
	ck_assert_int_eq(control_encode(&c, &a->bytes, NULL), 0);
	ck_assert_int_eq(closures_take_control(a->closures, &(struct table_row){.key = c.id, .value = buf_str(&a->bytes)}, NULL), 0);
}

/* The next route: to fewer partitions, to another cell, or back to all. */
static void change_route(struct sim_alerts *a)
{
	struct route routes[SIM_ROUTES + 1];
	int what = (int)fake_dice(a->kafka, 3);

	if (a->nr_routes > SIM_ROUTES)
		return;
	a->routes_ms[a->nr_routes - 1] = a->kafka->now_ms + 60000 + (int64_t)fake_dice(a->kafka, 120000);
	a->nr_routes++;
	for (int i = 0; i < a->nr_routes; i++)
		routes[i] = (struct route){.effective_from = i ? a->routes_ms[i - 1] : 0, .cell = i + 1 == a->nr_routes && what == 0 ? STR("other") : STR("sim"),
					   .shards = i + 1 == a->nr_routes && what == 1 ? 1 : 3};
	put_site(a, routes, (size_t)a->nr_routes);
	fake_note(a->kafka, FAKE_ROUTE_CHANGED, NULL, what);
}

void sim_alerts_step(struct sim_alerts *a)
{
	uint64_t what = fake_dice(a->kafka, 100);

	if (what < 50)
		change_trigger(a);
	else if (what < 75)
		mute(a);
	else if (what < 90)
		close_ingest(a);
	else if (fake_once_in(a->kafka, 3))
		change_route(a);
}

static struct sim_alert *told_of(struct sim_alerts *a, int32_t partition, const struct alert_event *e)
{
	struct sim_alert *t = a->told;

	for (; t < a->told + a->nr_told; t++)
		if (t->partition == partition && str_eq(str_from(t->trigger), e->trigger) && memcmp(t->fingerprint, e->fingerprint, sizeof(t->fingerprint)) == 0)
			return t;
	ck_assert_uint_lt(a->nr_told++, SIM_ALERTS);
	*t = (struct sim_alert){.partition = partition};
	snprintf(t->trigger, sizeof(t->trigger), STR_FMT, STR_ARG(e->trigger));
	memcpy(t->fingerprint, e->fingerprint, sizeof(t->fingerprint));
	return t;
}

static void must(const struct sim_alerts *a, bool good, const struct alert_event *e, const char *text)
{
	if (good)
		return;
	printf("trigger " STR_FMT ", %s at %" PRId64 " of %" PRId64 " " STR_FMT "\n", STR_ARG(e->trigger), alert_event_kind_name(e->kind),
	       (e->minute - L_BEGIN_MS) / L_MINUTE_MS, (e->opened_at - L_BEGIN_MS) / L_MINUTE_MS, STR_ARG(e->reason));
	sim_fail(a->kafka, text);
}

void sim_alerts_receive(struct sim_alerts *a, const struct fake_record *record, struct arena *scratch)
{
	struct fake_kafka *k = a->kafka;
	struct alert_event e;
	struct err err = ERR_INIT;
	struct sim_alert *t;

	ck_assert_msg(alert_event_decode((struct str){(const char *)record->bytes, record->len}, scratch, &e, &err) == 0, "%s", err.msg);
	t = told_of(a, record->partition, &e);
	must(a, e.epoch == FAKE_EPOCH && e.opened_at <= e.minute && e.opened_at % L_MINUTE_MS == 0, &e, "an event of no minute");
	if (e.kind == ALERT_EVENT_KIND_SUMMARY) {
		k->seen[FAKE_SUMMED_UP]++;
		must(a, e.opened >= e.closed && e.closed > 0 && e.opened_at > t->ended_ms, &e, "a summary of what was told before");
		t->ended_ms = e.opened_at;
		return;
	}
	if (e.kind == ALERT_EVENT_KIND_OPENED) {
		k->seen[FAKE_OPENED]++;
		must(a, !t->open, &e, "it opens again before it has closed");
		must(a, e.opened_at > t->ended_ms, &e, "it opens in a minute that was over");
		must(a, memcmp(e.id, e.episode, sizeof(e.id)) == 0, &e, "an opening of another episode");
		t->open = true;
		t->opened_ms = e.opened_at;
		memcpy(t->episode, e.episode, sizeof(t->episode));
		return;
	}
	k->seen[e.kind == ALERT_EVENT_KIND_MOVED ? FAKE_MOVED : str_eq(e.reason, STR("recovered")) ? FAKE_CLOSED : FAKE_CLOSED_OTHERWISE]++;
	must(a, t->open, &e, "it closes without having been told to be open");
	must(a, e.opened_at == t->opened_ms && memcmp(e.episode, t->episode, sizeof(e.episode)) == 0, &e, "it closes what another opening has begun");
	t->open = false;
	t->ended_ms = e.minute;
}

int sim_alerts_compare(const struct sim_alerts *a)
{
	int found = 0;

	for (size_t i = 0; i < a->nr_told; i++)
		for (int j = 0; j < SIM_TRIGGERS; j++) {
			const struct sim_alert *t = &a->told[i];

			if (!t->open || strcmp(t->trigger, kinds[j].id) != 0 || !(kinds[j].ends || !a->triggers[j].there))
				continue;
			found++;
			printf("partition %d trigger %s: open since minute %" PRId64 "\n", (int)t->partition, t->trigger, (t->opened_ms - L_BEGIN_MS) / L_MINUTE_MS);
		}
	return found;
}
