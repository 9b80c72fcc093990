/* test_status_incident.c - what entries fold into: each action in each state, by the page itself and by operators, whose word counts; and random stories
 * against a model that keeps nothing but the list of what was said. */
#include "common/status_incident.h"

#include "tests/unit/unit.h"

#define T0 INT64_C(1795372000000)

static const struct str push_only[] = {{"push", 4}};

/* An entry with all that a first one needs. by NULL: the page itself. */
static struct status_entry entry(const char *id, enum status_action action, const char *by, int64_t at)
{
	return (struct status_entry){
		.incident = STR("20261127-1200-push"), .entry = str_from(id), .at = at, .action = action, .has_author = by != NULL, .author = str_from(by),
		.title = STR("t"), .text = STR("x"), .components = (struct str *)(uintptr_t)push_only, .components_len = 1, .has_impact = true,
		.impact = STATUS_IMPACT_DEGRADED,
	};
}

static const char *id_of(size_t n, char out[STATUS_ENTRY_ID_SIZE])
{
	snprintf(out, STATUS_ENTRY_ID_SIZE, "%016zx", n);
	return out;
}

static int say(struct status_incidents *s, size_t n, enum status_action action, const char *by)
{
	char id[STATUS_ENTRY_ID_SIZE];
	struct status_entry e = entry(id_of(n, id), action, by, T0 + (int64_t)n * 1000);
	struct err err = ERR_INIT;
	const char *why = status_incidents_why_not(s, &e);
	int rc = status_incidents_take(s, &e, &err);

	ck_assert_msg(rc >= 0, "%s", err.msg);
	ck_assert_int_eq(rc, why == NULL);
	return rc;
}

/* The same, when it may have been said before. */
static int say_again(struct status_incidents *s, size_t n, enum status_action action, const char *by)
{
	char id[STATUS_ENTRY_ID_SIZE];
	struct status_entry e = entry(id_of(n, id), action, by, T0 + (int64_t)n * 1000);

	return status_incidents_take(s, &e, NULL);
}

/* Which state each action leads to; -1: it is refused. The ways: D draft, P post, U update, V veto, R resolve, N remind; in capitals an operator's. */
static const struct {
	const char *story;
	int state; /* -1: there is no incident */
	bool edited;
} stories[] = {
	{"u", -1, false}, {"v", -1, false}, {"r", -1, false}, {"n", -1, false},
	{"d", STATUS_INCIDENT_DRAFT, false}, {"D", STATUS_INCIDENT_DRAFT, true}, {"p", STATUS_INCIDENT_POSTED, false}, {"P", STATUS_INCIDENT_POSTED, true},
	{"dp", STATUS_INCIDENT_POSTED, false}, {"dP", STATUS_INCIDENT_POSTED, true}, {"dv", STATUS_INCIDENT_VETOED, false}, {"dV", STATUS_INCIDENT_VETOED, true},
	{"du", STATUS_INCIDENT_DRAFT, false}, {"dU", STATUS_INCIDENT_DRAFT, false}, {"dr", STATUS_INCIDENT_DRAFT, false}, {"dR", STATUS_INCIDENT_DRAFT, false},
	{"dD", STATUS_INCIDENT_DRAFT, true}, {"dDp", STATUS_INCIDENT_DRAFT, true}, {"dDd", STATUS_INCIDENT_DRAFT, true}, {"dDv", STATUS_INCIDENT_DRAFT, true},
	{"dDP", STATUS_INCIDENT_POSTED, true}, {"dDV", STATUS_INCIDENT_VETOED, true}, {"dVp", STATUS_INCIDENT_VETOED, true}, {"dpV", STATUS_INCIDENT_POSTED, false},
	{"dpv", STATUS_INCIDENT_POSTED, false}, {"dpD", STATUS_INCIDENT_POSTED, false}, {"dpP", STATUS_INCIDENT_POSTED, false}, {"dpp", STATUS_INCIDENT_POSTED, false},
	{"dpu", STATUS_INCIDENT_POSTED, false}, {"dpU", STATUS_INCIDENT_POSTED, true}, {"dpUr", STATUS_INCIDENT_POSTED, true}, {"dpUu", STATUS_INCIDENT_POSTED, true},
	{"dpUR", STATUS_INCIDENT_RESOLVED, true}, {"dpr", STATUS_INCIDENT_RESOLVED, false}, {"dpR", STATUS_INCIDENT_RESOLVED, true},
	{"dprU", STATUS_INCIDENT_RESOLVED, true}, {"dpru", STATUS_INCIDENT_RESOLVED, false}, {"dprp", STATUS_INCIDENT_RESOLVED, false},
	{"dprP", STATUS_INCIDENT_RESOLVED, false}, {"dprr", STATUS_INCIDENT_RESOLVED, false}, {"dvd", STATUS_INCIDENT_VETOED, false},
	{"dd", STATUS_INCIDENT_DRAFT, false}, {"dpd", STATUS_INCIDENT_POSTED, false}, {"ddpp", STATUS_INCIDENT_POSTED, false}, {"dvP", STATUS_INCIDENT_VETOED, false}, {"dpUn", STATUS_INCIDENT_POSTED, true}, {"dn", STATUS_INCIDENT_DRAFT, false},
};

