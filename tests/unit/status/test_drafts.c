/* test_drafts.c - whole stories in virtual time: what the page writes by itself, when, and when it holds its tongue; and random histories of components against
 * what must hold in all of them. */
#include "sink/status/drafts.h"

#include <string.h>

#include "tests/unit/unit.h"

#define T0 INT64_C(1795734180000) /* 2026-11-26T23:03:00Z */
#define MINUTE INT64_C(60000)
#define STEP_MS 10000

enum { PUSH, PROCESSING, AMBER, BLUE, ALERTS, NOTIFICATIONS, NR_COMPONENTS };

struct world {
	struct drafts_conf conf;
	struct drafts *drafts;
	struct status_incidents incidents;
	struct status_component c[NR_COMPONENTS];
	int64_t now_ms;
	size_t nr_entries;
	char log[4000]; /* "draft 20261126-2303-storage-amber; post ..; " */
	char text[STATUS_TEXT_MAX + 1]; /* of the last entry */
};

static void set(struct world *w, int which, enum component_state state)
{
	struct status_component *c = &w->c[which];

	if (c->state == state)
		return;
	if (c->state == COMPONENT_STATE_OPERATIONAL || state == COMPONENT_STATE_OPERATIONAL)
		c->left_at = w->now_ms;
	c->state = state;
	c->since = w->now_ms;
	c->detail = state > COMPONENT_STATE_MAINTENANCE ? STR("Storing in Amber is 4 min behind. Data is delayed, not lost.") : STR("");
	c->waiting_records = state > COMPONENT_STATE_MAINTENANCE ? 100 : 0;
	c->recovery_ms = -1;
}

static void world_init(struct world *w)
{
	static const char *const ids[NR_COMPONENTS] = {"push", "processing", "storage/amber", "storage/blue", "alerts", "notifications"};
	static const char *const titles[NR_COMPONENTS] = {"Push API", "Processing", "Storage, Amber", "Storage, blue", "Alerts", "Notifications"};

	*w = (struct world){.conf = {MINUTE, 10 * MINUTE, 5 * MINUTE, 30 * MINUTE}, .now_ms = T0};
	for (int i = 0; i < NR_COMPONENTS; i++)
		w->c[i] = (struct status_component){.id = str_from(ids[i]), .title = str_from(titles[i]), .since = T0 - MINUTE, .left_at = T0 - MINUTE, .detail = STR(""),
						    .recovery_ms = -1, .left_ms = -1, .share = -1};
	w->drafts = drafts_new(&w->conf, NULL);
}

static void world_fini(struct world *w)
{
	drafts_free(w->drafts);
	status_incidents_fini(&w->incidents);
}

static int one_moment(void *ctx, const struct status_incident *i, struct status_moment **out, size_t *nr, struct err *err)
{
	static struct status_moment moment;

	(void)ctx;
	(void)err;
	moment = (struct status_moment){i->opened_at, STR("The database stopped taking data.")};
	*out = &moment;
	*nr = 1;
	return 0;
}

static void take(struct world *w, const struct status_entry *e)
{
	struct err err = ERR_INIT;
	size_t len = strlen(w->log);

	ck_assert_msg(status_entry_check(e, &err) == 0, "%s", err.msg);
	ck_assert_msg(!status_incidents_why_not(&w->incidents, e), "%s", status_incidents_why_not(&w->incidents, e));
	ck_assert_int_eq(status_incidents_take(&w->incidents, e, &err), 1);
	w->nr_entries++;
	snprintf(w->log + len, sizeof(w->log) - len, "%s " STR_FMT "; ", status_action_name(e->action), STR_ARG(e->incident));
	snprintf(w->text, sizeof(w->text), STR_FMT, STR_ARG(e->text));
}

