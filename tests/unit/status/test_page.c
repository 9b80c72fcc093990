/* test_page.c - what the public may see of the incidents, and what the page says of all components. */
#include "sink/status/page_view.h"

#include "tests/unit/status/page_samples.h"
#include "tests/unit/unit.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)

static const struct { enum component_state states[3]; size_t nr; int64_t as_of_ms; enum component_state want; const char *summary; } worst[] = {
	{{0}, 0, 5, COMPONENT_STATE_OPERATIONAL, "Nothing is known yet"},
	{{COMPONENT_STATE_OPERATIONAL}, 1, 0, COMPONENT_STATE_OPERATIONAL, "Nothing is known yet"},
	{{COMPONENT_STATE_OPERATIONAL, COMPONENT_STATE_OPERATIONAL}, 2, 5, COMPONENT_STATE_OPERATIONAL, "All systems operational"},
	{{COMPONENT_STATE_OPERATIONAL, COMPONENT_STATE_MAINTENANCE}, 2, 5, COMPONENT_STATE_MAINTENANCE, "Maintenance in progress"},
	{{COMPONENT_STATE_DEGRADED, COMPONENT_STATE_MAINTENANCE}, 2, 5, COMPONENT_STATE_DEGRADED, "Degraded performance"},
	{{COMPONENT_STATE_DEGRADED, COMPONENT_STATE_PARTIAL_OUTAGE, COMPONENT_STATE_OPERATIONAL}, 3, 5, COMPONENT_STATE_PARTIAL_OUTAGE, "Partial outage"},
	{{COMPONENT_STATE_MAJOR_OUTAGE, COMPONENT_STATE_PARTIAL_OUTAGE}, 2, 5, COMPONENT_STATE_MAJOR_OUTAGE, "Major outage"},
};

START_TEST(the_worst_counts)
{
	struct status_component all[3];
	struct page p = {.components = all, .nr_components = worst[_i].nr, .as_of_ms = worst[_i].as_of_ms, .now_ms = 6};

	for (size_t i = 0; i < 3; i++)
		all[i] = (struct status_component){.state = worst[_i].states[i]};
	ck_assert_int_eq(page_state(&p), worst[_i].want);
	ck_assert_str_eq(page_summary(&p), worst[_i].summary);
}
END_TEST

START_TEST(addresses)
{
	ck_assert(str_eq(page_url("https://status.example.com"), STR("https://status.example.com")));
	ck_assert(str_eq(page_url("https://example.com/status//"), STR("https://example.com/status")));
	ck_assert_uint_eq(page_url("").len + page_url("/").len, 0);
}
END_TEST

/* Of cells' storage, as many as there are letters, and another component, -1: none. */
static const struct { const char *cells; int other; enum component_state storage, all; } houses[] = {
	{"", COMPONENT_STATE_MAJOR_OUTAGE, COMPONENT_STATE_OPERATIONAL, COMPONENT_STATE_MAJOR_OUTAGE},
	{"M", -1, COMPONENT_STATE_MAJOR_OUTAGE, COMPONENT_STATE_MAJOR_OUTAGE},
	{"MM", COMPONENT_STATE_OPERATIONAL, COMPONENT_STATE_MAJOR_OUTAGE, COMPONENT_STATE_MAJOR_OUTAGE},
	{"Mo", COMPONENT_STATE_OPERATIONAL, COMPONENT_STATE_PARTIAL_OUTAGE, COMPONENT_STATE_PARTIAL_OUTAGE},
	{"oM", COMPONENT_STATE_MAJOR_OUTAGE, COMPONENT_STATE_PARTIAL_OUTAGE, COMPONENT_STATE_MAJOR_OUTAGE},
	{"MpM", COMPONENT_STATE_DEGRADED, COMPONENT_STATE_PARTIAL_OUTAGE, COMPONENT_STATE_PARTIAL_OUTAGE},
	{"odm", COMPONENT_STATE_OPERATIONAL, COMPONENT_STATE_DEGRADED, COMPONENT_STATE_DEGRADED},
	{"om", COMPONENT_STATE_PARTIAL_OUTAGE, COMPONENT_STATE_MAINTENANCE, COMPONENT_STATE_PARTIAL_OUTAGE},
};

START_TEST(a_cell_is_not_all)
{
	static const char letters[] = "omdpM"; /* in the order of the states */
	struct status_component all[4];
	struct page p = {.components = all};

	for (const char *c = houses[_i].cells; *c; c++)
		all[p.nr_components++] = (struct status_component){.id = STR("storage/x"), .state = (enum component_state)(strchr(letters, *c) - letters)};
	if (houses[_i].other >= 0)
		all[p.nr_components++] = (struct status_component){.id = STR("push"), .state = (enum component_state)houses[_i].other};
	ck_assert_int_eq(page_storage_state(&p), houses[_i].storage);
	ck_assert_int_eq(page_state(&p), houses[_i].all);
}
END_TEST