static enum status_action action_of(char way)
{
	static const char ways[] = "dpuvrn";

	return (enum status_action)(strchr(ways, way | 0x20) - ways);
}

START_TEST(what_leads_where)
{
	struct status_incidents s = {0};
	const struct status_incident *i;

	for (size_t k = 0; stories[_i].story[k]; k++)
		say(&s, k, action_of(stories[_i].story[k]), stories[_i].story[k] < 'a' ? "ann" : NULL);
	i = status_incidents_find(&s, STR("20261127-1200-push"));
	ck_assert_msg((i ? (int)i->state : -1) == stories[_i].state, "%s: %d", stories[_i].story, i ? (int)i->state : -1);
	ck_assert_msg(!i || i->edited == stories[_i].edited, "%s", stories[_i].story);
	ck_assert_msg(!i || i->nr_lines == strlen(stories[_i].story), "%s: every line is kept", stories[_i].story);
	status_incidents_fini(&s);
}
END_TEST

/* What an entry leaves empty stays, and what a refused one says is never seen. */
START_TEST(words_stay)
{
	struct status_incidents s = {0};
	const struct status_incident *i;
	struct status_entry e = entry("00000000000000aa", STATUS_ACTION_UPDATE, NULL, T0 + 50000);

	say(&s, 1, STATUS_ACTION_DRAFT, NULL);
	say(&s, 2, STATUS_ACTION_POST, NULL);
	e.title = e.text = STR("");
	e.components_len = 0;
	e.has_impact = false;
	e.has_phase = true;
	e.phase = STATUS_PHASE_MONITORING;
	e.has_recovery_at = true;
	e.recovery_at = T0 + 99000;
	ck_assert_int_eq(status_incidents_take(&s, &e, NULL), 1);
	i = s.list[0];
	ck_assert(str_eq(i->title, STR("t")) && i->nr_components == 1 && str_eq(i->components[0], STR("push")));
	ck_assert_int_eq(i->impact, STATUS_IMPACT_DEGRADED);
	ck_assert_int_eq(i->phase, STATUS_PHASE_MONITORING);
	ck_assert_int_eq(i->recovery_at, T0 + 99000);
	ck_assert_int_eq(i->told_at, T0 + 2000); /* an update without a text tells nothing */
	ck_assert_int_eq(i->opened_at, T0 + 1000);
	ck_assert_int_eq(i->posted_at, T0 + 2000);
	e = entry("00000000000000ab", STATUS_ACTION_DRAFT, NULL, T0 + 60000);
	e.title = STR("never seen");
	ck_assert_int_eq(status_incidents_take(&s, &e, NULL), 0);
	ck_assert(str_eq(s.list[0]->title, STR("t")) && s.list[0]->lines[3].refused);
	status_incidents_fini(&s);
}
END_TEST