/* Lets time pass, a turn every ten seconds. */
static void pass(struct world *w, int64_t ms)
{
	for (int64_t until = w->now_ms + ms; w->now_ms < until;) {
		const struct status_entry *out;
		size_t nr;

		w->now_ms += STEP_MS;
		ck_assert_int_eq(drafts_turn(w->drafts, w->now_ms, w->c, NR_COMPONENTS, &w->incidents, one_moment, NULL, &out, &nr, NULL), 0);
		for (size_t i = 0; i < nr; i++)
			take(w, &out[i]);
	}
}

/* An operator's word. */
static void say(struct world *w, const char *incident, enum status_action action)
{
	char id[STATUS_ENTRY_ID_SIZE];
	struct status_entry e = {.incident = str_from(incident), .at = w->now_ms, .has_author = true, .author = STR("ann"), .action = action, .title = STR("Ours"),
				 .text = STR("We look at it.")};

	status_entry_id(id);
	e.entry = str_from(id);
	ck_assert_int_eq(status_incidents_take(&w->incidents, &e, NULL), 1);
}

#define AMBER_ID "20261126-2303-storage-amber"

START_TEST(short_trouble_is_none)
{
	struct world w;

	world_init(&w);
	set(&w, AMBER, COMPONENT_STATE_MAJOR_OUTAGE);
	pass(&w, 50000);
	set(&w, AMBER, COMPONENT_STATE_OPERATIONAL);
	pass(&w, 60 * MINUTE);
	ck_assert_str_eq(w.log, "");
	world_fini(&w);
}
END_TEST

START_TEST(over_before_it_is_told)
{
	struct world w;

	world_init(&w);
	set(&w, AMBER, COMPONENT_STATE_DEGRADED);
	pass(&w, 50000);
	ck_assert_str_eq(w.log, "");
	pass(&w, 10000);
	ck_assert_str_eq(w.log, "draft " AMBER_ID "; ");
	pass(&w, 5 * MINUTE);
	set(&w, AMBER, COMPONENT_STATE_OPERATIONAL);
	pass(&w, 60 * MINUTE);
	ck_assert_str_eq(w.log, "draft " AMBER_ID "; veto " AMBER_ID "; ");
	world_fini(&w);
}
END_TEST

/* The outage of an hour, told from its draft to its end. */
START_TEST(an_hour)
{
	struct world w;
	const struct status_incident *i;

	world_init(&w);
	set(&w, AMBER, COMPONENT_STATE_MAJOR_OUTAGE);
	pass(&w, MINUTE);
	i = status_incidents_find(&w.incidents, STR(AMBER_ID));
	ck_assert_ptr_nonnull(i);
	ck_assert(str_eq(i->title, STR("Storing data in Amber is delayed")));
	ck_assert_int_eq(i->impact, STATUS_IMPACT_MAJOR_OUTAGE);
	ck_assert_int_eq(i->opened_at, T0);
	ck_assert_int_eq(i->publish_at, T0 + 11 * MINUTE);
	ck_assert_str_eq(w.text, "Storing in Amber is 4 min behind. Data is delayed, not lost. When it will be over is not known yet.");
	pass(&w, 10 * MINUTE - STEP_MS);
	ck_assert_int_eq(i->state, STATUS_INCIDENT_DRAFT);
	pass(&w, STEP_MS);
	ck_assert_int_eq(i->state, STATUS_INCIDENT_POSTED);
	ck_assert_int_eq(i->posted_at, T0 + 11 * MINUTE);
	pass(&w, 30 * MINUTE); /* a cadence without news */
	ck_assert_str_eq(w.log, "draft " AMBER_ID "; post " AMBER_ID "; update " AMBER_ID "; ");
	ck_assert_str_eq(w.text, "It goes on. Storing in Amber is 4 min behind. Data is delayed, not lost. When it will be over is not known yet.");
	w.c[AMBER].recovery_ms = 12 * MINUTE;
	w.c[AMBER].draining = true;
	pass(&w, STEP_MS);
	ck_assert_str_eq(w.text, "It is becoming less. Storing in Amber is 4 min behind. Data is delayed, not lost. "
				 "It is expected to be over at about 23:56 UTC, in 12 min.");
	ck_assert_int_eq(i->phase, STATUS_PHASE_MONITORING);
	ck_assert_int_eq(i->recovery_at, w.now_ms + 12 * MINUTE);
	pass(&w, 12 * MINUTE);
	set(&w, AMBER, COMPONENT_STATE_OPERATIONAL);
	pass(&w, 5 * MINUTE - STEP_MS);
	ck_assert_int_eq(i->state, STATUS_INCIDENT_POSTED);
	pass(&w, STEP_MS);
	ck_assert_int_eq(i->state, STATUS_INCIDENT_RESOLVED);
	ck_assert_str_eq(w.text, "It has been over since 23:56 UTC. All that waited has been taken, and nothing was lost.");
	ck_assert_uint_eq(i->nr_timeline, 1);
	pass(&w, 300 * MINUTE);
	ck_assert_str_eq(strstr(w.log, "resolve"), "resolve " AMBER_ID "; ");
	world_fini(&w);
}
END_TEST