/* Entries in short: what a first one needs is filled in. */
static int say(struct sample *s, const char *incident, enum status_action action, int64_t at_ms, struct status_entry e)
{
	struct str push[] = {STR("push")};

	e.incident = str_from(incident);
	e.action = action;
	e.at = at_ms;
	if (e.title.p && !e.components_len) {
		e.components = push;
		e.components_len = 1;
		e.impact = e.has_impact ? e.impact : STATUS_IMPACT_DEGRADED;
		e.has_impact = true;
	}
	return sample_say(s, e);
}

static const struct status_incident *find(struct sample *s, const char *id)
{
	return status_incidents_find(&s->incidents, str_from(id));
}

/* The ids of a list, "a b c". */
static void ids_are(struct sample *s, enum page_list list, const char *want)
{
	struct page_selection sel;
	struct buf ids = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_int_eq(page_select(&s->page, list, &sel, &err), 0);
	for (size_t i = 0; i < sel.nr; i++)
		buf_printf(&ids, "%s" STR_FMT, i ? " " : "", STR_ARG(sel.all[i]->id));
	buf_add(&ids, "", 1);
	ck_assert_str_eq((const char *)ids.p, want);
	buf_fini(&ids);
	page_selection_fini(&sel);
}

START_TEST(lists)
{
	struct sample *s = sample_new("empty");
	const struct status_entry one = {.title = STR("t"), .text = STR("x")};
	struct status_entry plan = {.title = STR("t"), .has_impact = true, .impact = STATUS_IMPACT_MAINTENANCE, .has_opened_at = true};
	int64_t now = s->page.now_ms;

	say(s, "draft", STATUS_ACTION_DRAFT, now - HOUR, one);
	say(s, "vetoed", STATUS_ACTION_DRAFT, now - HOUR, one);
	say(s, "vetoed", STATUS_ACTION_VETO, now - HOUR, (struct status_entry){0});
	say(s, "old", STATUS_ACTION_POST, now - 2 * HOUR, one);
	say(s, "young", STATUS_ACTION_POST, now - HOUR, one);
	say(s, "twin", STATUS_ACTION_POST, now - HOUR, one);
	plan.opened_at = now + 2 * HOUR;
	say(s, "plan-b", STATUS_ACTION_POST, now - DAY, plan);
	plan.opened_at = now - HOUR;
	say(s, "plan-a", STATUS_ACTION_POST, now - 2 * DAY, plan);
	say(s, "over", STATUS_ACTION_POST, now - 15 * DAY, one);
	say(s, "over", STATUS_ACTION_RESOLVE, now - 14 * DAY + 1, (struct status_entry){0});
	say(s, "long-over", STATUS_ACTION_POST, now - 15 * DAY, one);
	say(s, "long-over", STATUS_ACTION_RESOLVE, now - 14 * DAY, (struct status_entry){0});
	ids_are(s, PAGE_LIST_OPEN, "young twin old");
	ids_are(s, PAGE_LIST_MAINTENANCE, "plan-a plan-b");
	ids_are(s, PAGE_LIST_RECENT, "over");
	ids_are(s, PAGE_LIST_OVER, "over long-over");
	say(s, "old", STATUS_ACTION_UPDATE, now - 1, (struct status_entry){.text = STR("again")});
	ids_are(s, PAGE_LIST_PUBLIC, "old young twin plan-b plan-a over long-over");
	ck_assert(page_is_to_come(&s->page, find(s, "plan-b")) && !page_is_to_come(&s->page, find(s, "plan-a")) && !page_is_to_come(&s->page, find(s, "old")));
	ck_assert(!page_may_show(find(s, "draft")) && !page_may_show(find(s, "vetoed")) && page_may_show(find(s, "over")));
	sample_free(s);
}
END_TEST

START_TEST(operational_with_an_incident)
{
	struct sample *s = sample_new("operational");

	ck_assert_str_eq(page_summary(&s->page), "All systems operational"); /* though there are drafts, what is over, and maintenance to come */
	say(s, "open", STATUS_ACTION_POST, SAMPLE_NOW_MS, (struct status_entry){.title = STR("t"), .text = STR("x")});
	ck_assert_str_eq(page_summary(&s->page), "Operational, with an open incident");
	say(s, "open", STATUS_ACTION_RESOLVE, SAMPLE_NOW_MS, (struct status_entry){0});
	ck_assert_str_eq(page_summary(&s->page), "All systems operational");
	sample_free(s);
}
END_TEST