/* Two who write at the same time: what stands first in the topic holds, and the words of the other are seen by nobody. */
START_TEST(what_crosses)
{
	static const struct { enum status_action first, second; const char *by_first, *by_second; enum status_incident_state state; bool edited; const char *title; } all[] = {
		{STATUS_ACTION_DRAFT, STATUS_ACTION_DRAFT, NULL, NULL, STATUS_INCIDENT_DRAFT, false, "second"}, /* two instances */
		{STATUS_ACTION_DRAFT, STATUS_ACTION_POST, "ann", NULL, STATUS_INCIDENT_DRAFT, true, "first"},   /* an edit, a post */
		{STATUS_ACTION_POST, STATUS_ACTION_DRAFT, NULL, "ann", STATUS_INCIDENT_POSTED, false, "first"},
		{STATUS_ACTION_VETO, STATUS_ACTION_POST, "ann", NULL, STATUS_INCIDENT_VETOED, true, "first"},
		{STATUS_ACTION_POST, STATUS_ACTION_VETO, NULL, "ann", STATUS_INCIDENT_POSTED, false, "first"},
		{STATUS_ACTION_POST, STATUS_ACTION_POST, NULL, "ann", STATUS_INCIDENT_POSTED, false, "first"},
	};
	struct status_entry first = entry("0000000000000001", all[_i].first, all[_i].by_first, T0 + 1000);
	struct status_entry second = entry("0000000000000002", all[_i].second, all[_i].by_second, T0 + 1000);
	struct status_incidents s = {0};

	say(&s, 0, STATUS_ACTION_DRAFT, NULL);
	first.title = STR("first");
	second.title = STR("second");
	ck_assert_int_eq(status_incidents_take(&s, &first, NULL), 1);
	ck_assert_int_eq(status_incidents_take(&s, &second, NULL), strcmp(all[_i].title, "second") == 0);
	ck_assert_int_eq(s.list[0]->state, all[_i].state);
	ck_assert_int_eq(s.list[0]->edited, all[_i].edited);
	ck_assert(str_eq(s.list[0]->title, str_from(all[_i].title)));
	ck_assert_int_eq(s.list[0]->lines[2].refused, strcmp(all[_i].title, "second") != 0); /* and whoever wrote it can see that */
	status_incidents_fini(&s);
}
END_TEST

START_TEST(twice_is_once)
{
	struct status_incidents s = {0};

	ck_assert_int_eq(say(&s, 1, STATUS_ACTION_DRAFT, NULL), 1);
	say(&s, 2, STATUS_ACTION_POST, NULL);
	for (size_t k = 1; k <= 2; k++) {
		char id[STATUS_ENTRY_ID_SIZE];
		struct status_entry e = entry(id_of(k, id), STATUS_ACTION_VETO, "ann", T0);

		ck_assert_int_eq(status_incidents_take(&s, &e, NULL), 0);
	}
	ck_assert_uint_eq(s.list[0]->nr_lines, 2);
	ck_assert_int_eq(s.list[0]->state, STATUS_INCIDENT_POSTED);
	ck_assert(!s.list[0]->edited);
	status_incidents_fini(&s);
}
END_TEST

/* An operator's maintenance ends by itself, at its time and not before; what else is an operator's does not. */
START_TEST(maintenance_ends)
{
	struct status_incidents s = {0};
	struct status_entry e = entry("0000000000000001", STATUS_ACTION_POST, "ann", T0);

	e.impact = STATUS_IMPACT_MAINTENANCE;
	e.has_recovery_at = true;
	e.recovery_at = T0 + 5000;
	ck_assert_int_eq(status_incidents_take(&s, &e, NULL), 1);
	e = entry("0000000000000002", STATUS_ACTION_RESOLVE, NULL, T0 + 4999);
	ck_assert_int_eq(status_incidents_take(&s, &e, NULL), 0);
	e = entry("0000000000000003", STATUS_ACTION_UPDATE, NULL, T0 + 5000);
	e.has_impact = false;
	ck_assert_int_eq(status_incidents_take(&s, &e, NULL), 0);
	e = entry("0000000000000004", STATUS_ACTION_RESOLVE, NULL, T0 + 5000);
	e.has_impact = false;
	ck_assert_int_eq(status_incidents_take(&s, &e, NULL), 1);
	ck_assert_int_eq(s.list[0]->state, STATUS_INCIDENT_RESOLVED);
	status_incidents_fini(&s);
}
END_TEST