/* Whoever edits has it: nothing is posted, vetoed or resolved by itself; they are reminded once a cadence. */
START_TEST(edited_is_theirs)
{
	struct world w;

	world_init(&w);
	set(&w, AMBER, COMPONENT_STATE_MAJOR_OUTAGE);
	pass(&w, MINUTE);
	say(&w, AMBER_ID, STATUS_ACTION_DRAFT);
	pass(&w, 60 * MINUTE);
	ck_assert_str_eq(w.log, "draft " AMBER_ID "; remind " AMBER_ID "; remind " AMBER_ID "; "); /* nobody has posted it yet */
	say(&w, AMBER_ID, STATUS_ACTION_POST);
	pass(&w, 29 * MINUTE);
	ck_assert_uint_eq(w.nr_entries, 3);
	pass(&w, 62 * MINUTE);
	ck_assert_uint_eq(w.nr_entries, 6);
	ck_assert_ptr_null(strstr(w.log, "post"));
	ck_assert_uint_eq(drafts_due(&w.conf, w.now_ms, &w.incidents), 1); /* whether they were reminded or not */
	say(&w, AMBER_ID, STATUS_ACTION_UPDATE);
	ck_assert_uint_eq(drafts_due(&w.conf, w.now_ms + 30 * MINUTE - 1, &w.incidents), 0);
	ck_assert_uint_eq(drafts_due(&w.conf, w.now_ms + 30 * MINUTE, &w.incidents), 1);
	set(&w, AMBER, COMPONENT_STATE_OPERATIONAL);
	pass(&w, 29 * MINUTE);
	ck_assert_uint_eq(w.nr_entries, 6);
	say(&w, AMBER_ID, STATUS_ACTION_RESOLVE);
	pass(&w, 300 * MINUTE);
	ck_assert_uint_eq(w.nr_entries, 7); /* and what happened is added, without a word */
	ck_assert_str_eq(w.text, "");
	ck_assert_uint_eq(w.incidents.list[0]->nr_timeline, 1);
	ck_assert(str_eq(w.incidents.list[0]->title, STR("Ours")));
	world_fini(&w);
}
END_TEST

/* What was resolved long ago stays as it is, whatever the log tells by now. */
START_TEST(old_stories_are_left_alone)
{
	struct world w;
	struct str push = STR("push");
	struct status_entry e = {.incident = STR("by-hand"), .entry = STR("00000000000000f1"), .at = T0, .has_author = true, .author = STR("ann"),
				 .action = STATUS_ACTION_POST, .title = STR("t"), .text = STR("x"), .components = &push, .components_len = 1, .has_impact = true,
				 .impact = STATUS_IMPACT_DEGRADED};

	world_init(&w);
	ck_assert_int_eq(status_incidents_take(&w.incidents, &e, NULL), 1);
	e.entry = STR("00000000000000f2");
	e.action = STATUS_ACTION_RESOLVE;
	ck_assert_int_eq(status_incidents_take(&w.incidents, &e, NULL), 1);
	w.now_ms += 60 * MINUTE; /* nobody was there meanwhile */
	pass(&w, 60 * MINUTE);
	ck_assert_uint_eq(w.nr_entries, 0);
	world_fini(&w);
}
END_TEST