/* The next post, as "phase: text". */
static void post_is(const struct status_incident *i, size_t *at, const char *want)
{
	struct page_post post;
	char got[160] = "none";

	if (page_post_before(i, at, &post))
		snprintf(got, sizeof(got), "%s%s: " STR_FMT, post.later ? "later, " : "", status_phase_name(post.phase), STR_ARG(post.text));
	ck_assert_str_eq(got, want);
}

START_TEST(posts)
{
	struct sample *s = sample_new("empty");
	const struct status_incident *i;
	int64_t now = s->page.now_ms;
	size_t at;

	say(s, "a", STATUS_ACTION_DRAFT, now, (struct status_entry){.title = STR("t"), .text = STR("first words")});
	say(s, "a", STATUS_ACTION_DRAFT, now, (struct status_entry){.text = STR("better words"), .has_phase = true, .phase = STATUS_PHASE_IDENTIFIED});
	say(s, "a", STATUS_ACTION_POST, now + 1, (struct status_entry){0});
	say(s, "a", STATUS_ACTION_UPDATE, now + 2, (struct status_entry){.has_recovery_at = true, .recovery_at = now + HOUR});
	say(s, "a", STATUS_ACTION_UPDATE, now + 3, (struct status_entry){.has_phase = true, .phase = STATUS_PHASE_MONITORING});
	say(s, "a", STATUS_ACTION_REMIND, now + 4, (struct status_entry){.text = STR("an update is due")});
	ck_assert_int_eq(say(s, "a", STATUS_ACTION_VETO, now + 5, (struct status_entry){.text = STR("refused")}), 0);
	say(s, "a", STATUS_ACTION_UPDATE, now + 6, (struct status_entry){.text = STR("nearly")});
	say(s, "a", STATUS_ACTION_RESOLVE, now + 7, (struct status_entry){.text = STR("over")});
	say(s, "a", STATUS_ACTION_UPDATE, now + 8, (struct status_entry){.text = STR("why"), .has_author = true, .author = STR("anna")});
	i = find(s, "a");
	at = i->nr_lines;
	post_is(i, &at, "later, resolved: why");
	post_is(i, &at, "resolved: over");
	post_is(i, &at, "monitoring: nearly");
	post_is(i, &at, "monitoring: ");
	post_is(i, &at, "identified: better words");
	post_is(i, &at, "none");
	ck_assert_int_eq(page_last_post_ms(i), now + 8);
	sample_free(s);
}
END_TEST

START_TEST(names_of_components)
{
	struct sample *s = sample_new("operational");
	char words[PAGE_TITLE_SIZE];

	ck_assert(str_eq(page_component_title(&s->page, STR("storage/amber"), words), STR("Storage, Europe")));
	ck_assert(str_eq(page_component_title(&s->page, STR("storage/abcdefghijklmnopqrstuvwxyz012345"), words), STR("Storage, abcdefghijklmnopqrstuvwxyz012345")));
	s->page.nr_components = 0;
	ck_assert(str_eq(page_component_title(&s->page, STR("push"), words), STR("Push API")));
	sample_free(s);
}
END_TEST

static const struct { enum component_state state; int64_t waiting, recovery_ms, age_ms, want_from_now; } recoveries[] = {
	{COMPONENT_STATE_DEGRADED, 5, 60000, 4000, 56000},
	{COMPONENT_STATE_DEGRADED, 5, -1, 4000, 0},
	{COMPONENT_STATE_DEGRADED, 0, 60000, 4000, 0},
	{COMPONENT_STATE_OPERATIONAL, 5, 60000, 4000, 0},
	{COMPONENT_STATE_MAINTENANCE, 5, 60000, 4000, 0},
	{COMPONENT_STATE_MAJOR_OUTAGE, 5, 60000, 60000, 0}, /* that time has passed, and nothing was heard */
};

START_TEST(recovery)
{
	struct page p = {.now_ms = SAMPLE_NOW_MS, .as_of_ms = SAMPLE_NOW_MS - recoveries[_i].age_ms};
	struct status_component c = {.state = recoveries[_i].state, .waiting_records = recoveries[_i].waiting, .recovery_ms = recoveries[_i].recovery_ms};

	ck_assert_int_eq(page_recovery_at(&p, &c), recoveries[_i].want_from_now ? SAMPLE_NOW_MS + recoveries[_i].want_from_now : 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("page");
	TCase *tc = tcase_create("page");

	tcase_add_loop_test(tc, the_worst_counts, 0, NR(worst));
	tcase_add_test(tc, addresses);
	tcase_add_loop_test(tc, a_cell_is_not_all, 0, NR(houses));
	tcase_add_test(tc, lists);
	tcase_add_test(tc, operational_with_an_incident);
	tcase_add_test(tc, posts);
	tcase_add_test(tc, names_of_components);
	tcase_add_loop_test(tc, recovery, 0, NR(recoveries));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