static void spoil(struct status_entry *e, int how, char *big)
{
	static const struct str bad_component[] = {{"storage/", 8}}, other[] = {{"Push", 4}};
	static const struct status_moment bad_moment[] = {{T0, {"a\nb", 3}}};

	memset(big, 'a', STATUS_TEXT_MAX + 1);
	switch (how) {
	case 0: e->incident = STR(""); break;
	case 1: e->incident = STR("Upper"); break;
	case 2: e->incident = (struct str){big, STATUS_INCIDENT_ID_MAX + 1}; break;
	case 3: e->entry = STR("123"); break;
	case 4: e->entry = STR("00000000000000AA"); break;
	case 5: e->has_author = true; e->author = STR(""); break;
	case 6: e->has_author = true; e->author = STR("a\x1b[1m"); break;
	case 7: e->title = (struct str){big, STATUS_TITLE_MAX + 1}; break;
	case 8: e->title = STR("a\nb"); break;
	case 9: e->text = (struct str){big, STATUS_TEXT_MAX + 1}; break;
	case 10: e->text = STR("a\tb"); break;
	case 11: e->text = STR("a\xff"); break;
	case 12: e->components = (struct str *)(uintptr_t)bad_component; break;
	case 13: e->components = (struct str *)(uintptr_t)other; break;
	case 14: e->at = -1; break;
	case 15: e->has_publish_at = true; e->publish_at = INT64_MAX; break;
	case 16: e->timeline = (struct status_moment *)(uintptr_t)bad_moment; e->timeline_len = 1; break;
	default: e->components_len = STATUS_COMPONENTS_MAX + 1; break;
	}
}