/* What an operator vetoed is not drafted again while it lasts; the next time is another story. */
START_TEST(a_veto_holds)
{
	struct world w;

	world_init(&w);
	set(&w, AMBER, COMPONENT_STATE_DEGRADED);
	pass(&w, MINUTE);
	say(&w, AMBER_ID, STATUS_ACTION_VETO);
	pass(&w, 20 * MINUTE);
	set(&w, AMBER, COMPONENT_STATE_MAJOR_OUTAGE); /* worse, and still the same trouble */
	pass(&w, 100 * MINUTE);
	ck_assert_uint_eq(w.nr_entries, 1);
	set(&w, AMBER, COMPONENT_STATE_OPERATIONAL);
	pass(&w, MINUTE);
	set(&w, AMBER, COMPONENT_STATE_DEGRADED);
	pass(&w, MINUTE);
	ck_assert_uint_eq(w.nr_entries, 2);
	world_fini(&w);
}
END_TEST

/* Two databases are two incidents; what follows processing is one with it. */
START_TEST(one_cause_one_incident)
{
	struct world w;
	const struct status_incident *i;

	world_init(&w);
	set(&w, AMBER, COMPONENT_STATE_DEGRADED);
	set(&w, BLUE, COMPONENT_STATE_DEGRADED);
	set(&w, PROCESSING, COMPONENT_STATE_PARTIAL_OUTAGE);
	set(&w, ALERTS, COMPONENT_STATE_PARTIAL_OUTAGE);
	pass(&w, 20 * MINUTE);
	ck_assert_uint_eq(w.incidents.nr, 3);
	i = status_incidents_find(&w.incidents, STR("20261126-2303-processing"));
	ck_assert_uint_eq(i->nr_components, 2);
	ck_assert(str_eq(i->components[1], STR("alerts")));
	set(&w, NOTIFICATIONS, COMPONENT_STATE_MAJOR_OUTAGE); /* comes later, and joins */
	pass(&w, 2 * MINUTE);
	ck_assert_uint_eq(w.incidents.nr, 3);
	ck_assert_uint_eq(i->nr_components, 3);
	ck_assert_int_eq(i->impact, STATUS_IMPACT_MAJOR_OUTAGE);
	set(&w, PROCESSING, COMPONENT_STATE_OPERATIONAL);
	set(&w, ALERTS, COMPONENT_STATE_OPERATIONAL);
	pass(&w, 20 * MINUTE);
	ck_assert_int_eq(i->state, STATUS_INCIDENT_POSTED); /* notifications are part of it by now */
	set(&w, NOTIFICATIONS, COMPONENT_STATE_OPERATIONAL);
	pass(&w, 6 * MINUTE);
	ck_assert_int_eq(i->state, STATUS_INCIDENT_RESOLVED);
	world_fini(&w);
}
END_TEST

/* Nothing is drafted of what is in maintenance, or of what somebody has posted already. */
START_TEST(somebody_was_first)
{
	struct world w;
	char id[STATUS_ENTRY_ID_SIZE];
	struct str push = STR("push");
	struct status_entry e = {.incident = STR("by-hand"), .at = T0, .has_author = true, .author = STR("ann"), .action = STATUS_ACTION_POST, .title = STR("t"),
				 .text = STR("x"), .components = &push, .components_len = 1, .has_impact = true, .impact = STATUS_IMPACT_DEGRADED};

	world_init(&w);
	status_entry_id(id);
	e.entry = str_from(id);
	ck_assert_int_eq(status_incidents_take(&w.incidents, &e, NULL), 1);
	set(&w, PUSH, COMPONENT_STATE_MAJOR_OUTAGE);
	set(&w, BLUE, COMPONENT_STATE_MAINTENANCE);
	pass(&w, 20 * MINUTE);
	ck_assert_uint_eq(w.nr_entries, 0);
	world_fini(&w);
}
END_TEST