START_TEST(malformed)
{
	static char big[STATUS_TEXT_MAX + 1];
	struct status_incidents s = {0};
	struct status_entry e = entry("0000000000000001", STATUS_ACTION_DRAFT, NULL, T0);
	struct err err = ERR_INIT;

	ck_assert_int_eq(status_entry_check(&e, &err), 0);
	spoil(&e, _i, big);
	ck_assert_int_eq(status_incidents_take(&s, &e, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_uint_eq(s.nr, 0);
	status_incidents_fini(&s);
}
END_TEST

START_TEST(most_that_is_allowed)
{
	static char big[STATUS_TEXT_MAX];
	struct status_incidents s = {0};
	struct status_entry e = entry("0000000000000001", STATUS_ACTION_DRAFT, NULL, T0);

	memset(big, 'a', sizeof(big));
	e.incident = (struct str){big, STATUS_INCIDENT_ID_MAX};
	e.title = (struct str){big, STATUS_TITLE_MAX};
	e.text = (struct str){big, STATUS_TEXT_MAX};
	ck_assert_int_eq(status_incidents_take(&s, &e, NULL), 1);
	memset(big, 'b', sizeof(big)); /* it was copied */
	ck_assert_int_eq(s.list[0]->title.p[0], 'a');
	status_incidents_fini(&s);
}
END_TEST

static int row(struct status_incidents *s, const char *key, struct str value, struct err *err)
{
	const struct table_row r = {.key = str_from(key), .value = value};

	return status_incidents_take_row(s, &r, err);
}

START_TEST(rows)
{
	struct status_incidents s = {0};
	struct status_entry e = entry("0000000000000001", STATUS_ACTION_DRAFT, NULL, T0);
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	char key[STATUS_KEY_SIZE];

	ck_assert_int_eq(status_entry_encode(&e, &b, NULL), 0);
	ck_assert_str_eq(status_entry_key(&e, key), "20261127-1200-push/0000000000000001");
	ck_assert_int_eq(row(&s, "20261127-1200-push/0000000000000002", buf_str(&b), &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_eq(row(&s, key, (struct str){NULL, 0}, NULL), 0);
	ck_assert_uint_eq(s.nr, 0);
	ck_assert_int_eq(row(&s, key, buf_str(&b), NULL), 0);
	ck_assert_uint_eq(s.nr, 1);
	for (size_t n = 0; n < b.len; n++) { /* cut off anywhere */
		err = (struct err)ERR_INIT;
		ck_assert_int_eq(row(&s, key, (struct str){(const char *)b.p, n}, &err), -1);
	}
	buf_fini(&b);
	status_incidents_fini(&s);
}
END_TEST

START_TEST(by_its_beginning)
{
	struct status_incidents s = {0};
	struct err err = ERR_INIT;
	static const char *const ids[] = {"a-1", "a-12", "b-1"};

	for (size_t k = 0; k < NR(ids); k++) {
		char id[STATUS_ENTRY_ID_SIZE];
		struct status_entry e = entry(id_of(k, id), STATUS_ACTION_DRAFT, NULL, T0);

		e.incident = str_from(ids[k]);
		ck_assert_int_eq(status_incidents_take(&s, &e, NULL), 1);
	}
	ck_assert_ptr_eq(status_incidents_match(&s, "b", &err), s.list[2]);
	ck_assert_ptr_eq(status_incidents_match(&s, "a-1", &err), s.list[0]); /* whole before prefix */
	ck_assert_ptr_null(status_incidents_match(&s, "a", &err));
	ck_assert_ptr_null(status_incidents_match(&s, "c", &err));
	status_incidents_fini(&s);
}
END_TEST

/* The model: walks the whole story from its beginning each time. taken: which of the words counted. */
static int model_state(const char *ways, const bool *own, size_t nr, bool *edited, bool *taken)
{
	int state = -1;

	*edited = false;
	for (size_t k = 0; k < nr; k++) {
		bool may = !own[k] || !*edited;
		char way = ways[k];

		taken[k] = true;
		if (state == -1 && (way == 'd' || way == 'p'))
			state = way == 'd' ? STATUS_INCIDENT_DRAFT : STATUS_INCIDENT_POSTED;
		else if (state == STATUS_INCIDENT_DRAFT && may && strchr("dpv", way))
			state = way == 'p' ? STATUS_INCIDENT_POSTED : way == 'v' ? STATUS_INCIDENT_VETOED : state;
		else if (state == STATUS_INCIDENT_POSTED && may && strchr("ur", way))
			state = way == 'r' ? STATUS_INCIDENT_RESOLVED : state;
		else if (!(state == STATUS_INCIDENT_RESOLVED && way == 'u' && !own[k]))
			taken[k] = way == 'n' && (state == STATUS_INCIDENT_DRAFT || state == STATUS_INCIDENT_POSTED);
		*edited |= !own[k] && taken[k] && way != 'n';
	}
	return state;
}

START_TEST(random_stories)
{
	struct unit_random random = unit_random_new("status_incident");

	for (size_t turn = 0; turn < 3000; turn++) {
		struct status_incidents s = {0};
		char ways[12];
		bool own[12], taken[12], edited;
		size_t nr = 1 + unit_random_below(&random, NR(ways));
		int state;

		for (size_t k = 0; k < nr; k++) {
			ways[k] = "dpuvrn"[unit_random_below(&random, 6)];
			own[k] = unit_random_below(&random, 2);
		}
		state = model_state(ways, own, nr, &edited, taken);
		for (size_t k = 0; k < nr; k++)
			ck_assert_msg(say(&s, k, action_of(ways[k]), own[k] ? NULL : "ann") == taken[k], "%.*s: %zu", (int)nr, ways, k);
		ck_assert_msg((s.nr ? (int)s.list[0]->state : -1) == state, "%.*s", (int)nr, ways);
		ck_assert_msg(!s.nr || s.list[0]->edited == edited, "%.*s", (int)nr, ways);
		for (size_t k = 0; k < nr; k++) /* all of it once more changes nothing */
			ck_assert_int_eq(say_again(&s, k, action_of(ways[k]), own[k] ? NULL : "ann"), 0);
		ck_assert(!s.nr || (s.list[0]->edited == edited && (int)s.list[0]->state == state && s.list[0]->nr_lines <= nr));
		status_incidents_fini(&s);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("status_incident");
	TCase *tc = tcase_create("status_incident");

	tcase_add_loop_test(tc, what_leads_where, 0, NR(stories));
	tcase_add_test(tc, words_stay);
	tcase_add_loop_test(tc, what_crosses, 0, 6);
	tcase_add_test(tc, twice_is_once);
	tcase_add_test(tc, maintenance_ends);
	tcase_add_loop_test(tc, malformed, 0, 18);
	tcase_add_test(tc, most_that_is_allowed);
	tcase_add_test(tc, rows);
	tcase_add_test(tc, by_its_beginning);
	tcase_add_test(tc, random_stories);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