START_TEST(maintenance_has_an_end)
{
	struct world w;
	struct str push = STR("push");
	struct status_entry e = {.incident = STR("by-hand"), .entry = STR("00000000000000ff"), .at = T0, .has_author = true, .author = STR("ann"),
				 .action = STATUS_ACTION_POST, .title = STR("t"), .text = STR("x"), .components = &push, .components_len = 1, .has_impact = true,
				 .impact = STATUS_IMPACT_MAINTENANCE, .has_opened_at = true, .opened_at = T0 + 60 * MINUTE, .has_recovery_at = true,
				 .recovery_at = T0 + 120 * MINUTE};

	world_init(&w);
	ck_assert_int_eq(status_incidents_take(&w.incidents, &e, NULL), 1);
	pass(&w, 120 * MINUTE - STEP_MS);
	ck_assert_str_eq(w.log, "");
	pass(&w, STEP_MS);
	ck_assert_str_eq(w.log, "resolve by-hand; ");
	ck_assert_str_eq(w.text, "The maintenance has ended.");
	world_fini(&w);
}
END_TEST

/* What is planned for tomorrow is no word about today; what is under way is one. */
START_TEST(planned_maintenance_hides_nothing)
{
	struct world w;
	struct str amber = STR("storage/amber");
	struct status_entry e = {.incident = STR("by-hand"), .entry = STR("00000000000000ff"), .at = T0, .has_author = true, .author = STR("ann"),
				 .action = STATUS_ACTION_POST, .title = STR("t"), .text = STR("x"), .components = &amber, .components_len = 1, .has_impact = true,
				 .impact = STATUS_IMPACT_MAINTENANCE, .has_opened_at = true, .opened_at = T0 + 60 * MINUTE, .has_recovery_at = true,
				 .recovery_at = T0 + 120 * MINUTE};

	world_init(&w);
	ck_assert_int_eq(status_incidents_take(&w.incidents, &e, NULL), 1);
	set(&w, AMBER, COMPONENT_STATE_DEGRADED);
	pass(&w, MINUTE);
	ck_assert_str_eq(w.log, "draft " AMBER_ID "; ");
	set(&w, AMBER, COMPONENT_STATE_OPERATIONAL);
	pass(&w, 59 * MINUTE);
	set(&w, AMBER, COMPONENT_STATE_DEGRADED);
	pass(&w, 30 * MINUTE);
	ck_assert_str_eq(w.log, "draft " AMBER_ID "; veto " AMBER_ID "; ");
	world_fini(&w);
}
END_TEST

/* One that is well and not for long is troubled still, and has nothing to say: nothing is drafted or posted of it. */
START_TEST(nothing_to_say)
{
	struct world w;

	world_init(&w);
	set(&w, AMBER, COMPONENT_STATE_DEGRADED);
	w.c[AMBER].detail = STR("");
	pass(&w, 20 * MINUTE);
	ck_assert_uint_eq(w.nr_entries, 0);
	w.c[AMBER].detail = STR("Storing in Amber is 4 min behind.");
	pass(&w, MINUTE);
	w.c[AMBER].detail = STR("");
	pass(&w, 20 * MINUTE);
	ck_assert_str_eq(w.log, "draft " AMBER_ID "; ");
	world_fini(&w);
}
END_TEST

START_TEST(lost_is_told)
{
	struct world w;

	world_init(&w);
	set(&w, AMBER, COMPONENT_STATE_MAJOR_OUTAGE);
	pass(&w, 20 * MINUTE);
	set(&w, AMBER, COMPONENT_STATE_OPERATIONAL);
	w.c[AMBER].lost_records = 12;
	pass(&w, 6 * MINUTE);
	ck_assert_ptr_nonnull(strstr(w.text, "12 records expired before they were read."));
	ck_assert_ptr_null(strstr(w.text, "nothing was lost"));
	world_fini(&w);
}
END_TEST

/* Told by the page itself of one incident: in what order, and nothing of one that is edited. */
static void check_lines(const struct status_incident *i)
{
	for (size_t k = 0; k < i->nr_lines; k++)
		ck_assert(!i->lines[k].refused);
	if (i->posted_at && i->lines[0].entry.has_publish_at)
		ck_assert(i->edited || i->posted_at >= i->lines[0].entry.publish_at);
}

START_TEST(random_histories)
{
	struct unit_random random = unit_random_new("drafts");

	for (int history = 0; history < 60; history++) {
		struct world w;

		world_init(&w);
		for (int step = 0; step < 300; step++) {
			if (unit_random_below(&random, 4) == 0)
				set(&w, (int)unit_random_below(&random, NR_COMPONENTS), (enum component_state[]){0, 0, 0, 2, 3, 4}[unit_random_below(&random, 6)]);
			if (unit_random_below(&random, 40) == 0 && w.incidents.nr) {
				const struct status_incident *i = w.incidents.list[w.incidents.nr - 1];
				char id[STATUS_INCIDENT_ID_MAX + 1];

				snprintf(id, sizeof(id), STR_FMT, STR_ARG(i->id));
				if (i->state == STATUS_INCIDENT_DRAFT)
					say(&w, id, (enum status_action[]){STATUS_ACTION_DRAFT, STATUS_ACTION_POST, STATUS_ACTION_VETO}[unit_random_below(&random, 3)]);
				else if (i->state == STATUS_INCIDENT_POSTED)
					say(&w, id, unit_random_below(&random, 2) ? STATUS_ACTION_UPDATE : STATUS_ACTION_RESOLVE);
			}
			pass(&w, (1 + (int64_t)unit_random_below(&random, 12)) * STEP_MS);
			for (int c = 0; c < NR_COMPONENTS; c++) {
				size_t open = 0;

				for (size_t k = 0; k < w.incidents.nr; k++)
					for (size_t n = 0; n < w.incidents.list[k]->nr_components; n++)
						open += w.incidents.list[k]->state < STATUS_INCIDENT_RESOLVED && str_eq(w.incidents.list[k]->components[n], w.c[c].id);
				ck_assert_uint_le(open, 2); /* one of its own, and the one that it has come to follow */
			}
		}
		for (size_t k = 0; k < w.incidents.nr; k++)
			check_lines(w.incidents.list[k]);
		for (int c = 0; c < NR_COMPONENTS; c++)
			set(&w, c, COMPONENT_STATE_OPERATIONAL);
		pass(&w, 20 * MINUTE);
		for (size_t k = 0; k < w.incidents.nr; k++)
			ck_assert(w.incidents.list[k]->edited || w.incidents.list[k]->state >= STATUS_INCIDENT_RESOLVED);
		world_fini(&w);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("drafts");
	TCase *tc = tcase_create("drafts");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, short_trouble_is_none);
	tcase_add_test(tc, over_before_it_is_told);
	tcase_add_test(tc, an_hour);
	tcase_add_test(tc, edited_is_theirs);
	tcase_add_test(tc, old_stories_are_left_alone);
	tcase_add_test(tc, a_veto_holds);
	tcase_add_test(tc, one_cause_one_incident);
	tcase_add_test(tc, somebody_was_first);
	tcase_add_test(tc, maintenance_has_an_end);
	tcase_add_test(tc, planned_maintenance_hides_nothing);
	tcase_add_test(tc, nothing_to_say);
	tcase_add_test(tc, lost_is_told);
	tcase_add_test(tc, random_histories);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
